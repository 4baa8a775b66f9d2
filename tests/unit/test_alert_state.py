"""The alert's states one by one: what each event does, who may cause it, and what is refused with which words."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.domain.alert import (
    DETECTOR,
    SYSTEM,
    Alert,
    AlertEvent,
    EventKind,
    Verdict,
    Work,
    alert_id,
    event_of_condition,
)
from services.domain.alert_fold import allowed_changes, fold, fold_all
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.domain.errors import InvalidInput, InvalidTransition
from services.domain.instant import from_us, to_us

START = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
MINUTE_US = 60_000_000
ONSET_US = to_us(START)
EVIDENCE = Evidence("flow_litres_per_h", "L/h", 42.0, 4.0, None, 86400.0, 96, 0.0, {"litres": 80.0})

PEOPLE: Mapping[EventKind, dict[str, object]] = {
    EventKind.ACKNOWLEDGED: {},
    EventKind.ASSIGNED: {"assignee": "Bob"},
    EventKind.PROGRESSED: {"work": "crew_sent"},
    EventKind.SHELVED: {"until": (START + timedelta(days=9)).isoformat(), "reason": "works"},
    EventKind.UNSHELVED: {},
    EventKind.COMMENTED: {"comment": "crew is on its way"},
    EventKind.RESOLVED: {"verdict": "real"},
}


def condition(
    change: Change,
    minutes: int,
    severity: Severity = Severity.WARNING,
    onset_us: int = ONSET_US,
    **changes: object,
) -> Condition:
    at_us = ONSET_US + minutes * MINUTE_US
    said = Condition(Rule.BURST, "meter-1", change, onset_us, at_us, severity, 0.9, EVIDENCE)
    return replace(said, **changes)  # type: ignore[arg-type]


def say(alert: Alert | None, said: Condition, sentence: str = "Water runs.") -> Alert:
    event = event_of_condition(said, sentence, alert)
    assert event is not None
    return fold(alert if alert is not None and alert.id == event.alert_id else None, event)


def act(alert: Alert, kind: EventKind, minutes: int = 60, **data: object) -> Alert:
    return fold(alert, act_of(alert, kind, minutes, **data))


def act_of(alert: Alert, kind: EventKind, minutes: int = 60, **data: object) -> AlertEvent:
    at = START + timedelta(minutes=minutes)
    facts = {**PEOPLE.get(kind, {}), **data}
    return AlertEvent(uuid.uuid4(), alert.id, kind, at, "ada", facts)


def raised() -> Alert:
    return say(None, condition(Change.RAISE, 10))


def in_state(state: str) -> Alert:
    alert = raised()
    match state:
        case "acknowledged":
            return act(alert, EventKind.ACKNOWLEDGED)
        case "cleared":
            return say(alert, condition(Change.CLEAR, 90))
        case "resolved":
            return act(alert, EventKind.RESOLVED)
        case "resolved and cleared":
            return say(act(alert, EventKind.RESOLVED), condition(Change.CLEAR, 90))
    return alert


def test_a_raise_becomes_an_open_alert_with_its_evidence() -> None:
    alert = raised()
    assert alert.id == alert_id(Rule.BURST, "meter-1", ONSET_US)
    assert (alert.version, alert.state, alert.active) == (1, "active", True)
    assert (alert.started_at, alert.raised_at) == (START, START + timedelta(minutes=10))
    assert alert.evidence["value"] == 42.0
    assert alert.evidence["numbers"] == {"litres": 80.0}


def test_severity_rises_by_an_escalation_and_never_falls_by_an_update() -> None:
    alert = raised()
    worse = event_of_condition(condition(Change.UPDATE, 20, Severity.CRITICAL), "Worse.", alert)
    assert worse is not None
    assert worse.kind is EventKind.ESCALATED
    alert = fold(alert, worse)
    milder = event_of_condition(condition(Change.UPDATE, 30, Severity.INFO), "Milder.", alert)
    assert milder is not None
    assert milder.kind is EventKind.UPDATED
    alert = fold(alert, milder)
    assert (alert.severity, alert.sentence) == (Severity.CRITICAL, "Milder.")


def test_clearing_keeps_the_severity_and_ends_the_activity() -> None:
    alert = say(raised(), condition(Change.CLEAR, 90, Severity.CRITICAL))
    assert alert.severity is Severity.WARNING
    assert alert.cleared_at == START + timedelta(minutes=90)
    assert alert.state == "cleared"


def test_clearing_keeps_the_numbers_that_proved_the_case() -> None:
    normal = replace(EVIDENCE, value=0.0, numbers={"litres": 99.0})
    ended = condition(Change.CLEAR, 90, evidence=normal, score=0.1)
    alert = say(raised(), ended, "Water pauses again.")
    assert alert.evidence["value"] == 42.0
    assert alert.score == 0.9
    assert alert.sentence == "Water pauses again."


def test_what_became_more_severe_is_nobodys_until_somebody_takes_it_again() -> None:
    alert = act(raised(), EventKind.ACKNOWLEDGED)
    milder = say(alert, condition(Change.WORSEN, 20))
    assert milder.acknowledged_by == "ada"  # as severe as before: it is still hers
    worse = say(alert, condition(Change.UPDATE, 30, Severity.CRITICAL))
    assert (worse.acknowledged_by, worse.state) == (None, "active")
    assert EventKind.ACKNOWLEDGED.value in allowed_changes(worse)


def test_who_deals_with_it_and_how_far_that_is_are_facts_of_their_own() -> None:
    alert = act(act(raised(), EventKind.ASSIGNED), EventKind.PROGRESSED)
    assert (alert.assignee, alert.work, alert.state) == ("Bob", Work.CREW_SENT, "active")
    assert act(alert, EventKind.PROGRESSED, work="investigating").work is Work.INVESTIGATING
    assert act(alert, EventKind.ASSIGNED, assignee=None).assignee is None


def system(alert: Alert, kind: EventKind, **data: object) -> Alert:
    return fold(alert, replace(act_of(alert, kind, **data), actor=SYSTEM))


def test_the_alarm_system_holds_back_and_lets_go_and_nobody_else_does() -> None:
    facts = {"suppressed_by": "exemption/7", "reason": "the hydrant is flushed"}
    held = system(raised(), EventKind.SUPPRESSED, **facts)
    assert (held.suppressed_by, held.state) == ("exemption/7", "active")
    assert system(held, EventKind.UNSUPPRESSED).suppressed_by is None
    with pytest.raises(InvalidTransition):
        system(raised(), EventKind.UNSUPPRESSED)
    with pytest.raises(InvalidTransition):
        act(raised(), EventKind.SUPPRESSED, **facts)
    with pytest.raises(InvalidTransition):
        system(raised(), EventKind.ACKNOWLEDGED)
    shelved = act(raised(), EventKind.SHELVED)
    assert system(shelved, EventKind.UNSHELVED).shelved_until is None


def test_only_what_was_told_waits_for_a_person_when_it_is_over() -> None:
    assert in_state("cleared").latched
    assert not act(in_state("cleared"), EventKind.ACKNOWLEDGED).latched
    raise_ = event_of_condition(condition(Change.RAISE, 10), "Water runs.", None)
    assert raise_ is not None
    quiet = fold(None, replace(raise_, data={**raise_.data, "told": False}))
    assert quiet.told_at is None
    assert not say(quiet, condition(Change.CLEAR, 90)).latched
    later = say(quiet, condition(Change.UPDATE, 30, Severity.CRITICAL))
    assert later.told_at == START + timedelta(minutes=30)


def test_an_alert_that_cleared_before_anyone_looked_still_waits_for_a_person() -> None:
    alert = in_state("cleared")
    assert EventKind.ACKNOWLEDGED.value in allowed_changes(alert)
    owned = act(alert, EventKind.ACKNOWLEDGED)
    assert owned.acknowledged_by == "ada"
    assert EventKind.ACKNOWLEDGED.value not in allowed_changes(owned)


@pytest.mark.parametrize("change", [Change.UPDATE, Change.CLEAR])
def test_a_resolved_alert_follows_the_measurement_until_it_clears_and_never_reopens(
    change: Change,
) -> None:
    closed = in_state("resolved and cleared")
    assert event_of_condition(condition(change, 120), "Again.", closed) is None
    forged = AlertEvent(
        uuid.uuid4(),
        closed.id,
        EventKind.UPDATED,
        START,
        DETECTOR,
        {"severity": "info", "score": 1.0, "sentence": "x"},
    )
    with pytest.raises(InvalidTransition) as refusal:
        fold(closed, forged)
    assert refusal.value.allowed == ("commented",)


def test_resolving_while_active_blocks_a_new_raise_until_the_measurement_clears() -> None:
    alert = act(raised(), EventKind.RESOLVED)
    assert alert.verdict is Verdict.REAL
    assert event_of_condition(condition(Change.RAISE, 10), "Again.", alert) is None
    cleared = say(alert, condition(Change.CLEAR, 90))
    assert (cleared.state, cleared.active) == ("resolved", False)
    later = ONSET_US + 200 * MINUTE_US
    again = event_of_condition(condition(Change.RAISE, 210, onset_us=later), "Again.", None)
    assert again is not None
    assert again.kind is EventKind.RAISED
    assert again.alert_id != alert.id


def test_a_replayed_escalation_has_the_id_that_it_had_at_first() -> None:
    said = condition(Change.UPDATE, 20, Severity.CRITICAL)
    before = raised()
    first = event_of_condition(said, "Worse.", before)
    assert first is not None
    replay = event_of_condition(said, "Worse.", fold(before, first))
    assert replay is not None
    assert replay.id == first.id


def test_an_update_whose_raise_was_never_written_raises() -> None:
    event = event_of_condition(condition(Change.UPDATE, 30), "Water runs.", None)
    raise_ = event_of_condition(condition(Change.RAISE, 10), "Water runs.", None)
    assert event is not None
    assert raise_ is not None
    assert (event.kind, event.id) == (EventKind.RAISED, raise_.id)


def test_the_end_of_something_never_raised_is_nothing() -> None:
    assert event_of_condition(condition(Change.CLEAR, 30), "Over.", None) is None


def test_after_a_rebuild_with_another_onset_the_open_alert_is_carried_on() -> None:
    alert = raised()
    shorter = ONSET_US + 5 * MINUTE_US
    event = event_of_condition(condition(Change.CLEAR, 90, onset_us=shorter), "Over.", alert)
    assert event is not None
    assert (event.kind, event.alert_id) == (EventKind.CLEARED, alert.id)


def test_what_was_decided_before_the_open_alert_was_raised_does_not_touch_it() -> None:
    alert = raised()
    older = ONSET_US - 500 * MINUTE_US
    for minutes in (-400, 10):
        old = condition(Change.CLEAR, minutes, onset_us=older)
        assert event_of_condition(old, "Over.", alert) is None


@pytest.mark.parametrize("kind", list(EventKind))
@pytest.mark.parametrize(
    "state", ["active", "acknowledged", "cleared", "resolved", "resolved and cleared"]
)
def test_people_can_do_what_is_listed_and_nothing_else(state: str, kind: EventKind) -> None:
    alert = in_state(state)
    event = act_of(alert, kind)
    if kind.value in allowed_changes(alert):
        assert fold(alert, event).version == alert.version + 1
    else:
        with pytest.raises(InvalidTransition) as refusal:
            fold(alert, event)
        assert refusal.value.allowed == allowed_changes(alert)


@pytest.mark.parametrize("kind", list(PEOPLE))
def test_a_detector_cannot_act_for_a_person(kind: EventKind) -> None:
    alert = raised()
    with pytest.raises(InvalidTransition):
        fold(alert, replace(act_of(alert, kind), actor=DETECTOR))


def test_a_person_cannot_raise_an_alert_in_the_name_of_the_measurement() -> None:
    event = event_of_condition(condition(Change.RAISE, 10), "Water runs.", None)
    assert event is not None
    with pytest.raises(InvalidTransition):
        fold(None, replace(event, actor="ada"))


@pytest.mark.parametrize(
    ("kind", "data", "field"),
    [
        (EventKind.SHELVED, {"until": "tomorrow"}, "until"),
        (EventKind.SHELVED, {"until": "2026-04-01T00:00:00"}, "until"),
        (EventKind.SHELVED, {"until": START.isoformat()}, "until"),
        (EventKind.SHELVED, {"reason": "  "}, "reason"),
        (EventKind.SHELVED, {"reason": None}, "reason"),
        (EventKind.RESOLVED, {"verdict": "fixed"}, "verdict"),
        (EventKind.RESOLVED, {"verdict": 1}, "verdict"),
        (EventKind.COMMENTED, {"comment": ""}, "comment"),
        (EventKind.ASSIGNED, {"assignee": " "}, "assignee"),
        (EventKind.PROGRESSED, {"work": "drinking tea"}, "work"),
        (EventKind.PROGRESSED, {"work": "new"}, "work"),
    ],
)
def test_an_act_without_what_it_needs_is_refused_by_name(
    kind: EventKind, data: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        act(raised(), kind, **data)
    assert refusal.value.field == field


def test_a_shelf_hides_until_its_time_and_not_after() -> None:
    alert = act(raised(), EventKind.SHELVED)
    assert alert.hidden(START + timedelta(days=8))
    assert not alert.hidden(START + timedelta(days=9))
    assert not act(alert, EventKind.UNSHELVED).hidden(START + timedelta(days=8))
    assert alert.state == "active"


def test_an_event_of_another_alert_is_refused() -> None:
    with pytest.raises(InvalidInput):
        fold(raised(), replace(act_of(raised(), EventKind.COMMENTED), alert_id=uuid.uuid4()))


def test_numbers_that_json_cannot_hold_do_not_reach_the_log() -> None:
    evidence = replace(
        EVIDENCE, value=math.nan, threshold=math.inf, numbers={"a": math.nan, "b": 1.0}
    )
    said = condition(Change.RAISE, 10, evidence=evidence, score=math.nan)
    event = event_of_condition(said, "Water runs.", None)
    assert event is not None
    facts = json.loads(json.dumps(event.data, allow_nan=False))
    assert facts["evidence"]["value"] is None
    assert facts["evidence"]["numbers"] == {"b": 1.0}
    assert fold(None, event).score == 0.0


def test_a_log_without_events_is_no_alert_and_one_without_its_raise_is_refused() -> None:
    assert fold_all([]) is None
    with pytest.raises(InvalidTransition):
        fold_all([act_of(raised(), EventKind.COMMENTED)])


def test_the_link_to_the_last_alert_comes_from_the_event() -> None:
    event = event_of_condition(condition(Change.RAISE, 10), "Water runs.", None)
    assert event is not None
    before = uuid.uuid4()
    linked = replace(event, data={**event.data, "previous_id": str(before)})
    assert fold(None, linked).previous_id == before
    with pytest.raises(InvalidInput):
        fold(None, replace(event, data={**event.data, "previous_id": "yesterday's"}))


def test_times_of_a_detector_are_stream_times() -> None:
    alert = raised()
    assert alert.raised_at == from_us(ONSET_US + 10 * MINUTE_US)
