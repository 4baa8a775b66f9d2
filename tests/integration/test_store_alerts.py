"""Alerts, their log and the outbox against the real database."""

import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.alert import (
    Alert,
    AlertEvent,
    EventKind,
    Verdict,
    Work,
    alert_id,
    event_of_condition,
)
from services.domain.alert_fold import fold_all
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.domain.errors import (
    Conflict,
    InvalidInput,
    InvalidTransition,
    UnknownAlert,
)
from services.domain.instant import from_us
from services.domain.sensor import Sensor
from services.store.alerting.alerts import CHANNEL, AlertRepository
from services.store.connection import Connection, connect, listen, transaction, wait
from services.store.sensors import SensorRepository
from services.store.telling import outbox
from tests.waiting import PATIENCE_S

T0 = 1_795_309_200_000_000
MINUTE = 60_000_000
NOW = from_us(T0)
EVIDENCE = Evidence(
    "flow_litres_per_h", "L/h", 9.5, 4.0, None, 3600.0, 4, 0.25, {"litres_so_far": 12.0}
)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "test", autocommit=True) as connection:
        yield connection


@pytest.fixture
def alerts(conn: Connection) -> AlertRepository:
    return AlertRepository(conn)


def event(
    change: Change,
    minute: int,
    alert: Alert | None = None,
    *,
    subject: str = "m-1",
    onset: int = 0,
    rule: Rule = Rule.BURST,
    severity: Severity = Severity.WARNING,
) -> AlertEvent:
    condition = Condition(
        rule, subject, change, T0 + onset * MINUTE, T0 + minute * MINUTE, severity, 0.75, EVIDENCE
    )
    made = event_of_condition(condition, f"{rule} at {subject}", alert)
    assert made is not None
    return made


def raise_one(
    alerts: AlertRepository, subject: str = "m-1", onset: int = 0, rule: Rule = Rule.BURST
) -> Alert:
    made = event(Change.RAISE, onset + 1, subject=subject, onset=onset, rule=rule)
    assert len(alerts.apply([made])) == 1
    return alerts.get(made.alert_id)


def check_log(alerts: AlertRepository, alert: Alert) -> None:
    """The promise of the log: folded, it is the row."""
    log = alerts.events(alert.id)
    assert fold_all(stored.event for stored in log) == alert
    assert [stored.version for stored in log] == list(range(1, alert.version + 1))


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


def test_two_detectors_raise_the_same_at_once(database_url: str, conn: Connection) -> None:
    """Each applies in its own transaction; the second waits for the first, and neither fails."""
    detectors = 6
    start = threading.Barrier(detectors)
    written: list[int] = []
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            with connect(database_url, f"detector-{number}") as own:
                events = [event(Change.RAISE, n + 1, subject=f"m-{n}", onset=n) for n in range(20)]
                if number % 2:
                    events.reverse()
                start.wait(PATIENCE_S)
                with transaction(own):
                    written.append(len(AlertRepository(own).apply(events)))
        except BaseException as error:
            failures.append(error)
            start.abort()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(detectors)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert failures == []
    assert sorted(written) == [0] * (detectors - 1) + [20]
    assert len(AlertRepository(conn).open_alerts()) == 20


def test_positions_are_in_the_order_of_commits(database_url: str, conn: Connection) -> None:
    """Whoever follows positions never finds a smaller one later, even when a transaction stays open long."""
    with connect(database_url, "slow") as slow, connect(database_url, "quick") as quick:
        done = threading.Event()

        def later() -> None:
            with transaction(quick):
                AlertRepository(quick).apply([event(Change.RAISE, 1, subject="m-2")])
            done.set()

        thread = threading.Thread(target=later)
        with transaction(slow):
            (first,) = AlertRepository(slow).apply([event(Change.RAISE, 1)])
            thread.start()
            assert not done.wait(0.2)
            assert AlertRepository(conn).events_after(0, limit=9) == []
        thread.join(PATIENCE_S)
    one, two = AlertRepository(conn).events_after(0, limit=9)
    assert one.position == first.position < two.position == AlertRepository(conn).last_position()
    assert AlertRepository(conn).events_after(one.position, limit=9) == [two]


def test_changes_are_told_with_their_position(database_url: str, alerts: AlertRepository) -> None:
    with connect(database_url, "ear", autocommit=True) as ear:
        listen(ear, CHANNEL)
        raise_one(alerts)
        assert wait(ear, CHANNEL, PATIENCE_S, threading.Event()) == [str(alerts.last_position())]


