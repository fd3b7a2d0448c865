#!/bin/sh
# with-node.sh COMMAND...: run pyright, which is a node program. It brings node along when it can reach the network;
# where it cannot, say what is missing instead of failing with a download's error.
set -eu
if ! command -v node >/dev/null; then
    echo "note: no node on the PATH, so pyright tries to fetch one (Debian: sudo apt install nodejs)" >&2
fi
exec "$@"
