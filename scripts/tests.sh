#!/bin/sh
# All tests, in two lanes at once: what only computes runs, at low priority, beside what waits for real peers and browsers.
# Exit status 0 when both lanes pass. The computing lane's output follows the other's.
set -eu
cd "$(dirname "$0")/.."
computing="tests/unit tests/property tests/simulation tests/fuzz"
log=$(mktemp)
# shellcheck disable=SC2086 # folders without spaces
nice -n 10 .venv/bin/pytest $computing >"$log" 2>&1 &
beside=$!
trap '[ -z "$beside" ] || kill "$beside" 2>/dev/null; rm -f "$log"' EXIT
trap 'exit 130' INT TERM

waiting=
for folder in tests/*/; do
    case " $computing tests/js tests/support tests/__pycache__ " in
    *" ${folder%/} "*) ;;
    *) waiting="$waiting ${folder%/}" ;;
    esac
done
failed=0
# shellcheck disable=SC2086
.venv/bin/pytest $waiting || failed=1
echo "=== beside these, at low priority: $computing ==="
wait "$beside" || failed=1
beside=
cat "$log"
exit "$failed"
