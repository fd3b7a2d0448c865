#!/bin/sh
# All tests, in three lanes at once. Two in real time: one takes those with browsers and other people's programs, and both
# then take from the others of the server's parts whatever nobody has taken. At low priority beside them: the linters, what
# only computes, and the long sales. Exit status 0 when all pass; the lanes' outputs follow each other. A few that failed in
# what runs in real time are asked once more, alone (docs/decisions/0015-tests-asked-twice.md).
set -eu
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE # each of the many servers would compile all of itself again
AGAIN_MAX=4
integration=tests/integration
computing="tests/unit tests/property tests/simulation tests/fuzz"
sales="tests/soak $integration/test_flash_sale.py"
parts="live a-b c-d e-f h i-m n-r s-z" # of tests/integration, by the first letters of their names
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
# tests NAME NICENESS FILES...
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
# files PART: what a part of the server's tests consists of.
files() {
    case $1 in
    live) echo "$integration/live" ;;
    *) echo "$integration"/test_[$1]*.py | sed "s, *$integration/test_flash_sale.py,," ;;
    esac
}
# whatever_is_left: take one part after another that nobody has taken.
whatever_is_left() {
    for part in $parts; do
        # shellcheck disable=SC2046 # files without spaces
        if mkdir "$logs/taken-$part" 2>/dev/null; then tests "part-$part" 0 $(files "$part"); fi
    done
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

lane parts whatever_is_left
lane computing compute
# shellcheck disable=SC2086
tests pages 0 $pages
whatever_is_left
for pid in $lanes; do wait "$pid" || true; done
lanes=
for log in parts computing; do echo "=== $log ===" && cat "$logs/$log"; done

failed=0
for name in lint page-tests computing; do # no second chance
    [ "$(cat "$logs/$name.status")" = 0 ] || failed=1
done
for name in pages sales $(printf 'part-%s ' $parts); do
    [ "$(cat "$logs/$name.status")" -le 1 ] || failed=1 # more than failed tests: a broken file, a signal
done
cat "$logs"/pages.cache/v/cache/lastfailed "$logs"/sales.cache/v/cache/lastfailed "$logs"/part-*.cache/v/cache/lastfailed 2>/dev/null |
    sed -n 's/^  "\(.*\)": true,*$/\1/p' >"$logs/again"
if [ -s "$logs/again" ]; then
    echo "=== once more, alone ==="
    if [ "$(wc -l <"$logs/again")" -le $AGAIN_MAX ] && .venv/bin/pytest -o cache_dir="$logs/again.cache" @"$logs/again"; then
        echo "NOT STEADY, to be mended: it failed above and passed alone:" && cat "$logs/again"
    else
        failed=1
    fi
fi
exit "$failed"
