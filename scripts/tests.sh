#!/bin/sh
# All tests, in three lanes at once, which take portions from one list. Two run in real time: one begins with what has browsers
# and other people's programs, the other with the server's parts. The third, at low priority, begins with the linters and what
# only computes. Whoever is done takes whatever nobody has taken. Exit status 0 when all pass; the lanes' outputs follow each
# other. A few that failed in what runs in real time are asked once more, alone (docs/decisions/0015-tests-asked-twice.md).
set -eu
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE # each of the many servers would compile all of itself again
AGAIN_MAX=4
integration=tests/integration
parts="live a-b c-d e-f h i-m n-r s-z" # of tests/integration, by the first letters of their names
computing="property unit simulation fuzz"

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
# files PORTION: what it consists of.
files() {
    case $1 in
    pages) # whatever is in no other portion
        for folder in tests/*/; do
            case " property unit simulation fuzz integration soak js support __pycache__ " in
            *" $(basename "$folder") "*) ;;
            *) echo "$folder" ;;
            esac
        done
        ;;
    property | unit | simulation | fuzz) echo "tests/$1" ;;
    sales) echo "tests/soak $integration/test_flash_sale.py" ;; # the two long ones
    live) echo "$integration/live" ;;
    *) echo "$integration"/test_[$1]*.py | sed "s, *$integration/test_flash_sale.py,," ;;
    esac
}
# take NICENESS PORTION...: one after another, those that nobody has taken.
take() {
    niceness=$1
    shift
    for portion in "$@"; do
        # shellcheck disable=SC2046 # files without spaces
        if mkdir "$logs/taken-$portion" 2>/dev/null; then tests "$portion" "$niceness" $(files "$portion"); fi
    done
}
# shellcheck disable=SC2086
patiently() {
    ended lint nice -n 10 make -s lint
    ended page-tests nice -n 10 ./scripts/page-tests.sh
    take 10 $computing sales
}
trap 'kill $lanes $child 2>/dev/null || true; rm -rf "$logs"' EXIT
trap 'exit 130' INT TERM

# shellcheck disable=SC2086
{
    lane parts take 0 $parts sales fuzz simulation unit property
    lane patient patiently
    take 0 pages $parts sales fuzz simulation unit property
}
for pid in $lanes; do wait "$pid" || true; done
lanes=
for log in parts patient; do echo "=== $log ===" && cat "$logs/$log"; done

failed=0
for name in lint page-tests $computing; do # no second chance
    [ "$(cat "$logs/$name.status")" = 0 ] || failed=1
done
for name in pages sales $parts; do
    [ "$(cat "$logs/$name.status")" -le 1 ] || failed=1 # more than failed tests: a broken file, a signal
    sed -n 's/^  "\(.*\)": true,*$/\1/p' "$logs/$name.cache/v/cache/lastfailed" >>"$logs/again" 2>/dev/null || true
done
if [ -s "$logs/again" ]; then
    echo "=== once more, alone ==="
    if [ "$(wc -l <"$logs/again")" -le $AGAIN_MAX ] && .venv/bin/pytest -o cache_dir="$logs/again.cache" @"$logs/again"; then
        echo "NOT STEADY, to be mended: it failed above and passed alone:" && cat "$logs/again"
    else
        failed=1
    fi
fi
exit "$failed"
