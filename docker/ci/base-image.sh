#!/bin/bash
# Make a base image where none can be pulled: Debian 12 with its own Python, from Debian's packages.
#
#     docker/ci/base-image.sh NAME
#
# It gets this machine's list of certificate authorities, so that pip works in it wherever it works
# here. Needs root, debootstrap, a running engine, and 400 MB in /var/tmp (or TMPDIR).
set -euo pipefail

name=${1:?the name of the image is missing}
root=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
# What debootstrap mounts there is not to suffer if it could not be unmounted.
trap 'rm -rf --one-file-system "$root" "$root.log"' EXIT

debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates \
    bookworm "$root" >"$root.log" 2>&1 \
    || { tail -n 20 "$root.log" >&2; exit 1; }
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
# What an image has no use for; it is half of it.
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* \
    "$root"/usr/share/man/* "$root"/usr/share/locale/*
tar -C "$root" --exclude='./proc/*' --exclude='./sys/*' -c . \
    | docker import --change 'CMD ["python3"]' - "$name" >/dev/null
echo "made $name ($(docker image inspect --format '{{.Size}}' "$name") bytes)"
