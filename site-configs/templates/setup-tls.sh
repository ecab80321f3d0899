#!/bin/sh
# Make the certificates and secrets of the live monitor: needs openssl and nothing else.
set -eu

usage() {
    cat <<'EOF'
Usage: ./setup-tls.sh [--renew] [--renew-ca] [--rotate-secrets] [--name NAME]... [--days N]

Makes what the router and its clients need for TLS, in .crossbar/ beside this script:

    ca_cert.pem, ca_key.pem          the site's own certificate authority (10 years)
    server_cert.pem, server_key.pem  the router's certificate, signed by it
    secrets/server.secret            with it data nodes and the hub join the router
    secrets/consumer.secret          with it the HTTP bridge does
    secrets/grafana_admin.secret     Grafana's first password for "admin"

What is there already is kept. Run it again at any time to see how long the certificates last.

  --renew           make a new key and certificate for the router
  --renew-ca        make a new authority too; every client needs the new ca_cert.pem then
  --rotate-secrets  make new secrets for server and consumer
  --name NAME       a further host name or IP address the router is reached by (with --renew
                    if there is a certificate already; a renewed one keeps the names it had)
  --days N          how long a new router certificate is valid (default: 825)
  -h, --help        show this

Restart the stack after a change: docker-compose up -d --force-recreate
EOF
}

fail() {
    echo "setup-tls.sh: $1" >&2
    exit "${2:-1}"
}

# The group of the user in the containers, see init-docker-env.sh. What is private may be read by
# its owner only, until init-docker-env.sh has given the directory to this group.
GROUP=5000
CA_DAYS=3650
WARN_SECONDS=2592000 # 30 days

renew=no renew_ca=no rotate=no days=825 more_names=
while [ $# -gt 0 ]; do
    case $1 in
        --renew) renew=yes ;;
        --renew-ca) renew=yes renew_ca=yes ;;
        --rotate-secrets) rotate=yes ;;
        --name | --days)
            [ $# -gt 1 ] || fail "$1 needs a value; see ./setup-tls.sh --help" 2
            if [ "$1" = --days ]; then days=$2; else more_names="$more_names $2"; fi
            shift
            ;;
        --name=*) more_names="$more_names ${1#*=}" ;;
        --days=*) days=${1#*=} ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) fail "unknown option $1; see ./setup-tls.sh --help" 2 ;;
    esac
    shift
done
case $days in
    '' | *[!0-9]* | 0*) fail "--days $days: must be a number of days, 1 or more" 2 ;;
esac
for name in $more_names; do
    case $name in
        *[!A-Za-z0-9._:-]*) fail "--name $name: only letters, digits and . _ - : are allowed" 2 ;;
    esac
done
command -v openssl >/dev/null || fail "openssl is not installed; on Debian: apt install openssl"

cd "$(dirname "$0")"
umask 077
mkdir -p .crossbar/secrets 2>/dev/null || fail "cannot write into $(pwd)/.crossbar"
[ -w .crossbar ] && [ -w .crossbar/secrets ] \
    || fail "cannot write into $(pwd)/.crossbar: it belongs to $(stat -c %U .crossbar)"
cd .crossbar
if [ "$(stat -c %g .)" = $GROUP ]; then
    private=640
else
    private=600
    chmod 700 . secrets
fi
work=$(mktemp -d ./new.XXXXXX)
trap 'rm -rf "$work"' EXIT

# put NAME MODE: what was made under this name becomes visible whole, with its mode.
put() {
    chmod "$2" "$work/$(basename "$1")"
    mv -f "$work/$(basename "$1")" "$1"
    echo "made .crossbar/$1"
}

quietly() {
    "$@" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        fail "openssl failed; nothing was changed by this step"
    }
}

make_secret() {
    if [ "$2" = yes ] || [ ! -s "secrets/$1.secret" ]; then
        openssl rand -hex 32 >"$work/$1.secret"
        put "secrets/$1.secret" $private
    fi
}

make_ca() {
    quietly openssl req -x509 -newkey rsa:3072 -nodes -sha256 -days $CA_DAYS \
        -subj "/O=live monitor/CN=live monitor CA of $(hostname)" \
        -addext basicConstraints=critical,CA:TRUE,pathlen:0 \
        -addext keyUsage=critical,keyCertSign,cRLSign \
        -keyout "$work/ca_key.pem" -out "$work/ca_cert.pem"
    # Not for the containers: whoever has it can pose as the router.
    chmod 600 "$work/ca_key.pem"
    mv -f "$work/ca_key.pem" ca_key.pem
    echo "made .crossbar/ca_key.pem"
    put ca_cert.pem 644
}

names_of() {
    openssl x509 -in "$1" -noout -ext subjectAltName | tr ',' '\n' \
        | sed -n 's/^ *DNS://p; s/^ *IP Address://p'
}

make_server() {
    [ -s ca_key.pem ] || fail \
        "there is no .crossbar/ca_key.pem to sign with; --renew-ca makes a new authority"
    names="localhost sisock_crossbar sisock-crossbar crossbar $(hostname) $(hostname -f \
        2>/dev/null || true) 127.0.0.1 $more_names"
    [ ! -s server_cert.pem ] || names="$names $(names_of server_cert.pem)"
    alternatives=$(for name in $names; do
        case $name in
            *:*) echo "IP:$name" ;;
            *[!0-9.]*) echo "DNS:$name" ;;
            *) echo "IP:$name" ;;
        esac
    done | sort -u | paste -sd, -)
    quietly openssl req -new -newkey rsa:2048 -nodes -sha256 -subj "/O=live monitor/CN=localhost" \
        -keyout "$work/server_key.pem" -out "$work/request.pem"
    cat >"$work/extensions" <<EOF
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth
subjectAltName = $alternatives
EOF
    quietly openssl x509 -req -in "$work/request.pem" -CA ca_cert.pem -CAkey ca_key.pem \
        -set_serial "0x$(openssl rand -hex 16)" -sha256 -days "$days" \
        -extfile "$work/extensions" -out "$work/server_cert.pem"
    put server_key.pem $private
    put server_cert.pem 644
}

if [ $renew_ca = yes ] || [ ! -s ca_cert.pem ]; then
    make_ca
    renew=yes
fi
if [ $renew = yes ] || [ ! -s server_cert.pem ] || [ ! -s server_key.pem ]; then
    make_server
fi
make_secret server $rotate
make_secret consumer $rotate
make_secret grafana_admin no

openssl verify -CAfile ca_cert.pem server_cert.pem >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    echo "The router's certificate does not pass; make a new one: ./setup-tls.sh --renew" >&2
}
for name in $more_names; do
    names_of server_cert.pem | grep -qxF "$name" \
        || echo "The certificate does not name $name: add --renew" >&2
done
for role in ca server; do
    echo ".crossbar/${role}_cert.pem is valid until" \
        "$(openssl x509 -in ${role}_cert.pem -noout -enddate | cut -d= -f2)"
    if ! openssl x509 -in ${role}_cert.pem -noout -checkend $WARN_SECONDS >/dev/null; then
        if [ $role = ca ]; then remedy=--renew-ca; else remedy=--renew; fi
        echo "  that is less than 30 days: ./setup-tls.sh $remedy" >&2
    fi
done
echo "The router's names: $(names_of server_cert.pem | paste -sd' ' -)"
[ $private = 640 ] || echo "Next: sudo ./init-docker-env.sh (it lets the containers read these files)"
