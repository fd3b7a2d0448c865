#!/bin/sh
# bench-debian.sh: on Debian and Ubuntu, as root, install the load generator's libraries, the other media servers, and the database of the other back end.
# Elsewhere it does nothing: what is missing is named and left out of the measurement.
set -eu
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 0
missing=
# Debian starts PostgreSQL once it is installed, so it is left out where an init system would do that.
postgresql=postgresql
[ ! -d /run/systemd/system ] || postgresql=
for package in $postgresql gcc libssl-dev libsrtp2-dev ffmpeg janus wrk golang-go golang-github-pion-webrtc.v3-dev nodejs npm; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
command -v npm >/dev/null && missing=$(echo "$missing" | sed 's/ nodejs//; s/ npm//')
[ -n "$missing" ] || exit 0
echo "installing$missing"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
