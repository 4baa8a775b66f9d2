"""What keeps an alert from being told: a rule that people made, or another alert that explains it.

Feed before gateway before sensor; a sensor that is faulty, stuck or silent before what it seems to have measured. It
refuses to let a later fault explain away what was raised before the fault began, or silence what still speaks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from services.domain.alert import Alert
from services.domain.alert_event import Verdict
from services.domain.catalogue import Domain
from services.domain.condition import Rule
from services.domain.sentences.language import in_english
from services.domain.sentences.said import Said, Value, phrase
from services.domain.subject import SubjectKind, kind_of_subject, name_of_subject
from services.domain.suppression import NOWHERE, Suppression, Whereabouts

FAULTS: Final = (Rule.SENSOR_FAULT, Rule.STUCK, Rule.SILENT)
"""Rules about a sensor, which explain whatever else it seems to show."""
_SILENCES: Final = frozenset({Rule.SILENT, Rule.STUCK})
CAUSES: Final = frozenset(FAULTS) | {Rule.FEED_SILENT}
"""Rules whose alerts can explain others."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One thing that keeps an alert from being told: its name ("maintenance/<id>", "alert/<id>") and why, as data."""

    by: str
    said: Said

    @property
    def reason(self) -> str:
        """Why, in English."""
        return in_english(self.said)


@dataclass(slots=True)
class Holding:
    """All that may hold alerts back, at one look.

    Attributes:
        rules: exemptions and maintenance windows.
        causes: active alerts of `CAUSES`.
        where: whereabouts by subject; a subject that is not among them is nowhere.
    """

    rules: Sequence[Suppression] = ()
    causes: list[Alert] = field(default_factory=list)
    where: dict[str, Whereabouts] = field(default_factory=dict)

    def of(self, alert: Alert, at: datetime) -> Hold | None:
        """What holds the alert back at this time: what held it already, if it still does, else the first."""
        found = list(self._all(alert, at))
        same = [hold for hold in found if hold.by == alert.suppressed_by]
        return next(iter(same or found), None)

    def _all(self, alert: Alert, at: datetime) -> Iterator[Hold]:
        where = self.where.get(alert.subject, NOWHERE)
        for cause in self.causes:
            why = _explains(cause, alert, where)
            if why is not None:
                yield Hold(f"alert/{cause.id}", why)
        for rule in self.rules:
            if rule.holds(alert, where, at):
                yield Hold(rule.name, _because(rule.kind.value, reason=rule.reason))


def _explains(cause: Alert, alert: Alert, where: Whereabouts) -> Said | None:
    if cause.id == alert.id or not cause.active or alert.raised_at < cause.started_at:
        return None
    if cause.verdict is Verdict.LEGITIMATE_USE:  # a person says that it is no fault
        return None
    if cause.rule is not Rule.FEED_SILENT:
        fault = alert.rule in FAULTS or alert.rule is Rule.FEED_SILENT
        if fault or cause.subject != alert.subject or cause.rule not in FAULTS:
            return None
        return _because(cause.rule.value)
    name = name_of_subject(cause.subject)
    if kind_of_subject(cause.subject) is SubjectKind.GATEWAY:
        behind = alert.rule in _SILENCES and where.gateway == name
        return _because("gateway", name=name) if behind else None
    gateway = kind_of_subject(alert.subject) is SubjectKind.GATEWAY
    silent = alert.rule in _SILENCES or (alert.rule is Rule.FEED_SILENT and gateway)
    behind = silent and where.domain is not None and where.domain.value == name
    return _because("feed", name=_feed(name)) if behind else None


def _because(which: str, **values: Value) -> Said:
    return Said((phrase(f"held.{which}", **values),), None, "UTC")


def _feed(name: str) -> Value:
    return phrase(f"domain.{name}") if name in set(Domain) else name
