#!/bin/sh
# browser.sh BIN: have a Chromium for the end-to-end tests: the system's, else Playwright's own.
set -eu
command -v chromium >/dev/null && exit 0
command -v chromium-browser >/dev/null && exit 0
"$1/playwright" install chromium && exit 0
echo "No Chromium: the end-to-end tests will fail. On Debian: sudo apt install chromium" >&2
