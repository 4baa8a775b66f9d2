"""Which edition of TimescaleDB the database runs. It never probes for functions: stubs of the refused ones exist."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, LiteralString

from services.store.connection import Connection

MINIMUM_VERSION: Final = (2, 14)
"""The first version whose create_hypertable takes by_range and whose chunks take what the store does to them."""

LICENSE: Final[LiteralString] = "SELECT current_setting('timescaledb.license', true)"
VERSION: Final[LiteralString] = "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"


class Edition(StrEnum):
    """APACHE: hypertables, time_bucket, first and last. COMMUNITY: columnstore, continuous aggregates, policies too."""

    APACHE = "apache"
    COMMUNITY = "community"
    ABSENT = "absent"


_OF_LICENSE: Final = {"apache": Edition.APACHE, "timescale": Edition.COMMUNITY}


def edition(conn: Connection) -> Edition:
    """The edition by its licence setting; ABSENT when TimescaleDB is not loaded into the server."""
    row = conn.execute(LICENSE).fetchone()
    return _OF_LICENSE.get(str(row[0]) if row else "", Edition.ABSENT)


def installed_version(conn: Connection) -> tuple[int, ...] | None:
    """The extension's version in this database ((2, 19, 3)), or None when it is not installed here."""
    row = conn.execute(VERSION).fetchone()
    return None if row is None else tuple(int(n) for n in re.findall(r"\d+", row[0])[:3])
