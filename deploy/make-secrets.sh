#!/bin/sh
# Makes the passwords of one installation, random, in deploy/secrets/ (or the folder given): one file for each reader.
# What exists is kept; to change a password see "Change the passwords" in README.md. The settings that people write,
# citygauge.toml, lie there too, because they may hold the passwords of mail servers and webhooks.
set -eu
umask 077
folder=${1:-$(dirname "$0")/secrets}

command -v python3 >/dev/null || { echo "python3 is needed to hash the broker's passwords" >&2; exit 1; }
mkdir -p "$folder"
chmod 0700 "$folder"

# A file that a container reads under a uid of its own. Root can hand it over; for everybody else the closed folder
# keeps other users of this machine out, and the file itself must be readable inside the container.
for_container() {
    if [ "$(id -u)" = 0 ]; then
        chown "$2:$2" "$folder/$1"
        chmod 0600 "$folder/$1"
    else
        chmod 0644 "$folder/$1"
    fi
}

if [ ! -e "$folder/citygauge.toml" ]; then
    cp "$(dirname "$0")/citygauge.example.toml" "$folder/citygauge.toml"
fi
for_container citygauge.toml 10001

made=0
for file in database.env broker-passwords citygauge.env device-password grafana.env; do
    [ ! -e "$folder/$file" ] || made=$((made + 1))
done
if [ "$made" = 5 ]; then
    for_container broker-passwords 1883
    echo "All secrets are there already: $folder" >&2
    exit 0
fi
if [ "$made" != 0 ]; then
    echo "Some secrets are there and some are missing in $folder: they belong together." >&2
    echo "Remove them all, or bring the missing ones back from your backup." >&2
    exit 1
fi

python3 - "$folder" <<'END'
import base64
import hashlib
import os
import secrets
import sys
from pathlib import Path

folder = Path(sys.argv[1])


def keep(name: str, text: str) -> None:
    with open(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def hashed(user: str, password: str) -> str:
    """Mosquitto's $7$: PBKDF2 with SHA-512. The passwords are random, so that few rounds do."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101, 64)
    encoded = [base64.b64encode(part).decode() for part in (salt, digest)]
    return f"{user}:$7$101${'$'.join(encoded)}\n"


superuser, database, service, device, grafana = (secrets.token_urlsafe(24) for _ in range(5))
keep("database.env", f"POSTGRES_PASSWORD={superuser}\nAPPLICATION_PASSWORD={database}\n")
keep("device-password", f"{device}\n")
keep("grafana.env", f"GF_SECURITY_ADMIN_PASSWORD={grafana}\n")
keep("broker-passwords", hashed("citygauge-service", service) + hashed("device", device))
keep(
    "citygauge.env",
    f"DATABASE_URL=postgresql://citygauge:{database}@timescaledb:5432/citygauge\n"
    f"MQTT_URL=mqtt://citygauge-service:{service}@mosquitto:1883\n",
)
END
for_container broker-passwords 1883
echo "Made the secrets of this installation: $folder (keep a copy where your backups are)" >&2
