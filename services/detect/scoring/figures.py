"""Figures of a matching: recall, precision, false alarms for each stretch of watching, time to detect; also pooled.

It refuses to average ratios: cases are pooled by adding their counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from services.detect.scoring.alert_lines import AlertLine
from services.detect.scoring.families import Family
from services.detect.scoring.intervals import of_count, of_share
from services.detect.scoring.matching import Episode, Matching, match
from services.detect.scoring.truth import Event, Truth
from services.domain.instant import HOUR_US

_CHANCE_PHASES: Final = 60
_CHANCE_ALERTS: Final = 400


@dataclass(frozen=True, slots=True)
class Figures:
    """What alerts were worth, on one case or several.

    Attributes:
        events, found: scored events, and how many of them were found.
        delays_h: hours from start to told, of each found event, ascending.
        false_alarms: episodes; `benign` of them during something harmless.
        judged, duplicates, ignored: counts of alerts, see `Matching`.
        sensor_days: sensors times days of 24 recorded hours.
        days: dates on which the case was recorded; for a road, corridor-days.
        by_chance: events that as many alerts, evenly spread, would have found; None where that is not asked.
    """

    events: int = 0
    found: int = 0
    delays_h: tuple[float, ...] = ()
    false_alarms: int = 0
    benign: int = 0
    judged: int = 0
    duplicates: int = 0
    ignored: int = 0
    sensor_days: float = 0.0
    days: float = 0.0
    by_chance: float | None = None

    @property
    def recall(self) -> float | None:
        """Share of the events that were found; None without events."""
        return self.found / self.events if self.events else None

    @property
    def precision(self) -> float | None:
        """Found events in found events and false alarms; None where there are neither."""
        told = self.found + self.false_alarms
        return self.found / told if told else None

    @property
    def per_1000_sensor_days(self) -> float | None:
        """False alarms in a thousand days of one meter or station."""
        return 1000 * self.false_alarms / self.sensor_days if self.sensor_days else None

    @property
    def per_day(self) -> float | None:
        """False alarms a day of the whole case: of a road, a corridor-day."""
        return self.false_alarms / self.days if self.days else None

    @property
    def median_h(self) -> float | None:
        """Median hours to detect; of an even number the later of the middle two."""
        return self.delays_h[len(self.delays_h) // 2] if self.delays_h else None

    @property
    def mean_h(self) -> float | None:
        """Mean hours to detect."""
        return sum(self.delays_h) / len(self.delays_h) if self.delays_h else None

    @property
    def skill(self) -> float | None:
        """(found - by chance) / (events - by chance): 0 for an alarm clock, 1 for every event."""
        if self.by_chance is None or self.events - self.by_chance < 1e-9:
            return None
        return (self.found - self.by_chance) / (self.events - self.by_chance)

    def document(self) -> dict[str, Any]:
        """All figures by name, for JSON."""
        return {
            "events": self.events,
            "found": self.found,
            "recall": self.recall,
            "precision": self.precision,
            "recall_95": of_share(self.found, self.events),
            "precision_95": of_share(self.found, self.found + self.false_alarms),
            "false_alarms_95": of_count(self.false_alarms),
            "false_alarms": self.false_alarms,
            "false_alarms_in_benign_windows": self.benign,
            "false_alarms_per_1000_sensor_days": self.per_1000_sensor_days,
            "false_alarms_per_day": self.per_day,
            "median_hours_to_detect": self.median_h,
            "mean_hours_to_detect": self.mean_h,
            "skill_over_chance": self.skill,
            "alerts_judged": self.judged,
            "alerts_duplicate": self.duplicates,
            "alerts_ignored": self.ignored,
            "sensor_days": self.sensor_days,
            "days": self.days,
        }


def figures(
    matching: Matching,
    sensor_days: float,
    days: float,
    chosen: Callable[[Event], bool] = lambda _: True,
    families: frozenset[str] | None = None,
) -> Figures:
    """The figures of a case, or of some of its events and families.

    Args:
        matching: of the case.
        sensor_days, days: how much was watched.
        chosen: which events count.
        families: whose false alarms count; None: everybody's. Counts of alerts are always of the whole case.
    """
    hits = [hit for hit in matching.hits if hit.event.scored and chosen(hit.event)]
    wrong = [each for each in matching.false_alarms if families is None or family(each) in families]
    return Figures(
        events=len(hits) + sum(chosen(event) for event in matching.misses),
        found=len(hits),
        delays_h=tuple(sorted(hit.delay_us / HOUR_US for hit in hits)),
        false_alarms=len(wrong),
        benign=sum(each.benign is not None for each in wrong),
        judged=matching.judged,
        duplicates=matching.duplicates,
        ignored=matching.ignored,
        sensor_days=sensor_days,
        days=days,
    )


def family(episode: Episode) -> str:
    """The family of a false alarm."""
    return episode.alerts[0].family


def families_of(matching: Matching) -> list[str]:
    """The families of a case's scored events and false alarms, in order of name."""
    of_events = {hit.event.family for hit in matching.hits if hit.event.scored}
    of_misses = {event.family for event in matching.misses}
    return sorted(of_events | of_misses | {family(each) for each in matching.false_alarms})


def of_family(matching: Matching, name: str, sensor_days: float, days: float) -> Figures:
    """The figures of one family."""
    return figures(
        matching, sensor_days, days, lambda event: event.family == name, frozenset({name})
    )


def pool(parts: Iterable[Figures]) -> Figures:
    """The figures of several cases together."""
    total = Figures()
    for part in parts:
        chances = [each for each in (total.by_chance, part.by_chance) if each is not None]
        total = Figures(
            events=total.events + part.events,
            found=total.found + part.found,
            delays_h=tuple(sorted(total.delays_h + part.delays_h)),
            false_alarms=total.false_alarms + part.false_alarms,
            benign=total.benign + part.benign,
            judged=total.judged + part.judged,
            duplicates=total.duplicates + part.duplicates,
            ignored=total.ignored + part.ignored,
            sensor_days=total.sensor_days + part.sensor_days,
            days=total.days + part.days,
            by_chance=sum(chances) if chances else None,
        )
    return total


def with_chance(result: Figures, truth: Truth, sensor_id: str) -> Figures:
    """The figures of a one-to-one case with what as many evenly spread alerts would have found.

    Every event of such a case is at every sensor, and old leaks are open most of the time: any alert finds one now
    and then. The mean over evenly spaced phases of the spread takes the place of a random draw.
    """
    number = min(result.judged, _CHANCE_ALERTS)
    if not truth.one_to_one:
        return result
    span_us = truth.end_us - truth.start_us
    found = 0
    for phase in range(_CHANCE_PHASES if number else 0):
        shift = (phase + 0.5) / _CHANCE_PHASES
        clock = [
            AlertLine(
                sensor_id,
                Family.ANOMALY,
                Family.ANOMALY,
                truth.start_us + round((i + shift) / number * span_us),
            )
            for i in range(number)
        ]
        found += sum(hit.event.scored for hit in match(truth, clock, any_family=True).hits)
    return replace(result, by_chance=found / _CHANCE_PHASES)
