"""What doctor says of a database that somebody else runs: each setting, why it matters, and what to do about it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from services.cli.finding import Finding, Health
from services.store.edition import MINIMUM_VERSION, Edition
from services.store.inspection import Inspection

_SPACE_BYTES: Final = 5_000_000_000
_CLOCK_S: Final = 5.0
_CONNECTIONS: Final = 20
_MUST_BE_ON: Final[Mapping[str, tuple[Health, str]]] = {
    "fsync": (Health.FAIL, "a crash of the machine can destroy the whole database"),
    "full_page_writes": (Health.FAIL, "a crash of the machine can leave half-written pages"),
    "synchronous_commit": (
        Health.FAIL,
        "readings are acknowledged to the broker at the commit; a commit that is not on disk can be lost",
    ),
    "autovacuum": (Health.WARN, "the tables would grow without end, and finally refuse writes"),
}


def judge(found: Inspection, kind: Edition, version: tuple[int, ...] | None) -> Iterator[Finding]:
    """Every finding about the server, the edition first."""
    yield _edition(kind, version)
    for name, (severity, why) in _MUST_BE_ON.items():
        value = found.settings.get(name, "unknown")
        good = value not in {"off", "local"} or (name == "synchronous_commit" and value == "local")
        remedy = "" if good else f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf();"
        yield Finding(f"database: {name}", Health.OK if good else severity, value, remedy, why)
    if found.standby:
        remedy = "Give the address of the primary."
        yield Finding("database: role", Health.FAIL, "a standby, which takes no writes", remedy)
    yield _clock(found.clock_ahead_s)
    yield _connections(found.settings.get("max_connections", "0"))
    yield _space(found)


def _edition(kind: Edition, version: tuple[int, ...] | None) -> Finding:
    number = ".".join(map(str, version)) if version else "not yet created here"
    said = f"TimescaleDB {number}, {kind} edition"
    if version and version < MINIMUM_VERSION:
        least = ".".join(map(str, MINIMUM_VERSION))
        return Finding("database", Health.FAIL, said, f"Update it to {least} or newer.")
    if kind is Edition.APACHE:
        why = (
            "works in full; only `citygauge maintain --compress-after` needs the Community edition"
        )
        return Finding("database", Health.OK, said, why=why)
    return Finding("database", Health.OK, said)


def _clock(ahead_s: float) -> Finding:
    good = abs(ahead_s) < _CLOCK_S
    return Finding(
        "database: clock",
        Health.OK if good else Health.WARN,
        f"{ahead_s:+.1f} s from this machine's",
        "" if good else "Let both follow the same time server.",
        "late and future readings are told by our clock, silence by the database's",
    )


def _connections(most: str) -> Finding:
    good = most.isdigit() and int(most) >= _CONNECTIONS
    return Finding(
        "database: connections",
        Health.OK if good else Health.WARN,
        f"{most} at most",
        "" if good else f"ALTER SYSTEM SET max_connections = {5 * _CONNECTIONS}; then restart.",
        f"the services together hold up to {_CONNECTIONS}",
    )


def _space(found: Inspection) -> Finding:
    size = f"this database takes {found.size_bytes / 1e9:.1f} GB"
    folder = Path(found.settings.get("data_directory", ""))
    why = "a database whose disk is full stops; nothing is lost as long as the broker's queue has room"
    try:
        if not folder.is_absolute():
            raise FileNotFoundError(folder)
        free = shutil.disk_usage(folder).free
    except OSError:
        said = f"{size}; the free space of its machine cannot be seen from here"
        return Finding("database: disk", Health.OK, said, why=why)
    good = free >= _SPACE_BYTES
    remedy = (
        "" if good else "Make room, or let `citygauge maintain --retention` remove old readings."
    )
    said = f"{size}, {free / 1e9:.1f} GB are free"
    return Finding("database: disk", Health.OK if good else Health.WARN, said, remedy, why)
