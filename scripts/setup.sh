#!/bin/sh
# npm's scripts, from a fresh clone on: sh scripts/setup.sh [build|start|test|vm|bench|check]
# Looks for what this needs, installs the npm packages if they are missing or older than the lock file, runs the target.
set -eu
cd "$(dirname "$0")/.."
target=${1:-build}
[ $# -eq 0 ] || shift

lacks() { # lacks WHAT COMMAND-THAT-HELPS
  printf 'tinyrun: %s; try: %s\n' "$1" "$2" >&2
  exit 1
}

[ "$(uname -s)" = Linux ] || lacks "containers need Linux, this is $(uname -s)" "a Linux machine, or a virtual one"
command -v npm >/dev/null || lacks "npm is missing" "apt-get install npm"
command -v "${CC:-cc}" >/dev/null || lacks "a C compiler is missing" "apt-get install gcc libc6-dev"
printf '#include <stdio.h>\n' | "${CC:-cc}" -E - >/dev/null 2>&1 || lacks "libc's headers are missing" "apt-get install libc6-dev"
case $target in
  start | test | bench) [ "$(id -u)" = 0 ] || lacks "npm run $target makes containers, which needs root" "sudo npm run $target" ;;
esac

# npm writes this file last.
installed=node_modules/.package-lock.json
if [ ! -e "$installed" ] || [ package-lock.json -nt "$installed" ]; then
  # Warnings are of packages that want another Node: here they run on Bun.
  npm ci --no-audit --no-fund --loglevel=error >&2
fi
bun=node_modules/.bin/bun
# Bun's install script puts its executable into place; npm may be told not to run such scripts.
"$bun" --version >/dev/null 2>&1 || node node_modules/bun/install.js
"$bun" --version >/dev/null 2>&1 || lacks "bun doesn't run on this machine" "$bun --version"

case $target in
  build) "$bun" scripts/build.ts ;;
  start) "$bun" scripts/build.ts && exec "$bun" scripts/start.ts ;;
  test) "$bun" scripts/build.ts && exec "$bun" test/run-all.ts "$@" ;;
  vm) "$bun" scripts/build.ts && exec "$bun" test/vm/run.ts "$@" ;;
  bench) "$bun" scripts/build.ts && exec "$bun" bench/run.ts "$@" ;;
  check) "$bun" scripts/native.ts && node_modules/.bin/tsc --noEmit && exec node_modules/.bin/biome check . ;;
  *) lacks "no target $target" "sh scripts/setup.sh build|start|test|vm|bench|check" ;;
esac
