"""The real database and broker of the tests: started once, a database of its own for each test.

The shared database does without fsync. Tests that kill, pause or restart something use
`own_database` and `own_broker`, which are theirs alone (0.5 s and 0.03 s to start).

Databases lie in memory where there is room: no test cuts the power, and what lies there outlives a killed process. A
clone is 600 files; a file system on a disk took .1 to .5 s of CPU to make them, the one in memory .02 s.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from services.embedded.database import EmbeddedDatabase
from services.embedded.prefix import Prefix, ensure_prefix
from tests.edition_fixtures import community_database, edition_settings

ALONE = {
    "max_connections": "200",
    "autovacuum": "off",
    "timescaledb.max_background_workers": "0",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
}
"""The server does nothing by itself: the feed shows nothing newer than the oldest open transaction, be it autovacuum's,
and maintenance waits for no lock. Nobody follows its log."""

_MEMORY = Path("/dev/shm")
_ROOM = 4 << 30
"""Bytes free; the servers of one run, one for each worker, take a tenth."""


def memory() -> Path | None:
    """Where servers of tests keep their files: in memory; where there is little of it, as the system sets."""
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _ROOM
    return _MEMORY if roomy else None


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    """What a statement returns, committed."""
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def given_folder() -> Iterator[Path]:
    """A folder that the account of root's servers can reach, too."""
    with tempfile.TemporaryDirectory(dir=memory()) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "database"


@pytest.fixture(scope="session")
def prefix() -> Prefix:
    """The private programs; the first session on a machine builds them."""
    return ensure_prefix()


@pytest.fixture(scope="session")
def database_server(prefix: Prefix) -> Iterator[EmbeddedDatabase]:
    """The database server that all tests share."""
    settings = {**ALONE, **edition_settings(prefix)}
    with EmbeddedDatabase(unsafe=True, within=memory(), settings=settings) as server:
        yield server


@pytest.fixture(scope="session")
def migrated_template(database_server: EmbeddedDatabase) -> str:
    """The name of a template database with the store's schema."""
    from services.store.migrations import migrate

    def prepare(url: str) -> None:
        migrate(url)

    database_server.create_template("migrated", prepare)
    return "migrated"


@pytest.fixture(scope="session")
def empty_template(database_server: EmbeddedDatabase) -> str:
    """The name of a template database with TimescaleDB and nothing else."""
    database_server.create_template("empty", lambda url: None)
    return "empty"


@pytest.fixture
def database_url(database_server: EmbeddedDatabase, migrated_template: str) -> Iterator[str]:
    """A fresh database with the store's schema."""
    url = database_server.clone(migrated_template)
    yield url
    database_server.drop(url.rpartition("/")[2])


@pytest.fixture(scope="module")
def shared_database_url(database_server: EmbeddedDatabase, migrated_template: str) -> Iterator[str]:
    """A database with the store's schema for those tests of a module that others do not disturb."""
    url = database_server.clone(migrated_template)
    yield url
    database_server.drop(url.rpartition("/")[2])


@pytest.fixture
def empty_database_url(database_server: EmbeddedDatabase, empty_template: str) -> Iterator[str]:
    """A fresh database with TimescaleDB and nothing else."""
    url = database_server.clone(empty_template)
    yield url
    database_server.drop(url.rpartition("/")[2])


@pytest.fixture
def own_database(prefix: Prefix) -> Iterator[EmbeddedDatabase]:
    """A durable database server for this test alone, to kill, pause or restart."""
    with EmbeddedDatabase(within=memory(), settings=edition_settings(prefix)) as server:
        yield server


@pytest.fixture
def community_url(prefix: Prefix) -> Iterator[str]:
    """A database of the Community edition with the store's schema; without such a server the test is skipped."""
    with community_database(prefix, memory()) as url:
        yield url


@pytest.fixture(params=["database_url", "community_url"], ids=["apache", "community"])
def edition_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of each edition; what is not there is skipped."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture(scope="session")
def broker(prefix: Prefix) -> Iterator[EmbeddedBroker]:
    """The broker that all tests share: use client ids and topics that nobody else uses."""
    with EmbeddedBroker() as server:
        yield server


@pytest.fixture
def mqtt_url(broker: EmbeddedBroker) -> str:
    """The shared broker's address for a service."""
    return broker.url()


@pytest.fixture
def device_mqtt_url(broker: EmbeddedBroker) -> str:
    """The shared broker's address for a device."""
    return broker.url(DEVICE_USER)


@pytest.fixture
def own_broker(prefix: Prefix) -> Iterator[EmbeddedBroker]:
    """A broker for this test alone, to kill, pause or restart; it snapshots every second."""
    with EmbeddedBroker(autosave_interval_s=1) as server:
        yield server
