#!/usr/bin/env bash
# Installs the peer languages that a Debian-like distribution has. What cannot be installed is skipped by the
# benchmark, by name.
set -u
for package in gcc ocaml-nox ocaml-findlib libangstrom-ocaml-dev golang-go nodejs luajit; do
  apt-get install -y -qq "$package" >/dev/null 2>&1 && echo "installed $package" || echo "not available: $package"
done
