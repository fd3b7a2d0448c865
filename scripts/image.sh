#!/bin/sh
# image.sh: build the container image with whichever tool is there.
set -eu
for tool in docker podman buildah; do
    if command -v "$tool" >/dev/null; then
        exec "$tool" build -t vendue .
    fi
done
echo "No docker, podman or buildah on the PATH." >&2
exit 1
