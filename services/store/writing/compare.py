"""Readings against what is stored for the same keys: what is new, what differs. It writes and locks nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from services.domain.batch import ReadingBatch
from services.domain.catalogue import CATALOGUE
from services.domain.instant import from_us
from services.store.connection import Connection
from services.store.wire import Integers, Times, columnar

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


@dataclass(frozen=True, slots=True)
class Comparison:
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


def compare(conn: Connection, rows: ReadingBatch) -> Comparison:
    """What is stored for the keys of these rows, and how they differ from it."""
    names = list(rows.metrics)
    identifiers = [sql.Identifier(name) for name in names]
    query = EXISTING.format(
        table=sql.Identifier(CATALOGUE[rows.domain].table),
        aggregates=listed([AGGREGATE.format(metric=i) for i in identifiers]),
        values=listed([VALUE.format(metric=i) for i in identifiers]),
    )
    parameters: dict[str, Any] = {
        "sensor": Integers(rows.sensor),
        "time": Times(rows.observed_us),
        "first": from_us(rows.observed_us.min()),
        "last": from_us(rows.observed_us.max()),
    }
    with columnar(conn) as cursor:
        found = cursor.execute(query, parameters).fetchone()
    assert found is not None, "an aggregate without GROUP BY always returns a row"
    if found[0] is None:
        return Comparison(np.empty(0, np.intp), {}, np.empty(0, np.bool_))
    at = found[0].astype(np.intp) - 1
    brings: dict[str, NDArray[np.bool_]] = {}
    conflicts = np.zeros(len(at), np.bool_)
    for name, stored in zip(names, found[1:], strict=True):
        incoming = rows.metrics[name][at]
        lacks, has = np.isnan(stored), ~np.isnan(incoming)
        brings[name] = lacks & has
        conflicts |= ~lacks & has & (stored != incoming)
    return Comparison(at, brings, conflicts)


def listed(parts: Sequence[sql.Composable]) -> sql.Composed:
    """Parts of a statement with commas between them."""
    return sql.SQL(", ").join(parts)
