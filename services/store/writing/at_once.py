"""Stores a small batch of new readings in one statement: the rows, the row of the feed and the account together.

What arrives slowly comes in batches of a few readings, of which each would cost six ways to the server and back. It
refuses to look at what is stored already: where one of the readings is there, nothing is written, and the caller goes
the long way of readings.py.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from psycopg import errors, sql
from psycopg.pq import TransactionStatus

from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain
from services.store import accounting
from services.store.accounting import ADD, Counts
from services.store.connection import (
    CommitUnknown,
    Connection,
    DatabaseUnavailable,
    translated,
)
from services.store.feed_statements import FED
from services.store.wire import Floats, Integers, Smallints, Times, columnar
from services.store.writing.compare import listed
from services.store.writing.readings import (
    INCOMING,
    has_value,
    lock_order,
    table_of,
    without_empty_columns,
)

MOST_READINGS: Final = 256
"""Above, COPY is the cheaper one (measured: from 400 readings on they are level)."""

# The readings are the main statement: the parts in WITH run after it, so that all writers lock readings first.
STORE: Final = sql.SQL("""
    WITH fed AS ({fed}), accounted AS ({add})
    INSERT INTO {table} (time, sensor, quality, received_at, {metrics})
    SELECT time, sensor, quality, received_at, {incoming}
      FROM unnest(%(time)s, %(sensor)s, %(quality)s, %(received_at)s, {parameters})
           AS i (time, sensor, quality, received_at, {metrics})
""")


def store_new(conn: Connection, batch: ReadingBatch, worker: str, counts: Counts) -> bool:
    """Commits the batch where all of its readings are new; False, and nothing is written, where one is not.

    Args:
        conn: in autocommit mode and outside of any transaction.
        batch: at most MOST_READINGS in the order of their arrival.
        counts: for the account, as all of them are new.

    Raises:
        ValueError: a row has no value, or there is a transaction.
        CommitUnknown: try again the long way, as what may be stored already.
        DatabaseUnavailable: nothing was written; try again later.
    """
    if conn.info.transaction_status is not TransactionStatus.IDLE or not conn.autocommit:
        raise ValueError("readings are stored at once outside of a transaction only")
    batch = without_empty_columns(batch)
    if not has_value(batch).all():
        raise ValueError("a batch to be written holds a reading without any value")
    rows = batch.take(lock_order(batch)) if len(batch) > 1 else batch
    parameters: dict[str, object] = {
        "time": Times(rows.observed_us),
        "sensor": Integers(rows.sensor),
        "quality": Smallints(rows.quality),
        "received_at": Times(rows.received_us),
        **{name: Floats(values) for name, values in rows.metrics.items()},
        "domain": batch.domain.value,
        "readings": len(batch),
        "columns": batch.dumps(),
        **accounting.values(worker, counts),
    }
    try:
        with translated(), columnar(conn) as cursor:
            cursor.execute(_statement(batch.domain, tuple(batch.metrics)), parameters)
    except errors.UniqueViolation:
        return False
    except DatabaseUnavailable as error:
        if error.refused:
            raise
        raise CommitUnknown(error.problem, error.sqlstate) from error
    return True


@cache
def _statement(domain: Domain, metrics: tuple[str, ...]) -> bytes:
    names = [sql.Identifier(name) for name in metrics]
    return STORE.format(
        fed=sql.SQL(FED),
        add=sql.SQL(ADD),
        table=table_of(domain),
        metrics=listed(names),
        incoming=listed([INCOMING.format(metric=name) for name in names]),
        parameters=listed([sql.Placeholder(name) for name in metrics]),
    ).as_bytes(None)
