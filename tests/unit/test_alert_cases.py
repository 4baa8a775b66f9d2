"""From conditions to events in memory: many conditions at once, words that fail, and what a rebuilt state must say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.detect.cases import Cases
from services.domain.alert import Alert, AlertEvent, EventKind
from services.domain.alert_fold import fold
from services.domain.catalogue import SensorKind
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.domain.instant import SECOND_US, from_us
from services.domain.sensor import Sensor

BASE_US = 1_767_600_000_000_000
MINUTE_US = 60 * SECOND_US
NOW_US = BASE_US + 600 * MINUTE_US
EVIDENCE = Evidence("flow_litres_per_h", "L/h", 9.0, 4.0, None, 3600.0, 4, 0.0)
KEY = (Rule.BURST, "m1")
SENSORS = {"m1": Sensor("m1", SensorKind.WATER_METER)}


def said(change: Change, minute: int, onset: int = 0, **changes: object) -> Condition:
    at_us, onset_us = BASE_US + minute * MINUTE_US, BASE_US + onset * MINUTE_US
    made = Condition(*KEY, change, onset_us, at_us, Severity.WARNING, 0.5, EVIDENCE)
    return replace(made, **changes)  # type: ignore[arg-type]


def cases(*alerts: Alert) -> Cases:
    made = Cases(lambda condition, sensor: f"{condition.change} at {sensor.id}", SENSORS)
    made.load(alerts)
    return made


def kinds(events: list[AlertEvent]) -> list[EventKind]:
    return [event.kind for event in events]


def open_alert() -> Alert:
    [event] = cases().take([said(Change.RAISE, 5)])
    return fold(None, event)


def test_an_episode_in_one_go_is_folded_as_it_is_told() -> None:
    made = cases()
    critical = said(Change.UPDATE, 6, severity=Severity.CRITICAL)
    events = made.take(
        [said(Change.RAISE, 5), critical, said(Change.CLEAR, 7), said(Change.RAISE, 20, onset=15)]
    )
    assert kinds(events) == [
        EventKind.RAISED,
        EventKind.ESCALATED,
        EventKind.CLEARED,
        EventKind.RAISED,
    ]
    assert [alert.started_at for alert in made.open] == [from_us(BASE_US + 15 * MINUTE_US)]


def test_a_subject_that_is_no_sensor_and_words_that_fail_still_give_an_alert(
    caplog: pytest.LogCaptureFixture,
) -> None:
    [event] = cases().take([said(Change.RAISE, 5, subject="zone-1")])
    assert event.data["sentence"] == "burst at zone-1: raise."

    def mute(condition: Condition, sensor: Sensor) -> str:
        raise ZeroDivisionError

    [event] = Cases(mute, SENSORS).take([said(Change.RAISE, 5)])
    assert event.data["sentence"] == "burst at m1: raise."
    assert "cannot be put into words" in caplog.text


def test_a_rebuilt_state_raises_what_is_on_and_not_told_as_decided_now() -> None:
    made = cases()
    events, silent = made.reconcile({KEY: said(Change.UPDATE, 9)}, NOW_US)
    assert kinds(events) == [EventKind.RAISED]
    assert events[0].at == from_us(NOW_US)
    assert silent == []
    assert len(made.open) == 1


def test_a_rebuilt_state_clears_what_is_open_and_over() -> None:
    made = cases(open_alert())
    events, silent = made.reconcile({KEY: said(Change.CLEAR, 30)}, NOW_US)
    assert kinds(events) == [EventKind.CLEARED]
    assert events[0].at == from_us(NOW_US)
    assert (silent, list(made.open)) == ([], [])


@pytest.mark.parametrize(
    ("last", "alerts"),
    [
        (said(Change.RAISE, 5), [open_alert()]),
        (said(Change.UPDATE, 9, onset=2), [open_alert()]),
        (said(Change.CLEAR, 9), []),
        (said(Change.CLEAR, 3, onset=1), [open_alert()]),
    ],
    ids=["on and told", "on since another time", "over and never told", "over before it was told"],
)
def test_a_rebuilt_state_says_nothing_more(last: Condition, alerts: list[Alert]) -> None:
    made = cases(*alerts)
    assert made.reconcile({KEY: last}, NOW_US) == ([], [])
    assert list(made.open) == alerts


def test_an_open_alert_of_which_history_is_silent_stays_and_is_named() -> None:
    alert = open_alert()
    made = cases(alert)
    assert made.reconcile({}, NOW_US) == ([], [alert])
    assert list(made.open) == [alert]
