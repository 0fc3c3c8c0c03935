#!/usr/bin/env bash
# Installs the C libraries that examples/ffi calls, those that the C compiler does not find: on Debian, on Fedora, and on
# systems like these. On macOS they come with the command line tools. Tests leave out what needs a library that is not there.
set -euo pipefail

# Each with its package of Debian's and of Fedora's.
libraries=(
  "z zlib1g-dev zlib-devel"
  "sqlite3 libsqlite3-dev sqlite-devel"
)

scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
found() { echo 'int main(void) { return 0; }' | cc -x c - "-l$1" -o "$scratch/empty" 2>/dev/null; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

debian=() fedora=()
for entry in "${libraries[@]}"; do
  read -r library deb rpm <<<"$entry"
  if found "$library"; then
    echo "$library is there"
  else
    debian+=("$deb") fedora+=("$rpm")
  fi
done
if [ ${#debian[@]} = 0 ]; then
  exit 0
fi

if [ "$(uname)" = Darwin ]; then
  xcode-select --install
elif command -v apt-get >/dev/null; then
  as_root apt-get update -qq
  as_root apt-get install -y -qq "${debian[@]}"
elif command -v dnf >/dev/null; then
  as_root dnf install -y -q "${fedora[@]}"
else
  echo "neither apt-get nor dnf is here; install ${debian[*]} (as Debian calls them) by hand" >&2
  exit 1
fi
