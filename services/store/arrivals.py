"""When readings arrived, and how many sensors speak: what a person who watches the service asks about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from psycopg import sql

from services.domain.catalogue import CATALOGUE, Domain
from services.store.connection import Connection

STORED_AT: Final = sql.SQL("""
    SELECT r.stored_at
      FROM unnest(%(ids)s::text[], %(times)s::timestamptz[]) WITH ORDINALITY AS asked (id, time, place)
      LEFT JOIN sensor AS s ON s.id = asked.id
      LEFT JOIN {table} AS r ON r.sensor = s.number AND r.time = asked.time
                            AND r.time BETWEEN %(first)s AND %(last)s
     ORDER BY asked.place
""")
SPEAKING: Final = sql.SQL("""
    SELECT count(DISTINCT sensor)::bigint FROM {table}
     WHERE time > (SELECT max(time) FROM {table} WHERE time > %(since)s) - %(within)s
""")


def stored_at(
    conn: Connection, domain: Domain, keys: Sequence[tuple[str, datetime]]
) -> list[datetime | None]:
    """When the transaction that stored each reading (sensor id, observed at) began; None where it is not stored."""
    if not keys:
        return []
    times = [time for _, time in keys]
    query = STORED_AT.format(table=sql.Identifier(CATALOGUE[domain].table))
    rows = conn.execute(
        query,
        {
            "ids": [each for each, _ in keys],
            "times": times,
            "first": min(times),
            "last": max(times),
        },
    )
    return [row[0] for row in rows]


def speaking(conn: Connection, domain: Domain, since: datetime, within: timedelta) -> int:
    """Sensors of a domain with a reading within a time before the newest one; `since` bounds the search."""
    query = SPEAKING.format(table=sql.Identifier(CATALOGUE[domain].table))
    row = conn.execute(query, {"since": since, "within": within}).fetchone()
    return 0 if row is None else int(row[0])
