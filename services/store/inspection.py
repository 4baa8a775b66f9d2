"""What a database server is set to, as far as our promises depend on it. It asks and changes nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, LiteralString

from services.store.connection import Connection

SETTINGS: Final[LiteralString] = """
    SELECT name, setting FROM pg_settings
     WHERE name IN ('server_version', 'fsync', 'full_page_writes', 'synchronous_commit', 'autovacuum',
                    'max_connections', 'data_directory')
"""
FACTS: Final[LiteralString] = """
    SELECT pg_database_size(current_database()), extract(epoch FROM clock_timestamp())::float8,
           pg_is_in_recovery()
"""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the server said.

    Attributes:
        settings: name -> value, of the settings that this user may see.
        size_bytes: of this database on disk.
        clock_ahead_s: how far the server's clock is ahead of ours, seconds.
        standby: it replays another server and takes no writes.
    """

    settings: Mapping[str, str]
    size_bytes: int
    clock_ahead_s: float
    standby: bool


def inspect(conn: Connection) -> Inspection:
    """Asks the server on an open connection."""
    settings: dict[str, str] = dict(conn.execute(SETTINGS).fetchall())
    before = time.time()
    row = conn.execute(FACTS).fetchone()
    assert row is not None
    ahead = row[1] - (before + time.time()) / 2
    return Inspection(settings, row[0], ahead, row[2])
