"""Alerts: one case for one episode of a condition, told to people, folded from an append-only log of events.

Every change is an event; `fold` is the only place that knows what an event does to an alert. Active (the
measurement), acknowledged (a person owns it) and shelved (hidden until a time) are separate facts.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.domain.errors import InvalidInput, InvalidTransition
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
        data: what the kind needs: severity, score, evidence, sentence, verdict, comment, reason, until.
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


def alert_id(rule: Rule, subject: str, onset_us: int) -> uuid.UUID:
    """The id of an episode's alert: the same whenever and wherever the episode is found again."""
    return uuid.uuid5(_NAMESPACE, f"{rule}|{subject}|{onset_us}")


def event_of_condition(
    condition: Condition, sentence: str, alert: Alert | None
) -> AlertEvent | None:
    """The event that a detector's condition means for its alert; None when it changes nothing.

    Args:
        condition: what the detector said.
        sentence: the same in words.
        alert: the episode's alert as it stands, or None when there is none yet.
    """
    identity = alert_id(condition.rule, condition.subject, condition.onset_us)
    if condition.change is Change.RAISE and alert is not None:
        return None
    if condition.change is not Change.RAISE and (alert is None or not alert.active):
        return None
    kind = {
        Change.RAISE: EventKind.RAISED,
        Change.UPDATE: EventKind.UPDATED,
        Change.CLEAR: EventKind.CLEARED,
    }[condition.change]
    if (
        kind is EventKind.UPDATED
        and alert is not None
        and condition.severity.rank > alert.severity.rank
    ):
        kind = EventKind.ESCALATED
    data: dict[str, object] = {
        "severity": condition.severity.value,
        "score": condition.score,
        "sentence": sentence,
        "evidence": evidence_as_dict(condition.evidence),
    }
    if kind is EventKind.RAISED:
        data |= {
            "rule": condition.rule.value,
            "subject": condition.subject,
            "started_at": from_us(condition.onset_us).isoformat(),
        }
    return AlertEvent(
        uuid.uuid5(identity, f"{kind}|{condition.at_us}"),
        identity,
        kind,
        from_us(condition.at_us),
        DETECTOR,
        data,
    )


def evidence_as_dict(evidence: Evidence) -> dict[str, object]:
    """Plain data of the evidence, as stored and served."""
    return {
        "metric": evidence.metric,
        "unit": evidence.unit,
        "value": evidence.value,
        "threshold": evidence.threshold,
        "baseline": evidence.baseline,
        "window_s": evidence.window_s,
        "readings": evidence.readings,
        "missing_share": evidence.missing_share,
        "numbers": dict(evidence.numbers),
    }


_ALLOWED: Final[Mapping[str, frozenset[EventKind]]] = {
    "active": frozenset(EventKind) - {EventKind.RAISED},
    "acknowledged": frozenset(EventKind) - {EventKind.RAISED, EventKind.ACKNOWLEDGED},
    "cleared": frozenset(
        {
            EventKind.ACKNOWLEDGED,
            EventKind.SHELVED,
            EventKind.UNSHELVED,
            EventKind.COMMENTED,
            EventKind.RESOLVED,
        }
    ),
    "resolved": frozenset(
        {EventKind.UPDATED, EventKind.ESCALATED, EventKind.CLEARED, EventKind.COMMENTED}
    ),
}
_OF_PEOPLE: Final = (
    EventKind.ACKNOWLEDGED,
    EventKind.SHELVED,
    EventKind.UNSHELVED,
    EventKind.COMMENTED,
    EventKind.RESOLVED,
)


def allowed_changes(alert: Alert) -> tuple[str, ...]:
    """What a person may do to the alert now, in the words of `EventKind`."""
    kinds = set(_ALLOWED[alert.state])
    if not alert.active and alert.acknowledged_at is not None:
        kinds -= {EventKind.ACKNOWLEDGED}
    if alert.resolved_at is not None and not alert.active:
        kinds &= {EventKind.COMMENTED}
    if alert.shelved_until is None:
        kinds -= {EventKind.UNSHELVED}
    return tuple(kind.value for kind in _OF_PEOPLE if kind in kinds)


def fold(alert: Alert | None, event: AlertEvent) -> Alert:
    """The alert after the event.

    Raises:
        InvalidTransition: the alert's state does not allow the event; nothing changes.
        InvalidInput: the event lacks what its kind needs.
    """
    if alert is None:
        return _raised(event)
    if event.actor != DETECTOR:
        if event.kind.value not in allowed_changes(alert):
            raise InvalidTransition(event.kind.value, alert.state, allowed_changes(alert))
    elif event.kind not in _ALLOWED[alert.state]:
        raise InvalidTransition(event.kind.value, alert.state, allowed_changes(alert))
    alert = replace(alert, version=alert.version + 1, updated_at=max(alert.updated_at, event.at))
    data = event.data
    match event.kind:
        case EventKind.UPDATED | EventKind.ESCALATED | EventKind.CLEARED:
            alert = replace(
                alert,
                score=_number(data, "score"),
                sentence=_text(data, "sentence"),
                evidence=_mapping(data.get("evidence")),
                severity=(
                    alert.severity
                    if event.kind is EventKind.CLEARED
                    else max(
                        alert.severity,
                        Severity(_text(data, "severity")),
                        key=lambda level: level.rank,
                    )
                ),
                cleared_at=event.at if event.kind is EventKind.CLEARED else None,
            )
        case EventKind.ACKNOWLEDGED:
            alert = replace(alert, acknowledged_at=event.at, acknowledged_by=event.actor)
        case EventKind.SHELVED:
            until = datetime.fromisoformat(_text(data, "until"))
            alert = replace(alert, shelved_until=until, shelved_reason=_text(data, "reason"))
        case EventKind.UNSHELVED:
            alert = replace(alert, shelved_until=None, shelved_reason=None)
        case EventKind.RESOLVED:
            alert = replace(
                alert,
                resolved_at=event.at,
                resolved_by=event.actor,
                verdict=Verdict(_text(data, "verdict")),
            )
        case EventKind.COMMENTED:
            _text(data, "comment")
        case EventKind.RAISED:  # refused above
            raise InvalidTransition(event.kind.value, alert.state, allowed_changes(alert))
    return alert


def fold_all(events: Iterable[AlertEvent]) -> Alert | None:
    """The alert that a whole log means, or None for an empty one."""
    alert: Alert | None = None
    for event in events:
        alert = fold(alert, event)
    return alert


def _raised(event: AlertEvent) -> Alert:
    if event.kind is not EventKind.RAISED:
        raise InvalidTransition(event.kind.value, "not raised", ())
    data = event.data
    previous = data.get("previous_id")
    return Alert(
        id=event.alert_id,
        rule=Rule(_text(data, "rule")),
        subject=_text(data, "subject"),
        version=1,
        severity=Severity(_text(data, "severity")),
        score=_number(data, "score"),
        sentence=_text(data, "sentence"),
        evidence=_mapping(data.get("evidence")),
        started_at=datetime.fromisoformat(_text(data, "started_at")),
        raised_at=event.at,
        updated_at=event.at,
        previous_id=uuid.UUID(str(previous)) if previous else None,
    )


def _text(data: Mapping[str, object], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str):
        raise InvalidInput(name, value, "this change of an alert needs it as text")
    return value


def _number(data: Mapping[str, object], name: str) -> float:
    value = data.get(name)
    if not isinstance(value, int | float):
        raise InvalidInput(name, value, "this change of an alert needs it as a number")
    return float(value)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
