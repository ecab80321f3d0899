#!/bin/bash
# Start a Docker engine if none answers, and say how to stop it.
#
#     docker/ci/engine.sh PIDFILE
#
# Installs Debian's packages where they are missing; needs root. PIDFILE is written only if an
# engine was started here.
set -euo pipefail

pidfile=${1:?the name of a file for the process id is missing}

missing=()
for package in docker.io docker-compose debootstrap openssl iptables iproute2 rsync; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' \
        || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >/dev/null
fi

answers() {
    timeout 5 docker info >/dev/null 2>&1
}

# An engine that its package has just started may need a moment.
for _ in 1 2 3; do
    if answers; then
        echo "a Docker engine is running"
        exit 0
    fi
    pgrep -x dockerd >/dev/null || break
    sleep 5
done
setsid dockerd >"$pidfile.log" 2>&1 </dev/null &
echo $! >"$pidfile"
for _ in $(seq 60); do
    if answers; then
        echo "started a Docker engine"
        exit 0
    fi
    kill -0 "$(cat "$pidfile")" 2>/dev/null || break
    sleep 1
done
tail -n 20 "$pidfile.log" >&2
echo "the Docker engine does not start" >&2
exit 1
