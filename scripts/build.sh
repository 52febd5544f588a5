#!/usr/bin/env bash
# Builds bin/votenode: the same commit, built by the same Go, gives the same bytes, whatever the folder, the user and the machine
# (docs/reproducible.md). `scripts/build.sh image` also makes bin/image, which the Dockerfile puts into an image.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v go >/dev/null; then
  echo "Go is missing: install Go 1.26 or newer from https://go.dev/dl and run this again." >&2
  exit 1
fi
case "${1:-}" in
  "" | image) ;;
  *) echo "usage: scripts/build.sh [image]" >&2; exit 2 ;;
esac
# What the environment says of flags has no say; where GOFLAGS is set, what `go env -w` says of it does not count.
unset GOEXPERIMENT
GOTOOLCHAIN=$(sed -n 's/^toolchain //p' go.mod) # which go fetches where the machine has another one
export GOTOOLCHAIN CGO_ENABLED=0 GOFLAGS=-mod=readonly GOAMD64=v1 GOARM64=v8.0 GOFIPS140=off GOWORK=off
go build -trimpath -buildvcs=true -o bin/votenode ./cmd/votenode
if [ "${1:-}" = image ]; then
  mkdir -p bin/image/node
  cp bin/votenode bin/image/votenode
fi
