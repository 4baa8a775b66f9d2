"""The database's clock: one time for all instances of a service, whatever their machines believe."""

from __future__ import annotations

from typing import Final, LiteralString

from services.store.connection import Connection

NOW: Final[LiteralString] = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"


def database_time_us(conn: Connection) -> int:
    """Microseconds since 1970."""
    row = conn.execute(NOW).fetchone()
    assert row is not None, "the statement always returns a row"
    return int(row[0])
