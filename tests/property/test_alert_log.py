"""Random interleavings of conditions, people, replays, restarts and two detectors at once, against the promises.

The log here is the database's promise in plain words (an id is written once, one open alert for each rule and
subject, whoever comes first), so that thousands of histories run in seconds; tests/integration holds the real one
to the same.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.alert import Alert, AlertEvent, EventKind, Work, event_of_condition
from services.domain.alert_fold import allowed_changes, fold, fold_all
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.domain.errors import InvalidInput, InvalidTransition
from services.domain.instant import from_us

EVIDENCE = Evidence("flow_litres_per_h", "L/h", 9.0, 4.0, None, 3600.0, 4, 0.0)
SUBJECTS = ((Rule.BURST, "m1"), (Rule.BURST, "m2"), (Rule.SILENT, "m1"))
BASE_US = 1_700_000_000_000_000
MINUTE_US = 60_000_000
PEOPLE = {
    EventKind.ACKNOWLEDGED: {},
    EventKind.ASSIGNED: {"assignee": "Bob"},
    EventKind.PROGRESSED: {"work": "crew_sent"},
    EventKind.SHELVED: {"until": "2100-01-01T00:00:00+00:00", "reason": "works"},
    EventKind.UNSHELVED: {},
    EventKind.COMMENTED: {"comment": "seen"},
    EventKind.RESOLVED: {"verdict": "legitimate_use"},
}


@dataclass
class Log:
    """What the database promises of the log, without a database."""

    events: list[AlertEvent] = field(default_factory=list)
    ids: set[uuid.UUID] = field(default_factory=set)
    rows: dict[uuid.UUID, Alert] = field(default_factory=dict)
    last: dict[tuple[Rule, str], uuid.UUID] = field(default_factory=dict)

    def open(self) -> dict[tuple[Rule, str], Alert]:
        found = [alert for alert in self.rows.values() if alert.active]
        by_subject = {(alert.rule, alert.subject): alert for alert in found}
        assert len(by_subject) == len(found), "two open alerts for one rule and subject"
        return by_subject

    def apply(self, event: AlertEvent) -> bool:
        if event.id in self.ids:
            return False
        alert = self.rows.get(event.alert_id)
        if event.kind is EventKind.RAISED:
            key = (Rule(str(event.data["rule"])), str(event.data["subject"]))
            if key in self.open():
                return False
            previous = self.last.get(key)
            link = {"previous_id": str(previous)} if previous else {}
            event = AlertEvent(
                event.id, event.alert_id, event.kind, event.at, event.actor, {**event.data, **link}
            )
            self.last[key] = event.alert_id
        self.rows[event.alert_id] = fold(alert, event)
        self.ids.add(event.id)
        self.events.append(event)
        return True


@dataclass
class Detector:
    """One instance: its own position in the conditions, its own memory of what is open."""

    log: Log
    position: int = 0
    memory: dict[tuple[Rule, str], Alert] = field(default_factory=dict)

    def restart(self, position: int) -> None:
        self.position, self.memory = position, self.log.open()

    def follow(self, stream: list[Condition], count: int) -> None:
        for said in stream[self.position : self.position + count]:
            key = (said.rule, said.subject)
            event = event_of_condition(said, "It happens.", self.memory.get(key))
            self.position += 1
            if event is None:
                continue
            if self.log.apply(event):
                self.memory[key] = self.log.rows[event.alert_id]
            else:
                self.memory = self.log.open()
            self.memory = {key: alert for key, alert in self.memory.items() if alert.active}


def stream_of(moves: list[tuple[int, Severity, bool]]) -> list[Condition]:
    """A well-formed stream of conditions: for each subject raise, updates, clear, raise again, ..."""
    onset: dict[int, int] = {}
    stream = []
    at = BASE_US
    for which, severity, end in moves:
        rule, subject = SUBJECTS[which]
        # some decisions share one instant, as those of one batch do
        at += MINUTE_US if severity is not Severity.INFO else 0
        if which not in onset:
            onset[which] = at - MINUTE_US + len(stream)
            change = Change.RAISE
        else:
            change = Change.CLEAR if end else Change.UPDATE
        said = Condition(rule, subject, change, onset[which], at, severity, 0.5, EVIDENCE)
        stream.append(said)
        if change is Change.CLEAR:
            del onset[which]
    return stream


MOVES = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(Severity), st.booleans()), min_size=1, max_size=30
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("follow"), st.integers(0, 1), st.integers(1, 6)),
        st.tuples(st.just("restart"), st.integers(0, 1), st.integers(0, 30)),
        st.tuples(st.just("act"), st.integers(0, 9), st.sampled_from(list(PEOPLE))),
    ),
    max_size=30,
)


def run(
    stream: list[Condition], steps: list[tuple[str, int, object]], log: Log | None = None
) -> Log:
    log = log or Log()
    detectors = [Detector(log), Detector(log)]
    for step, which, what in steps:
        match step, what:
            case "follow", int(count):
                detectors[which].follow(stream, count)
            case "restart", int(position):
                # a replay begins at what is done already, never beyond it
                detectors[which].restart(min(position, detectors[which].position))
            case "act", EventKind() as kind if log.rows:
                alert = list(log.rows.values())[which % len(log.rows)]
                act_and_check(log, alert, kind)
        log.open()
    for detector in detectors:
        detector.follow(stream, len(stream))
    return log


def act_and_check(log: Log, alert: Alert, kind: EventKind) -> None:
    at = alert.updated_at + timedelta(seconds=1)
    event = AlertEvent(uuid.uuid4(), alert.id, kind, at, "ada", PEOPLE[kind])
    allowed = kind.value in allowed_changes(alert)
    try:
        log.apply(event)
    except InvalidTransition:
        assert not allowed, f"{kind} was listed and refused"
    except InvalidInput:
        assert kind is EventKind.PROGRESSED, f"{kind} was refused as input"
        assert alert.work is Work.CREW_SENT, "a step that it was not at was refused"
    else:
        assert allowed, f"{kind} was not listed and accepted"


def detector_log(log: Log) -> list[AlertEvent]:
    return [event for event in log.events if event.actor == "detector"]


@settings(max_examples=400)
@given(MOVES, STEPS)
def test_the_log_folds_to_the_rows_and_its_versions_are_consecutive(moves, steps) -> None:  # type: ignore[no-untyped-def]
    log = run(stream_of(moves), steps)
    for alert in log.rows.values():
        events = [event for event in log.events if event.alert_id == alert.id]
        assert fold_all(events) == alert
        assert alert.version == len(events)
        assert events[0].kind is EventKind.RAISED


@settings(max_examples=400)
@given(MOVES, STEPS)
def test_replays_restarts_and_a_second_detector_change_nothing(moves, steps) -> None:  # type: ignore[no-untyped-def]
    stream = stream_of(moves)
    quiet = Log()
    Detector(quiet).follow(stream, len(stream))
    log = run(stream, steps)
    assert {event.id for event in detector_log(log)} == {event.id for event in quiet.events}
    for key, alert in quiet.open().items():
        assert log.open()[key].id == alert.id
    assert log.open().keys() == quiet.open().keys()


@settings(max_examples=200)
@given(MOVES, STEPS)
def test_each_episode_is_raised_once_and_links_to_the_one_before(moves, steps) -> None:  # type: ignore[no-untyped-def]
    stream = stream_of(moves)
    log = run(stream, steps)
    episodes: dict[tuple[Rule, str], list[int]] = {}
    for said in stream:
        if said.change is Change.RAISE:
            episodes.setdefault((said.rule, said.subject), []).append(said.onset_us)
    assert len(log.rows) == sum(map(len, episodes.values()))
    for key, onsets in episodes.items():
        chain = sorted(
            (alert for alert in log.rows.values() if (alert.rule, alert.subject) == key),
            key=lambda alert: alert.started_at,
        )
        assert [alert.started_at for alert in chain] == [from_us(onset) for onset in onsets]
        links = [alert.previous_id for alert in chain]
        assert links == [None, *(alert.id for alert in chain)][: len(chain)]


@settings(max_examples=200)
@given(MOVES, st.lists(st.sampled_from(list(PEOPLE)), max_size=8))
def test_resolving_an_active_alert_blocks_a_new_one_until_it_clears(moves, acts) -> None:  # type: ignore[no-untyped-def]
    stream = stream_of(moves)
    log = Log()
    detector = Detector(log)
    for said in stream:
        detector.follow(stream, 1)
        key = (said.rule, said.subject)
        held = log.open().get(key)
        if held is not None:
            for kind in (*acts, EventKind.RESOLVED):
                act_and_check(log, log.rows[held.id], kind)
            other = event_of_condition(
                Condition(*key, Change.RAISE, 1, 2, Severity.INFO, 0.5, EVIDENCE), "x", held
            )
            assert other is None or other.kind is not EventKind.RAISED
        else:
            assert said.change is Change.CLEAR
