"""What an event does to an alert, and what a person may do to it: the one place where the log becomes a state.

It refuses what does not fit: a change that the state does not allow, an event of another alert, a missing fact.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from services.domain.alert import Alert
from services.domain.alert_event import MACHINES, SYSTEM, AlertEvent, EventKind, Verdict, Work
from services.domain.condition import Rule, Severity
from services.domain.errors import InvalidInput, InvalidTransition
from services.domain.facts import choice_of, mapping_of, moment_of, number_of, text_of
from services.domain.sentences.problem import problem

_OF_MEASUREMENT: Final = frozenset({EventKind.UPDATED, EventKind.ESCALATED, EventKind.CLEARED})
_OF_PEOPLE: Final = (
    EventKind.ACKNOWLEDGED,
    EventKind.ASSIGNED,
    EventKind.PROGRESSED,
    EventKind.SHELVED,
    EventKind.UNSHELVED,
    EventKind.COMMENTED,
    EventKind.RESOLVED,
)

_TELLING: Final = frozenset({EventKind.ESCALATED, EventKind.UNSHELVED, EventKind.UNSUPPRESSED})
"""Kinds by which people can first hear of an alert whose raise was not told."""


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
    if not _allowed(alert, event):
        raise InvalidTransition(event.kind.value, alert.state, allowed_changes(alert))
    changed = _changed(
        replace(alert, version=alert.version + 1, updated_at=max(alert.updated_at, event.at)), event
    )
    if changed.told_at is None and event.told and event.kind in _TELLING:
        return replace(changed, told_at=event.at)
    return changed


def _allowed(alert: Alert, event: AlertEvent) -> bool:
    if event.actor not in MACHINES:
        return event.kind.value in allowed_changes(alert)
    if event.kind in _OF_MEASUREMENT:
        return alert.active
    if event.actor != SYSTEM or alert.resolved_at is not None:
        return False
    match event.kind:
        case EventKind.UNSHELVED:
            return alert.shelved_until is not None
        case EventKind.SUPPRESSED:
            return True
        case EventKind.UNSUPPRESSED:
            return alert.suppressed_by is not None
    return False


def _changed(alert: Alert, event: AlertEvent) -> Alert:
    data = event.data
    match event.kind:
        case EventKind.UPDATED | EventKind.ESCALATED:
            severity = choice_of(data, "severity", Severity)
            worse = severity.rank > alert.severity.rank
            return replace(
                alert if not worse else _unseen(alert),
                score=number_of(data, "score"),
                sentence=text_of(data, "sentence"),
                said=mapping_of(data, "said") or None,
                evidence=mapping_of(data, "evidence"),
                severity=severity if worse else alert.severity,
            )
        case EventKind.CLEARED:
            # the numbers that proved the case stay; those of its end are in the log
            number_of(data, "score")
            mapping_of(data, "evidence")
            choice_of(data, "severity", Severity)
            return replace(
                alert,
                sentence=text_of(data, "sentence"),
                said=mapping_of(data, "said") or None,
                cleared_at=event.at,
            )
        case EventKind.ACKNOWLEDGED:
            return replace(alert, acknowledged_at=event.at, acknowledged_by=event.actor)
        case EventKind.ASSIGNED:
            named = data.get("assignee") is not None
            return replace(alert, assignee=text_of(data, "assignee") if named else None)
        case EventKind.PROGRESSED:
            work = choice_of(data, "work", Work)
            if work is alert.work:
                others = ", ".join(each.value for each in Work if each is not work)
                raise InvalidInput("work", work.value, f"a step that it is not at yet: {others}")
            return replace(alert, work=work)
        case EventKind.SHELVED:
            until, reason = moment_of(data, "until"), text_of(data, "reason")
            if until <= event.at:
                raise InvalidInput("until", until.isoformat(), problem("future"))
            return replace(alert, shelved_until=until, shelved_reason=reason)
        case EventKind.UNSHELVED:
            return replace(alert, shelved_until=None, shelved_reason=None)
        case EventKind.SUPPRESSED:
            by, reason = text_of(data, "suppressed_by"), text_of(data, "reason")
            return replace(alert, suppressed_by=by, suppressed_reason=reason)
        case EventKind.UNSUPPRESSED:
            return replace(alert, suppressed_by=None, suppressed_reason=None)
        case EventKind.RESOLVED:
            verdict = choice_of(data, "verdict", Verdict)
            return replace(alert, resolved_at=event.at, resolved_by=event.actor, verdict=verdict)
        case EventKind.COMMENTED:
            text_of(data, "comment")
        case EventKind.RAISED:  # fold has refused it
            raise InvalidTransition(event.kind.value, alert.state, allowed_changes(alert))
    return alert


def _unseen(alert: Alert) -> Alert:
    """What has become more severe is no longer what a person took: it waits for somebody again."""
    return replace(alert, acknowledged_at=None, acknowledged_by=None)


def fold_all(events: Iterable[AlertEvent]) -> Alert | None:
    """The alert that a whole log means, or None for an empty one."""
    alert: Alert | None = None
    for event in events:
        alert = fold(alert, event)
    return alert


def _raised(event: AlertEvent) -> Alert:
    if event.kind is not EventKind.RAISED or event.actor not in MACHINES:
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
        said=mapping_of(data, "said") or None,
        evidence=mapping_of(data, "evidence"),
        started_at=moment_of(data, "started_at"),
        raised_at=event.at,
        updated_at=event.at,
        previous_id=_alert_id_of(data, "previous_id"),
        group_id=_alert_id_of(data, "group_id") or event.alert_id,
        told_at=event.at if event.told else None,
    )


def _alert_id_of(data: Mapping[str, object], name: str) -> uuid.UUID | None:
    value = data.get(name)
    try:
        return uuid.UUID(str(value)) if value else None
    except ValueError:
        raise InvalidInput(name, value, "the id of an alert") from None
