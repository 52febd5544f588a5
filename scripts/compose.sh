#!/usr/bin/env bash
# The network of docker-compose.yml: four validators and an observer in containers on this machine. See docs/compose.md.
#
#   scripts/compose.sh up [--dockerd]   founds the network where there is none, starts it, waits until all nodes are well; safe to repeat
#   scripts/compose.sh status           says how each node is; exit 1 where one is not well
#   scripts/compose.sh election [...]   holds a whole election on it from this machine, by `votenode demo --network` with the given flags
#   scripts/compose.sh node NAME ...    runs the program once on the volume of a node, which must not run: scripts/compose.sh node party-1 node verify-store --home /node
#   scripts/compose.sh down [--keep]    stops it and removes all that up made; with --keep the ledger and the keys stay, and up goes on with them
#
# --dockerd starts an engine for this network alone where none runs (as root); down ends it.
#
# VOTENODE_COMPOSE    folder for the genesis document and the keys of officers and registrars (bin/compose)
# VOTENODE_PROJECT    name of the network, its containers and volumes (votenode)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${VOTENODE_COMPOSE:-$root/bin/compose}
project=${VOTENODE_PROJECT:-votenode}
export VOTENODE_IMAGE=$project
engine=$folder.engine
socket=$engine/docker.sock
binary=$root/bin/votenode

nodes=(party-1 party-2 league-1 league-2 observer) # in the order of the ports
validators=(party-1 party-2 league-1 league-2)
chain=compose
officers=3 quorum=2 # of each organisation
patience=180        # seconds until a node that starts must be well

fail() { echo "compose.sh: $*" >&2; exit 1; }
say() { echo "$*" >&2; }

# gateway NODE prints where this machine reaches a node's gateway.
gateway() {
  local i
  for i in "${!nodes[@]}"; do
    [ "${nodes[i]}" != "$1" ] || echo "127.0.0.1:$((8201 + i))"
  done
}

# gateways prints those of all nodes, separated by commas.
gateways() {
  local node list=()
  for node in "${nodes[@]}"; do list+=("$(gateway "$node")"); done
  (IFS=,; echo "${list[*]}")
}

# compose runs either version, always on this file and project. Standard input stays with whoever calls.
compose() { "${compose[@]}" --project-name "$project" --file "$root/docker-compose.yml" "$@" </dev/null; }

# need_engine finds docker and compose, and an engine that answers.
need_engine() {
  command -v docker >/dev/null || fail "docker is missing; on Debian: apt-get install docker.io docker-compose iptables"
  if docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
  elif command -v docker-compose >/dev/null; then
    compose=(docker-compose)
  else
    fail "docker compose is missing; on Debian: apt-get install docker-compose"
  fi
  [ ! -S "$socket" ] || export DOCKER_HOST=unix://$socket
  ! docker info >/dev/null 2>&1 || return 0
  [ "${1:-}" = --dockerd ] ||
    fail "no docker engine answers (${DOCKER_HOST:-/var/run/docker.sock}). Start it (systemctl start docker), or have one started for this network alone: scripts/compose.sh up --dockerd"
  start_engine
}

