"""Writes readings exactly once: the first value of a (sensor, time, metric) wins, a missing one may still come.

The common case, a batch of nothing but new readings, is one binary COPY. Only when the unique index refuses that
does the writer look at what is there. It runs in the caller's transaction and never commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from psycopg import errors, sql

from services.domain.batch import ReadingBatch
from services.domain.catalogue import CATALOGUE, Domain
from services.domain.instant import HOUR_US, from_us
from services.domain.quality import Quality
from services.store.connection import Connection, DatabaseUnavailable, transaction
from services.store.wire import Floats, Integers, Smallints, Times, columnar, copy_stream

_ATTEMPTS: Final = 20

COPY: Final = sql.SQL(
    "COPY {table} (time, sensor, quality, received_at, {metrics}) FROM STDIN (FORMAT binary)"
)
# LIMIT keeps the planner from joining by a scan of the chunk: each key is one probe of the unique index.
EXISTING: Final = sql.SQL("""
    SELECT array_agg(ordinal), {aggregates}
      FROM (SELECT key.ordinal, stored.*
              FROM unnest(%(sensor)s, %(time)s) WITH ORDINALITY AS key (sensor, time, ordinal)
             CROSS JOIN LATERAL (
                   SELECT {values} FROM {table} AS r
                    WHERE r.sensor = key.sensor AND r.time = key.time AND r.time BETWEEN %(first)s AND %(last)s
                    LIMIT 1
                   ) AS stored
           ) AS found
""")
AGGREGATE: Final = sql.SQL("array_agg({metric})")
VALUE: Final = sql.SQL("coalesce(r.{metric}, 'NaN') AS {metric}")
# Every row of it exists. DO UPDATE locks the newest version of a row before it looks at WHERE, so the count of rows
# says whether each metric was still missing when it was filled in.
MERGE: Final = sql.SQL("""
    INSERT INTO {table} AS r (time, sensor, quality, received_at, {metrics})
    SELECT time, sensor, quality, received_at, {incoming}
      FROM unnest(%(time)s, %(sensor)s, %(quality)s, %(received_at)s, {parameters})
           AS i (time, sensor, quality, received_at, {metrics})
    ON CONFLICT (sensor, time) DO UPDATE SET quality = r.quality | excluded.quality, {updates}
     WHERE {still_missing}
""")
INCOMING: Final = sql.SQL("nullif({metric}, 'NaN')")
SET_METRIC: Final = sql.SQL("{metric} = coalesce(r.{metric}, excluded.{metric})")
STILL_MISSING: Final = sql.SQL("(r.{metric} IS NULL OR excluded.{metric} IS NULL)")


class _Overtaken(Exception):
    """Somebody filled in a metric between our look and our write."""


class Written(NamedTuple):
    """What became of a batch: inserted + merged + duplicate = its readings.

    Attributes:
        inserted: readings that were new.
        merged: readings that brought a stored one a metric which it lacked.
        duplicate: readings that brought nothing.
        conflicting: merged or duplicate readings with another value for a metric that is stored; the stored one stays.
        late: accepted readings with the LATE bit.
        accepted: what is newly stored, in the batch's order; a merged reading carries only the metrics that it brought.
    """

    inserted: int
    merged: int
    duplicate: int
    conflicting: int
    late: int
    accepted: ReadingBatch


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Incoming rows against the stored ones of the same key, k rows.

    Attributes:
        rows: (k,) places in the incoming batch.
        brings: metric -> (k,) whether the stored row lacks it and the incoming one has it.
        conflicts: (k,) whether any metric differs.
    """

    rows: NDArray[np.intp]
    brings: dict[str, NDArray[np.bool_]]
    conflicts: NDArray[np.bool_]

    @property
    def merges(self) -> NDArray[np.bool_]:
        """(k,) whether the row brings anything."""
        merges = np.zeros(len(self.rows), np.bool_)
        for brings in self.brings.values():
            merges |= brings
        return merges


