#!/bin/sh
# All tests, in three lanes at once: those with browsers and other people's programs, and then the last of those of the server's
# parts; the others of these; and, at low priority beside both, the linters, what only computes, and the long sales. So all end
# at about the same time. Exit status 0 when all pass; their outputs follow each other. A few that failed in what runs in real
# time are asked once more, alone (docs/decisions/0015-tests-asked-twice.md).
set -eu
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE # each of the many servers would compile all of itself again
AGAIN_MAX=3
integration=tests/integration
computing="tests/unit tests/property tests/simulation tests/fuzz"
sales="tests/soak $integration/test_flash_sale.py"
parts="$integration/live $(echo $integration/test_[a-r]*.py | sed "s, $integration/test_flash_sale.py,,")"
others=$(echo $integration/test_[!a-r]*.py)
pages=
for folder in tests/*/; do # whatever is in no other lane
    case " $computing $integration tests/soak tests/js tests/support tests/__pycache__ " in
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
    lane parts tests parts 0 $parts
    lane computing compute
    tests pages 0 $pages
    tests others 0 $others
}
for pid in $lanes; do wait "$pid" || true; done
lanes=
for log in parts computing; do echo "=== $log ===" && cat "$logs/$log"; done

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
    once_more parts $parts || failed=1
    once_more others $others || failed=1
    once_more sales $sales || failed=1
}
exit "$failed"
