"""One alert and its log against the real database: what may be written, what may not, and never again."""

import uuid
from collections.abc import Iterator
from datetime import UTC, timedelta

import psycopg
import pytest

from services.domain.alert import (
    AlertEvent,
    EventKind,
    Verdict,
    alert_id,
)
from services.domain.condition import Change, Rule, Severity
from services.domain.errors import (
    Conflict,
    InvalidInput,
    InvalidTransition,
    UnknownAlert,
)
from services.store.alerting.alerts import AlertRepository
from services.store.connection import Connection, connect
from tests.integration.alerting import NOW, T0, check_log, event, raise_one


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "test", autocommit=True) as connection:
        yield connection


@pytest.fixture
def alerts(conn: Connection) -> AlertRepository:
    return AlertRepository(conn)


def test_alert_is_what_its_events_say(alerts: AlertRepository) -> None:
    alert = raise_one(alerts)
    assert (alert.rule, alert.subject, alert.severity) == (Rule.BURST, "m-1", Severity.WARNING)
    assert (alert.started_at, alert.raised_at) == (NOW, NOW + timedelta(minutes=1))
    assert alert.evidence["numbers"] == {"litres_so_far": 12.0}
    alerts.apply([event(Change.UPDATE, 2, alert, severity=Severity.CRITICAL)])
    alert = alerts.act(alert.id, EventKind.ACKNOWLEDGED, "ada", NOW, {})
    alert = alerts.act(
        alert.id,
        EventKind.SHELVED,
        "ada",
        NOW,
        {"until": NOW + timedelta(days=1), "reason": "works\x00"},
    )
    alerts.apply([event(Change.CLEAR, 9, alert)])
    alert = alerts.act(alert.id, EventKind.RESOLVED, "bob", NOW, {"verdict": Verdict.REAL})
    assert alert == alerts.get(alert.id)
    assert (alert.severity, alert.acknowledged_by, alert.resolved_by) == (
        Severity.CRITICAL,
        "ada",
        "bob",
    )
    assert alert.shelved_reason == "works\ufffd"
    assert alert.state == "resolved"
    check_log(alerts, alert)


def test_events_are_applied_once(alerts: AlertRepository) -> None:
    alert = raise_one(alerts)
    update = event(Change.UPDATE, 2, alert)
    assert [e.event for e in alerts.apply([update, update])] == [update]
    assert alerts.apply([update, event(Change.RAISE, 1)]) == []
    assert alerts.get(alert.id).version == 2


def test_new_episode_names_the_one_before(alerts: AlertRepository) -> None:
    first = raise_one(alerts)
    clear = event(Change.CLEAR, 5, first)
    again = event(Change.RAISE, 11, onset=10)
    assert [e.event.kind for e in alerts.apply([clear, again])] == [
        EventKind.CLEARED,
        EventKind.RAISED,
    ]
    second = alerts.get(again.alert_id)
    assert second.previous_id == first.id
    check_log(alerts, second)
    third = event(Change.RAISE, 31, onset=30)
    alerts.apply([event(Change.CLEAR, 21, second), third])
    assert alerts.get(third.alert_id).previous_id == second.id


def test_second_raise_while_open_is_left_out_and_the_rest_is_written(
    alerts: AlertRepository,
) -> None:
    first = raise_one(alerts)
    other = event(Change.RAISE, 12, subject="m-2")
    written = alerts.apply([event(Change.RAISE, 11, onset=10), other])
    assert [e.event.alert_id for e in written] == [other.alert_id]
    assert {a.id for a in alerts.open_alerts()} == {first.id, other.alert_id}
    assert alerts.open_alert(Rule.BURST, "m-1") == first
    assert alerts.open_alert(Rule.SILENT, "m-1") is None


def test_detectors_events_without_a_place_are_left_out(alerts: AlertRepository) -> None:
    alert = raise_one(alerts)
    update = event(Change.UPDATE, 7, alert)
    stranger = AlertEvent(
        uuid.uuid4(), uuid.uuid4(), EventKind.CLEARED, NOW, "detector", update.data
    )
    assert len(alerts.apply([event(Change.CLEAR, 6, alert), update, stranger])) == 1


def test_malformed_event_stops_the_whole_call(alerts: AlertRepository) -> None:
    good = event(Change.RAISE, 1)
    bad = AlertEvent(
        uuid.uuid4(), uuid.uuid4(), EventKind.RAISED, NOW, "detector", {"rule": "burst"}
    )
    with pytest.raises(InvalidInput):
        alerts.apply([good, bad])
    assert alerts.open_alerts() == []


def test_numbers_that_json_lacks_become_null(alerts: AlertRepository) -> None:
    made = event(Change.RAISE, 1)
    data = {
        **made.data,
        "evidence": {"value": float("nan"), "note": "a\x00b", "all": [float("inf"), 1]},
    }
    alerts.apply([AlertEvent(made.id, made.alert_id, made.kind, made.at, made.actor, data)])
    alert = alerts.get(made.alert_id)
    assert alert.evidence == {"value": None, "note": "a\ufffdb", "all": [None, 1]}
    check_log(alerts, alert)


def test_people_are_told_what_does_not_go(alerts: AlertRepository) -> None:
    alert = raise_one(alerts)
    with pytest.raises(UnknownAlert):
        alerts.get(uuid.uuid4())
    with pytest.raises(UnknownAlert):
        alerts.events(uuid.uuid4())
    with pytest.raises(UnknownAlert):
        alerts.act(uuid.uuid4(), EventKind.ACKNOWLEDGED, "ada", NOW, {})
    with pytest.raises(Conflict) as caught:
        alerts.act(alert.id, EventKind.ACKNOWLEDGED, "ada", NOW, {}, expected_version=9)
    assert caught.value.current["version"] == 1
    assert caught.value.current["state"] == "active"
    for kind in (EventKind.UNSHELVED, EventKind.RAISED, EventKind.CLEARED):
        with pytest.raises(InvalidTransition):
            alerts.act(alert.id, kind, "ada", NOW, {})
    with pytest.raises(InvalidInput, match="verdict"):
        alerts.act(alert.id, EventKind.RESOLVED, "ada", NOW, {"verdict": "perhaps"})
    with pytest.raises(InvalidInput, match="actor"):
        alerts.act(alert.id, EventKind.ACKNOWLEDGED, "detector", NOW, {})
    assert alerts.get(alert.id) == alert
    alerts.act(alert.id, EventKind.ACKNOWLEDGED, "ada", NOW, {}, expected_version=1)


def test_log_cannot_be_rewritten(conn: Connection, alerts: AlertRepository) -> None:
    raise_one(alerts)
    for statement in ("UPDATE alert_event SET actor = 'x'", "DELETE FROM alert_event"):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            conn.execute(statement)


def test_database_itself_refuses_a_second_open_alert(
    conn: Connection, alerts: AlertRepository
) -> None:
    raise_one(alerts)
    with pytest.raises(psycopg.errors.UniqueViolation, match="alert_one_open"):
        conn.execute(
            "INSERT INTO alert SELECT (json_populate_record(alert, json_build_object('id', %s::text))).* FROM alert",
            (str(uuid.uuid4()),),
        )


def test_alert_ids_of_the_domain_are_kept() -> None:
    assert event(Change.RAISE, 1).alert_id == alert_id(Rule.BURST, "m-1", T0)
    assert NOW.tzinfo is UTC
