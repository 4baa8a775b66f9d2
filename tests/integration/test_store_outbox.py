"""The outbox: what people may have to hear of, routed by one and delivered at least once."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from services.domain.alert import (
    EventKind,
)
from services.domain.condition import Change, Severity
from services.store.alerting.alerts import AlertRepository
from services.store.connection import Connection, connect, transaction
from services.store.telling import outbox
from tests.integration.alerting import NOW, event, raise_one


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "test", autocommit=True) as connection:
        yield connection


@pytest.fixture
def alerts(conn: Connection) -> AlertRepository:
    return AlertRepository(conn)


def test_outbox_carries_what_people_may_have_to_hear_of(
    conn: Connection, alerts: AlertRepository
) -> None:
    alert = raise_one(alerts)
    alerts.apply([event(Change.UPDATE, 2, alert)])
    alerts.apply([event(Change.UPDATE, 3, alert, severity=Severity.CRITICAL)])
    alerts.act(alert.id, EventKind.COMMENTED, "ada", NOW, {"comment": "on my way"})
    alerts.apply([event(Change.CLEAR, 9, alert)])
    waiting = outbox.waiting(conn, 10)
    assert [w.event.event.kind for w in waiting] == [
        EventKind.RAISED,
        EventKind.ESCALATED,
        EventKind.COMMENTED,
        EventKind.CLEARED,
    ]
    assert all(w.alert == alerts.get(alert.id) for w in waiting)


def test_outbox_is_routed_by_one_and_delivered_at_least_once(
    database_url: str, conn: Connection, alerts: AlertRepository
) -> None:
    raise_one(alerts, "m-1")
    raise_one(alerts, "m-2", 1)
    with connect(database_url, "other", autocommit=True) as other, transaction(conn):
        (first,) = outbox.waiting(conn, 1)
        (second,) = outbox.waiting(other, 9)
        outbox.route(other, second.event.event.id, [])
        outbox.route(conn, first.event.event.id, ["mail", "webhook"], at=NOW)
        outbox.route(conn, first.event.event.id, ["pager"], at=NOW)
    assert outbox.waiting(conn, 9) == []
    assert outbox.backlog(conn) == outbox.Backlog(0, 2)
    assert outbox.next_due(conn) == NOW
    event_id = first.event.event.id
    assert outbox.due(conn, NOW - timedelta(seconds=1), 9) == []
    lent = outbox.due(conn, NOW, 9, lease=timedelta(seconds=30))
    assert [(d.channel, d.attempts, d.alert.subject) for d in lent] == [
        ("mail", 1, "m-1"),
        ("webhook", 1, "m-1"),
    ]
    assert outbox.due(conn, NOW + timedelta(seconds=29), 9) == []
    outbox.record_sent(conn, event_id, "mail", NOW)
    outbox.record_failure(conn, event_id, "webhook", NOW + timedelta(minutes=5), "HTTP 500\x00")
    assert outbox.due(conn, NOW + timedelta(minutes=4), 9) == []
    (again,) = outbox.due(conn, NOW + timedelta(minutes=5), 9, lease=timedelta(seconds=30))
    assert (again.channel, again.attempts) == ("webhook", 2)
    (lost,) = outbox.due(conn, NOW + timedelta(minutes=6), 9)  # whoever took it died
    assert lost.attempts == 3
    outbox.give_up(conn, event_id, "webhook", NOW, "gone")
    assert outbox.next_due(conn) is None
    mail, webhook = outbox.deliveries(conn, event_id)
    assert (mail.sent_at, mail.last_error) == (NOW, None)
    assert (webhook.given_up_at, webhook.last_error) == (NOW, "gone")
    assert outbox.backlog(conn) == outbox.Backlog(0, 0)
