"""One event is told once: what of a group's alerts reaches the outbox, and how its end is told."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from services.domain.alert import Alert, AlertEvent, EventKind, Verdict, event_of_condition
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.domain.instant import SECOND_US, from_us
from services.notify.message import message_of
from services.store.alerting.alerts import AlertRepository
from services.store.connection import Connection, connect
from services.store.telling import outbox

BASE_US = 1_767_600_000_000_000
MINUTE_US = 60 * SECOND_US
EVIDENCE = Evidence("speed_km_per_h", "km/h", 40.0, 64.0, 95.0, 300.0, 10, 0.0)


class Street:
    """Alerts of one group, one minute after the other."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.alerts = AlertRepository(conn)
        self.minute = 0
        self.group: uuid.UUID | None = None

    def say(
        self, change: Change, subject: str, alert: Alert | None = None,
        rule: Rule = Rule.CONGESTION, severity: Severity = Severity.WARNING,
    ) -> Alert:  # fmt: skip
        self.minute += 1
        onset_us = int(alert.started_at.timestamp()) * SECOND_US if alert else self._now_us
        made = Condition(rule, subject, change, onset_us, self._now_us, severity, 0.5, EVIDENCE)
        event = event_of_condition(made, f"{rule} at {subject}", alert)
        assert event is not None
        if event.kind is EventKind.RAISED and self.group is not None:
            event = replace(event, data={**event.data, "group_id": str(self.group)})
        assert len(self.alerts.apply([event])) == 1
        found = self.alerts.get(event.alert_id)
        self.group = self.group or found.group_id
        assert found.group_id == self.group
        return found

    @property
    def _now_us(self) -> int:
        return BASE_US + self.minute * MINUTE_US

    def told(self) -> list[tuple[EventKind, str]]:
        """What has reached the outbox since the last call."""
        found = outbox.waiting(self.conn, 100)
        for each in found:
            outbox.route(self.conn, each.event.event.id, [])
        return [(each.event.event.kind, each.alert.subject) for each in found]


@pytest.fixture
def street(database_url: str) -> Iterator[Street]:
    with connect(database_url, "test", autocommit=True) as conn:
        yield Street(conn)


def last_event(street: Street, alert: Alert) -> AlertEvent:
    return street.alerts.events(alert.id)[-1].event


def test_a_queue_over_three_stations_is_told_once_and_its_end_once(street: Street) -> None:
    first = street.say(Change.RAISE, "S3")
    second = street.say(Change.RAISE, "S2")
    third = street.say(Change.RAISE, "S1")
    assert street.told() == [(EventKind.RAISED, "S3")]
    street.say(Change.CLEAR, "S3", first)
    street.say(Change.CLEAR, "S2", second)
    assert street.told() == []
    street.say(Change.CLEAR, "S1", third)
    assert street.told() == [(EventKind.CLEARED, "S1")]
    over = message_of(last_event(street, third), street.alerts.get(third.id))
    began = f"{from_us(BASE_US + MINUTE_US):%a %-d %b %H:%M}"
    assert over.detail == f"With this the whole event is over: 3 alerts, the first since {began}."
    assert last_event(street, first).data["told"] is False  # the log says that nobody was told


def test_what_is_worse_than_all_that_was_told_is_told(street: Street) -> None:
    first = street.say(Change.RAISE, "S3")
    incident = street.say(Change.RAISE, "S3", rule=Rule.INCIDENT, severity=Severity.CRITICAL)
    street.say(Change.UPDATE, "S3", first, severity=Severity.CRITICAL)
    assert street.told() == [(EventKind.RAISED, "S3"), (EventKind.RAISED, "S3")]
    street.say(Change.CLEAR, "S3", incident, rule=Rule.INCIDENT)
    assert street.told() == []


def test_after_a_person_closed_the_case_the_next_alert_of_the_event_is_told(street: Street) -> None:
    first = street.say(Change.RAISE, "S3")
    street.alerts.act(
        first.id, EventKind.RESOLVED, "ada", first.raised_at, {"verdict": Verdict.REAL}
    )
    street.told()
    street.say(Change.RAISE, "S2")
    assert street.told() == [(EventKind.RAISED, "S2")]


def test_acts_of_people_are_told_whatever_the_group(street: Street) -> None:
    street.say(Change.RAISE, "S3")
    second = street.say(Change.RAISE, "S2")
    street.told()
    street.alerts.act(second.id, EventKind.ACKNOWLEDGED, "ada", second.raised_at, {})
    assert street.told() == [(EventKind.ACKNOWLEDGED, "S2")]


def test_a_group_is_found_by_its_id(street: Street) -> None:
    first = street.say(Change.RAISE, "S3")
    second = street.say(Change.RAISE, "S2")
    street.group = None
    street.say(Change.RAISE, "S9")
    page = street.alerts.page(limit=10, now=first.raised_at, group=first.group_id)
    assert [alert.id for alert in page.items] == [second.id, first.id]


def test_a_note_is_kept_and_nobody_is_told_of_it_nor_has_to_look(street: Street) -> None:
    note = street.say(Change.RAISE, "m1", rule=Rule.REGISTER, severity=Severity.INFO)
    after = street.say(Change.CLEAR, "m1", note, rule=Rule.REGISTER, severity=Severity.INFO)
    assert street.told() == []
    assert not after.latched
    assert street.alerts.get(note.id).rule is Rule.REGISTER
