#!/usr/bin/env bash
# Everything that an election must survive, in every phase and under load: see docs/reliability.md. It takes about half an hour.
#
#   scripts/perturb.sh                   everything
#   scripts/perturb.sh "one is killed"   this alone, in every phase
#
# SEED=N repeats the order and the choices of an earlier run.
set -euo pipefail
cd "$(dirname "$0")/.."
GOTOOLCHAIN=$(sed -n 's/^toolchain //p' go.mod) # as scripts/build.sh
export GOTOOLCHAIN
args=(-all)
[ $# = 0 ] || args=(-only "$1")
CGO_ENABLED=0 go test -count=1 -timeout 3h -run TestElection -v ./internal/perturb "${args[@]}" -seed "${SEED:-0}"
