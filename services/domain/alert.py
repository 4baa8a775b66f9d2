"""Alerts: one case for one episode of a condition, told to people, and what the next condition means for it.

Every change is an event; `alert_fold.py` is the only place that knows what an event does to an alert. Active (the
measurement), acknowledged (a person owns it), shelved (hidden by a person until a time) and suppressed (not told, by
a named rule) are separate facts. It refuses to let a person speak for the measurement or a detector for a person.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.domain.alert_event import DETECTOR, SYSTEM, AlertEvent, EventKind, Verdict, Work
from services.domain.condition import Change, Condition, Rule, Severity
from services.domain.facts import evidence_as_dict, finite
from services.domain.instant import from_us
from services.domain.sentences.language import in_english
from services.domain.sentences.said import Said

__all__ = [
    "DETECTOR",
    "SYSTEM",
    "Alert",
    "AlertEvent",
    "EventKind",
    "Verdict",
    "Work",
    "alert_id",
    "event_of_condition",
    "worded",
]

_NAMESPACE: Final = uuid.UUID("6f2d8a52-7c1b-5e0e-9a57-3f0c1d9e4b11")


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
        assignee: who shall deal with it, by the name that people gave; work: how far that is.
        suppressed_by: the rule that keeps it from being told, as "exemption/<id>", "maintenance/<id>" or
            "alert/<id>" (a fault that explains it); None while nothing does. suppressed_reason: the same for people.
        told_at: when people could first hear of it; None while nobody was told.
        said: the sentence as data, for every language (`sentences/said.py`); None where there is only the English one.
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
    assignee: str | None = None
    work: Work = Work.NEW
    suppressed_by: str | None = None
    suppressed_reason: str | None = None
    told_at: datetime | None = None
    said: Mapping[str, object] | None = None

    @property
    def active(self) -> bool:
        """Whether the measurement still shows it."""
        return self.cleared_at is None

    @property
    def open(self) -> bool:
        """Whether the measurement still shows it and nobody has closed the case."""
        return self.cleared_at is None and self.resolved_at is None

    @property
    def latched(self) -> bool:
        """Whether it was told and cleared before anyone looked: it waits until acknowledged or resolved."""
        return (
            self.cleared_at is not None
            and self.told_at is not None
            and self.acknowledged_at is None
            and self.resolved_at is None
        )

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


def worded(words: Said | str) -> dict[str, object]:
    """What an event keeps of words: the English sentence, and beside it what other languages are made of."""
    if isinstance(words, str):
        return {"sentence": words}
    return {"sentence": in_english(words), "said": words.as_dict()}


def alert_id(rule: Rule, subject: str, onset_us: int) -> uuid.UUID:
    """The id of an episode's alert: the same whenever and wherever the episode is found again."""
    return uuid.uuid5(_NAMESPACE, f"{rule}|{subject}|{onset_us}")


def event_of_condition(
    condition: Condition, words: Said | str, alert: Alert | None
) -> AlertEvent | None:
    """The event that a detector's condition means for its subject's alerts; None when it changes nothing.

    The ids are those of a replay too: the same condition about the same episode gives the same event id whatever
    people or an earlier run did to the alert in between. An update whose raise was never written raises. A
    condition with another onset than the open alert (state was rebuilt from a shorter history) is about the open
    alert, because the measurement is; one that was not decided after that alert was raised is old news and nothing.

    Args:
        condition: what the detector said.
        words: the same, in words that every language has; or as a plain English text.
        alert: the open alert of the condition's rule and subject, or None when there is none. The alert of the
            condition's own episode may be given when it has cleared: nothing more comes of that episode.
    """
    episode = alert_id(condition.rule, condition.subject, condition.onset_us)
    at = from_us(condition.at_us)
    data: dict[str, object] = {
        "severity": condition.severity.value,
        "score": finite(condition.score) or 0.0,
        "evidence": evidence_as_dict(condition.evidence),
        **worded(words),
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