# start_engine starts an engine that keeps all it has beside the folder.
start_engine() {
  [ "$(id -u)" = 0 ] || fail "only root can start dockerd"
  command -v dockerd >/dev/null || fail "dockerd is missing; on Debian: apt-get install docker.io iptables"
  [ ${#socket} -le 100 ] || fail "$socket is too long for a socket; set VOTENODE_COMPOSE to a shorter folder"
  mkdir -p "$engine"
  rm -f "$socket"
  setsid dockerd --host "unix://$socket" --bridge none --data-root "$engine/data" --exec-root "$engine/exec" --pidfile "$engine/pid" >"$engine/log" 2>&1 </dev/null &
  local pid=$! start=$SECONDS
  export DOCKER_HOST=unix://$socket
  until docker info >/dev/null 2>&1; do
    kill -0 "$pid" 2>/dev/null || fail "dockerd does not start: $(tail -n 5 "$engine/log")"
    [ $((SECONDS - start)) -lt "$patience" ] || fail "dockerd does not answer, see $engine/log"
    sleep 1
  done
  say "dockerd runs as process $pid until scripts/compose.sh down"
}

# stop_engine ends the engine that start_engine started, and removes what it had.
stop_engine() {
  [ -e "$engine" ] || return 0
  local pid
  pid=$(cat "$engine/pid" 2>/dev/null || true)
  if [ -n "$pid" ] && kill "$pid" 2>/dev/null; then
    tail --pid="$pid" -f /dev/null
  fi
  rm -rf "$engine"
}

# in_node NODE ARGUMENT... runs the program in a container with a node's volume; the folder is /shared there, read-only.
in_node() {
  local node=$1
  shift
  compose run --rm -T --no-deps --volume "$founding/shared:/shared:ro" "$node" "$@"
}

# found makes all keys and the document as the operators would: a node's keys are made in its own volume and never leave it; what is
# handed in are signed entries. People's keys stay in the folder.
found() {
  [ -z "$(docker volume ls --quiet --filter "label=com.docker.compose.project=$project")" ] ||
    fail "there are volumes of a network whose folder $folder is not there or was not finished; remove them with: scripts/compose.sh down"
  founding=$folder.founding
  rm -rf "$founding"
  mkdir -p "$founding"/{people,entries,shared}
  chmod 755 "$founding" "$founding/shared" # the program in the container is another user
  say "founding: the keys of five nodes, each in its volume"
  local node organisation observer id i
  # Image and network are there before the first volume: what fails here leaves nothing that holds a key.
  observer=$(in_node observer node init --home /node --gateway 0.0.0.0:8080 --metrics 0.0.0.0:26660 --json)
  id=$(sed -n 's/.*"node_id": *"\([0-9a-f]*\)".*/\1/p' <<<"$observer")
  [ -n "$id" ] || fail "the observer does not tell its node id: $observer"
  for node in "${validators[@]}"; do
    in_node "$node" node init --home /node --gateway 0.0.0.0:8080 --metrics 0.0.0.0:26660 --observer "$id" >/dev/null
    in_node "$node" genesis entry validator --chain "$chain" --organisation "${node%-*}" --name "$node" --home /node --address "$node:26656" \
      >"$founding/entries/$node"
  done
  say "founding: officers and registrars, and the document that all approve"
  local names=()
  for organisation in party league; do
    for ((i = 1; i <= officers; i++)); do names+=("officer:$organisation:$organisation-officer-$i"); done
    names+=("registrar:$organisation:$organisation-registrar")
  done
  local entry role name
  for entry in "${names[@]}"; do
    IFS=: read -r role organisation name <<<"$entry"
    "$binary" key new "$role" "$founding/people/$name.key" --no-passphrase >/dev/null
    "$binary" genesis entry "$role" --chain "$chain" --organisation "$organisation" --name "$name" --key "$founding/people/$name.key" \
      --out "$founding/entries/$name"
  done
  # A minute before closing validators promise nothing more; an election that lasts a minute needs less.
  "$binary" genesis parameters --organisations 2 | sed 's/"slip_margin": 60/"slip_margin": 2/' >"$founding/parameters.json"
  "$binary" genesis assemble --chain "$chain" --time "$(date -u +%Y-%m-%dT%H:%M:%SZ)" --parameters "$founding/parameters.json" \
    --organisation "party:$quorum:Party" --organisation "league:$quorum:League of Supporters" --out "$founding/genesis" "$founding"/entries/* >"$founding/hash"
  for organisation in party league; do
    for ((i = 1; i <= officers; i++)); do
      "$binary" genesis approve "$founding/genesis" --key "$founding/people/$organisation-officer-$i.key" --approvals "$founding/approvals" >/dev/null
    done
  done
  install -m 644 "$founding/genesis" "$founding/approvals" "$founding/shared/"
  for node in "${nodes[@]}"; do
    in_node "$node" node genesis /shared/genesis /shared/approvals --home /node --genesis-hash "$(cat "$founding/hash")"
  done
  rm -r "$founding/shared"
  mv "$founding" "$folder"
  say "founded: genesis hash $(cat "$folder/hash")"
}

# state NODE prints what the engine says of a node's container.
state() {
  local id
  id=$(compose ps --all --quiet "$1" 2>/dev/null) && [ -n "$id" ] || { echo "not there"; return; }
  docker inspect --format '{{if ne .State.Status "running"}}{{.State.Status}}{{else}}{{.State.Health.Status}}{{end}}' "$id"
}

# why NODE prints the last words of a health check, or of a node that does not run.
why() {
  local id
  id=$(compose ps --all --quiet "$1" 2>/dev/null)
  [ -n "$id" ] || return 0
  docker inspect --format '{{if .State.Running}}{{with .State.Health}}{{range .Log}}{{.Output}}{{end}}{{end}}{{end}}' "$id" | sed '/^$/d' | tail -n 1
  docker logs --tail 3 "$id" 2>&1
}

up() {
  need_engine "${1:-}"
  say "building the program and its image"
  "$root/scripts/build.sh" image
  docker build --quiet --tag "$VOTENODE_IMAGE" "$root" >/dev/null
  [ -e "$folder/hash" ] || found
  compose up --detach --remove-orphans
  local node start=$SECONDS
  for node in "${nodes[@]}"; do
    until [ "$(state "$node")" = healthy ]; do
      [ $((SECONDS - start)) -lt "$patience" ] || fail "$node is $(state "$node") after $patience seconds: $(why "$node")"
      sleep 1
    done
  done
  say "all nodes are well. Gateways: $(gateways)"
}

status() {
  need_engine
  [ -e "$folder/hash" ] || fail "there is no network; bring it up with: scripts/compose.sh up"
  local node now answer code=0
  echo "genesis hash $(cat "$folder/hash")"
  for node in "${nodes[@]}"; do
    now=$(state "$node")
    echo "$node: $now, gateway http://$(gateway "$node")"
    if [ "$now" != healthy ]; then
      code=1
      why "$node" | sed 's/^/  /'
    fi
    answer=$("$binary" status --node "$(gateway "$node")" 2>&1) || code=1
    grep -E '^(votenode:|height|certified|peers|alarm|health)' <<<"$answer" | sed 's/^/  /' || true
  done
  return $code
}

election() {
  need_engine
  [ -e "$folder/hash" ] || fail "there is no network; bring it up with: scripts/compose.sh up"
  "$binary" demo --network "$folder" --node "$(gateways)" "$@"
}

# on_volume NAME ARGUMENT... is the program in a container of its own, with the node's volume as its folder.
on_volume() {
  local node=${1:?scripts/compose.sh node NAME ...}
  need_engine
  case $(state "$node") in
    healthy | unhealthy | starting) fail "$node runs; stop it first: ${compose[*]} --project-name $project stop $node" ;;
  esac
  compose run --rm -T --no-deps "$@"
}

down() {
  if [ -e "$engine" ] && ! DOCKER_HOST=unix://$socket docker info >/dev/null 2>&1; then
    say "the engine of this network does not run any more"
    [ "${1:-}" = --keep ] || { rm -rf "$folder" "$folder.founding"; stop_engine; }
    return
  fi
  need_engine
  if [ "${1:-}" = --keep ]; then
    compose down --remove-orphans
    [ ! -e "$engine" ] || say "the engine of this network still runs; scripts/compose.sh down ends it, and removes what it has"
    return
  fi
  compose down --volumes --remove-orphans
  docker image rm --force "$VOTENODE_IMAGE" >/dev/null 2>&1 || true
  rm -rf "$folder" "$folder.founding"
  stop_engine
}

case "${1:-}:${2:-}" in
  up: | up:--dockerd | status: | down: | down:--keep | election:*) "$@" ;;
  node:?*) shift; on_volume "$@" ;;
  *) sed -n '2,15s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