class ReadingWriter:
    """Writes batches over one connection, inside the caller's transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def write(self, batch: ReadingBatch) -> Written:
        """Stores what is new in the batch.

        Writers that share readings wait for each other and never deadlock: all lock in one order. A caller that
        writes several domains in one transaction must write them in a fixed order as well.

        Raises:
            ValueError: a (sensor, observed_us) comes twice (merge inside the batch first), or a row has no value.
            DatabaseUnavailable: retriable; roll back and try the whole transaction again.
        """
        batch = _without_empty_columns(batch)
        if not len(batch):
            return Written(0, 0, 0, 0, 0, batch)
        if not _has_value(batch).all():
            raise ValueError("a batch to be written holds a reading without any value")
        order = _lock_order(batch)
        rows = batch.take(order)
        same = (np.diff(rows.sensor) == 0) & (np.diff(rows.observed_us) == 0)
        if same.any():
            raise ValueError("a batch to be written holds the same sensor and time twice")
        try:
            with transaction(self._conn):
                self._copy(rows)
            return Written(len(batch), 0, 0, 0, _late(batch), batch)
        except errors.UniqueViolation:
            pass
        for _ in range(_ATTEMPTS):
            try:
                with transaction(self._conn):
                    return self._reconcile(batch, rows, order)
            except (errors.UniqueViolation, _Overtaken):
                continue  # somebody stored one of ours since we looked
        raise DatabaseUnavailable(
            "other writers keep storing the same readings; try the batch again"
        )

    def _reconcile(
        self, batch: ReadingBatch, rows: ReadingBatch, order: NDArray[np.intp]
    ) -> Written:
        """Inserts first, then fills in: nobody who holds the lock of a stored row waits for an insert."""
        known = self._compare(rows)
        is_new = np.ones(len(rows), np.bool_)
        is_new[known.rows] = False
        if is_new.any():
            self._copy(rows.take(is_new))
        merges = known.merges
        chosen = known.rows[merges]
        metrics = {name: values.copy() for name, values in rows.metrics.items()}
        for name, brings in known.brings.items():
            metrics[name][chosen[~brings[merges]]] = np.nan
        if len(chosen):
            self._merge(replace(rows, metrics=metrics).take(chosen))
        merged = np.zeros(len(rows), np.bool_)
        merged[chosen] = True
        accepted = self._accepted(batch, metrics, order, is_new | merged)
        inserted = int(is_new.sum())
        return Written(
            inserted,
            len(chosen),
            len(rows) - inserted - len(chosen),
            int(known.conflicts.sum()),
            _late(accepted),
            accepted,
        )

    @staticmethod
    def _accepted(
        batch: ReadingBatch,
        metrics: dict[str, NDArray[np.float64]],
        order: NDArray[np.intp],
        mask: NDArray[np.bool_],
    ) -> ReadingBatch:
        """The newly stored rows in the order in which they came."""
        chosen = np.zeros(len(batch), np.bool_)
        chosen[order] = mask
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        restored = {name: values[back] for name, values in metrics.items()}
        return _without_empty_columns(replace(batch, metrics=restored).take(chosen))

    def _copy(self, rows: ReadingBatch) -> None:
        rows = _without_empty_columns(rows)
        statement = COPY.format(table=_table(rows.domain), metrics=_names(rows))
        with self._conn.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(copy_stream(rows))

    def _compare(self, rows: ReadingBatch) -> _Comparison:
        names = list(rows.metrics)
        identifiers = [sql.Identifier(name) for name in names]
        query = EXISTING.format(
            table=_table(rows.domain),
            aggregates=_listed([AGGREGATE.format(metric=i) for i in identifiers]),
            values=_listed([VALUE.format(metric=i) for i in identifiers]),
        )
        parameters: dict[str, Any] = {
            "sensor": Integers(rows.sensor),
            "time": Times(rows.observed_us),
            "first": from_us(rows.observed_us.min()),
            "last": from_us(rows.observed_us.max()),
        }
        with columnar(self._conn) as cursor:
            found = cursor.execute(query, parameters).fetchone()
        assert found is not None, "an aggregate without GROUP BY always returns a row"
        if found[0] is None:
            return _Comparison(np.empty(0, np.intp), {}, np.empty(0, np.bool_))
        at = found[0].astype(np.intp) - 1
        brings: dict[str, NDArray[np.bool_]] = {}
        conflicts = np.zeros(len(at), np.bool_)
        for name, stored in zip(names, found[1:], strict=True):
            incoming = rows.metrics[name][at]
            lacks, has = np.isnan(stored), ~np.isnan(incoming)
            brings[name] = lacks & has
            conflicts |= ~lacks & has & (stored != incoming)
        return _Comparison(at, brings, conflicts)

    def _merge(self, rows: ReadingBatch) -> None:
        rows = _without_empty_columns(rows)
        names = [sql.Identifier(name) for name in rows.metrics]
        query = MERGE.format(
            table=_table(rows.domain),
            metrics=_listed(names),
            incoming=_listed([INCOMING.format(metric=name) for name in names]),
            parameters=_listed([sql.Placeholder(name) for name in rows.metrics]),
            updates=_listed([SET_METRIC.format(metric=name) for name in names]),
            still_missing=sql.SQL(" AND ").join(STILL_MISSING.format(metric=n) for n in names),
        )
        parameters: dict[str, Any] = {
            "time": Times(rows.observed_us),
            "sensor": Integers(rows.sensor),
            "quality": Smallints(rows.quality),
            "received_at": Times(rows.received_us),
            **{name: Floats(values) for name, values in rows.metrics.items()},
        }
        with columnar(self._conn) as cursor:
            if cursor.execute(query, parameters).rowcount != len(rows):
                raise _Overtaken


def _lock_order(batch: ReadingBatch) -> NDArray[np.intp]:
    """Rows by (hour, sensor, time): one order for all writers, chunk after chunk, near to the index's own order."""
    return np.lexsort((batch.observed_us, batch.sensor, batch.observed_us // HOUR_US))


def _without_empty_columns(batch: ReadingBatch) -> ReadingBatch:
    full = {name: values for name, values in batch.metrics.items() if not np.isnan(values).all()}
    return batch if len(full) == len(batch.metrics) else replace(batch, metrics=full)


def _has_value(batch: ReadingBatch) -> NDArray[np.bool_]:
    has = np.zeros(len(batch), np.bool_)
    for values in batch.metrics.values():
        has |= ~np.isnan(values)
    return has


def _late(batch: ReadingBatch) -> int:
    return int(np.count_nonzero(batch.quality & Quality.LATE))


def _table(domain: Domain) -> sql.Identifier:
    return sql.Identifier(CATALOGUE[domain].table)


def _names(batch: ReadingBatch) -> sql.Composed:
    return _listed([sql.Identifier(name) for name in batch.metrics])


def _listed(parts: Sequence[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)
