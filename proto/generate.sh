#!/usr/bin/env bash
# Regenerates the Go code of proto/ with protoc (Debian: protobuf-compiler) and gogoproto's plugin, at the version of go.mod.
set -euo pipefail
cd "$(dirname "$0")"
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
GOBIN=$bin go install github.com/cosmos/gogoproto/protoc-gen-gogofaster
gogo=$(go list -m -f '{{.Dir}}' github.com/cosmos/gogoproto)
protoc -I . -I "$gogo" -I "$gogo/protobuf" --plugin="$bin/protoc-gen-gogofaster" \
  --gogofaster_out=paths=source_relative:. votenode/v1/*.proto
gofmt -w votenode/v1/*.pb.go
