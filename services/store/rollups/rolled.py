"""What the rollups know of sensors in a range, and what must be read from the readings because they do not.

Not to be trusted are hours that are marked, hours that batches of the feed touched which the keeper has not followed
yet, and rollups of readings of which some are left out. It refuses to answer where the keeper is too far behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final, LiteralString

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from services.domain.batch import CorruptBatch, ReadingBatch
from services.domain.catalogue import Domain
from services.domain.instant import HOUR_US, from_us
from services.domain.statistic import Part, Parts
from services.store.connection import Connection
from services.store.feed import Position, committed_position
from services.store.feed_statements import EPOCH
from services.store.query.columns import Spans
from services.store.rollups.rollup_level import CONSUMER, Level, relation
from services.store.wire import Integers, Times, columnar

_MOST_UNFOLLOWED: Final = 200_000
"""Readings of the feed that a question looks through; where the keeper is further behind, readings are read."""

_MOST_BATCHES: Final = 20_000

FINEST: Final[LiteralString] = """
    SELECT array_agg(coalesce(r.finest, -1::int2) ORDER BY wanted.ordinal),
           array_agg(coalesce(greatest(r.since, '0001-01-01'), '9999-01-01') ORDER BY wanted.ordinal)
      FROM unnest(%(sensors)s) WITH ORDINALITY AS wanted (sensor, ordinal)
      LEFT JOIN rollup_sensor AS r ON r.domain = %(domain)s AND r.sensor = wanted.sensor
"""
# Everything that this snapshot sees beyond the keeper's position; nothing else can be missing from its marks. The order
# and the limit keep the planner on the index, which knows nothing of how little that is.
_BEYOND: Final[LiteralString] = f"""
    SELECT domain, readings, columns FROM batch_feed
     WHERE epoch = %(epoch)s AND (xid, id) > (%(xid)s::text::xid8, %(id)s) ORDER BY xid, id LIMIT {_MOST_BATCHES}
"""
UNFOLLOWED: Final[LiteralString] = (
    f"SELECT count(*)::bigint, coalesce(sum(readings), 0)::bigint FROM ({_BEYOND}) AS f"
)
FEED: Final[LiteralString] = f"SELECT columns FROM ({_BEYOND}) AS f WHERE domain = %(domain)s"
DIRTY: Final[LiteralString] = """
    SELECT array_agg(d.sensor), array_agg(d.hour) FROM rollup_dirty AS d
     WHERE d.domain = %(domain)s AND d.sensor = ANY(%(sensors)s) AND d.hour >= %(start)s AND d.hour < %(end)s
"""
ROLLED: Final = sql.SQL("""
    SELECT array_agg(ordinal::int4), array_agg(bucket), {aggregates}
      FROM (SELECT span.ordinal, r.*
              FROM unnest(%(sensors)s, %(starts)s, %(ends)s) WITH ORDINALITY AS span (sensor, start, until, ordinal)
             CROSS JOIN LATERAL (
                   SELECT {values} FROM {rollup} AS r
                    WHERE r.sensor = span.sensor AND r.bucket >= span.start AND r.bucket < span.until
                      AND r.bucket >= %(start)s AND r.bucket < %(end)s
                    {order}) AS r) AS found
