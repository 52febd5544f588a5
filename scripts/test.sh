#!/usr/bin/env bash
# Everything that must hold before a change goes in: build, form, generated files, tests, races, short fuzzing, the demo and a replay of
# real figures, a build repeated elsewhere, a network in containers. Stops at the first failure. Installs what is missing where it may (Debian: gcc,
# protobuf-compiler, docker.io, docker-compose, iptables; of prometheus the tool alone).
#
#   scripts/test.sh              all steps
#   scripts/test.sh vet tests    only these; `scripts/test.sh help` lists them
#
# FIGURES=FILE.csv names the figures to replay. The step vulnerabilities runs only where it is named: what it says changes without a change here.
set -euo pipefail
cd "$(dirname "$0")/.."

GOTOOLCHAIN=$(sed -n 's/^toolchain //p' go.mod) # as scripts/build.sh
export GOTOOLCHAIN
cometbft=v0.40.0
staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2
govulncheck=golang.org/x/vuln/cmd/govulncheck@v1.9.0
vulndb=golang.org/x/vulndb@latest
figures=${FIGURES:-../shared/data/nh-2014-republican-primary.csv}
all="tools build form vet staticcheck versions vulnerabilities generated monitoring tests race fuzz demo difference replay reproducible compose"

# Where goroutines share state; the mathematics below has none and takes minutes under the race detector.
races=(./app/... ./store/... ./abci/... ./client/... ./node/... ./internal/demo/... ./internal/network/... ./internal/bench/...)

# Where step_tools puts a promtool that the machine lacks.
export PATH="$PATH:$PWD/bin"

step_tools() {
  local missing=()
  command -v promtool >/dev/null || fetch_promtool
  command -v gcc >/dev/null || missing+=(gcc libc6-dev)
  command -v protoc >/dev/null || missing+=(protobuf-compiler)
  install_packages ${missing[@]+"${missing[@]}"}
}

