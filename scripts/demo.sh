#!/usr/bin/env bash
# A whole election on four validators, from one command: builds bin/votenode (no C compiler needed) and runs `votenode demo` with the given flags.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
[ -x "$root/bin/votenode" ] || echo "Building bin/votenode; the first time this takes some minutes." >&2
"$root/scripts/build.sh"
exec "$root/bin/votenode" demo "$@"
