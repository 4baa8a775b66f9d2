"""Databases of the Community edition, where there is a server of it; the tests that need one are skipped elsewhere.

Debian's packages hold the Apache edition alone. There are two ways to have the other. COMMUNITY_DATABASE_URL is the
address of a superuser on any server that runs it: databases are made there, and dropped. Or the edition's module,
`timescaledb-tsl-VERSION.so` of the same version, lies beside the other modules of the embedded programs; then
TIMESCALEDB_EDITION=community runs every test on it.
"""

import itertools
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, LiteralString
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from services.embedded.database import EmbeddedDatabase
from services.embedded.prefix import Prefix
from services.store.migrations import migrate

COMMUNITY: Final[Mapping[str, str]] = {"timescaledb.license": "timescale"}
"""What makes an embedded server one of the Community edition, where its module is there."""

_CREATE: LiteralString = "CREATE DATABASE {}"
_DROP: LiteralString = "DROP DATABASE IF EXISTS {} WITH (FORCE)"
_numbers = itertools.count(1)


def on_community() -> bool:
    """Whether every test shall run on the Community edition."""
    return os.environ.get("TIMESCALEDB_EDITION") == "community"


def has_community(prefix: Prefix) -> bool:
    """Whether the Community edition's module is among the embedded programs."""
    library = prefix.postgres("postgres").parents[1] / "lib"
    return bool(list(library.glob("timescaledb-tsl-*.so")))


def edition_settings(prefix: Prefix) -> Mapping[str, str]:
    """What the edition that was asked for adds to the settings of every embedded server."""
    if not on_community():
        return {}
    if not has_community(prefix):
        raise pytest.UsageError(f"{prefix.root} has no module of the Community edition")
    return COMMUNITY


@contextmanager
def community_database(prefix: Prefix, within: Path | None) -> Iterator[str]:
    """The address of a migrated database of the Community edition, which is dropped afterwards."""
    given = os.environ.get("COMMUNITY_DATABASE_URL")
    if given:
        with _given(given) as url:
            migrate(url)
            yield url
        return
    if not has_community(prefix):
        pytest.skip(
            "no server of the Community edition: tests/edition_fixtures.py says how to bring one"
        )
    with EmbeddedDatabase(unsafe=True, within=within, settings=COMMUNITY) as server:
        url = server.create()
        migrate(url)
        yield url


@contextmanager
def _given(server: str) -> Iterator[str]:
    """A new database on a server that runs already."""
    name = f"citygauge_test_{os.getpid()}_{next(_numbers)}"
    url = urlsplit(server)._replace(path=f"/{name}").geturl()
    with psycopg.connect(server, autocommit=True) as administration:
        administration.execute(sql.SQL(_CREATE).format(sql.Identifier(name)))
        try:
            yield url
        finally:
            administration.execute(sql.SQL(_DROP).format(sql.Identifier(name)))
