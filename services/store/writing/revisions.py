"""Corrects stored readings: a later value takes the place of the stored one, which may be kept beside it.

Used under the policies `last` and `both`; under `first` the stored value stays (`readings.py`). It runs in the caller's
transaction, and locks each row before it compares, so that no correction of another writer is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from services.domain.batch import ReadingBatch
from services.domain.catalogue import CATALOGUE, Domain
from services.domain.instant import from_us
from services.domain.quality import Quality
from services.store.connection import Connection
from services.store.wire import Floats, Integers, Smallints, Times, columnar
from services.store.writing.compare import listed

LOCKED: Final = sql.SQL("""
    SELECT array_agg(ordinal), array_agg(quality), array_agg(received_at), array_agg(present), {aggregates}
      FROM (SELECT key.ordinal, stored.*
              FROM unnest(%(sensor)s, %(time)s) WITH ORDINALITY AS key (sensor, time, ordinal)
             CROSS JOIN LATERAL (
                   SELECT r.quality, r.received_at, num_nonnulls({every}) AS present, {values} FROM {table} AS r
                    WHERE r.sensor = key.sensor AND r.time = key.time AND r.time BETWEEN %(first)s AND %(last)s
                    LIMIT 1 FOR UPDATE
                   ) AS stored
           ) AS found
""")
# Every row of it exists and is locked.
REPLACE: Final = sql.SQL("""
    INSERT INTO {table} AS r (time, sensor, quality, received_at, {metrics})
    SELECT time, sensor, quality, received_at, {incoming}
      FROM unnest(%(time)s, %(sensor)s, %(quality)s, %(received_at)s, {parameters})
           AS i (time, sensor, quality, received_at, {metrics})
    ON CONFLICT (sensor, time) DO UPDATE
       SET quality = excluded.quality, received_at = excluded.received_at, {updates}
""")
KEEP: Final[LiteralString] = """
    INSERT INTO reading_revision (domain, sensor, time, metric, value, quality, received_at)
    SELECT %(domain)s, sensor, time, %(metric)s, value, quality, received_at
      FROM unnest(%(sensor)s, %(time)s, %(value)s, %(quality)s, %(received_at)s)
           AS old (sensor, time, value, quality, received_at)
"""
EARLIER: Final[LiteralString] = """
    SELECT time, metric, value, quality, received_at, replaced_at FROM reading_revision
     WHERE domain = %s AND sensor = %s AND time BETWEEN %s AND %s ORDER BY time, metric, replaced_at
"""


class Revised(NamedTuple):
    """What became of rows that were there already, k of them.

    Attributes:
        metrics: column -> (k,) what each row brought, NaN where it brought nothing.
        quality: (k,) the rows' quality as stored now.
        merged: (k,) rows that only completed the stored one; revised: (k,) rows that replaced a value.
    """

    metrics: dict[str, NDArray[np.float64]]
    quality: NDArray[np.int16]
    merged: NDArray[np.bool_]
    revised: NDArray[np.bool_]


class Revision(NamedTuple):
    """A value that was replaced: with the quality of its row, when it had come, and when it was replaced."""

    time: datetime
    metric: str
    value: float
    quality: int
    received_at: datetime
    replaced_at: datetime


def revise(conn: Connection, rows: ReadingBatch, *, keep: bool) -> Revised:
    """Writes over stored readings what these rows say otherwise or more.

    Args:
        rows: unique by (sensor, observed_us), in the order in which all writers lock, every one of them stored.
        keep: whether the values that are replaced are kept as revisions.
    """
    at, quality, received_us, present, stored = _locked(conn, rows)
    said = rows.take(at)
    merged, revised = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
    replaced = np.zeros(len(at), np.int64)
    metrics = {name: np.full(len(rows), np.nan) for name in rows.metrics}
    differs: dict[str, NDArray[np.bool_]] = {}
    for name, incoming in said.metrics.items():
        has, lacks = ~np.isnan(incoming), np.isnan(stored[name])
        differs[name] = has & ~lacks & (incoming != stored[name])
        replaced += differs[name]
        brings = has & (lacks | differs[name])
        metrics[name][at[brings]] = incoming[brings]
        merged[at] |= has & lacks
        revised[at] |= differs[name]
    merged &= ~revised
    # What is said of a value that is gone must not stick to the one that took its place.
    whole = (replaced > 0) & (replaced == present)
    now = said.quality | np.where(whole, 0, quality) | np.where(replaced > 0, Quality.REVISED, 0)
    result = rows.quality.copy()
    result[at] = now.astype(np.int16)
    changed = np.flatnonzero((merged | revised)[at])
    if len(changed):
        received = np.where(replaced > 0, said.received_us, received_us)
        written = replace(rows, metrics=metrics).take(at[changed])
        written = replace(
            written, quality=now[changed].astype(np.int16), received_us=received[changed]
        )
        _replace(conn, written)
    if keep:
        for name, chosen in differs.items():
            if chosen.any():
                old = replace(
                    said, quality=quality, received_us=received_us, metrics={name: stored[name]}
                )
                _keep(conn, old.take(chosen))
    return Revised(metrics, result, merged, revised)


def revisions(
    conn: Connection, domain: Domain, sensor: int, start: datetime, end: datetime
) -> Sequence[Revision]:
    """Values of a sensor's readings from start to end (both inclusive) that were replaced, oldest reading first."""
    found = conn.execute(EARLIER, (domain.value, sensor, start, end))
    return [Revision(*row) for row in found]