def test_pages_filter_and_follow(conn: Connection, alerts: AlertRepository) -> None:
    SensorRepository(conn).upsert(
        [
            Sensor("m-1", SensorKind.WATER_METER, zone="dma-1"),
            Sensor("t-1", SensorKind.TRAFFIC_STATION, road="M-30"),
        ]
    )
    burst = raise_one(alerts, "m-1", 0)
    jam = raise_one(alerts, "t-1", 5, Rule.CONGESTION)
    zone = raise_one(alerts, "dma-1", 6, Rule.ZONE_LEAK)
    alerts.apply([event(Change.CLEAR, 9, jam, subject="t-1", onset=5, rule=Rule.CONGESTION)])
    alerts.act(burst.id, EventKind.ACKNOWLEDGED, "ada", NOW, {})
    until = NOW + timedelta(hours=1)
    alerts.act(
        zone.id, EventKind.SHELVED, "ada", NOW, {"until": until.isoformat(), "reason": "works"}
    )

    def found(now: datetime = NOW, **filters: object) -> list[str]:
        page = alerts.page(limit=50, now=now, **filters)  # type: ignore[arg-type]
        return [alert.subject for alert in page.items]

    assert found() == ["dma-1", "t-1", "m-1"]
    assert found(state="acknowledged") == ["m-1"]
    assert found(state="active") == ["dma-1"]
    assert found(state="cleared") == ["t-1"]
    assert found(state="resolved") == []
    assert found(state="open") == ["dma-1", "m-1"]
    assert found(state="latched") == ["t-1"]
    assert found(state="current") == ["dma-1", "t-1", "m-1"]
    alerts.act(zone.id, EventKind.ASSIGNED, "ada", NOW, {"assignee": "Bob"})
    assert found(assignee="Bob") == ["dma-1"]
    assert found(assignee="") == ["t-1", "m-1"]
    alerts.act(burst.id, EventKind.PROGRESSED, "ada", NOW, {"work": "crew_sent"})
    assert found(work=Work.CREW_SENT) == ["m-1"]
    assert found(suppressed=True) == []
    assert found(shelved=True) == ["dma-1"]
    assert found(shelved=False) == ["t-1", "m-1"]
    assert found(shelved=True, now=until) == []
    assert found(rule=Rule.BURST) == ["m-1"]
    assert found(severity=Severity.CRITICAL) == []
    assert found(subject="t-1") == ["t-1"]
    assert found(domain=Domain.TRAFFIC) == ["t-1"]
    assert found(zone="dma-1") == ["dma-1", "m-1"]
    assert found(start=NOW + timedelta(minutes=6), end=NOW + timedelta(minutes=7)) == ["t-1"]
    subjects, after = [], None
    while True:
        page = alerts.page(limit=1, now=NOW, after=after)
        subjects += [alert.subject for alert in page.items]
        if (after := page.next) is None:
            break
    assert subjects == found()
    with pytest.raises(InvalidInput):
        alerts.page(limit=1, now=NOW, after="WzEsICJ4Il0")


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("condition"),
            st.sampled_from(list(Change)),
            st.integers(0, 1),
            st.sampled_from([0, 10, 20]),
            st.integers(0, 40),
            st.sampled_from(list(Severity)),
        ),
        st.tuples(
            st.just("person"), st.sampled_from([k for k in EventKind if k is not EventKind.RAISED])
        ),
        st.tuples(st.just("replay"), st.integers(0, 3)),
        st.tuples(st.just("rollback")),
    ),
    max_size=30,
)
FACTS = {
    "until": "2100-01-01T00:00:00+00:00",
    "reason": "works",
    "comment": "seen",
    "verdict": "real",
    "assignee": "Bob",
    "work": "crew_sent",
}


@settings(max_examples=60)
@given(schedule=steps)
def test_any_history_keeps_the_promises(
    conn: Connection, alerts: AlertRepository, schedule: list[tuple[object, ...]]
) -> None:
    """Conditions seen with stale knowledge, people, replays, rollbacks: one open alert, and logs fold to rows."""
    conn.execute("TRUNCATE alert, alert_event, outbox, delivery CASCADE")
    history: list[list[AlertEvent]] = []
    stale: dict[str, Alert | None] = {"m-0": None, "m-1": None}
    written_ids: list[uuid.UUID] = []
    for action, *rest in schedule:
        match action:
            case "condition":
                change, number, onset, minute, severity = rest
                subject = f"m-{number}"
                condition = Condition(
                    Rule.BURST,
                    subject,
                    change,  # type: ignore[arg-type]
                    T0 + onset * MINUTE,  # type: ignore[operator]
                    T0 + minute * MINUTE,  # type: ignore[operator]
                    severity,  # type: ignore[arg-type]
                    0.5,
                    EVIDENCE,
                )
                made = event_of_condition(condition, "words", stale[subject])
                if made is not None:
                    history.append([made])
                    written_ids += [e.event.id for e in alerts.apply([made])]
                if minute % 3 == 0:  # type: ignore[operator]
                    stale[subject] = alerts.open_alert(Rule.BURST, subject)
            case "person":
                for alert in alerts.page(limit=1, now=NOW).items:
                    try:
                        alerts.act(alert.id, rest[0], "ada", NOW + timedelta(days=1), FACTS)  # type: ignore[arg-type]
                    except (InvalidTransition, InvalidInput):
                        assert alerts.get(alert.id) == alert
            case "replay":
                for events in history[-int(rest[0]) :]:  # type: ignore[call-overload]
                    written_ids += [e.event.id for e in alerts.apply(events)]
            case "rollback":
                with pytest.raises(ZeroDivisionError), transaction(conn):  # noqa: PT012
                    alerts.apply([event(Change.RAISE, 1, subject="m-rolled-back")])
                    _ = 1 / 0
        keys = [(alert.rule, alert.subject) for alert in alerts.open_alerts()]
        assert len(keys) == len(set(keys))
    assert len(written_ids) == len(set(written_ids)), "an event was written twice"
    page = alerts.page(limit=1000, now=NOW)
    assert all(alert.subject != "m-rolled-back" for alert in page.items)
    for alert in page.items:
        check_log(alerts, alert)


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


def test_alert_ids_of_the_domain_are_kept() -> None:
    assert event(Change.RAISE, 1).alert_id == alert_id(Rule.BURST, "m-1", T0)
    assert NOW.tzinfo is UTC
