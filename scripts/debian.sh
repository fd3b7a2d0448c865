#!/bin/sh
# debian.sh PYTHON: on Debian and Ubuntu, as root, install what the tests use and pip cannot bring: a browser, node for
# the type checker and the pages' unit tests, a compiler and headers for the fan-out kernel. Elsewhere it does nothing:
# the other scripts have other ways, or say what is left out.
set -eu
python=$1
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 0
missing=
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || missing="$missing chromium"
command -v node >/dev/null || missing="$missing nodejs"
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
header='import os, sysconfig; print(os.path.join(sysconfig.get_path("include"), "Python.h"))'
[ -f "$("$python" -c "$header" 2>/dev/null)" ] || missing="$missing python3-dev"
[ -n "$missing" ] || exit 0
echo "installing$missing"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
