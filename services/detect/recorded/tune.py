"""Compares configurations of the detectors on one history: what each finds, when, and for how many false alarms.

Either one limit after the other is moved to both sides of its present value, or every combination of given values is
tried, or given configurations are. It proposes and refuses to change anything: a person decides.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import inf
from typing import Final

from pydantic import ValidationError

from services.detect.detector_settings import DetectorSettings
from services.detect.recorded.backtest import Case, run_case
from services.detect.recorded.outcomes import Outcome, Tally, halves, outcomes, tally
from services.detect.scoring.alert_lines import parse_alerts
from services.detect.scoring.figures import Figures, figures
from services.detect.scoring.matching import match
from services.detect.scoring.truth import Truth
from services.domain.catalogue import Domain
from services.domain.errors import InvalidInput

FACTORS: Final[Mapping[Domain, Mapping[str, tuple[float, ...]]]] = {
    Domain.WATER: {
        "continuous_chance": (0.1, 10.0),
        "continuous_min_h": (0.5, 1.5),
        "burst_litres_per_h": (0.5, 2.0),
        "burst_night_h": (0.5, 2.0),
        "backflow_litres": (0.5, 3.0),
        "stuck_min_days": (0.6, 1.75),
        "night_cusum_h": (0.7, 1.4),
        "coarse_evidence": (0.7, 1.7),
        "intermittent_evidence": (0.7, 1.4),
        "silent_water_h": (0.5, 2.0),
        "zone_cusum_h": (0.7, 1.4),
        "zone_burst_h": (0.7, 1.4),
        "balance_cusum_h": (0.7, 1.4),
    },
    Domain.TRAFFIC: {
        "congestion_km_per_h": (0.85, 1.1),
        "congestion_on_s": (0.5, 3.0),
        "unusual_sigmas": (0.75, 1.5),
        "unusual_drop_km_per_h": (0.75, 1.5),
        "stuck_traffic_min": (0.5, 2.0),
        "silent_traffic_min": (0.5, 2.0),
    },
}
"""What the present value of a limit is multiplied by where nobody names values; one rule at least has each limit."""
MOST: Final = 200
"""Configurations in one comparison."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """One configuration under a name.

    Attributes:
        changes: what differs from the present one.
    """

    name: str
    settings: DetectorSettings
    changes: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A history of which people know what was true.

    Attributes:
        case: its readings. truth: what was true.
        sensor_days, days: how much was watched.
        complete: whether everything that is not in the truth was no event; else such alerts are not judged.
    """

    case: Case
    truth: Truth
    sensor_days: float
    days: float
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Point:
    """A configuration and what it was worth.

    Attributes:
        false_alarms: episodes that a person has judged, or the truth shows, to be none.
        unjudged: episodes of which nobody knows.
        front: no other one is better in one respect and as good in the others.
        outcomes: of each event and each false alarm.
    """

    configuration: Configuration
    figures: Figures
    false_alarms: int
    unjudged: int
    front: bool = False
    outcomes: tuple[Outcome, ...] = ()

    @property
    def missed(self) -> int:
        """Events that it did not find."""
        return self.figures.events - self.figures.found

    @property
    def cost(self) -> tuple[int, int, float, int]:
        """What is to be small: false alarms, misses, median hours to detect, alerts that nobody has judged."""
        median = self.figures.median_h
        return self.false_alarms, self.missed, inf if median is None else median, self.unjudged


def one_by_one(present: DetectorSettings, domains: Iterable[Domain]) -> Iterator[Configuration]:
    """The present configuration, and for each limit of the domains one on either side of it, within its bounds."""
    yield Configuration("present", present, {})
    for domain in domains:
        for name, factors in FACTORS[domain].items():
            for factor in factors:
                value = float(f"{getattr(present, name) * factor:.4g}")
                made = _changed(present, {name: value})
                if made is not None:
                    yield made


