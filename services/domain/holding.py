"""What keeps an alert from being told: a rule that people made, or another alert that explains it.

Feed before gateway before sensor; a sensor that is faulty, stuck or silent before what it seems to have measured. It
refuses to let a later fault explain away what was raised before the fault began, or silence what still speaks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from services.domain.alert import Alert
from services.domain.alert_event import Verdict
from services.domain.condition import Rule
from services.domain.subject import SubjectKind, kind_of_subject, name_of_subject
from services.domain.suppression import NOWHERE, Suppression, SuppressionKind, Whereabouts

FAULTS: Final[Mapping[Rule, str]] = {
    Rule.SENSOR_FAULT: "The sensor itself is faulty",
    Rule.STUCK: "The meter itself is stuck",
    Rule.SILENT: "The sensor itself has fallen silent",
}
"""Rules about a sensor, and what they say about whatever else it seems to show."""
_SILENCES: Final = frozenset({Rule.SILENT, Rule.STUCK})
CAUSES: Final = frozenset(FAULTS) | {Rule.FEED_SILENT}
"""Rules whose alerts can explain others."""
_WORDS: Final[Mapping[SuppressionKind, str]] = {
    SuppressionKind.EXEMPTION: "Exempt",
    SuppressionKind.MAINTENANCE: "Works",
}


@dataclass(frozen=True, slots=True)
class Hold:
    """One thing that keeps an alert from being told: its name ("maintenance/<id>", "alert/<id>") and why."""

    by: str
    reason: str


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
                yield Hold(rule.name, f"{_WORDS[rule.kind]}: {rule.reason}")


def _explains(cause: Alert, alert: Alert, where: Whereabouts) -> str | None:
    if cause.id == alert.id or not cause.active or alert.raised_at < cause.started_at:
        return None
    if cause.verdict is Verdict.LEGITIMATE_USE:  # a person says that it is no fault
        return None
    if cause.rule is not Rule.FEED_SILENT:
        fault = alert.rule in FAULTS or alert.rule is Rule.FEED_SILENT
        return None if fault or cause.subject != alert.subject else FAULTS.get(cause.rule)
    name = name_of_subject(cause.subject)
    if kind_of_subject(cause.subject) is SubjectKind.GATEWAY:
        behind = alert.rule in _SILENCES and where.gateway == name
        return f"Everything behind the gateway {name} is silent" if behind else None
    gateway = kind_of_subject(alert.subject) is SubjectKind.GATEWAY
    silent = alert.rule in _SILENCES or (alert.rule is Rule.FEED_SILENT and gateway)
    behind = silent and where.domain is not None and where.domain.value == name
    return f"The whole {name} feed is silent" if behind else None
