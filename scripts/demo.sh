#!/usr/bin/env bash
# A whole election on four validators, from one command: builds bin/votenode (no C compiler needed) and runs `votenode demo` with the given flags.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
if ! command -v go >/dev/null; then
  echo "Go is missing: install Go 1.26 or newer from https://go.dev/dl and run this again." >&2
  exit 1
fi
[ -x "$root/bin/votenode" ] || echo "Building bin/votenode; the first time this takes some minutes." >&2
(cd "$root" && CGO_ENABLED=0 go build -trimpath -o bin/votenode ./cmd/votenode)
exec "$root/bin/votenode" demo "$@"