install_packages() {
  [ $# -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "These are missing: $*. Install them with your system's package manager and run this again." >&2
    return 1
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Takes promtool out of Debian's package without installing it: that would start a service.
fetch_promtool() {
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "promtool is missing. Install it (Debian: prometheus) and run this again." >&2
    return 1
  fi
  apt-get update -qq
  (cd "$logs" && apt-get download -qq prometheus >/dev/null 2>&1 && dpkg-deb -x prometheus_*.deb prometheus)
  install -D "$logs/prometheus/usr/bin/promtool" bin/promtool
}

step_build() {
  CGO_ENABLED=0 go build ./...
  scripts/build.sh
}

step_form() {
  local files
  files=$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l)
  [ -z "$files" ] || { echo "Run gofmt -w on: $files" >&2; return 1; }
  bash -n scripts/*.sh proto/generate.sh .ci/run
}

step_vet() { CGO_ENABLED=0 go vet ./...; }

step_staticcheck() { CGO_ENABLED=0 go run "$staticcheck" ./...; }

step_versions() {
  local got
  got=$(go list -m -f '{{.Version}}' github.com/cometbft/cometbft)
  [ "$got" = "$cometbft" ] || { echo "CometBFT is $got, but only $cometbft will do: see docs/adr." >&2; return 1; }
  go mod verify >/dev/null
  go mod tidy -diff >/dev/null || { echo "go.mod is not tidy: run go mod tidy." >&2; return 1; }
}

# Files that a program of this repository writes, made anew, must be what is committed.
step_generated() {
  local before after packages
  sums() { git ls-files -z | xargs -0 sha256sum; }
  before=$(sums)
  proto/generate.sh
  mapfile -t packages < <(git grep -lE 'flag\.Bool\("update"' -- '*_test.go' | xargs -r -n1 dirname | sort -u | sed 's#^#./#')
  [ ${#packages[@]} -eq 0 ] || CGO_ENABLED=0 go test -count=1 -run 'Vectors|Golden|Sample' "${packages[@]}" -update
  after=$(sums)
  [ "$before" = "$after" ] || { diff <(echo "$before") <(echo "$after") >&2; echo "Generated files differ from their sources: commit what was just made." >&2; return 1; }
}

# Alert rules and the example configuration are valid, and every alert fires when it should and only then.
step_monitoring() {
  promtool check config scripts/monitoring/prometheus.yml
  promtool test rules scripts/monitoring/alerts_test.yml
}

step_tests() { CGO_ENABLED=0 go test -timeout 20m ./...; }

step_race() { CGO_ENABLED=1 go test -race -short -timeout 20m "${races[@]}"; }

step_fuzz() { scripts/fuzz.sh short; }

# What is known of the modules and of Go's own packages, as far as this program calls it, but for what scripts/accepted-vulnerabilities gives a
# reason for. The database comes as the module that it is made from, so that the module proxy suffices.
step_vulnerabilities() {
  local module code=0 news
  if ! module=$(cd "$logs" && go mod download -json "$vulndb" 2>"$logs/vulndb.err"); then
    echo "SKIPPED: the vulnerability database cannot be fetched: $(tail -n 1 "$logs/vulndb.err")"
    return 0
  fi
  (cd "$logs" && go run "${vulndb/@//cmd/indexdb@}" -vulns "$(sed -n 's/.*"Dir": "\(.*\)".*/\1/p' <<<"$module")/data/osv" -out "$logs/vulndb")
  CGO_ENABLED=0 go run "$govulncheck" -db "file://$logs/vulndb" ./... >"$logs/vulnerabilities" 2>&1 || code=$?
  news=$(sed -n 's/^Vulnerability #[0-9]*: //p' "$logs/vulnerabilities" | grep -vxFf <(sed -n 's/^\(GO-[0-9-]*\).*/\1/p' scripts/accepted-vulnerabilities) || true)
  if [ "$code" != 0 ] && { [ -n "$news" ] || ! grep -q '^Vulnerability' "$logs/vulnerabilities"; }; then
    cat "$logs/vulnerabilities" >&2
    echo "New: ${news:-govulncheck failed}" >&2
    return 1
  fi
}

step_demo() { scripts/demo.sh --record "$logs/demo-record"; }

# A result that is not the figures is exit 3, whichever of the two is higher.
step_difference() {
  local change code
  for change in 's/,Ann,2$/,Ann,1/' 's/,Dan,1$/,Dan,2/'; do
    sed "$change" internal/demo/testdata/small.csv >"$logs/changed.csv"
    code=0
    scripts/demo.sh --results internal/demo/testdata/small.csv --expect "$logs/changed.csv" --record "$logs/record" >"$logs/demo" 2>&1 || code=$?
    rm -r "$logs/record"
    [ "$code" = 3 ] || { cat "$logs/demo" >&2; echo "A changed figure gave exit $code, not 3." >&2; return 1; }
  done
}

step_replay() {
  if [ ! -e "$figures" ]; then
    echo "SKIPPED: $figures is not there; name a file of figures with FIGURES=FILE.csv."
    return 0
  fi
  scripts/demo.sh --results "$figures" --limit 5000 --record "$logs/replay-record"
}

# The same commit, cloned into two folders, gives the same program; the second time nothing is taken from Go's cache, and the environment differs.
step_reproducible() {
  local other=$logs/another/and/longer
  git clone -q . "$logs/one"
  git clone -q . "$other"
  "$logs/one/scripts/build.sh"
  GOCACHE=$logs/cache GOFLAGS=-buildvcs=false GOAMD64=v3 CGO_ENABLED=1 "$other/scripts/build.sh"
  "$logs/one/bin/votenode" version
  cmp "$logs/one/bin/votenode" "$other/bin/votenode"
  rm -rf "$logs/one" "$logs/another" "$logs/cache"
}

# The network of docker-compose.yml: brought up twice, stopped and brought up again, an election on it, and all of it gone at the end.
step_compose() {
  if [ "$(id -u)" != 0 ] || ! unshare --mount true 2>/dev/null; then
    echo "SKIPPED: containers need a root that may mount file systems."
    return 0
  fi
  local missing=()
  command -v dockerd >/dev/null || missing+=(docker.io iptables)
  docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null || missing+=(docker-compose)
  install_packages ${missing[@]+"${missing[@]}"}
  export VOTENODE_COMPOSE=$logs/compose VOTENODE_PROJECT=votenode-test
  trap 'scripts/compose.sh down >/dev/null 2>&1 || true; rm -rf "$logs"' EXIT
  scripts/compose.sh up --dockerd
  [ ! -S "$logs/compose.engine/docker.sock" ] || export DOCKER_HOST=unix://$logs/compose.engine/docker.sock
  confined
  scripts/compose.sh election --record "$logs/compose-record"
  scripts/compose.sh down --keep
  for node in party-1 league-2; do
    scripts/compose.sh node $node node verify-store --home /node
    scripts/compose.sh node $node node list-state --home /node --height 5 >"$logs/$node"
  done
  bin/votenode node compare-state "$logs/party-1" "$logs/league-2"
  scripts/compose.sh up
  scripts/compose.sh status
  scripts/compose.sh down
  [ -z "$(docker ps --all --quiet --filter label=com.docker.compose.project=votenode-test 2>/dev/null)" ] || { echo "down leaves containers." >&2; return 1; }
}

# confined asks the kernel what it lets the nodes do.
confined() {
  local id pid ids
  ids=$(docker ps --quiet --filter label=com.docker.compose.project=votenode-test)
  [ "$(wc -w <<<"$ids")" = 5 ] || { echo "There are not five containers: $ids" >&2; return 1; }
  for id in $ids; do
    pid=$(docker inspect --format '{{.State.Pid}}' "$id")
    grep -qP '^Uid:\t65532\t65532\t65532\t65532$' "/proc/$pid/status" || { echo "A node does not run as user 65532." >&2; return 1; }
    grep -qP '^CapBnd:\t0+$' "/proc/$pid/status" || { echo "A node may have capabilities." >&2; return 1; }
    grep -qP '^NoNewPrivs:\t1$' "/proc/$pid/status" || { echo "A node may gain privileges." >&2; return 1; }
    awk '$5 == "/" && $6 ~ /^ro(,|$)/ { found = 1 } END { exit !found }' "/proc/$pid/mountinfo" || { echo "A node's root file system can be written." >&2; return 1; }
  done
}

if [ "${1:-}" = help ]; then
  echo "$all"
  exit 0
fi
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
begin=$SECONDS
for step in ${*:-$all}; do
  declare -F "step_$step" >/dev/null || { echo "No step is called $step. There are: $all" >&2; exit 2; }
  echo "== $step"
  start=$SECONDS
  "step_$step"
  echo "== $step: ok, $((SECONDS - start)) s"
done
echo "== all: ok, $((SECONDS - begin)) s"
