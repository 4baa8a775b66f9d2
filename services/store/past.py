"""What was stored, read again as batches in the order of time, for those who rebuild what they know from it.

It refuses to hold a span at once: one batch is what one step of time holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
from psycopg import sql

from services.domain.batch import ReadingBatch
from services.domain.catalogue import CATALOGUE, Domain
from services.store.connection import Connection
from services.store.wire import columnar

STEP: Final = timedelta(hours=6)
SENSORS_STEP: Final = timedelta(days=7)
"""The longest step where only some sensors are read."""
_FIRST_STEP: Final = timedelta(hours=1)
_SHORTEST_STEP: Final = timedelta(seconds=1)
_READINGS: Final = 4_000
"""So many readings at a time are aimed at where only some sensors are read: somebody may be waiting."""
_GROWTH: Final = 4.0

PAST: Final = sql.SQL("""
    SELECT array_agg(sensor), array_agg(time), array_agg(received_at), array_agg(quality), {metrics}
      FROM (SELECT * FROM {table} WHERE time >= %(start)s AND time < %(end)s {only} ORDER BY time, sensor) AS past
""")
ONLY: Final = sql.SQL("AND sensor = ANY(%(sensors)s)")
METRIC: Final = sql.SQL("array_agg(coalesce({metric}, 'NaN'))")
NEWEST: Final = sql.SQL("SELECT time FROM {table} ORDER BY time DESC LIMIT 1")
OLDEST: Final = sql.SQL("SELECT time FROM {table} ORDER BY time LIMIT 1")
NEXT: Final = sql.SQL(
    "SELECT time FROM {table} WHERE time >= %(start)s AND time < %(end)s ORDER BY time LIMIT 1"
)


def newest_time(conn: Connection) -> datetime | None:
    """When the newest stored reading of any domain was observed; None when nothing is stored."""
    found = [
        row[0]
        for domain in Domain
        if (row := conn.execute(NEWEST.format(table=_table(domain))).fetchone()) is not None
    ]
    return max(found, default=None)


def oldest_time(conn: Connection) -> datetime | None:
    """When the oldest stored reading of any domain was observed; None when nothing is stored."""
    found = [
        row[0]
        for domain in Domain
        if (row := conn.execute(OLDEST.format(table=_table(domain))).fetchone()) is not None
    ]
    return min(found, default=None)


def past(
    conn: Connection, start: datetime, end: datetime, step: timedelta = STEP
) -> Iterator[ReadingBatch]:
    """Readings observed in [start, end), step after step of time, in each step one batch of each domain that has any.

    Rows of a batch are in the order of (time, sensor). Steps in which nothing was observed cost nothing.
    """
    for found in past_steps(conn, start, end, step):
        yield from found.values()


def past_steps(
    conn: Connection,
    start: datetime,
    end: datetime,
    step: timedelta = STEP,
    only: Mapping[Domain, Sequence[int]] | None = None,
) -> Iterator[Mapping[Domain, ReadingBatch]]:
    """As `past`, what belongs to one step together; `only` these sensors (by number) of these domains, if given."""
    wanted: Mapping[Domain, Sequence[int] | None] = dict.fromkeys(Domain) if only is None else only
    at = start
    while at < end:
        upcoming = _next_time(conn, at, end)
        if upcoming is None:
            return
        at += (upcoming - at) // step * step
        until = min(at + step, end)
        found = {domain: _between(conn, domain, at, until, some) for domain, some in wanted.items()}
        yield {domain: batch for domain, batch in found.items() if batch is not None}
        at = until


def past_of(
    conn: Connection, domain: Domain, sensors: Sequence[int], start: datetime, end: datetime
) -> Iterator[ReadingBatch]:
    """Readings of some sensors (by number) of a domain observed in [start, end), a few thousand at a time.

    Rows of a batch are in the order of (time, sensor), and no batch begins before the one before it ends. Where nothing
    was observed batches are empty, so that nobody waits for the end of a gap.
    """
    at, step = start, _FIRST_STEP
    while at < end:
        until = min(at + step, end)
        batch = _between(conn, domain, at, until, sensors) or _nothing(domain)
        growth = min(_GROWTH, _READINGS / max(len(batch), 1))
        step = max(_SHORTEST_STEP, min(step * growth, SENSORS_STEP))
        yield batch
        at = until


def _nothing(domain: Domain) -> ReadingBatch:
    times = np.empty(0, np.int64)
    return ReadingBatch(domain, np.empty(0, np.int32), times, times, np.empty(0, np.int16), {})


def _next_time(conn: Connection, start: datetime, end: datetime) -> datetime | None:
    limits = {"start": start, "end": end}
    found = [
        row[0]
        for domain in Domain
        if (row := conn.execute(NEXT.format(table=_table(domain)), limits).fetchone()) is not None
    ]
    return min(found, default=None)


def _between(
    conn: Connection,
    domain: Domain,
    start: datetime,
    end: datetime,
    sensors: Sequence[int] | None = None,
) -> ReadingBatch | None:
    names = [metric.column for metric in CATALOGUE[domain].metrics]
    query = PAST.format(
        table=_table(domain),
        only=sql.SQL("") if sensors is None else ONLY,
        metrics=sql.SQL(", ").join(METRIC.format(metric=sql.Identifier(name)) for name in names),
    )
    with columnar(conn) as cursor:
        limits: dict[str, Any] = {"start": start, "end": end}
        if sensors is not None:
            limits["sensors"] = list(sensors)
        row = cursor.execute(query, limits).fetchone()
    assert row is not None, "an aggregate without GROUP BY always returns a row"
    if row[0] is None:
        return None
    sensor, time, received, quality, *values = row
    return ReadingBatch(
        domain, sensor, time, received, quality, dict(zip(names, values, strict=True))
    )


def _table(domain: Domain) -> sql.Identifier:
    return sql.Identifier(CATALOGUE[domain].table)
