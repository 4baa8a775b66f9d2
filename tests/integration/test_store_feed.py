"""The batch feed: positions, limits, lag, pruning, who may read."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from services.domain.batch import CorruptBatch
from services.domain.catalogue import Domain
from services.domain.errors import Conflict
from services.store.accounting import Counts, totals
from services.store.connection import (
    Connection,
    DatabaseUnavailable,
    connect,
    listen,
    transaction,
    wait,
)
from services.store.feed import (
    CHANNEL,
    FeedReader,
    append,
    append_and_account,
    committed_position,
    forget,
    horizon,
    prune,
)
from tests.oracles.readings import batch_of, rows_of
from tests.waiting import PATIENCE_S, wait_until

LATER = datetime(2100, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ROWS = [(1, 5, 0, {"speed_km_per_h": 50.0}), (2, 6, 1, {"count_veh": 3.0})]


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "test", autocommit=True) as connection:
        yield connection


def fill(conn: Connection, batches: int, readings: int = 1) -> None:
    for n in range(batches):
        rows = [(n, k, 0, {"flow_litres_per_h": 1.0}) for k in range(readings)]
        append(conn, batch_of(Domain.WATER, rows))


def test_batches_come_back_as_they_went_in(conn: Connection) -> None:
    append(conn, batch_of(Domain.TRAFFIC, ROWS))
    append(conn, batch_of(Domain.TRAFFIC, []))
    (row,) = FeedReader(conn, "test").poll(10)
    assert row.batch.domain is Domain.TRAFFIC
    assert rows_of(row.batch) == ROWS
    assert row.batch.received_us.dtype == np.dtype("<i8")


def test_a_batch_ends_with_its_feed_and_its_account_or_with_neither(
    conn: Connection, database_url: str
) -> None:
    water = [(3, 5, 0, {"flow_litres_per_h": 1.0})]
    batches = [
        batch_of(Domain.WATER, water),
        batch_of(Domain.WATER, []),
        batch_of(Domain.TRAFFIC, ROWS),
    ]
    counts = Counts(received=4, messages=2, stored=3, duplicate=1)
    with connect(database_url, "listener", autocommit=True) as listener:
        listen(listener, CHANNEL)
        with pytest.raises(ZeroDivisionError), transaction(conn):  # noqa: PT012
            append_and_account(conn, batches, "w", counts)
            _ = 1 / 0
        assert FeedReader(conn, "test").poll(10) == []
        assert totals(conn).received == 0
        with transaction(conn):
            append_and_account(conn, batches, "w", counts)
        assert len(wait(listener, CHANNEL, PATIENCE_S, threading.Event())) == 1
    assert [rows_of(row.batch) for row in FeedReader(conn, "test").poll(10)] == [water, ROWS]
    append_and_account(conn, [], "w", Counts(received=1, messages=1, rejected=1))
    found = totals(conn)
    assert (found.received, found.stored, found.duplicate, found.rejected) == (5, 3, 1, 1)


def test_poll_is_bounded_by_readings_but_never_stuck(conn: Connection) -> None:
    fill(conn, 5, readings=10)
    reader = FeedReader(conn, "test")
    assert [len(reader.poll(most)) for most in (1, 20, 25)] == [1, 2, 2]
    assert reader.poll(1) == []


def test_position_is_stored_with_the_callers_transaction(conn: Connection) -> None:
    fill(conn, 3)
    reader = FeedReader(conn, "test")
    reader.poll(2)
    with pytest.raises(ZeroDivisionError), transaction(conn):  # noqa: PT012
        reader.advance()
        _ = 1 / 0
    assert committed_position(conn, "test") is None
    reader.rewind()
    assert len(reader.poll(2)) == 2
    reader.advance()
    reader.advance()
    assert committed_position(conn, "test") == reader.position == reader.committed
    assert len(FeedReader(conn, "test").poll(9)) == 1
    assert len(FeedReader(conn, "other").poll(9)) == 3


def test_two_readers_of_one_consumer_cannot_both_advance(
    conn: Connection, database_url: str
) -> None:
    fill(conn, 3)
    with connect(database_url, "other", autocommit=True) as other:
        first, second = FeedReader(conn, "test"), FeedReader(other, "test")
        assert first.claim()
        assert not second.claim()
        first.release()
        assert second.claim()
        first.poll(1)
        second.poll(9)
        first.advance()
        with pytest.raises(Conflict):
            second.advance()
        second.rewind()
        assert len(second.poll(9)) == 2
        second.advance()
        first.poll(1)
        with pytest.raises(Conflict):
            first.advance()


def test_seek_reads_again_and_horizon_reads_only_what_comes(conn: Connection) -> None:
    fill(conn, 3)
    reader = FeedReader(conn, "test")
    first = reader.poll(1)[0].position
    reader.poll(9)
    reader.seek(first)
    assert [row.batch.sensor[0] for row in reader.poll(9)] == [1, 2]
    reader.seek(horizon(conn))
    assert reader.lag().batches == 0
    assert reader.poll(9) == []
    fill(conn, 1)
    assert len(reader.poll(9)) == 1


def test_lag_counts_what_is_not_done_and_who_holds_the_feed_back(
    conn: Connection, database_url: str
) -> None:
    reader = FeedReader(conn, "test")
    assert reader.lag()[:3] == (0.0, 0, 0)
    fill(conn, 3, readings=2)
    lag = reader.lag()
    assert (lag.batches, lag.readings) == (3, 6)
    assert 0 < lag.seconds < 3600
    with connect(database_url, "slow") as slow:
        slow.execute("SELECT pg_current_xact_id()")
        fill(conn, 1)
        assert len(reader.poll(99)) == 3, "nothing newer than the oldest open transaction is shown"
        lag = reader.lag()
        assert lag.batches == 1
        assert lag.oldest_transaction_s > 0
    assert len(reader.poll(99)) == 1


def test_idle_transaction_that_holds_the_feed_back_is_ended(
    conn: Connection, database_url: str
) -> None:
    idle = connect(database_url, "idle", idle_in_transaction_s=0.05)
    idle.execute("SELECT pg_current_xact_id()")
    fill(conn, 1)
    reader = FeedReader(conn, "test")
    assert wait_until(lambda: reader.poll(9), what="the server to end the idle transaction")
    with pytest.raises(DatabaseUnavailable):
        idle.commit()
    idle.close()


def test_damaged_row_is_named_and_not_skipped(conn: Connection) -> None:
    fill(conn, 2)
    conn.execute(
        "UPDATE batch_feed SET columns = set_byte(columns, length(columns) - 1, 77) WHERE id = 1"
    )
    reader = FeedReader(conn, "test")
    for _ in range(2):
        with pytest.raises(CorruptBatch):
            reader.poll(9)


def test_prune_keeps_what_somebody_has_not_read(conn: Connection) -> None:
    fill(conn, 6)
    one, two = FeedReader(conn, "one"), FeedReader(conn, "two")
    one.poll(4)
    two.poll(2)
    one.advance()
    two.advance()
    assert prune(conn, DAY, datetime.now(UTC), limit=100) == 0, "too young"
    assert prune(conn, DAY, LATER, limit=1) == 1
    assert prune(conn, DAY, LATER, limit=100) == 1
    assert len(two.poll(99)) == 4
    forget(conn, "two")
    assert prune(conn, DAY, LATER, limit=100) == 2
    assert len(FeedReader(conn, "one").poll(99)) == 2


def test_append_wakes_a_listener(conn: Connection, database_url: str) -> None:
    with connect(database_url, "ear", autocommit=True) as ear:
        listen(ear, CHANNEL)
        fill(conn, 1)
        assert wait(ear, CHANNEL, PATIENCE_S, threading.Event())
