#!/usr/bin/env bash
# Fuzzes everything that reads outside bytes: each target of the repository in turn, an equal part of the time.
#
#   scripts/fuzz.sh [MINUTES]    so long in all, an hour where not said; goes on after a finding, and exits with 1 if there was any
#   scripts/fuzz.sh short        a fixed number of inputs for each target, as CI does
#   scripts/fuzz.sh list         says which targets there are
#
# An input that fails is kept in testdata/fuzz beside its test, where every later run of the tests tries it again: commit it with the
# correction. What else is found interesting stays in Go's cache (go env GOCACHE) for the next run.
set -euo pipefail
cd "$(dirname "$0")/.."

GOTOOLCHAIN=$(sed -n 's/^toolchain //p' go.mod) # as scripts/build.sh
export GOTOOLCHAIN

# targets prints folder and name of each.
targets() { git grep -E '^func Fuzz[A-Za-z0-9_]+\(' -- '*_test.go' | sed -E 's#^(.*)/[^/]+:func (Fuzz[A-Za-z0-9_]+).*#\1 \2#'; }

# fuzz FOLDER NAME HOW_LONG runs one target. Go's fuzzer may fail with "context deadline exceeded" when its time ends while an input
# runs: only an input that was written down is a finding. Interesting inputs are made smaller for a moment only, not for a minute each.
fuzz() {
  CGO_ENABLED=0 go test -run '^$' -fuzz "^$2\$" -fuzztime "$3" -fuzzminimizetime 1000x "./$1" >"$log" 2>&1 </dev/null && return
  if ! grep -q 'Failing input written to' "$log" && grep -q 'context deadline exceeded' "$log"; then
    return 0
  fi
  cat "$log" >&2
  return 1
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
mapfile -t all < <(targets)
case "${1:-60}" in
  list) printf '%s\n' "${all[@]}" ;;
  short)
    for target in "${all[@]}"; do
      read -r folder name <<<"$target"
      echo "$target"
      case $name in # a whole audit, a whole gateway, signatures, files
        FuzzRecord | FuzzBundle | FuzzOrigin | FuzzSignState) runs=500x ;;
        FuzzRequest | FuzzAnswers | FuzzAsked | FuzzCountStart | FuzzPairing | FuzzStore) runs=2000x ;;
        *) runs=5000x ;;
      esac
      fuzz "$folder" "$name" "$runs"
    done
    ;;
  *[!0-9]* | 0) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  *)
    each=$((${1:-60} * 60 / ${#all[@]}))
    [ "$each" -ge 1 ] || each=1
    findings=()
    for target in "${all[@]}"; do
      read -r folder name <<<"$target"
      echo "$target, $each s"
      fuzz "$folder" "$name" "${each}s" || findings+=("$target")
    done
    if [ ${#findings[@]} -gt 0 ]; then
      printf 'Failed: %s\n' "${findings[@]}" >&2
      git status --short -- '*testdata/fuzz*' >&2
      exit 1
    fi
    ;;
esac