""")
# A row as it is, or those of a longer bucket as one: what comes over the wire costs more than adding it up.
EACH: Final = sql.SQL("r.bucket")
EACH_ORDER: Final = sql.SQL("ORDER BY r.bucket")
WIDE: Final = sql.SQL("min(r.bucket) AS bucket")
WIDE_ORDER: Final = sql.SQL("GROUP BY time_bucket(%(width)s, r.bucket) ORDER BY 1")
_EACH_PART: Final = sql.SQL("coalesce(r.{c}, 'NaN') AS {c}")
_COUNT: Final = sql.SQL("r.{c}")
_WIDE_PARTS: Final[Mapping[Part, sql.SQL]] = {
    Part.COUNT: sql.SQL("sum(r.{c})::float8 AS {c}"),
    Part.SUM: sql.SQL("coalesce(sum(r.{c}), 'NaN') AS {c}"),
    Part.MIN: sql.SQL("coalesce(min(r.{c}), 'NaN') AS {c}"),
    Part.MAX: sql.SQL("coalesce(max(r.{c}), 'NaN') AS {c}"),
    Part.FIRST: sql.SQL(
        "coalesce(first(r.{c}, r.bucket) FILTER (WHERE r.{c} IS NOT NULL), 'NaN') AS {c}"
    ),
    Part.LAST: sql.SQL(
        "coalesce(last(r.{c}, r.bucket) FILTER (WHERE r.{c} IS NOT NULL), 'NaN') AS {c}"
    ),
}


@dataclass(frozen=True, slots=True)
class RolledRows:
    """Rollups of n (span, unit) pairs, sorted by (series, time).

    Attributes:
        series: (n,) the span's place; at_us: (n,) where it begins; quality: (n,) bits that any reading has, zeros
            where nobody asked.
        parts: metric column -> `Parts` of n rows; a count of 0 where the metric has no value.
    """

    series: NDArray[np.int64]
    at_us: NDArray[np.int64]
    quality: NDArray[np.int16]
    parts: Mapping[str, Parts]

    def take(self, kept: NDArray[np.bool_], series: NDArray[np.int64]) -> RolledRows:
        """The rows that are kept, under another numbering of the series."""
        if kept.all():
            return RolledRows(series, self.at_us, self.quality, self.parts)
        parts = {
            metric: {part: column[kept] for part, column in each.items()}
            for metric, each in self.parts.items()
        }
        return RolledRows(series[kept], self.at_us[kept], self.quality[kept], parts)

    def sorted(self) -> RolledRows:
        """The rows by (series, time)."""
        if (np.diff(self.series) >= 0).all() and (
            np.diff(self.at_us)[np.diff(self.series) == 0] > 0
        ).all():
            return self
        order = np.lexsort((self.at_us, self.series))
        parts = {
            metric: {part: column[order] for part, column in each.items()}
            for metric, each in self.parts.items()
        }
        return RolledRows(self.series[order], self.at_us[order], self.quality[order], parts)

    def of(self, metric: str) -> RolledRows:
        """The rows in which the metric has values, and what is known of it."""
        one = RolledRows(self.series, self.at_us, self.quality, {metric: self.parts[metric]})
        return one.take(self.parts[metric][Part.COUNT] > 0, self.series)


@dataclass(frozen=True, slots=True)
class Trust:
    """Which sensors' rollups hold a range, and which of their hours do not.

    Attributes:
        finest: (k,) the finest level kept of each sensor, 9 where none is to be used.
        dirty: (d,) keys (`key_of`) of hours that must be read from the readings.
    """

    finest: NDArray[np.int64]
    dirty: NDArray[np.int64]


def key_of(series: NDArray[Any], hour: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) one number for each sensor (or its place) and hour since 1970."""
    return series.astype(np.int64) << 32 | hour


def finest_levels(
    conn: Connection, domain: Domain, sensors: NDArray[np.int32], start_us: int
) -> NDArray[np.int64]:
    """(k,) the finest level kept of each sensor since `start_us`; 9 where none is, or the keeper is too far behind."""
    position = committed_position(conn, CONSUMER)
    if position is None or not len(sensors) or not _is_near(conn, position):
        return np.full(len(sensors), 9)
    with columnar(conn) as cursor:
        values = {"domain": domain.value, "sensors": Integers(sensors)}
        row = cursor.execute(FINEST, values).fetchone()
    assert row is not None
    return np.where((row[0] < 0) | (row[1] > start_us), 9, row[0].astype(np.int64))


def _is_near(conn: Connection, position: Position) -> bool:
    """Whether what the keeper has not followed is of this cluster, and little enough to look through."""
    (epoch,) = conn.execute(EPOCH).fetchone() or (None,)
    if epoch != position.epoch:
        return False
    row = conn.execute(UNFOLLOWED, _values(position)).fetchone()
    return row is not None and row[0] < _MOST_BATCHES and row[1] <= _MOST_UNFOLLOWED


def _values(position: Position) -> dict[str, Any]:
    return {"epoch": position.epoch, "xid": str(position.xid), "id": position.id}


