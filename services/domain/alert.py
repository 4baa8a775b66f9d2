"""Alerts: one case for one episode of a condition, told to people, folded from an append-only log of events.

Every change is an event; `fold` is the only place that knows what an event does to an alert. Active (the
measurement), acknowledged (a person owns it) and shelved (hidden until a time) are separate facts. It refuses to
let a person speak for the measurement or a detector for a person.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.domain.condition import Change, Condition, Rule, Severity
from services.domain.errors import InvalidInput, InvalidTransition
from services.domain.facts import (
    choice_of,
    evidence_as_dict,
    finite,
    mapping_of,
    moment_of,
    number_of,
    text_of,
)
from services.domain.instant import from_us

_NAMESPACE: Final = uuid.UUID("6f2d8a52-7c1b-5e0e-9a57-3f0c1d9e4b11")
DETECTOR: Final = "detector"
"""Actor of events that measurements cause; people's events carry the name of their API key or account."""


class EventKind(StrEnum):
    """What happened to an alert."""

    RAISED = "raised"
    UPDATED = "updated"
    ESCALATED = "escalated"
    CLEARED = "cleared"
    ACKNOWLEDGED = "acknowledged"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    COMMENTED = "commented"
    RESOLVED = "resolved"


class Verdict(StrEnum):
    """How a case ended, in the judgement of a person."""

    REAL = "real"
    SENSOR_FAULT = "sensor_fault"
    LEGITIMATE_USE = "legitimate_use"
    DUPLICATE = "duplicate"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One immutable entry of the log.

    Attributes:
        id: deterministic for what detectors say (a replay writes the same id), random for people's acts.
        alert_id: the case.
        kind: what happened.
        at: when, aware UTC; stream time for a detector's event, wall time for a person's.
        actor: who ("detector", or a person's name).
        data: what the kind needs: severity, score, evidence, sentence, verdict, comment, reason, until, group_id.
    """

    id: uuid.UUID
    alert_id: uuid.UUID
    kind: EventKind
    at: datetime
    actor: str
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Alert:
    """The state that an alert's events fold into.

    Attributes:
        version: number of events folded; the optimistic lock of concurrent edits.
        started_at: when the event began in the data; raised_at: when the service could first tell a person.
        cleared_at: when the measurement was normal again; None while active.
        previous_id: the last alert of the same rule and subject, where one cleared before.
        group_id: the alert with which the same event was first told (a queue over six stations is six alerts and one
            event); its own id where it stands alone.
    """

    id: uuid.UUID
    rule: Rule
    subject: str
    version: int
    severity: Severity
    score: float
    sentence: str
    evidence: Mapping[str, object]
    started_at: datetime
    raised_at: datetime
    updated_at: datetime
    cleared_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    shelved_until: datetime | None = None
    shelved_reason: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    verdict: Verdict | None = None
    previous_id: uuid.UUID | None = None
    group_id: uuid.UUID | None = None

    @property
    def active(self) -> bool:
        """Whether the measurement still shows it."""
        return self.cleared_at is None

    @property
    def state(self) -> str:
        """One word for people: resolved, cleared, acknowledged or active."""
        if self.resolved_at is not None:
            return "resolved"
        if not self.active:
            return "cleared"
        return "acknowledged" if self.acknowledged_at is not None else "active"

    def hidden(self, now: datetime) -> bool:
        """Whether it is shelved at `now`: nobody is told of it until the shelf's time is over."""
        return self.shelved_until is not None and now < self.shelved_until


def alert_id(rule: Rule, subject: str, onset_us: int) -> uuid.UUID:
    """The id of an episode's alert: the same whenever and wherever the episode is found again."""
    return uuid.uuid5(_NAMESPACE, f"{rule}|{subject}|{onset_us}")


def event_of_condition(
    condition: Condition, sentence: str, alert: Alert | None
) -> AlertEvent | None:
    """The event that a detector's condition means for its subject's alerts; None when it changes nothing.

    The ids are those of a replay too: the same condition about the same episode gives the same event id whatever
    people or an earlier run did to the alert in between. An update whose raise was never written raises. A
    condition with another onset than the open alert (state was rebuilt from a shorter history) is about the open
    alert, because the measurement is; one that was not decided after that alert was raised is old news and nothing.

    Args:
        condition: what the detector said.
        sentence: the same in words.
        alert: the open alert of the condition's rule and subject, or None when there is none. The alert of the
            condition's own episode may be given when it has cleared: nothing more comes of that episode.
    """
    episode = alert_id(condition.rule, condition.subject, condition.onset_us)
    at = from_us(condition.at_us)
    data: dict[str, object] = {
        "severity": condition.severity.value,
        "score": finite(condition.score) or 0.0,
        "sentence": sentence,
        "evidence": evidence_as_dict(condition.evidence),
    }
    if alert is None or (not alert.active and alert.id != episode):
        if condition.change is Change.CLEAR:
            return None
        data |= {
            "rule": condition.rule.value,
            "subject": condition.subject,
            "started_at": from_us(condition.onset_us).isoformat(),
        }
        event_id = uuid.uuid5(episode, EventKind.RAISED)
        return AlertEvent(event_id, episode, EventKind.RAISED, at, DETECTOR, data)
    if not alert.active:
        return None
    if alert.id == episode and condition.change is Change.RAISE:
        return None
    if alert.id != episode and at <= alert.raised_at:
        return None
    if condition.change is Change.CLEAR:
        kind = EventKind.CLEARED
    elif condition.change is Change.WORSEN or condition.severity.rank > alert.severity.rank:
        kind = EventKind.ESCALATED
    else:
        kind = EventKind.UPDATED
    facts = (condition.change, condition.onset_us, condition.at_us, condition.severity)
    event_id = uuid.uuid5(alert.id, "|".join(map(str, facts)))
    return AlertEvent(event_id, alert.id, kind, at, DETECTOR, data)


_OF_MEASUREMENT: Final = frozenset({EventKind.UPDATED, EventKind.ESCALATED, EventKind.CLEARED})
_OF_PEOPLE: Final = (
    EventKind.ACKNOWLEDGED,
    EventKind.SHELVED,
    EventKind.UNSHELVED,
    EventKind.COMMENTED,
    EventKind.RESOLVED,
)


def allowed_changes(alert: Alert) -> tuple[str, ...]:
    """What a person may do to the alert now, in the words of `EventKind`; `fold` accepts these and no others."""
    if alert.resolved_at is not None:
        return (EventKind.COMMENTED.value,)
    refused = set()
    if alert.acknowledged_at is not None:
        refused.add(EventKind.ACKNOWLEDGED)
    if alert.shelved_until is None:
        refused.add(EventKind.UNSHELVED)
    return tuple(kind.value for kind in _OF_PEOPLE if kind not in refused)


def fold(alert: Alert | None, event: AlertEvent) -> Alert:
    """The alert after the event.

    Raises:
        InvalidTransition: the alert's state does not allow the event; nothing changes.
        InvalidInput: the event lacks what its kind needs, or belongs to another alert.
    """
    if alert is None:
        return _raised(event)
    if event.alert_id != alert.id:
        raise InvalidInput("alert_id", str(event.alert_id), f"this is the log of {alert.id}")
    if event.actor == DETECTOR:
        allowed = alert.active and event.kind in _OF_MEASUREMENT
    else:
        allowed = event.kind.value in allowed_changes(alert)
    if not allowed:
        raise InvalidTransition(event.kind.value, alert.state, allowed_changes(alert))
    return _changed(
        replace(alert, version=alert.version + 1, updated_at=max(alert.updated_at, event.at)), event
    )


def _changed(alert: Alert, event: AlertEvent) -> Alert:
    data = event.data
    match event.kind:
        case EventKind.UPDATED | EventKind.ESCALATED:
            severity = choice_of(data, "severity", Severity)
            worse = severity.rank > alert.severity.rank
            return replace(
                alert,
                score=number_of(data, "score"),
                sentence=text_of(data, "sentence"),
                evidence=mapping_of(data, "evidence"),
                severity=severity if worse else alert.severity,
            )
        case EventKind.CLEARED:
            # the numbers that proved the case stay; those of its end are in the log
            number_of(data, "score")
            mapping_of(data, "evidence")
            choice_of(data, "severity", Severity)
            return replace(alert, sentence=text_of(data, "sentence"), cleared_at=event.at)
        case EventKind.ACKNOWLEDGED:
            return replace(alert, acknowledged_at=event.at, acknowledged_by=event.actor)
        case EventKind.SHELVED:
            until, reason = moment_of(data, "until"), text_of(data, "reason")
            if until <= event.at:
                raise InvalidInput("until", until.isoformat(), "a time in the future")
            return replace(alert, shelved_until=until, shelved_reason=reason)
        case EventKind.UNSHELVED:
            return replace(alert, shelved_until=None, shelved_reason=None)
        case EventKind.RESOLVED:
            verdict = choice_of(data, "verdict", Verdict)
            return replace(alert, resolved_at=event.at, resolved_by=event.actor, verdict=verdict)
        case EventKind.COMMENTED:
            text_of(data, "comment")
        case EventKind.RAISED:  # fold has refused it
            raise InvalidTransition(event.kind.value, alert.state, allowed_changes(alert))
    return alert


def fold_all(events: Iterable[AlertEvent]) -> Alert | None:
    """The alert that a whole log means, or None for an empty one."""
    alert: Alert | None = None
    for event in events:
        alert = fold(alert, event)
    return alert


def _raised(event: AlertEvent) -> Alert:
    if event.kind is not EventKind.RAISED or event.actor != DETECTOR:
        raise InvalidTransition(event.kind.value, "not raised", ())
    data = event.data
    return Alert(
        id=event.alert_id,
        rule=choice_of(data, "rule", Rule),
        subject=text_of(data, "subject"),
        version=1,
        severity=choice_of(data, "severity", Severity),
        score=number_of(data, "score"),
        sentence=text_of(data, "sentence"),
        evidence=mapping_of(data, "evidence"),
        started_at=moment_of(data, "started_at"),
        raised_at=event.at,
        updated_at=event.at,
        previous_id=_alert_id_of(data, "previous_id"),
        group_id=_alert_id_of(data, "group_id") or event.alert_id,
    )


def _alert_id_of(data: Mapping[str, object], name: str) -> uuid.UUID | None:
    value = data.get(name)
    try:
        return uuid.UUID(str(value)) if value else None
    except ValueError:
        raise InvalidInput(name, value, "the id of an alert") from None