def _locked(
    conn: Connection, rows: ReadingBatch
) -> tuple[
    NDArray[np.intp],
    NDArray[np.int16],
    NDArray[np.int64],
    NDArray[np.int64],
    dict[str, NDArray[np.float64]],
]:
    """Places in `rows`, and of the stored row: quality, received_us, how many metrics it has, and their values."""
    names = [sql.Identifier(name) for name in rows.metrics]
    every = [sql.Identifier("r", metric.column) for metric in CATALOGUE[rows.domain].metrics]
    query = LOCKED.format(
        table=sql.Identifier(CATALOGUE[rows.domain].table),
        every=listed(every),
        aggregates=listed([sql.SQL("array_agg({})").format(name) for name in names]),
        values=listed([sql.SQL("coalesce(r.{}, 'NaN') AS {}").format(n, n) for n in names]),
    )
    values: dict[str, Any] = {
        "sensor": Integers(rows.sensor),
        "time": Times(rows.observed_us),
        "first": from_us(rows.observed_us.min()),
        "last": from_us(rows.observed_us.max()),
    }
    with columnar(conn) as cursor:
        found = cursor.execute(query, values).fetchone()
    assert found is not None, "an aggregate without GROUP BY always returns a row"
    if found[0] is None:
        empty = np.empty(0, np.int64)
        none = {name: np.empty(0) for name in rows.metrics}
        return np.empty(0, np.intp), empty.astype(np.int16), empty, empty, none
    at, quality, received_us, present, *columns = found
    stored = dict(zip(rows.metrics, columns, strict=True))
    return at.astype(np.intp) - 1, quality, received_us, present.astype(np.int64), stored


def _replace(conn: Connection, rows: ReadingBatch) -> None:
    full = {name: values for name, values in rows.metrics.items() if not np.isnan(values).all()}
    names = [sql.Identifier(name) for name in full]
    query = REPLACE.format(
        table=sql.Identifier(CATALOGUE[rows.domain].table),
        metrics=listed(names),
        incoming=listed([sql.SQL("nullif({}, 'NaN')").format(name) for name in names]),
        parameters=listed([sql.Placeholder(name) for name in full]),
        updates=listed(
            [sql.SQL("{} = coalesce(excluded.{}, r.{})").format(n, n, n) for n in names]
        ),
    )
    values: dict[str, Any] = {
        "time": Times(rows.observed_us),
        "sensor": Integers(rows.sensor),
        "quality": Smallints(rows.quality),
        "received_at": Times(rows.received_us),
        **{name: Floats(column) for name, column in full.items()},
    }
    with columnar(conn) as cursor:
        cursor.execute(query, values)


def _keep(conn: Connection, old: ReadingBatch) -> None:
    """Keeps values of one metric, with their rows' quality and when they had come."""
    ((metric, values),) = old.metrics.items()
    parameters: dict[str, Any] = {
        "domain": old.domain.value,
        "metric": metric,
        "sensor": Integers(old.sensor),
        "time": Times(old.observed_us),
        "value": Floats(values),
        "quality": Smallints(old.quality),
        "received_at": Times(old.received_us),
    }
    with columnar(conn) as cursor:
        cursor.execute(KEEP, parameters)
