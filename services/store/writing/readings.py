"""Writes readings exactly once: the first value of a (sensor, time, metric) stays unless told otherwise.

The common case, a batch of nothing but new readings, is one binary COPY. Only when the unique index refuses that
does the writer look at what is there. It runs in the caller's transaction and never commits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from psycopg import errors, sql

from services.domain.batch import ReadingBatch
from services.domain.catalogue import CATALOGUE, Domain
from services.domain.duplicates import DuplicatePolicy
from services.domain.instant import HOUR_US
from services.domain.quality import Quality
from services.store.connection import Connection, DatabaseUnavailable, attempt, transaction
from services.store.wire import Floats, Integers, Smallints, Times, columnar, copy_stream
from services.store.writing.compare import compare, listed
from services.store.writing.revisions import revise

_ATTEMPTS: Final = 20

COPY: Final = sql.SQL(
    "COPY {table} (time, sensor, quality, received_at, {metrics}) FROM STDIN (FORMAT binary)"
)
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
    """What became of a batch: inserted + merged + revised + duplicate = its readings.

    Attributes:
        inserted: readings that were new.
        merged: readings that brought a stored one a metric which it lacked.
        duplicate: readings that brought nothing.
        conflicting: merged or duplicate readings with another value for a metric that is stored; the stored one stays.
        revised: readings that replaced a stored value, under the policies that let them.
        late: accepted readings with the LATE bit.
        accepted: what is newly stored, in the batch's order; merged and revised ones carry only the metrics that they
            brought.
    """

    inserted: int
    merged: int
    duplicate: int
    conflicting: int
    late: int
    accepted: ReadingBatch
    revised: int = 0


class ReadingWriter:
    """Writes batches over one connection, inside the caller's transaction."""

    def __init__(self, conn: Connection, policy: DuplicatePolicy = DuplicatePolicy.FIRST) -> None:
        self._conn, self._policy = conn, policy

    def write(self, batch: ReadingBatch) -> Written:
        """Stores what is new in the batch.

        Writers that share readings wait for each other and never deadlock: all lock in one order. A caller that
        writes several domains in one transaction must write them in a fixed order as well.

        Raises:
            ValueError: a (sensor, observed_us) comes twice (merge inside the batch first), or a row has no value.
            DatabaseUnavailable: retriable; roll back and try the whole transaction again.
        """
        batch = without_empty_columns(batch)
        if not len(batch):
            return Written(0, 0, 0, 0, 0, batch)
        if not has_value(batch).all():
            raise ValueError("a batch to be written holds a reading without any value")
        order = lock_order(batch)
        rows = batch.take(order)
        same = (np.diff(rows.sensor) == 0) & (np.diff(rows.observed_us) == 0)
        if same.any():
            raise ValueError("a batch to be written holds the same sensor and time twice")
        try:
            with attempt(self._conn):
                self._copy(rows)
            return Written(len(batch), 0, 0, 0, _late(batch), batch)
        except errors.UniqueViolation:
            pass
        for _ in range(_ATTEMPTS):
            try:
                with transaction(self._conn):
                    if self._policy is DuplicatePolicy.FIRST:
                        return self._reconcile(batch, rows, order)
                    return self._revise(batch, rows, order)
            except (errors.UniqueViolation, _Overtaken):
                continue  # somebody stored one of ours since we looked
        raise DatabaseUnavailable(
            "other writers keep storing the same readings; try the batch again"
        )

    def _reconcile(
        self, batch: ReadingBatch, rows: ReadingBatch, order: NDArray[np.intp]
    ) -> Written:
        """Inserts first, then fills in: nobody who holds the lock of a stored row waits for an insert."""
        known = compare(self._conn, rows)
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

    def _revise(self, batch: ReadingBatch, rows: ReadingBatch, order: NDArray[np.intp]) -> Written:
        """Inserts first, then corrects, in the order in which all writers lock."""
        known = compare(self._conn, rows)
        is_new = np.ones(len(rows), np.bool_)
        is_new[known.rows] = False
        if is_new.any():
            self._copy(rows.take(is_new))
        old = np.sort(known.rows[known.merges | known.conflicts])
        merged, revised = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
        metrics = {name: values.copy() for name, values in rows.metrics.items()}
        quality = rows.quality.copy()
        if len(old):
            keep = self._policy is DuplicatePolicy.BOTH
            done = revise(self._conn, rows.take(old), keep=keep)
            merged[old], revised[old], quality[old] = done.merged, done.revised, done.quality
            for name, values in done.metrics.items():
                metrics[name][old] = values
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        batch = replace(batch, quality=quality[back])
        accepted = self._accepted(batch, metrics, order, is_new | merged | revised)
        counts = [int(each.sum()) for each in (is_new, merged, revised)]
        duplicate = len(rows) - sum(counts)
        return Written(counts[0], counts[1], duplicate, 0, _late(accepted), accepted, counts[2])

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
        return without_empty_columns(replace(batch, metrics=restored).take(chosen))

    def _copy(self, rows: ReadingBatch) -> None:
        rows = without_empty_columns(rows)
        statement = COPY.format(table=table_of(rows.domain), metrics=_names(rows))
        with self._conn.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(copy_stream(rows))

    def holds(self, batch: ReadingBatch) -> NDArray[np.bool_]:
        """(n,) whether a row says nothing that is not stored so already; keys may come more than once."""
        batch = without_empty_columns(batch)
        known = compare(self._conn, batch)
        same = np.zeros(len(batch), np.bool_)
        same[known.rows[~(known.merges | known.conflicts)]] = True
        return same

    def _merge(self, rows: ReadingBatch) -> None:
        rows = without_empty_columns(rows)
        names = [sql.Identifier(name) for name in rows.metrics]
        query = MERGE.format(
            table=table_of(rows.domain),
            metrics=listed(names),
            incoming=listed([INCOMING.format(metric=name) for name in names]),
            parameters=listed([sql.Placeholder(name) for name in rows.metrics]),
            updates=listed([SET_METRIC.format(metric=name) for name in names]),
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


def lock_order(batch: ReadingBatch) -> NDArray[np.intp]:
    """Rows by (hour, sensor, time): one order for all writers, chunk after chunk, near to the index's own order."""
    return np.lexsort((batch.observed_us, batch.sensor, batch.observed_us // HOUR_US))


def without_empty_columns(batch: ReadingBatch) -> ReadingBatch:
    """Without the metrics that no row of it has."""
    full = {name: values for name, values in batch.metrics.items() if not np.isnan(values).all()}
    return batch if len(full) == len(batch.metrics) else replace(batch, metrics=full)


def has_value(batch: ReadingBatch) -> NDArray[np.bool_]:
    """(n,) whether a row has any metric."""
    has = np.zeros(len(batch), np.bool_)
    for values in batch.metrics.values():
        has |= ~np.isnan(values)
    return has


def _late(batch: ReadingBatch) -> int:
    return int(np.count_nonzero(batch.quality & Quality.LATE))


def table_of(domain: Domain) -> sql.Identifier:
    """The hypertable of a domain."""
    return sql.Identifier(CATALOGUE[domain].table)


def _names(batch: ReadingBatch) -> sql.Composed:
    return listed([sql.Identifier(name) for name in batch.metrics])
