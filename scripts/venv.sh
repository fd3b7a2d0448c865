#!/bin/sh
# venv.sh PYTHON DIR: make a virtual environment, or say what is missing.
set -eu
python=$1 dir=$2
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "Vendue needs Python 3.11 or newer, and '$python' is $("$python" --version 2>&1 || true)." >&2
    echo "Name another one: make PYTHON=python3.12 ..." >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "Python's venv module is missing. On Debian and Ubuntu: sudo apt install python$version-venv" >&2
        exit 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "python$version-venv" >/dev/null
fi
"$python" -m venv "$dir" || { rm -rf "$dir"; exit 1; }  # half an environment must not look like a whole one
