#!/bin/sh
# All tests, in four lanes at once: pages and links in real time; the server's parts, with other people's programs, in two
# lanes, a little behind; and, at low priority beside them, the linters, what only computes, and the long sales. So all end at
# about the same time. Exit status 0 when all pass; their outputs follow each other. A few that failed in what runs in real
# time are asked once more, alone (docs/decisions/0015-tests-asked-twice.md).
set -eu
cd "$(dirname "$0")/.."
AGAIN_MAX=3
parts=tests/integration
computing="tests/unit tests/property tests/simulation tests/fuzz"
sales="tests/soak $parts/test_flash_sale.py"
first="$parts/live $(echo $parts/test_[a-h]*.py | sed "s, $parts/test_flash_sale.py,,")"
second="$(echo $parts/test_[!a-h]*.py) tests/interop"
pages=
for folder in tests/*/; do # whatever is in no other lane
    case " $computing $parts tests/soak tests/interop tests/js tests/support tests/__pycache__ " in
    *" ${folder%/} "*) ;;
    *) pages="$pages ${folder%/}" ;;
    esac
done

logs=$(mktemp -d)
lanes= child=
# ended NAME COMMAND...: run it; how it ended is kept under its name.
ended() {
    name=$1 status=0
    shift
    "$@" &
    child=$!
    wait $child || status=$?
    child=
    echo "$status" >"$logs/$name.status"
}
# tests NAME NICENESS FOLDERS...
tests() {
    name=$1 niceness=$2
    shift 2
    ended "$name" nice -n "$niceness" .venv/bin/pytest -o cache_dir="$logs/$name.cache" "$@"
}
# lane NAME COMMAND...: beside the others; its output is kept.
lane() {
    {
        shift
        trap 'kill $child 2>/dev/null; exit 143' TERM
        "$@"
    } >"$logs/$1" 2>&1 &
    lanes="$lanes $!"
}
# shellcheck disable=SC2086 # folders without spaces
compute() {
    ended lint nice -n 10 make -s lint
    ended page-tests nice -n 10 ./scripts/page-tests.sh
    tests computing 10 $computing
    tests sales 10 $sales
}
trap 'kill $lanes $child 2>/dev/null || true; rm -rf "$logs"' EXIT
trap 'exit 130' INT TERM

# shellcheck disable=SC2086
{
    lane first tests first 5 $first
    lane second tests second 5 $second
    lane computing compute
    tests pages 0 $pages
}
for pid in $lanes; do wait "$pid" || true; done
lanes=
for log in first second computing; do echo "=== $log ===" && cat "$logs/$log"; done

failed=0
# must NAME: it has no second chance.
must() { [ "$(cat "$logs/$1.status")" = 0 ] || failed=1; }
# once_more NAME FOLDERS...: does it pass when its few failed tests are alone on the machine?
once_more() {
    cache="$logs/$1.cache" how=$(cat "$logs/$1.status")
    shift
    [ "$how" = 0 ] && return
    again=$(.venv/bin/pytest -q --collect-only -o cache_dir="$cache" --last-failed --last-failed-no-failures none "$@" | grep '::' || true)
    [ "$how" = 1 ] && [ -n "$again" ] && [ "$(echo "$again" | wc -l)" -le $AGAIN_MAX ] || return 1
    echo "=== once more, alone ==="
    .venv/bin/pytest -o cache_dir="$cache" --last-failed --last-failed-no-failures none "$@" || return 1
    echo "NOT STEADY, to be mended: it failed above and passed alone:" && echo "$again"
}
must lint
must page-tests
must computing
# shellcheck disable=SC2086
{
    once_more pages $pages || failed=1
    once_more first $first || failed=1
    once_more second $second || failed=1
    once_more sales $sales || failed=1
}
exit "$failed"
