#!/bin/sh
# All tests, in three lanes at once: those with browsers and other people's programs, which mostly wait; those of the server's
# parts; and, at low priority beside both, what only computes. Exit status 0 when all pass; their outputs follow each other.
set -eu
cd "$(dirname "$0")/.."
computing="tests/unit tests/property tests/simulation tests/fuzz"
parts="tests/integration"
waiting=
for folder in tests/*/; do # whatever is in no other lane
    case " $computing $parts tests/js tests/support tests/__pycache__ " in
    *" ${folder%/} "*) ;;
    *) waiting="$waiting ${folder%/}" ;;
    esac
done

logs=$(mktemp -d)
# shellcheck disable=SC2086 # folders without spaces
nice -n 10 .venv/bin/pytest $computing >"$logs/computing" 2>&1 &
first=$!
.venv/bin/pytest $parts >"$logs/parts" 2>&1 &
second=$!
trap 'kill $first $second 2>/dev/null || true; rm -rf "$logs"' EXIT
trap 'exit 130' INT TERM

failed=0
# shellcheck disable=SC2086
.venv/bin/pytest $waiting || failed=1
wait $second || failed=1
echo "=== $parts ===" && cat "$logs/parts"
wait $first || failed=1
echo "=== $computing ===" && cat "$logs/computing"
first= second=
exit "$failed"