def trust(
    conn: Connection, domain: Domain, sensors: NDArray[np.int32], start_us: int, end_us: int
) -> Trust:
    """What can be trusted of the sensors' rollups in [start, end), in the caller's snapshot.

    Returns:
        Dirty keys are of the sensors' numbers.
    """
    none = np.empty(0, np.int64)
    nothing = Trust(np.full(len(sensors), 9), none)
    finest = finest_levels(conn, domain, sensors, start_us)
    if (finest == 9).all():
        return nothing
    position = committed_position(conn, CONSUMER)
    assert position is not None, "one snapshot sees one position"
    values: dict[str, Any] = {"domain": domain.value, **_values(position)}
    keys = []
    try:
        for (columns,) in conn.execute(FEED, values):
            batch = ReadingBatch.loads(columns)
            keys.append(np.unique(key_of(batch.sensor, batch.observed_us // HOUR_US)))
    except CorruptBatch:
        return nothing
    values["start"] = from_us(start_us // HOUR_US * HOUR_US)
    values["end"] = from_us(end_us)
    with columnar(conn) as cursor:
        marked = cursor.execute(DIRTY, {**values, "sensors": Integers(sensors)}).fetchone()
    assert marked is not None
    if marked[0] is not None:
        keys.append(key_of(marked[0], marked[1] // HOUR_US))
    return Trust(finest, np.unique(np.concatenate(keys)) if keys else none)


def rolled_in(
    conn: Connection,
    domain: Domain,
    level: Level,
    wanted: Spans,
    *,
    metrics: Sequence[str],
    parts: Sequence[Part],
    width_us: int = 0,
    quality: bool = False,
) -> RolledRows:
    """These parts of the rollups of each span (whole units of the level); COUNT is the first of them.

    Args:
        width_us: rollups of one span and one fixed bucket of this length come as one row; 0: each by itself.
        quality: whether the quality bits are asked, with which rows come by themselves.
    """
    found: Sequence[Any] = [None]
    if len(wanted):
        values = {
            "sensors": Integers(wanted.sensor),
            "starts": Times(wanted.start_us),
            "ends": Times(wanted.end_us),
            "start": from_us(int(wanted.start_us.min())),
            "end": from_us(int(wanted.end_us.max())),
            "width": timedelta(microseconds=width_us),
        }
        query = rolled_query(
            domain, level, tuple(metrics), tuple(parts), wide=width_us > 0, quality=quality
        )
        with columnar(conn) as cursor:
            row = cursor.execute(query, values).fetchone()
        assert row is not None
        found = row
    if found[0] is None:
        none = np.empty(0, np.int64)
        empty = {metric: dict.fromkeys(parts, np.empty(0)) for metric in metrics}
        return RolledRows(none, none, none.astype(np.int16), empty)
    series, at_us, *columns = found
    bits = columns.pop(0) if quality else np.zeros(len(series), np.int16)
    known = iter(columns)
    rows = {m: {part: next(known).astype(np.float64) for part in parts} for m in metrics}
    return RolledRows(series.astype(np.int64) - 1, at_us, bits, rows)


@lru_cache(maxsize=256)
def rolled_query(
    domain: Domain,
    level: Level,
    metrics: tuple[str, ...],
    parts: tuple[Part, ...],
    *,
    wide: bool,
    quality: bool,
) -> sql.Composed:
    """The statement of `rolled_in`."""
    names: list[sql.Composable] = [sql.Identifier("quality")] if quality else []
    values: list[sql.Composable] = [WIDE if wide else EACH]
    values += [sql.SQL("r.quality")] if quality else []
    for metric in metrics:
        for part in parts:
            column = sql.Identifier(f"{metric}_{part}")
            each = _COUNT if part is Part.COUNT else _EACH_PART
            names.append(column)
            values.append((_WIDE_PARTS[part] if wide else each).format(c=column))
    comma = sql.SQL(", ")
    return ROLLED.format(
        rollup=sql.Identifier(relation(domain, level)),
        aggregates=comma.join(sql.SQL("array_agg({})").format(each) for each in names),
        values=comma.join(values),
        order=WIDE_ORDER if wide else EACH_ORDER,
    )