def combinations(
    present: DetectorSettings, values: Mapping[str, Sequence[float]]
) -> Iterator[Configuration]:
    """The present configuration, and every combination of the given values.

    Raises:
        InvalidInput: a name is no limit, a value is out of its bounds, or there are too many combinations.
    """
    for name, chosen in values.items():
        if name not in DetectorSettings.model_fields:
            raise InvalidInput("limit", name, "the name of a setting in [detectors]")
        for value in chosen:
            if _changed(present, {name: value}) is None:
                raise InvalidInput(f"limit {name}", value, "a value within the setting's bounds")
    yield Configuration("present", present, {})
    several = list(product(*values.values()))
    if len(several) > MOST:
        raise InvalidInput("limits", len(several), f"at most {MOST} combinations")
    for each in several:
        changes = {n: v for n, v in zip(values, each, strict=True) if getattr(present, n) != v}
        made = _changed(present, changes) if changes else None
        if made is not None:
            yield made


def differing(
    present: DetectorSettings, others: Mapping[str, DetectorSettings]
) -> Iterator[Configuration]:
    """The present configuration, and the given ones."""
    yield Configuration("present", present, {})
    for name, settings in others.items():
        changes = {
            field: value
            for field, value in settings.model_dump().items()
            if getattr(present, field) != value
        }
        yield Configuration(name, settings, changes)


def _changed(present: DetectorSettings, changes: Mapping[str, float]) -> Configuration | None:
    try:
        settings = DetectorSettings.model_validate({**present.model_dump(), **changes})
    except ValidationError:
        return None
    return Configuration(", ".join(f"{n} = {v:g}" for n, v in changes.items()), settings, changes)


def tried(configuration: Configuration, histories: Sequence[Labelled]) -> Point:
    """Run a configuration over the histories."""
    from services.detect.scoring.figures import pool

    parts, false_alarms, unjudged = [], 0, 0
    became: list[Outcome] = []
    for each in histories:
        lines = run_case(each.case, configuration.settings, end_us=each.truth.end_us)
        alerts = parse_alerts(json.dumps(line) for line in lines)
        matching = match(each.truth, alerts)
        found = figures(matching, each.sensor_days, each.days)
        parts.append(found)
        known = found.false_alarms if each.complete else found.benign
        false_alarms += known
        unjudged += found.false_alarms - known
        became += outcomes(matching, each.complete)
    return Point(configuration, pool(parts), false_alarms, unjudged, outcomes=tuple(became))


def with_front(points: Sequence[Point]) -> list[Point]:
    """The points, those on the front marked: by false alarms, misses, time to detect and unjudged alerts."""
    costs = [point.cost for point in points]
    return [
        replace(point, front=not any(_dominates(other, cost) for other in costs))
        for point, cost in zip(points, costs, strict=True)
    ]


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


@dataclass(frozen=True, slots=True)
class Prices:
    """What outcomes cost a utility, in any money.

    Attributes:
        false_alarm: somebody goes and finds nothing.
        missed: an event of which nobody is told.
        hour: each hour from an event's start until somebody is.
    """

    false_alarm: float
    missed: float
    hour: float

    def of(self, counted: Tally) -> float:
        """The cost of outcomes."""
        return (
            self.false_alarm * counted.false_alarms
            + self.missed * counted.missed
            + self.hour * counted.hours
        )


def proposal(points: Sequence[Point], prices: Prices | None = None) -> Point:
    """The point that finds as much as the present one for the fewest false alarms, then the soonest.

    With prices the one that costs least, whatever it misses. More alerts that nobody has judged than now are not
    proposed. The present one is the first of the points, and stays where nothing is better.
    """
    present = points[0]
    fit = [p for p in points if p.unjudged <= present.unjudged]
    if prices is not None:
        return min(fit, key=lambda p: (prices.of(tally(p.outcomes)), len(p.configuration.changes)))
    fit = [p for p in fit if p.missed <= present.missed]
    return min(fit, key=lambda point: (*point.cost, len(point.configuration.changes)))


def holds(present: Point, other: Point, prices: Prices | None = None) -> tuple[bool, bool]:
    """Whether the other one is at least as good as the present one in either half of the sensors."""
    pairs = list(zip(halves(present.outcomes), halves(other.outcomes), strict=True))
    first, second = (_no_worse(a, b, prices) for a, b in pairs)
    return first, second


def _no_worse(present: Tally, other: Tally, prices: Prices | None) -> bool:
    if prices is not None:
        return prices.of(other) <= prices.of(present)
    return other.missed <= present.missed and other.false_alarms <= present.false_alarms
