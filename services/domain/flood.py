"""A flood: more alerts in ten minutes than a person can take in. It is announced as one, itself an alert, and ends.

From the eleventh on, what is raised goes to the flood's tally (how many, which rules, where) and nobody is told of it
singly; it is in the list like any other. It refuses to fold the silence of a feed, which is one alert for many by
itself, and to grow quiet: the flood is told again when it has doubled, or when something more severe is in it.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from services.domain.alert import Alert, AlertEvent, EventKind, worded
from services.domain.alert_event import SYSTEM
from services.domain.catalogue import Domain
from services.domain.condition import Evidence, Rule, Severity
from services.domain.facts import evidence_as_dict, mapping_of
from services.domain.sentences.said import Phrase, Said, amount, count, phrase
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

        def whole(value: object) -> int:
            return value if isinstance(value, int) else 0

        def counter(name: str) -> Counter[str]:
            return Counter({key: whole(n) for key, n in mapping_of(facts, name).items()})

        return cls(
            whole(facts.get("alerts")),
            whole(facts.get("told")),
            counter("rules"),
            counter("places"),
        )

    def say(self, what: str, began: datetime, at: datetime) -> Said:
        """What is said of it while it lasts: "23 more water alerts in 12 minutes are not told one by one: ..."."""
        now = phrase(
            "flood.now",
            alerts=count(self.alerts),
            what=_domain(what),
            length=_length(at - began),
            rules=_listed(self.rules, lambda rule: phrase(f"rule.{rule}")),
            places=_listed(self.places, _place),
        )
        return Said((now,), phrase("first.flood"), "UTC")


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
    ended = phrase(
        "flood.over",
        what=_domain(what),
        length=_length(at - flood.started_at),
        alerts=count(tally.alerts),
        open=count(still_open),
    )
    data |= worded(Said((ended,), phrase("first.flood_over"), "UTC"))
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
        "evidence": {**evidence_as_dict(evidence), "flood": tally.facts()},
        **worded(tally.say(what, began, at)),
    }


def _listed(counts: Counter[str], name: Callable[[str], Phrase | str]) -> list[Phrase]:
    """The largest, one behind the other, and how many others there are."""
    largest = counts.most_common(_SHOWN)
    shown = [phrase("flood.count", count=count(n), name=name(each)) for each, n in largest]
    rest = sum(counts.values()) - sum(n for _, n in largest)
    if rest:
        shown.append(phrase("flood.others", count=count(rest)))
    return shown[:1] + [phrase("flood.next", item=each) for each in shown[1:]]


def _place(name: str) -> Phrase | str:
    return phrase("flood.elsewhere") if name == _NOWHERE else name


def _domain(name: str) -> Phrase | str:
    return phrase(f"domain.{name}") if name in set(Domain) else name


def _length(length: timedelta) -> Phrase:
    """In whole minutes, at least one."""
    return amount(60 * max(1, round(length.total_seconds() / 60)), "s")
