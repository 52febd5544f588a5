#!/usr/bin/env bash
# Everything that an election must survive, in every phase and under load: see docs/reliability.md. It takes about half an hour.
#
#   scripts/perturb.sh                       everything, on a network of processes that it founds; as root, a disk is filled too
#   scripts/perturb.sh "one is killed"       this alone, in every phase
#   scripts/perturb.sh --containers [NAME]   the same on the network of docker-compose.yml, which scripts/compose.sh has brought up; as root
#
# SEED=N repeats the order and the choices of an earlier run. VOTENODE_COMPOSE and VOTENODE_PROJECT are those of scripts/compose.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
GOTOOLCHAIN=$(sed -n 's/^toolchain //p' go.mod) # as scripts/build.sh
export GOTOOLCHAIN
args=(-seed "${SEED:-0}")
if [ "${1:-}" = --containers ]; then
  shift
  export VOTENODE_COMPOSE=${VOTENODE_COMPOSE:-$PWD/bin/compose} VOTENODE_PROJECT=${VOTENODE_PROJECT:-votenode} VOTENODE_BINARY=$PWD/bin/votenode
  export VOTENODE_GATEWAYS=127.0.0.1:8201,127.0.0.1:8202,127.0.0.1:8203,127.0.0.1:8204,127.0.0.1:8205
  [ ! -S "$VOTENODE_COMPOSE.engine/docker.sock" ] || export DOCKER_HOST=unix://$VOTENODE_COMPOSE.engine/docker.sock
  args+=(-containers)
fi
if [ $# = 0 ]; then args+=(-all); else args+=(-only "$1"); fi
CGO_ENABLED=0 go test -count=1 -timeout 3h -run TestElection -v ./internal/perturb "${args[@]}"
