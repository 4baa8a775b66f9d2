#!/bin/sh
# Makes the passwords of one installation, random, in deploy/secrets/ (or the folder given): one file for each reader.
# A file that exists is kept; to change a password remove its files and read "Change a password" in README.md.
set -eu
umask 077
folder=${1:-$(dirname "$0")/secrets}

command -v python3 >/dev/null || { echo "python3 is needed to hash the broker's passwords" >&2; exit 1; }
mkdir -p "$folder"
chmod 0700 "$folder"

made=0
for file in database.env broker-passwords citygauge.env device-password grafana.env; do
    [ ! -e "$folder/$file" ] || made=$((made + 1))
done
if [ "$made" = 5 ]; then
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


def keep(name: str, text: str, mode: int = 0o600) -> Path:
    file = folder / name
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as stream:
        stream.write(text)
    return file


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
passwords = keep("broker-passwords", hashed("citygauge-service", service) + hashed("device", device))
keep(
    "citygauge.env",
    f"DATABASE_URL=postgresql://citygauge:{database}@timescaledb:5432/citygauge\n"
    f"MQTT_URL=mqtt://citygauge-service:{service}@mosquitto:1883\n",
)
# The broker's container reads the hashes as uid 1883. Root can hand the file over; for everybody else the closed
# folder keeps other users of this machine out, and the file itself must be readable inside the container.
if os.geteuid() == 0:
    os.chown(passwords, 1883, 1883)
else:
    passwords.chmod(0o444)
END
echo "Made the secrets of this installation: $folder (keep a copy where your backups are)" >&2
