"""Broker and database as deploy/ sets them, outside containers, with the secrets of one new installation."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from services.embedded.accounts import hand_over, server_account
from services.embedded.database import EmbeddedDatabase
from services.embedded.prefix import Prefix
from services.embedded.processes import TetheredProcess, free_port
from tests.deployment import DEPLOY, mosquitto_settings, postgres_settings
from tests.edition_fixtures import edition_settings
from tests.embedded_fixtures import memory
from tests.waiting import PATIENCE_S, wait_until

POSTGRES = DEPLOY / "timescaledb"
PLACES = {"listen_addresses", "unix_socket_directories"}


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, str]:
    """What deploy/make-secrets.sh makes: file name -> text."""
    folder = tmp_path / "secrets"
    subprocess.run(
        [DEPLOY / "make-secrets.sh", folder], check=True, capture_output=True, timeout=PATIENCE_S
    )
    return {path.name: path.read_text() for path in folder.iterdir()}


def variable(text: str, name: str) -> str:
    """The value of one variable in an environment file."""
    return dict(line.split("=", 1) for line in text.splitlines())[name]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that the account of the servers can reach, also for root."""
    with tempfile.TemporaryDirectory(prefix="citygauge-deploy-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def deployed_broker(prefix: Prefix, open_folder: Path, secrets: dict[str, str]) -> Iterator[int]:
    """Mosquitto on deploy/mosquitto.conf, its container's paths replaced; its port."""
    with running_broker(prefix, open_folder, secrets) as port:
        yield port


@contextmanager
def running_broker(
    prefix: Prefix, open_folder: Path, secrets: dict[str, str], more: str = ""
) -> Iterator[int]:
    """The same, with more lines at the end of its settings; what they name in its container lies in the folder."""
    account = server_account()
    port = free_port()
    data = open_folder / "data"
    data.mkdir()
    (open_folder / "access").write_text((DEPLOY / "mosquitto/access").read_text())
    (open_folder / "passwords").write_text(secrets["broker-passwords"])
    text = (DEPLOY / "mosquitto/mosquitto.conf").read_text()
    for inside, outside in {
        "/mosquitto/data/": f"{data}/",
        "/mosquitto/config/": f"{open_folder}/",
        "listener 1883": f"listener {port} 127.0.0.1",
    }.items():
        assert inside in text
        text = text.replace(inside, outside)
    assert "/mosquitto/" not in "".join(str(value) for value in mosquitto_settings(text).values())
    text += more.replace("/mosquitto/config/", f"{open_folder}/")
    (open_folder / "mosquitto.conf").write_text(text)
    for path in (data, *open_folder.rglob("*")):
        hand_over(path, account)
        path.chmod(0o700)
    log = open_folder / "log"
    process = TetheredProcess.start(
        "the deployed broker",
        [prefix.mosquitto, "-c", open_folder / "mosquitto.conf"],
        log=log,
        account=account,
        environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
    )
    try:
        wait_until(lambda: "running" in log.read_text(), what=f"mosquitto: {log.read_text()}")
        said = log.read_text()
        assert "Error" not in said
        assert "Warning" not in said
        yield port
    finally:
        process.stop()


@pytest.fixture
def deployed_database(prefix: Prefix) -> Iterator[EmbeddedDatabase]:
    """The database on the settings of deploy/timescaledb/postgresql.conf, except where it listens."""
    text = (POSTGRES / "postgresql.conf").read_text()
    settings = {
        name: value for name, value in postgres_settings(text).items() if name not in PLACES
    }
    settings |= edition_settings(prefix)
    with EmbeddedDatabase(within=memory(), settings=settings) as server:
        yield server


@pytest.fixture
def tools(prefix: Prefix, deployed_database: EmbeddedDatabase) -> dict[str, str]:
    """The environment in which deploy's scripts find the database's programs and its superuser."""
    url = urlsplit(deployed_database.url("postgres"))
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
        "PATH": f"{prefix.postgres('psql').parent}:{os.environ['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(url.port),
        "PGUSER": url.username or "",
        "PGPASSWORD": url.password or "",
        "PGDATABASE": "postgres",
        "TZ": "UTC",
    }


def run(tools: dict[str, str], *command: str | Path, **more: str) -> None:
    done = subprocess.run(
        command,
        env={**tools, **more},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr


def create(tools: dict[str, str], secrets: dict[str, str]) -> str:
    """Run what the image runs on a new volume; the address of the services, on this database."""
    password = variable(secrets["database.env"], "APPLICATION_PASSWORD")
    # The image's own way: entrypoint's docker_process_sql.
    psql = ["psql", "-v", "ON_ERROR_STOP=1", "--no-password", "--no-psqlrc", "-f"]
    run(tools, *psql, POSTGRES / "create-citygauge.sql", APPLICATION_PASSWORD=password)
    url = variable(secrets["citygauge.env"], "DATABASE_URL")
    assert "@timescaledb:5432/" in url
    return url.replace("@timescaledb:5432/", f"@127.0.0.1:{tools['PGPORT']}/")
