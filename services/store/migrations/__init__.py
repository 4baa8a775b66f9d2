"""Brings a database to the newest schema: numbered .sql files, each applied once, in order, under an advisory lock.

It refuses to guess: a file that changed after it was applied stops the migration, and nothing is ever undone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Final, LiteralString

import psycopg
from psycopg import errors

from services.domain.errors import CitygaugeError
from services.store.asking import Asker
from services.store.connection import Connection, connect, translated
from services.store.edition import MINIMUM_VERSION, installed_version

_FILE: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_LOCK_KEY: Final = 0x6369_7479_6D69_6772  # "citymigr"

LOCK: Final[LiteralString] = "SELECT pg_advisory_lock(%s)"
UNLOCK: Final[LiteralString] = "SELECT pg_advisory_unlock(%s)"
CREATE_EXTENSION: Final[LiteralString] = "CREATE EXTENSION IF NOT EXISTS timescaledb"
CREATE_LEDGER: Final[LiteralString] = """
    CREATE TABLE IF NOT EXISTS schema_migration (
        name       text PRIMARY KEY,
        checksum   text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
"""
LEDGER_EXISTS: Final[LiteralString] = "SELECT to_regclass('schema_migration') IS NOT NULL"
APPLIED: Final[LiteralString] = "SELECT name, checksum FROM schema_migration ORDER BY name"
RECORD: Final[LiteralString] = "INSERT INTO schema_migration (name, checksum) VALUES (%s, %s)"


class MigrationFailed(CitygaugeError):
    """The schema cannot be brought up to date; the message says what a person must do."""


@dataclass(frozen=True)
class Migration:
    """One numbered file. checksum: SHA-256 of its text, hexadecimal."""

    name: str
    text: str

    @cached_property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


@cache
def migrations() -> tuple[Migration, ...]:
    """Every migration of this version, in order."""
    files = resources.files(__package__).iterdir()
    found = sorted((f for f in files if _FILE.fullmatch(f.name)), key=lambda f: f.name)
    return tuple(Migration(f.name, f.read_text(encoding="utf-8")) for f in found)


def fingerprint() -> str:
    """Another one for another schema: SHA-256 of all migrations, hexadecimal."""
    every = "".join(migration.checksum for migration in migrations())
    return hashlib.sha256(every.encode()).hexdigest()


def pending(url: str) -> list[str]:
    """Names of migrations that the database lacks; empty when it is up to date.

    Raises:
        MigrationFailed: an applied file has changed, or the database is newer than this version.
        DatabaseUnavailable: the database does not answer.
    """
    with connect(url, "citygauge-migrate", autocommit=True) as conn:
        return [migration.name for migration in _missing(conn)]


async def pending_of(asker: Asker) -> list[str]:
    """The same over a connection that is kept, for whoever asks often.

    Raises:
        MigrationFailed, DatabaseUnavailable: as `pending`.
    """
    [(exists,)] = await asker.rows(LEDGER_EXISTS)
    applied: dict[str, str] = dict(await asker.rows(APPLIED)) if exists else {}
    return [migration.name for migration in _lacking(applied)]


def migrate(url: str, report: Callable[[str], None] | None = None) -> list[str]:
    """Applies what the database lacks, each file in a transaction of its own, and returns the files' names.

    Several processes may call it at once: one works, the others wait and find nothing to do.

    Raises:
        MigrationFailed: see `pending`; or TimescaleDB is missing, too old, or refused; or a file failed.
        DatabaseUnavailable: the database does not answer.
    """
    with connect(url, "citygauge-migrate", autocommit=True) as conn:
        conn.execute(LOCK, (_LOCK_KEY,))
        try:
            _ensure_extension(conn)
            missing = _missing(conn)
            if missing:
                conn.execute(CREATE_LEDGER)
            for migration in missing:
                _apply(conn, migration)
                if report is not None:
                    report(f"applied {migration.name}")
            return [migration.name for migration in missing]
        finally:
            if not conn.closed:
                conn.execute(UNLOCK, (_LOCK_KEY,))


def _missing(conn: Connection) -> list[Migration]:
    return _lacking(_applied(conn))


def _lacking(applied: Mapping[str, str]) -> list[Migration]:
    """What a database lacks that has these: name -> checksum."""
    known = {migration.name: migration for migration in migrations()}
    for name, checksum in applied.items():
        if name not in known:
            raise MigrationFailed(
                f"the database has the migration {name}, which this version does not know: "
                "it was used by a newer version. Install that version, or restore a backup."
            )
        if known[name].checksum != checksum:
            raise MigrationFailed(
                f"the migration {name} has changed since it was applied to this database. Restore the file; "
                "changes to the schema go into a new file with the next number."
            )
    return [migration for name, migration in known.items() if name not in applied]


def _applied(conn: Connection) -> Mapping[str, str]:
    exists = conn.execute(LEDGER_EXISTS).fetchone()
    if exists is None or not exists[0]:
        return {}
    return dict(conn.execute(APPLIED).fetchall())


def _apply(conn: Connection, migration: Migration) -> None:
    try:
        with translated(), conn.transaction():
            # a text-format cursor: only the simple protocol takes several statements at once
            psycopg.Cursor(conn).execute(migration.text)
            conn.execute(RECORD, (migration.name, migration.checksum))
    except psycopg.Error as error:
        if isinstance(error, CitygaugeError):
            raise
        raise MigrationFailed(
            f"the migration {migration.name} failed and was rolled back: {_first_line(error)}"
        ) from error


def _ensure_extension(conn: Connection) -> None:
    version = installed_version(conn)
    if version is None:
        try:
            conn.execute(CREATE_EXTENSION)
        except psycopg.Error as error:
            raise MigrationFailed(_what_to_do(error)) from error
        version = installed_version(conn)
    if version is not None and version < MINIMUM_VERSION:
        have, need = (".".join(map(str, v)) for v in (version, MINIMUM_VERSION))
        raise MigrationFailed(
            f"the database has TimescaleDB {have}; Citygauge needs {need} or newer. Install it, then run "
            "'ALTER EXTENSION timescaledb UPDATE' in this database as its owner."
        )


def _what_to_do(error: psycopg.Error) -> str:
    text = str(error)
    cause = error.__cause__ if isinstance(error, CitygaugeError) else error
    if isinstance(cause, errors.InsufficientPrivilege):
        return (
            "this database user may not install TimescaleDB. Ask the administrator to run "
            "'CREATE EXTENSION timescaledb' in this database as a superuser, once."
        )
    if "must be preloaded" in text or "shared_preload_libraries" in text:
        return (
            "TimescaleDB is installed on the database server but not loaded. Add it to "
            "shared_preload_libraries in postgresql.conf (timescaledb-tune does it) and restart the server."
        )
    if "is not available" in text or "control file" in text:
        return (
            "the database server has no TimescaleDB. Install the package for its version of PostgreSQL "
            "(Debian: postgresql-NN-timescaledb), or use the image timescale/timescaledb."
        )
    return f"TimescaleDB could not be installed in this database: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
