#!/bin/bash
# The stack's part of CI: checks its files, builds the images, and runs tests/stack on a real engine
# with both versions of Compose. Needs root on a Debian machine, and `make test`'s environment.
# Stops what it has started, and leaves images and nothing else.
set -euo pipefail
cd "$(dirname "$0")/../.."
# Debian's docker command goes with Debian's engine; there may be another one.
export PATH=/usr/bin:$PATH

phase() {
    echo "== $((SECONDS / 60)):$(printf %02d $((SECONDS % 60))) $1"
}

state=$(mktemp -d)
finish() {
    if [ -e "$state/dockerd.pid" ]; then
        engine=$(cat "$state/dockerd.pid")
        kill "$engine" 2>/dev/null || true
        for _ in $(seq 300); do
            kill -0 "$engine" 2>/dev/null || break
            sleep 0.2
        done
    fi
    rm -rf "$state"
    phase "end"
}
trap finish EXIT

phase "engine and tools"
docker/ci/engine.sh "$state/dockerd.pid"
tools=.cache/stack-tools
[ -x $tools/bin/pip ] || .venv/bin/python -m venv $tools
$tools/bin/pip install --quiet --disable-pip-version-check -r docker/ci/requirements.txt
new_compose=$PWD/$tools/bin/docker-compose

phase "files"
$tools/bin/hadolint docker/Dockerfile
$tools/bin/shellcheck setup-tls.sh init-docker-env.sh .ci/run docker/ci/*.sh
for compose in docker-compose "$new_compose"; do
    for directory in . site-configs/templates; do
        said=$(cd $directory && COMPOSE_PROFILES=demo,agents,apex,legacy-grafana \
            $compose config --quiet 2>&1) || { echo "$said"; exit 1; }
        [ -z "$said" ] || { echo "$compose config in $directory: $said"; exit 1; }
    done
done

phase "base image"
export PYTHON_IMAGE=ocs-ci/python:bookworm
docker image inspect $PYTHON_IMAGE >/dev/null 2>&1 || docker/ci/base-image.sh $PYTHON_IMAGE

# No BuildKit: as with Debian's packages, which lack its plugin.
export DOCKER_BUILDKIT=0
stack_tests() {
    phase "tests with docker-compose $($1 version --short)"
    STACK_COMPOSE=$1 .venv/bin/python -m pytest -p no:xdist -o timeout=1200 --durations=10 "${@:2}"
}
stack_tests docker-compose tests/stack
# What Compose itself does; the rest is the engine's and ours.
stack_tests "$new_compose" tests/stack/test_demo.py -k "healthy or grafana or listens or survives"
