#!/bin/bash
# The stack's part of CI: checks its files, builds the images, and runs tests/stack on a real engine
# with both versions of Compose. Needs root on a Debian machine, and `make test`'s environment.
set -euo pipefail
cd "$(dirname "$0")/../.."
# Debian's docker command goes with Debian's engine; there may be another one.
export PATH=/usr/bin:$PATH

tools=.cache/stack-tools
[ -x $tools/bin/pip ] || .venv/bin/python -m venv $tools
$tools/bin/pip install --quiet --disable-pip-version-check -r docker/ci/requirements.txt
new_compose=$PWD/$tools/bin/docker-compose

state=$(mktemp -d)
finish() {
    if [ -e "$state/dockerd.pid" ]; then
        kill "$(cat "$state/dockerd.pid")"
        while kill -0 "$(cat "$state/dockerd.pid")" 2>/dev/null; do sleep 0.2; done
    fi
    rm -rf "$state"
}
trap finish EXIT
docker/ci/engine.sh "$state/dockerd.pid"

echo "== files"
$tools/bin/hadolint docker/Dockerfile
$tools/bin/shellcheck setup-tls.sh init-docker-env.sh docker/ci/*.sh
for compose in docker-compose "$new_compose"; do
    for directory in . site-configs/templates; do
        said=$(cd $directory && COMPOSE_PROFILES=demo,agents,apex,legacy-grafana \
            $compose config --quiet 2>&1) || { echo "$said"; exit 1; }
        [ -z "$said" ] || { echo "$compose config in $directory: $said"; exit 1; }
    done
done

export PYTHON_IMAGE=ocs-ci/python:bookworm
docker image inspect $PYTHON_IMAGE >/dev/null 2>&1 || docker/ci/base-image.sh $PYTHON_IMAGE

# No BuildKit: as with Debian's packages, which lack its plugin.
export DOCKER_BUILDKIT=0
stack_tests() {
    echo "== docker-compose $($1 version --short)"
    STACK_COMPOSE=$1 .venv/bin/python -m pytest tests/stack -p no:xdist -o timeout=1200 "${@:2}"
}
stack_tests docker-compose
# What happens after a crash is the engine's doing, not Compose's.
stack_tests "$new_compose" -k "not crash"
