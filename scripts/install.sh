#!/bin/sh
# Installs the project's packages, and with them its own Node, when they are missing or older than the lock file.
set -eu
cd "$(dirname "$0")/.."

# What was installed from, so that a checkout that only touches the lock file asks no registry.
installed=node_modules/.installed-lock.json

up_to_date() {
  node_modules/.bin/node --version >/dev/null 2>&1 || return 1
  cmp -s package-lock.json "$installed" || [ node_modules/.package-lock.json -nt package-lock.json ]
}

if up_to_date; then exit 0; fi

if ! command -v npm >/dev/null 2>&1; then
  echo 'Quorate needs Node 20 or newer with npm to install itself; it brings its own Node 26 for everything else.' >&2
  exit 1
fi

echo 'Installing packages (once, and after the lock file changed) ...' >&2
npm ci --no-audit --no-fund --loglevel=error >&2

case "$(node_modules/.bin/node --version 2>/dev/null || echo none)" in
  v2[6-9].*) ;;
  *)
    echo 'The package "node" did not bring Node 26: were install scripts forbidden (npm config get ignore-scripts)?' >&2
    exit 1
    ;;
esac
touch node_modules/.package-lock.json
cp package-lock.json "$installed"
