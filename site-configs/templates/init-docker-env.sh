#!/bin/sh
# Prepare Docker on this machine for the stack: what docker-compose.yml expects to be there.
set -eu

usage() {
    cat <<'EOF'
Usage: sudo ./init-docker-env.sh [--remove]

Makes, where it is missing:

    network sisock-net                           where the containers meet
    volumes grafana-storage, grafana-legacy-storage   what was set up by hand in Grafana
    the data directory (DATA_DIR in .env)        where the aggregator in a container writes

and lets the containers' user (uid and gid 5000) read the files that setup-tls.sh has made. Run it
again at any time: what is there is kept.

  --remove    remove the network and the volumes, after asking; the data directory stays
  -h, --help  show this
EOF
}

fail() {
    echo "init-docker-env.sh: $1" >&2
    exit "${2:-1}"
}

NETWORK=sisock-net
VOLUMES="grafana-storage grafana-legacy-storage"
# The fixed user of our images. A number, so that no account has to exist here.
OWNER=5000

remove=no
for option in "$@"; do
    case $option in
        --remove) remove=yes ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) fail "unknown option $option; see ./init-docker-env.sh --help" 2 ;;
    esac
done
cd "$(dirname "$0")"

command -v docker >/dev/null \
    || fail "there is no docker command; on Debian and Ubuntu: apt install docker.io docker-compose"
if ! problem=$(docker info 2>&1 >/dev/null); then
    case $problem in
        *"ermission denied"*)
            fail "no right to use Docker: run it with sudo" ;;
        *"annot connect"*)
            fail "Docker does not answer: is it running? (sudo systemctl start docker)" ;;
        *) fail "Docker does not answer: $problem" ;;
    esac
fi

if [ $remove = yes ]; then
    printf '%s\n%s' "This removes the network $NETWORK and the volumes $VOLUMES, with everything" \
        "that was set up by hand in Grafana. Type yes to go on: "
    read -r answer || answer=
    [ "$answer" = yes ] || fail "nothing was removed"
    if docker network inspect $NETWORK >/dev/null 2>&1; then
        docker network rm $NETWORK >/dev/null \
            || fail "the network is in use: docker-compose down, then again"
        echo "removed network $NETWORK"
    fi
    for volume in $VOLUMES; do
        if docker volume inspect "$volume" >/dev/null 2>&1; then
            docker volume rm "$volume" >/dev/null \
                || fail "volume $volume is in use: docker-compose down, then again"
            echo "removed volume $volume"
        fi
    done
    exit 0
fi

if docker network inspect $NETWORK >/dev/null 2>&1; then
    echo "network $NETWORK is there"
else
    docker network create $NETWORK >/dev/null
    echo "made network $NETWORK"
fi
for volume in $VOLUMES; do
    if docker volume inspect "$volume" >/dev/null 2>&1; then
        echo "volume $volume is there"
    else
        docker volume create "$volume" >/dev/null
        echo "made volume $volume"
    fi
done

# What the containers read: group 5000, also for files that setup-tls.sh will make here without
# us (the set-group-id bit of the directories). The authority's key stays its owner's alone.
if [ -s .crossbar/server_key.pem ]; then
    if [ "$(id -u)" = 0 ]; then
        chgrp $OWNER .crossbar .crossbar/secrets .crossbar/*_cert.pem .crossbar/server_key.pem \
            .crossbar/secrets/*.secret
        chmod 2750 .crossbar .crossbar/secrets
        chmod 640 .crossbar/server_key.pem .crossbar/secrets/*.secret
        echo "the containers may read .crossbar/"
    elif [ "$(stat -c %g .crossbar)" != $OWNER ]; then
        fail "only root can let the containers read .crossbar/: run it with sudo"
    fi
else
    echo "There are no certificates in .crossbar/ yet: ./setup-tls.sh, then this script again"
fi

data_dir=${DATA_DIR:-$(sed -n 's/^DATA_DIR=//p' .env 2>/dev/null | tail -n 1)}
data_dir=${data_dir:-./data}
if [ -d "$data_dir" ]; then
    echo "data directory $data_dir is there"
else
    mkdir -p "$data_dir" || fail "cannot make the data directory $data_dir"
    echo "made data directory $data_dir"
    # Whoever called sudo may read it; the aggregator writes.
    chmod 2755 "$data_dir"
    [ "$(id -u)" != 0 ] || chown $OWNER:$OWNER "$data_dir"
fi
