"""What a rule or a fault holds back: nobody is told, everybody can see it, and what outlasts it is told."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.domain.alert import Alert, EventKind, event_of_condition
from services.domain.alert_fold import fold_all
from services.domain.catalogue import SensorKind
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.domain.instant import from_us, to_us
from services.domain.sensor import Sensor
from services.domain.suppression import Suppression, SuppressionKind
from services.store.alerting.alert_watch import watch
from services.store.alerting.alerts import AlertRepository
from services.store.alerting.suppressions import SuppressionRepository
from services.store.connection import Connection, connect
from services.store.sensors import SensorRepository
from services.store.telling import outbox

T0 = from_us(1_795_309_200_000_000)
EVIDENCE = Evidence("flow_litres_per_h", "L/h", 9.5, 4.0, None, 3600.0, 4, 0.25)
SENSORS = [
    Sensor("m-1", SensorKind.WATER_METER, zone="dma-1", gateway="gw-1"),
    Sensor("m-2", SensorKind.WATER_METER, zone="dma-2", gateway="gw-1"),
    Sensor("t-1", SensorKind.TRAFFIC_STATION, road="M-30"),
]


def minutes(count: float) -> datetime:
    return T0 + timedelta(minutes=count)


class Room:
    """A database with three sensors, and what its alarm system does."""

    def __init__(self, conn: Connection) -> None:
        self.conn, self.alerts = conn, AlertRepository(conn)
        self.rules = SuppressionRepository(conn)
        SensorRepository(conn).upsert(SENSORS)

    def say(
        self,
        change: Change,
        minute: float,
        subject: str = "m-1",
        rule: Rule = Rule.BURST,
        severity: Severity = Severity.WARNING,
        onset: float = 0,
    ) -> Alert:
        at, began = to_us(minutes(minute)), to_us(minutes(onset))
        said = Condition(rule, subject, change, began, at, severity, 0.5, EVIDENCE)
        event = event_of_condition(said, "It happens.", self.alerts.open_alert(rule, subject))
        assert event is not None
        self.alerts.apply([event])
        return self.alerts.get(event.alert_id)

    def rule(self, kind: SuppressionKind, start: float, end: float, **scope: object) -> Suppression:
        made = Suppression(
            id=uuid.uuid4(), kind=kind, subjects=("m-1",), rules=(), domain=None, zone=None, road=None,
            starts_at=minutes(start), ends_at=minutes(end), hours=(), time_zone="UTC", reason="flushed",
            created_at=T0, created_by="ada",
        )  # fmt: skip
        return self.rules.create(replace(made, **scope))  # type: ignore[arg-type]

    def watch(self, minute: float) -> list[EventKind]:
        return [each.event.kind for each in watch(self.conn, minutes(minute), minutes(minute))]

    def told(self) -> list[tuple[EventKind, str]]:
        found = outbox.waiting(self.conn, 100)
        for each in found:
            outbox.route(self.conn, each.event.event.id, [])
        return [(each.event.event.kind, each.alert.subject) for each in found]

    def check(self) -> None:
        for alert in self.alerts.page(limit=100, now=T0).items:
            log = [each.event for each in self.alerts.events(alert.id)]
            assert fold_all(log) == alert


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    with connect(database_url, "test", autocommit=True) as conn:
        made = Room(conn)
        yield made
        made.check()


def test_what_begins_in_works_is_told_when_it_outlasts_them(room: Room) -> None:
    works = room.rule(SuppressionKind.MAINTENANCE, 0, 60, subjects=(), zone="dma-1")
    held = room.say(Change.RAISE, 10)
    assert (held.suppressed_by, held.told_at) == (works.name, None)
    assert held.suppressed_reason == "Works: flushed"
    room.say(Change.UPDATE, 20, severity=Severity.CRITICAL)  # worse, and still nobody is told
    free = room.say(Change.RAISE, 11, subject="m-2")
    assert free.suppressed_by is None
    assert room.told() == [(EventKind.RAISED, "m-2")]
    assert room.watch(59) == []
    assert room.watch(60) == [EventKind.UNSUPPRESSED]
    assert room.watch(61) == []
    assert room.told() == [(EventKind.UNSUPPRESSED, "m-1")]
    after = room.alerts.get(held.id)
    assert (after.suppressed_by, after.told_at) == (None, minutes(60))
    room.say(Change.CLEAR, 70)
    assert room.told() == [(EventKind.CLEARED, "m-1")]


def test_what_ends_within_works_was_never_anybodys_business(room: Room) -> None:
    room.rule(SuppressionKind.MAINTENANCE, 0, 60)
    held = room.say(Change.RAISE, 10)
    room.say(Change.CLEAR, 30)
    assert room.watch(61) == []
    assert room.told() == []
    assert not room.alerts.get(held.id).latched
    assert [each.event.kind for each in room.alerts.events(held.id)] == [
        EventKind.RAISED,
        EventKind.SUPPRESSED,
        EventKind.CLEARED,
    ]


def test_an_exemption_holds_what_is_open_and_its_end_lets_go(room: Room) -> None:
    told = room.say(Change.RAISE, 1)
    room.told()
    rule = room.rule(SuppressionKind.EXEMPTION, 5, 1000)
    assert room.watch(5) == [EventKind.SUPPRESSED]
    assert room.alerts.get(told.id).suppressed_by == rule.name
    assert room.rules.held([rule]) == {rule.id: 1}
    assert room.told() == []
    room.rules.end(SuppressionKind.EXEMPTION, rule.id, "bob", minutes(10), "the people are back")
    assert room.watch(10) == [EventKind.UNSUPPRESSED]
    assert room.told() == [(EventKind.UNSUPPRESSED, "m-1")]
    kinds = [(each.kind, each.actor) for each in room.rules.events(rule.id)]
    assert kinds == [("created", "ada"), ("ended", "bob")]


def test_what_somebody_took_meanwhile_is_not_told_again(room: Room) -> None:
    room.rule(SuppressionKind.MAINTENANCE, 0, 60)
    held = room.say(Change.RAISE, 10)
    room.alerts.act(held.id, EventKind.ACKNOWLEDGED, "ada", minutes(20), {})
    room.told()
    assert room.watch(60) == [EventKind.UNSUPPRESSED]
    assert room.told() == []


def test_the_log_of_a_rule_cannot_be_changed(room: Room) -> None:
    room.rule(SuppressionKind.EXEMPTION, 0, 60)
    with pytest.raises(Exception, match="suppression_event is append-only"):
        room.conn.execute("UPDATE suppression_event SET actor = 'nobody'")
    with pytest.raises(Exception, match="append-only"):
        room.conn.execute("DELETE FROM suppression_event")


def test_a_fault_holds_its_sensors_process_alert_whichever_comes_first(room: Room) -> None:
    jam = room.say(Change.RAISE, 10, "t-1", Rule.CONGESTION)
    fault = room.say(Change.RAISE, 12, "t-1", Rule.SENSOR_FAULT)
    assert room.told() == [(EventKind.RAISED, "t-1"), (EventKind.RAISED, "t-1")]
    assert room.watch(13) == [EventKind.SUPPRESSED]
    assert room.alerts.get(jam.id).suppressed_by == f"alert/{fault.id}"
    accident = room.say(Change.RAISE, 14, "t-1", Rule.INCIDENT, Severity.CRITICAL)
    assert accident.suppressed_by == f"alert/{fault.id}"
    assert room.told() == []
    room.say(Change.CLEAR, 20, "t-1", Rule.SENSOR_FAULT)
    assert room.watch(21) == [EventKind.UNSUPPRESSED, EventKind.UNSUPPRESSED]
    kinds = [kind for kind, _ in room.told()]
    assert kinds == [EventKind.CLEARED, EventKind.UNSUPPRESSED, EventKind.UNSUPPRESSED]


def test_in_one_batch_the_fault_comes_first_too(room: Room) -> None:
    made = []
    for rule in (Rule.CONGESTION, Rule.SENSOR_FAULT):
        said = Condition(
            rule, "t-1", Change.RAISE, to_us(T0), to_us(minutes(5)), Severity.WARNING, 0.5, EVIDENCE
        )
        made.append(event_of_condition(said, "It happens.", None))
    room.alerts.apply([each for each in made if each is not None])
    held = [alert.rule for alert in room.alerts.page(limit=9, now=T0, suppressed=True).items]
    assert held == [Rule.CONGESTION]
    assert len(room.told()) == 1


def test_a_silent_gateway_holds_the_silence_of_its_sensors(room: Room) -> None:
    single = room.say(Change.RAISE, 10, "m-1", Rule.SILENT, onset=2)
    gateway = room.say(Change.RAISE, 11, "gateway/gw-1", Rule.FEED_SILENT)
    assert room.watch(12) == [EventKind.SUPPRESSED]
    assert room.alerts.get(single.id).suppressed_by == f"alert/{gateway.id}"
    later = room.say(Change.RAISE, 13, "m-2", Rule.SILENT)
    assert later.suppressed_by == f"alert/{gateway.id}"
    burst = room.say(Change.RAISE, 13, "m-2")
    assert burst.suppressed_by == f"alert/{later.id}"  # by its own silence


def test_a_shelf_whose_time_is_over_tells_what_is_still_there(room: Room) -> None:
    on, over = room.say(Change.RAISE, 1), room.say(Change.RAISE, 1, "m-2")
    facts = {"until": minutes(30).isoformat(), "reason": "works"}
    for alert in (on, over):
        room.alerts.act(alert.id, EventKind.SHELVED, "ada", minutes(2), facts)
    room.say(Change.CLEAR, 5, "m-2")
    room.told()
    assert room.watch(29) == []
    assert room.watch(30) == [EventKind.UNSHELVED, EventKind.UNSHELVED]
    assert room.told() == [(EventKind.UNSHELVED, "m-1")]
    assert room.alerts.get(on.id).shelved_until is None
    log = room.alerts.events(on.id)[-1].event
    assert (log.actor, log.data["reason"]) == ("citygauge", "The time on the shelf is over")


def test_rising_severity_is_told_again_though_somebody_took_it(room: Room) -> None:
    alert = room.say(Change.RAISE, 1)
    room.alerts.act(alert.id, EventKind.ACKNOWLEDGED, "ada", minutes(2), {})
    room.told()
    room.say(Change.UPDATE, 3, severity=Severity.CRITICAL)
    assert room.told() == [(EventKind.ESCALATED, "m-1")]
    assert room.alerts.get(alert.id).state == "active"
