#!/bin/sh
# Makes .venv from requirements.lock, every package checked against its hash, and the project itself
# editable in it. Changes nothing outside the checkout, except that root gets python3-venv from
# Debian where the host's Python cannot make an environment without it.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

recent='import sys; sys.exit(sys.version_info < (3, 11))'
bundled='import ensurepip; ensurepip.version()'
python=
for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if "$candidate" -c "$recent" 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    say "Citygauge needs Python 3.11 or later: install it, or name one with PYTHON=/path/to/python3."
    exit 1
fi

if ! .venv/bin/python -c "$recent" 2>/dev/null || ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    rm -rf .venv
    if ! "$python" -c "$bundled" 2>/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "Installing python3-venv"
        apt-get -qq update
        DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends python3-venv </dev/null >/dev/null
    fi
    say "Making .venv"
    if "$python" -c "$bundled" 2>/dev/null; then
        "$python" -m venv .venv
    else
        # An ordinary user on a Debian without python3-venv: pip comes from Debian's own wheel.
        "$python" -m venv --without-pip .venv
        work=$(mktemp -d)
        trap 'rm -rf "$work"' EXIT
        "$python" - "$work" <<'END'
import sys
from pathlib import Path

from services.embedded.apt import Package, PrivateApt
from services.embedded.errors import EmbeddedError

work = Path(sys.argv[1])
try:
    apt = PrivateApt(work / "apt")
    apt.update()
    apt.fetch_and_unpack([Package("python3-pip-whl", 0)], work)
except EmbeddedError as error:
    sys.exit(f"pip could not be had: {error}")
END
        wheel=$(echo "$work"/usr/share/python-wheels/pip-*.whl)
        .venv/bin/python "$wheel/pip" install --quiet --no-index "$wheel"
    fi
fi

say "Installing the packages of requirements.lock"
pip() { PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip "$@" --quiet </dev/null; }
pip install --require-hashes --requirement requirements.lock
pip install --no-build-isolation --no-deps --editable .
touch .venv/ready
