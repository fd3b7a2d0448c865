#!/bin/sh
# kernel-note.sh BIN: say once, after an install, when the fan-out kernel could not be compiled.
set -eu
[ -f setup.py ] || exit 0
"$1/python" -c 'import media.kernel._native' 2>/dev/null && exit 0
echo "note: no C compiler or no Python headers, so the video fan-out runs in Python: all works, with more CPU a viewer"
