"""Stored values of many sensors in a range, as columns sorted by sensor and time: what summaries are made of.

It refuses to summarise, and to hold more than its caller asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from services.domain.catalogue import CATALOGUE, Domain
from services.domain.instant import from_us
from services.store.connection import Connection
from services.store.wire import Integers, Times, columnar

# Each span is one range of the unique index (sensor, time); its own bounds exclude chunks for all of them.
VALUES: Final = sql.SQL("""
    SELECT array_agg(ordinal::int4), array_agg(time), {aggregates}
      FROM (SELECT span.ordinal, r.*
              FROM unnest(%(sensors)s, %(starts)s, %(ends)s) WITH ORDINALITY AS span (sensor, start, until, ordinal)
             CROSS JOIN LATERAL (
                   SELECT r.time, {values} FROM {table} AS r
                    WHERE r.sensor = span.sensor AND r.time >= span.start AND r.time < span.until
                      AND r.time >= %(start)s AND r.time < %(end)s
                      AND ({present}) AND (r.quality & %(exclude)s) = 0
                    ORDER BY r.time) AS r) AS found
""")
# One reading of each sensor: the one before a moment, or the one from it on, not further than `reach` away.
NEIGHBOUR: Final = sql.SQL("""
    SELECT array_agg(ordinal::int4), array_agg(time), {aggregates}
      FROM (SELECT wanted.ordinal, r.*
              FROM unnest(%(sensors)s) WITH ORDINALITY AS wanted (sensor, ordinal)
             CROSS JOIN LATERAL (
                   SELECT r.time, {values} FROM {table} AS r
                    WHERE r.sensor = wanted.sensor AND r.time >= %(start)s AND r.time < %(end)s
                      AND ({present}) AND (r.quality & %(exclude)s) = 0
                    ORDER BY r.time {order} LIMIT 1) AS r) AS found
""")
COLUMN: Final = sql.SQL("array_agg({name})")
VALUE: Final = sql.SQL("coalesce(r.{metric}, 'NaN') AS {metric}")
PRESENT: Final = sql.SQL("r.{metric} IS NOT NULL")
_COMMA: Final = sql.SQL(", ")
_OR: Final = sql.SQL(" OR ")


@dataclass(frozen=True, slots=True)
class Columns:
    """Values of n readings, sorted by (series, time).

    Attributes:
        series: (n,) int64, place of the span (or sensor) in the question.
        at_us: (n,) int64, observed time, microseconds since 1970.
        values: metric column -> (n,) float64; NaN is missing.
    """

    series: NDArray[np.int64]
    at_us: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.series)

    def of(self, metric: str) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Series, times and values of the readings that have the metric."""
        column = self.values[metric]
        has = ~np.isnan(column)
        if has.all():
            return self.series, self.at_us, column
        return self.series[has], self.at_us[has], column[has]


@dataclass(frozen=True, slots=True)
class Spans:
    """Pieces of time of sensors, n of them: each sensor's [start, end), microseconds since 1970.

    Attributes:
        sensor: (n,) numbers; start_us, end_us: (n,) int64.
    """

    sensor: NDArray[np.int32]
    start_us: NDArray[np.int64]
    end_us: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sensor)


def spans(sensors: NDArray[np.int32], start_us: int, end_us: int) -> Spans:
    """The same span for each of some sensors."""
    n = len(sensors)
    return Spans(sensors, np.full(n, start_us, np.int64), np.full(n, end_us, np.int64))


def values_in(
    conn: Connection, domain: Domain, metrics: Sequence[str], wanted: Spans, exclude: int
) -> Columns:
    """The readings of each span that have any of the metrics and none of the quality bits."""
    if not len(wanted):
        return _columns(metrics, [None] * (2 + len(metrics)))
    parameters = {
        "sensors": Integers(wanted.sensor),
        "starts": Times(wanted.start_us),
        "ends": Times(wanted.end_us),
        "start": from_us(int(wanted.start_us.min())),
        "end": from_us(int(wanted.end_us.max())),
        "exclude": int(exclude),
    }
    return _asked(conn, values_query(domain, tuple(metrics)), metrics, parameters)


def neighbours(
    conn: Connection,
    domain: Domain,
    metrics: Sequence[str],
    sensors: NDArray[np.int32],
    *,
    start_us: int,
    end_us: int,
    exclude: int,
    latest: bool,
) -> Columns:
    """Of each sensor the earliest or the latest reading in [start, end) that has any of the metrics."""
    parameters = {
        "sensors": Integers(sensors),
        "start": from_us(start_us),
        "end": from_us(end_us),
        "exclude": int(exclude),
    }
    query = neighbour_query(domain, tuple(metrics), latest=latest)
    return _asked(conn, query, metrics, parameters)


@lru_cache(maxsize=256)
def values_query(domain: Domain, metrics: tuple[str, ...]) -> sql.Composed:
    """The statement of `values_in`."""
    return VALUES.format(**_names(domain, metrics))


@lru_cache(maxsize=256)
def neighbour_query(domain: Domain, metrics: tuple[str, ...], *, latest: bool) -> sql.Composed:
    """The statement of `neighbours`."""
    order = sql.SQL("DESC" if latest else "ASC")
    return NEIGHBOUR.format(**_names(domain, metrics), order=order)


def _names(domain: Domain, metrics: tuple[str, ...]) -> dict[str, sql.Composable]:
    identifiers = [sql.Identifier(name) for name in metrics]
    return {
        "table": sql.Identifier(CATALOGUE[domain].table),
        "aggregates": _COMMA.join(COLUMN.format(name=each) for each in identifiers),
        "values": _COMMA.join(VALUE.format(metric=each) for each in identifiers),
        "present": _OR.join(PRESENT.format(metric=each) for each in identifiers),
    }


def _asked(
    conn: Connection, query: sql.Composed, metrics: Sequence[str], parameters: dict[str, Any]
) -> Columns:
    with columnar(conn) as cursor:
        row = cursor.execute(query, parameters).fetchone()
    assert row is not None, "an aggregate without GROUP BY always returns a row"
    return _columns(metrics, row)


def _columns(metrics: Sequence[str], found: Sequence[Any]) -> Columns:
    series, at_us, *values = found
    if series is None:
        none = np.empty(0, np.int64)
        return Columns(none, none, {name: np.empty(0) for name in metrics})
    columns = Columns(series.astype(np.int64) - 1, at_us, dict(zip(metrics, values, strict=True)))
    step = np.diff(columns.series)
    if (step < 0).any() or (np.diff(at_us)[step == 0] < 0).any():
        order = np.lexsort((at_us, columns.series))
        return Columns(
            columns.series[order],
            at_us[order],
            {name: column[order] for name, column in columns.values.items()},
        )
    return columns
