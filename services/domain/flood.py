"""A flood: more alerts in ten minutes than a person can take in. It is announced as one, itself an alert, and ends.

From the eleventh on, what is raised goes to the flood's tally (how many, which rules, where) and nobody is told of it
singly; it is in the list like any other. It refuses to fold the silence of a feed, which is one alert for many by
itself, and to grow quiet: the flood is told again when it has doubled, or when something more severe is in it.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from services.domain.alert import Alert, AlertEvent, EventKind
from services.domain.alert_event import SYSTEM
from services.domain.condition import Evidence, Rule, Severity
from services.domain.facts import evidence_as_dict, mapping_of
from services.domain.subject import flood_subject
from services.domain.suppression import Whereabouts

NEVER_FOLDED: Final = frozenset({Rule.ALERT_FLOOD, Rule.FEED_SILENT})
_NOWHERE: Final = "elsewhere"
_SHOWN: Final = 4
_KEPT: Final = 30


@dataclass(frozen=True, slots=True)
class FloodLimit:
    """How many alerts within how long a person can take in; ISA-18.2 and EEMUA 191: 10 in 10 minutes."""

    alerts: int = 10
    window: timedelta = timedelta(minutes=10)

    def is_over(self, in_the_window: int) -> bool:
        """Whether a flood with so many alerts in the last window is over: half of what began it."""
        return in_the_window <= self.alerts // 2


@dataclass(slots=True)
class Tally:
    """What a flood holds so far: how many alerts, by rule and by place, how many when it was last told."""

    alerts: int = 0
    told: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)

    def add(self, rule: Rule, where: Whereabouts) -> None:
        """One more."""
        self.alerts += 1
        self.rules[rule.value] += 1
        self.places[where.zone or where.road or _NOWHERE] += 1

    def facts(self) -> dict[str, object]:
        """Plain data of it."""
        return {
            "alerts": self.alerts,
            "told": self.told,
            "rules": dict(self.rules.most_common()),
            "places": self._largest_places(),
        }

    def _largest_places(self) -> dict[str, int]:
        """The largest by name, the rest together: what the log keeps of each step stays small."""
        kept = Counter(dict(self.places.most_common(_KEPT)))
        kept[_NOWHERE] += self.alerts - sum(kept.values())
        return {name: count for name, count in kept.most_common() if count > 0}

    @classmethod
    def of(cls, evidence: Mapping[str, object]) -> Tally:
        """The tally in a flood's evidence; an empty one where there is none."""
        facts = mapping_of(evidence, "flood")

        def count(value: object) -> int:
            return value if isinstance(value, int) else 0

        def counter(name: str) -> Counter[str]:
            return Counter({key: count(n) for key, n in mapping_of(facts, name).items()})

        return cls(
            count(facts.get("alerts")),
            count(facts.get("told")),
            counter("rules"),
            counter("places"),
        )

    def sentence(self, what: str, began: datetime, at: datetime) -> str:
        """What is said of it while it lasts: "23 water alerts since 09:40 UTC: ..."."""
        return (
            f"Flood of alerts: {self.alerts} more {what} alerts in {_minutes(at - began)} are not told one by one: "
            f"{_listed(self.rules)}; {_listed(self.places)}. They are all in the list. "
            "First: look for what they have in common, and begin with the most severe."
        )


def raised(
    id_: uuid.UUID,
    *,
    what: str,
    tally: Tally,
    severity: Severity,
    began: datetime,
    at: datetime,
    limit: FloodLimit,
) -> AlertEvent:
    """The event that begins a flood of a domain ("water")."""
    subject = flood_subject(what)
    tally.told = tally.alerts
    data = _data(what=what, tally=tally, severity=severity, began=began, at=at, limit=limit) | {
        "rule": Rule.ALERT_FLOOD.value,
        "subject": subject,
        "started_at": began.isoformat(),
    }
    return AlertEvent(uuid.uuid5(id_, EventKind.RAISED), id_, EventKind.RAISED, at, SYSTEM, data)


def grown(
    flood: Alert, *, what: str, tally: Tally, severity: Severity, at: datetime, limit: FloodLimit
) -> AlertEvent:
    """The event that more came: told when it has doubled or something more severe is in it."""
    worse = severity.rank > flood.severity.rank
    kind = EventKind.ESCALATED if worse or tally.alerts >= 2 * tally.told else EventKind.UPDATED
    if kind is EventKind.ESCALATED:
        tally.told = tally.alerts
    worst = severity if worse else flood.severity
    data = _data(what=what, tally=tally, severity=worst, began=flood.started_at, at=at, limit=limit)
    return AlertEvent(uuid.uuid4(), flood.id, kind, at, SYSTEM, data)


def over(flood: Alert, what: str, still_open: int, at: datetime, limit: FloodLimit) -> AlertEvent:
    """The event that a flood has ended; `still_open`: how many of its alerts are."""
    tally = Tally.of(flood.evidence)
    data = _data(
        what=what, tally=tally, severity=flood.severity, began=flood.started_at, at=at, limit=limit
    )
    data["sentence"] = (
        f"The flood of {what} alerts is over after {_minutes(at - flood.started_at)}: {tally.alerts} were not told one "
        f"by one, {still_open} of them are still open. First: go through those in the list."
    )
    return AlertEvent(uuid.uuid4(), flood.id, EventKind.CLEARED, at, SYSTEM, data)


def _data(
    *, what: str, tally: Tally, severity: Severity, began: datetime, at: datetime, limit: FloodLimit
) -> dict[str, object]:
    evidence = Evidence(
        "alerts", "1", float(tally.alerts), float(limit.alerts), None, limit.window.total_seconds(),
        tally.alerts, 0.0,
    )  # fmt: skip
    return {
        "severity": severity.value,
        "score": 1.0,
        "sentence": tally.sentence(what, began, at),
        "evidence": {**evidence_as_dict(evidence), "flood": tally.facts()},
    }


def _listed(counts: Counter[str]) -> str:
    shown = [f"{n} {name.replace('_', ' ')}" for name, n in counts.most_common(_SHOWN)]
    rest = sum(counts.values()) - sum(n for _, n in counts.most_common(_SHOWN))
    return ", ".join([*shown, f"{rest} others"] if rest else shown)


def _minutes(length: timedelta) -> str:
    count = max(1, round(length.total_seconds() / 60))
    return f"{count} minute" if count == 1 else f"{count} minutes"
