#!/bin/sh
# Makes an authority of your own, once, and a certificate for the names and addresses by which devices reach the broker
# and people the API; into deploy/secrets/tls/ (or the folder in CERTIFICATES), which git ignores. With certificates of a
# public authority you need none of this. Run it again for a new certificate: authority.pem stays, and with it the trust.
set -eu
umask 077
[ "$#" -gt 0 ] || { echo "usage: $0 NAME-OR-ADDRESS..." >&2; exit 2; }
command -v openssl >/dev/null || { echo "openssl is needed to make certificates" >&2; exit 1; }
folder=$(dirname "$0")/secrets/tls
[ -z "${CERTIFICATES:-}" ] || folder=$CERTIFICATES
mkdir -p "$folder"

names=
for name in "$@"; do
    case $name in
        *:*) kind=IP ;;
        *[!0-9.]*) kind=DNS ;;
        *) kind=IP ;;
    esac
    names="$names${names:+,}$kind:$name"
done

if [ ! -e "$folder/authority.pem" ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 3650 -sha256 \
        -subj "/CN=Citygauge authority" -addext "basicConstraints=critical,CA:TRUE,pathlen:0" \
        -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -keyout "$folder/authority.key" -out "$folder/authority.pem" 2>/dev/null
fi
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "/CN=$1" \
    -keyout "$folder/server.key" -out "$folder/server.csr" 2>/dev/null
printf '%s\n' "subjectAltName=$names" "extendedKeyUsage=serverAuth" "basicConstraints=critical,CA:FALSE" \
    > "$folder/server.ext"
openssl x509 -req -in "$folder/server.csr" -CA "$folder/authority.pem" -CAkey "$folder/authority.key" \
    -CAcreateserial -days 825 -sha256 -extfile "$folder/server.ext" -out "$folder/server.pem" 2>/dev/null
rm "$folder/server.csr" "$folder/server.ext"

# The broker's container reads both under a uid of its own, the services the authority's; the closed folder above keeps
# other users of this machine out. authority.key stays root's: move it to a safe place.
chmod 0755 "$folder"
chmod 0644 "$folder/authority.pem" "$folder/server.pem"
if [ "$(id -u)" = 0 ]; then
    chown 1883:1883 "$folder/server.key"
else
    chmod 0644 "$folder/server.key"
fi
echo "Made $folder/server.pem for $names; devices need $folder/authority.pem" >&2
