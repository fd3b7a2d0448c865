#!/bin/sh
# debian.sh: on Debian and Ubuntu, as root, install what the tests use and pip cannot bring: a browser, and node for
# the type checker and the pages' unit tests. Elsewhere it does nothing: browser.sh and with-node.sh have other ways.
set -eu
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 0
missing=
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || missing="$missing chromium"
command -v node >/dev/null || missing="$missing nodejs"
[ -n "$missing" ] || exit 0
echo "installing$missing"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
