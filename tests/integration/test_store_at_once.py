"""A small batch in one statement: what it leaves is what the long way leaves, or it leaves nothing."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain
from services.store import feed
from services.store.accounting import Counts, totals
from services.store.connection import CommitUnknown, Connection, connect, transaction
from services.store.feed import FeedReader
from services.store.writing.at_once import store_new
from services.store.writing.readings import ReadingWriter
from tests.oracles.readings import Row, batch_of
from tests.waiting import PATIENCE_S, wait_until

T0 = 1_795_309_200_000_000  # 2026-11-22 01:00 UTC
FLOW, LEVEL = "flow_litres_per_h", "level_m"
keys = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from([0, 1, 3_600_000_000, 8 * 86_400_000_000])),
    min_size=1,
    max_size=6,
    unique=True,
)
values = st.dictionaries(st.sampled_from([FLOW, LEVEL]), st.floats(-5, 5), min_size=1)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "test", autocommit=True) as connection:
        yield connection


def counts(batch: ReadingBatch) -> Counts:
    return Counts(received=len(batch), messages=1, stored=len(batch))


def left(conn: Connection, batches: int) -> tuple[object, ...]:
    """Rows, account, and the newest batches of the feed."""
    rows = conn.execute(
        "SELECT sensor, time, quality, received_at, flow_litres_per_h, level_m FROM water_reading ORDER BY 1, 2"
    ).fetchall()
    with connect(conn.info.dsn + f" password={conn.info.password}", "test", autocommit=True) as own:
        fed = [row.batch.dumps() for row in FeedReader(own, "test").poll(1 << 30)]
    return rows, totals(conn), fed[-batches:] if batches else []


def cleared(conn: Connection) -> None:
    conn.execute("TRUNCATE water_reading, batch_feed, ingest_account")


@settings(max_examples=8)
@given(data=st.data(), places=keys)
def test_it_leaves_what_the_long_way_leaves(
    conn: Connection, data: st.DataObject, places: list[tuple[int, int]]
) -> None:
    rows: list[Row] = [
        (sensor, T0 + at, data.draw(st.sampled_from([0, 1, 8])), data.draw(values))
        for sensor, at in places
    ]
    batch = batch_of(Domain.WATER, rows)
    cleared(conn)
    with transaction(conn):
        written = ReadingWriter(conn).write(batch)
        feed.append_and_account(conn, [written.accepted], "w", counts(batch))
    expected = left(conn, 1)
    cleared(conn)
    assert store_new(conn, batch, "w", counts(batch))
    assert left(conn, 1) == expected


@settings(max_examples=5)
@given(places=keys, stored=st.integers(0, 5))
def test_where_one_is_stored_nothing_is_written(
    conn: Connection, places: list[tuple[int, int]], stored: int
) -> None:
    rows: list[Row] = [(sensor, T0 + at, 0, {FLOW: 1.0}) for sensor, at in places]
    cleared(conn)
    first = batch_of(Domain.WATER, [rows[stored % len(rows)]])
    assert store_new(conn, first, "w", counts(first))
    before = left(conn, 1)
    assert not store_new(conn, batch_of(Domain.WATER, rows), "w", counts(first))
    twice = batch_of(Domain.WATER, [(9, T0, 0, {FLOW: 1.0}), (9, T0, 0, {LEVEL: 1.0})])
    assert not store_new(conn, twice, "w", counts(twice))
    assert left(conn, 1) == before


def test_a_connection_that_dies_meanwhile_leaves_it_open_whether_it_is_stored(
    database_url: str, conn: Connection
) -> None:
    batch = batch_of(Domain.WATER, [(1, T0, 0, {FLOW: 1.0})])
    failures: list[BaseException] = []

    def store(own: Connection) -> None:
        try:
            store_new(own, batch, "w", counts(batch))
        except CommitUnknown as error:
            failures.append(error)

    with connect(database_url, "test", autocommit=True) as own:
        pid = own.info.backend_pid
        with transaction(conn):
            ReadingWriter(conn).write(batch)  # the other one waits for what becomes of this
            thread = threading.Thread(target=store, args=(own,))
            thread.start()
            wait_until(
                lambda: (
                    conn.execute(
                        "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'",
                        (pid,),
                    ).fetchone()
                    == (1,)
                ),
                what="the lock",
            )
            conn.execute("SELECT pg_terminate_backend(%s)", (pid,))
            thread.join(PATIENCE_S)
    assert len(failures) == 1


def test_a_lock_that_is_not_had_in_time_is_a_refusal(database_url: str, conn: Connection) -> None:
    from services.store.connection import DatabaseUnavailable

    batch = batch_of(Domain.WATER, [(1, T0, 0, {FLOW: 1.0})])
    with connect(database_url, "test", autocommit=True) as own, transaction(conn):
        own.execute("SET lock_timeout = '50ms'")
        ReadingWriter(conn).write(batch)
        with pytest.raises(DatabaseUnavailable) as caught:
            store_new(own, batch, "w", counts(batch))
    assert not isinstance(caught.value, CommitUnknown)
    assert conn.execute("SELECT count(*) FROM water_reading").fetchone() == (1,)


def test_it_refuses_a_transaction_and_readings_without_a_value(conn: Connection) -> None:
    batch = batch_of(Domain.WATER, [(1, T0, 0, {FLOW: 1.0})])
    with transaction(conn), pytest.raises(ValueError, match="outside of a transaction"):
        store_new(conn, batch, "w", counts(batch))
    empty = batch_of(Domain.WATER, [(1, T0, 0, {FLOW: 1.0}), (2, T0, 0, {})])
    with pytest.raises(ValueError, match="without any value"):
        store_new(conn, empty, "w", counts(empty))
    assert np.isnan(empty.metrics[FLOW][1])
