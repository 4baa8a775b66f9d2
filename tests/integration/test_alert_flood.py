"""More alerts than a person can take in are announced as one, which grows, is told again when it doubles, and ends."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from services.domain.alert import Alert, AlertEvent, EventKind, event_of_condition
from services.domain.alert_fold import fold_all
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.domain.flood import FloodLimit
from services.domain.instant import from_us, to_us
from services.domain.sensor import Sensor
from services.domain.suppression import Suppression, SuppressionKind
from services.notify.message import message_of
from services.store.alerting.alert_watch import watch
from services.store.alerting.alerts import AlertRepository
from services.store.alerting.suppressions import SuppressionRepository
from services.store.connection import Connection, connect
from services.store.sensors import SensorRepository
from services.store.telling import outbox

T0 = from_us(1_795_309_200_000_000)
LIMIT = FloodLimit()
EVIDENCE = Evidence("flow_litres_per_h", "L/h", 9.5, 4.0, None, 3600.0, 4, 0.25)


def minutes(count: float) -> datetime:
    return T0 + timedelta(minutes=count)


class Storm:
    """Forty meters in two zones and a road, and what is told of them."""

    def __init__(self, conn: Connection) -> None:
        self.conn, self.alerts = conn, AlertRepository(conn, LIMIT)
        meters = [
            Sensor(f"m-{n}", SensorKind.WATER_METER, zone="North" if n % 4 else "=South")
            for n in range(100)
        ]
        station = Sensor("t-1", SensorKind.TRAFFIC_STATION, road="M-30")
        SensorRepository(conn).upsert([*meters, station])

    def event(
        self,
        subject: str,
        minute: float,
        change: Change = Change.RAISE,
        rule: Rule = Rule.SILENT,
        severity: Severity = Severity.WARNING,
    ) -> AlertEvent:
        open_ = self.alerts.open_alert(rule, subject)
        onset = to_us(open_.started_at if open_ else minutes(minute - 1))
        said = Condition(
            rule, subject, change, onset, to_us(minutes(minute)), severity, 0.5, EVIDENCE
        )
        event = event_of_condition(said, "It happens.", open_)
        assert event is not None
        return event

    def say(self, *args: object, **facts: object) -> None:
        self.alerts.apply([self.event(*args, **facts)])  # type: ignore[arg-type]

    def told(self) -> list[tuple[EventKind, str]]:
        found = outbox.waiting(self.conn, 1000)
        for each in found:
            outbox.route(self.conn, each.event.event.id, [])
        return [(each.event.event.kind, each.alert.subject) for each in found]

    def flood(self, domain: str = "water") -> Alert | None:
        return self.alerts.open_alert(Rule.ALERT_FLOOD, f"flood/{domain}")


@pytest.fixture
def storm(database_url: str) -> Iterator[Storm]:
    with connect(database_url, "test", autocommit=True) as conn:
        made = Storm(conn)
        yield made
        for alert in made.alerts.page(limit=1000, now=T0).items:
            assert fold_all(each.event for each in made.alerts.events(alert.id)) == alert


def test_ten_are_told_and_the_eleventh_begins_a_flood(storm: Storm) -> None:
    for n in range(10):
        storm.say(f"m-{n}", n)
    assert len(storm.told()) == 10
    assert storm.flood() is None
    storm.say("m-10", 9.5)
    assert storm.told() == [(EventKind.RAISED, "flood/water")]
    flood = storm.flood()
    assert flood is not None
    assert flood.started_at == minutes(0)
    assert flood.sentence.startswith(
        "Flood of alerts: 1 more water alerts in 10 minutes are not told one by one: "
        "1 \u00d7 silent sensor; 1 \u00d7 North."
    )
    folded = storm.alerts.open_alert(Rule.SILENT, "m-10")
    assert folded is not None
    assert folded.told_at is None
    log = storm.alerts.events(folded.id)
    assert log[0].event.data["flood"] == str(flood.id)


def test_ten_in_more_than_ten_minutes_are_no_flood(storm: Storm) -> None:
    for n in range(20):
        storm.say(f"m-{n}", n * 1.01)
    assert len(storm.told()) == 20
    assert storm.flood() is None


def test_a_storm_in_one_batch_is_ten_messages_and_one(storm: Storm) -> None:
    storm.alerts.apply([storm.event(f"m-{n}", 0) for n in range(40)])
    told = storm.told()
    assert len(told) == 11
    assert told[-1] == (EventKind.RAISED, "flood/water")
    flood = storm.flood()
    assert flood is not None
    facts = flood.evidence["flood"]
    assert facts == {
        "alerts": 30, "told": 30, "rules": {"silent": 30}, "places": {"North": 23, "=South": 7},
    }  # fmt: skip


def test_it_is_told_again_when_it_doubles_and_when_something_worse_is_in_it(storm: Storm) -> None:
    for n in range(14):
        storm.say(f"m-{n}", 1)
    # folded: 1, 2, 3, 4: told at 1, 2 and 4
    kinds = [kind for kind, subject in storm.told() if subject == "flood/water"]
    assert kinds == [EventKind.RAISED, EventKind.ESCALATED, EventKind.ESCALATED]
    storm.say("m-20", 2, rule=Rule.BURST, severity=Severity.CRITICAL)
    assert storm.told() == [(EventKind.ESCALATED, "flood/water")]
    flood = storm.flood()
    assert flood is not None
    assert flood.severity is Severity.CRITICAL


def test_it_ends_by_itself_and_says_what_is_left(storm: Storm) -> None:
    for n in range(20):
        storm.say(f"m-{n}", 1)
    storm.say("m-19", 2, change=Change.CLEAR)
    storm.told()
    assert watch(storm.conn, minutes(10), minutes(10), LIMIT) == []
    [over] = watch(storm.conn, minutes(11.5), minutes(11.5), LIMIT)
    assert storm.told() == [(EventKind.CLEARED, "flood/water")]
    assert over.event.data["sentence"] == (
        "The flood of water alerts is over after 10 minutes: 10 were not told one by one, 9 of them are still open. "
        "First: go through those in the list."
    )
    assert storm.flood() is None
    storm.say("m-30", 13)
    assert storm.told() == [(EventKind.RAISED, "m-30")]
    text = message_of(over.event, storm.alerts.get(over.event.alert_id)).text
    assert "flood/water" in text
    storm.say("m-19", 30)  # a folded alert that cleared was nobody's; this one is told
    assert storm.told() == [(EventKind.RAISED, "m-19")]


def test_another_domain_and_a_silent_feed_are_told_all_the_same(storm: Storm) -> None:
    storm.alerts.apply([storm.event(f"m-{n}", 0) for n in range(30)])
    storm.told()
    storm.say("t-1", 1, rule=Rule.CONGESTION)
    storm.say("feed/water", 2, rule=Rule.FEED_SILENT, severity=Severity.CRITICAL)
    assert storm.told() == [(EventKind.RAISED, "t-1"), (EventKind.RAISED, "feed/water")]


def test_a_second_flood_is_linked_to_the_first_and_a_replay_changes_nothing(storm: Storm) -> None:
    events = [storm.event(f"m-{n}", 0) for n in range(30)]
    storm.alerts.apply(events)
    first = storm.flood()
    assert first is not None
    assert storm.alerts.apply(events) == []
    assert storm.flood() == first
    watch(storm.conn, minutes(20), minutes(20), LIMIT)
    storm.alerts.apply([storm.event(f"m-{n}", 30) for n in range(30, 60)])
    second = storm.flood()
    assert second is not None
    assert second.previous_id == first.id


def test_an_exemption_of_the_domain_holds_the_flood_that_is_open(storm: Storm) -> None:
    for n in range(11):
        storm.say(f"m-{n}", n / 4)
    assert storm.flood() is not None
    rule = Suppression(
        uuid.uuid4(), SuppressionKind.EXEMPTION, (), (), Domain.WATER, None, None, minutes(5), minutes(60), (), "UTC",
        "a storm has cut the power", T0, "ada",
    )  # fmt: skip
    SuppressionRepository(storm.conn).create(rule)
    watch(storm.conn, minutes(5), minutes(5))
    flood = storm.flood()
    assert flood is not None
    assert flood.suppressed_by == rule.name


def test_without_a_limit_every_alert_is_told(storm: Storm) -> None:
    AlertRepository(storm.conn).apply([storm.event(f"m-{n}", 0) for n in range(30)])
    assert len(storm.told()) == 30
