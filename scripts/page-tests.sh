#!/bin/sh
# page-tests.sh: the pages' unit tests, run by node's own test runner where there is a node.
set -eu
files=$(find tests -name '*.test.mjs' -o -name '*.test.js')
[ -n "$files" ] || exit 0
if ! command -v node >/dev/null; then
    echo "note: no node on the PATH, so the pages' unit tests are left out" >&2
    exit 0
fi
exec node --test $files
