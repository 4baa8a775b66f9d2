"""Leadership: of all sessions that ask, one holds a name until its connection ends. It keeps nothing on disk.

The leader works on the connection that holds the name: when that is lost, its unfinished transaction is lost with
it, so two leaders can never both commit.
"""

from __future__ import annotations

from typing import Final, LiteralString

from services.store.connection import Connection

TRY: Final[LiteralString] = "SELECT pg_try_advisory_lock(hashtextextended('leader:' || %s, 0))"
NOW: Final[LiteralString] = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"


def lead(conn: Connection, name: str) -> bool:
    """Whether this session leads under `name` from now on; call it once until it is True. The name is per database."""
    row = conn.execute(TRY, (name,)).fetchone()
    return row is not None and bool(row[0])


def database_time_us(conn: Connection) -> int:
    """The database's clock, microseconds since 1970: one clock for all instances."""
    row = conn.execute(NOW).fetchone()
    assert row is not None, "the statement always returns a row"
    return int(row[0])
