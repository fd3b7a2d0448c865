#!/bin/sh
# debian.sh PYTHON: on Debian and Ubuntu, as root, install what the tests use and pip cannot bring: a browser, node for
# the type checker and the pages' unit tests, a compiler and headers for the fan-out kernel, Firefox, GStreamer and
# coturn as peers of the interop tests. Elsewhere it does nothing: the other scripts have other ways, or say what is left out.
set -eu
python=$1
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 0
missing=
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || missing="$missing chromium"
# Ubuntu's Firefox has another name and comes as a snap.
command -v firefox-esr >/dev/null || ! grep -q '^ID=debian' /etc/os-release || missing="$missing firefox-esr"
command -v node >/dev/null || missing="$missing nodejs"
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
header='import os, sysconfig; print(os.path.join(sysconfig.get_path("include"), "Python.h"))'
[ -f "$("$python" -c "$header" 2>/dev/null)" ] || missing="$missing python3-dev"
# GStreamer's webrtcbin with its Python bindings: 22 MB.
webrtcbin="gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-nice gir1.2-gst-plugins-bad-1.0 python3-gi"
for package in $webrtcbin; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
command -v ip >/dev/null || missing="$missing iproute2"
# Debian starts coturn once it is installed, so it is left out where an init system would do that.
command -v turnserver >/dev/null || [ -d /run/systemd/system ] || missing="$missing coturn"
[ -n "$missing" ] || exit 0
echo "installing$missing"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
