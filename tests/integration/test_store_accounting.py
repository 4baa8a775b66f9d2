"""The account of readings, and the messages that were rejected."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from services.domain.errors import InvalidInput, UnknownMessage
from services.domain.rejection import Rejection, RejectReason
from services.store import accounting, rejected
from services.store.accounting import Counts
from services.store.connection import Connection, connect, transaction
from services.store.rejected import KEPT_BYTES, MessageState

NOW = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "test", autocommit=True) as connection:
        yield connection


def test_account_adds_up_over_workers_and_time(conn: Connection) -> None:
    accounting.add(conn, "a", Counts(10, 3, 6, 1, 3, 2, 1, 4))
    accounting.add(conn, "a", Counts(5, 1, 5))
    accounting.add(conn, "b", Counts(1, 1, rejected=1))
    accounting.heartbeat(conn, "a", 7)
    accounting.heartbeat(conn, "b", 1)
    accounting.heartbeat(conn, "a", 4)
    account = accounting.totals(conn)
    assert account == accounting.Account(21, 5, 11, 1, 3, 2, 2, 4, in_flight=5)
    assert (
        account.received
        == account.stored + account.duplicate + account.rejected + account.in_flight
    )
    later = datetime.now(UTC) + timedelta(hours=2)
    assert accounting.totals(conn, later).stored == 0
    assert accounting.totals(conn, datetime.now(UTC)).stored == 11


def test_silent_and_departed_workers_hold_nothing(conn: Connection) -> None:
    accounting.heartbeat(conn, "a", 7)
    accounting.heartbeat(conn, "b", 2)
    conn.execute(
        "UPDATE ingest_worker SET seen_at = seen_at - interval '2 minutes' WHERE worker = 'a'"
    )
    assert accounting.totals(conn).in_flight == 2
    assert accounting.totals(conn, alive_s=3600).in_flight == 9
    assert [(w.name, w.in_flight, w.silent_s > 100) for w in accounting.workers(conn)] == [
        ("a", 7, True),
        ("b", 2, False),
    ]
    accounting.leave(conn, "b")
    assert accounting.totals(conn).in_flight == 0


def test_counts_that_do_not_balance_are_refused_here_and_by_the_database(conn: Connection) -> None:
    with pytest.raises(ValueError, match="balance"):
        Counts(received=3, stored=2)
    with pytest.raises(psycopg.errors.CheckViolation):
        conn.execute(
            "INSERT INTO ingest_account (worker, hour, received, stored) VALUES ('a', now(), 3, 2)"
        )


def test_counts_fall_with_the_transaction(conn: Connection) -> None:
    with pytest.raises(ZeroDivisionError), transaction(conn):  # noqa: PT012
        accounting.add(conn, "a", Counts(1, 1, 1))
        _ = 1 / 0
    assert accounting.totals(conn).received == 0


def some(reason: RejectReason, payload: bytes = b"{", sensor: str | None = None) -> Rejection:
    return Rejection(reason, "it is \x00 wrong \ud800", "a/\x00/b", payload, sensor, 2)


def test_rejected_messages_are_kept_and_found(conn: Connection) -> None:
    rejected.add(
        conn,
        [
            some(RejectReason.NOT_JSON, bytes(range(256))),
            some(RejectReason.UNKNOWN_SENSOR, sensor="m-1"),
            some(RejectReason.TOO_LARGE, b"x" * (KEPT_BYTES + 1)),
        ],
        NOW,
    )
    rejected.add(conn, [], NOW)
    page = rejected.page(conn, limit=2)
    assert [m.reason for m in page.items] == [RejectReason.TOO_LARGE, RejectReason.UNKNOWN_SENSOR]
    (oldest,) = rejected.page(conn, limit=2, after=page.next).items
    assert (oldest.payload, oldest.readings, oldest.received_at) == (bytes(range(256)), 2, NOW)
    assert oldest.topic == "a/\ufffd/b"
    assert oldest.whole
    cut = page.items[0]
    assert (len(cut.payload), cut.payload_bytes, cut.whole) == (KEPT_BYTES, KEPT_BYTES + 1, False)
    assert rejected.get(conn, oldest.id) == oldest
    assert [m.sensor_id for m in rejected.page(conn, limit=9, sensor_id="m-1").items] == ["m-1"]
    assert rejected.counts(conn)[RejectReason.NOT_JSON] == 1
    with pytest.raises(InvalidInput):
        rejected.page(conn, limit=1001)


def test_who_marked_a_message_is_known(conn: Connection) -> None:
    rejected.add(conn, [some(RejectReason.NOT_JSON)], NOW)
    (first,) = rejected.page(conn, limit=9).items
    rejected.mark(conn, first.id, MessageState.REPLAYED, "ada")
    marked = rejected.get(conn, first.id)
    assert (marked.state, marked.changed_by) == (MessageState.REPLAYED, "ada")
    assert [m.id for m in rejected.page(conn, limit=9, state=MessageState.REPLAYED).items] == [
        first.id
    ]


def test_unknown_messages_are_named(conn: Connection) -> None:
    with pytest.raises(UnknownMessage, match="77"):
        rejected.get(conn, 77)
    with pytest.raises(UnknownMessage):
        rejected.mark(conn, 77, MessageState.DISCARDED, "ada")
