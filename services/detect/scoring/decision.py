"""Redraws the decision behind an alert from its evidence alone: which figure stood on which side of which limit.

For the report and for whoever doubts an alert. It refuses to look at readings, and takes a decision that the evidence
does not prove for what it is: not proven.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from services.detect.scoring.families import Family

_PAIRS: Final = (
    ("hours_without_pause_h", ">=", "needed_h", "hours without a pause", "h"),
    ("least_litres_per_h", ">=", "least_needed_litres_per_h", "least flow of the run", "L/h"),
    ("hours_without_use_h", ">=", "needed_h", "hours without use", "h"),
    ("hours_above_h", ">=", "needed_h", "hours above the limit", "h"),
    ("chance_by_habit_1", "<=", "chance_limit_1", "chance of it by habit", ""),
    ("sum_sigmas_1", ">=", "sum_limit_1", "sum of deviations, in sigmas", ""),
    ("evidence_1", ">=", "evidence_limit_1", "sum of evidence", ""),
    ("unchanged_min", ">=", "limit_min", "minutes without a change", "min"),
    ("occupied_without_vehicles_min", ">=", "needed_min", "minutes of it", "min"),
    ("locked_on_min", ">=", "needed_min", "minutes of it", "min"),
    ("zero_in_daytime_min", ">=", "needed_min", "minutes of it", "min"),
    ("misfit_min", ">=", "needed_min", "minutes of it", "min"),
)
"""Figure, its side, its limit (names of the evidence's numbers), what it is, unit."""
_SLACK: Final = 0.006
"""Figures are rounded to be read: what is so near to its limit stands on it."""
_LOW: Final = frozenset({Family.BACKFLOW, Family.CONGESTION})
_WORDS: Final[Mapping[str, str]] = {
    "flow_litres_per_h": "flow",
    "register_litres": "fall of the register",
    "consumption_litres": "pauses",
    "observed_at": "silence",
    "speed_km_per_h": "speed",
    "count_veh": "vehicles",
    "flow_veh_per_h": "flow",
    "occupancy_pct": "occupancy",
}
_RATIOS: Final[Mapping[str, str]] = {
    "count_veh": "factor against what is usual",
    "speed_km_per_h": "share of readings that jump",
}
"""What a metric's value is where its unit is 1."""


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison.

    Attributes:
        what: in words; unit: of both figures, UCUM, empty for a bare number.
        figure, limit: what is compared.
        side: ">=" or "<=".
    """

    what: str
    figure: float
    side: str
    limit: float
    unit: str

    @property
    def holds(self) -> bool:
        """Whether the figure stands on its side of the limit, up to rounding."""
        slack = _SLACK * abs(self.limit)
        if self.side == ">=":
            return self.figure >= self.limit - slack
        return self.figure <= self.limit + slack


def checks(kind: str, family: str, evidence: Mapping[str, Any]) -> tuple[Check, ...]:
    """The comparisons that the evidence lets one make, the value with its threshold first; empty: it proves nothing.

    Args:
        kind, family: of the alert, as recordings call it.
        evidence: as `AlertLine` has it.
    """
    given = evidence.get("numbers")
    numbers: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    value, threshold, baseline = (
        _figure(evidence.get(name)) for name in ("value", "threshold", "baseline")
    )
    metric, unit = str(evidence.get("metric") or ""), str(evidence.get("unit") or "")
    shown = "" if unit in ("1", "{veh}") else unit.replace("{veh}", "veh")
    found: list[Check] = []
    lowest = _figure(numbers.get("lowest_km_per_h"))
    if family == Family.CONGESTION and value and threshold and lowest and value > threshold:
        # told anew while the speed stands between the limit and that of the end: what made it a jam was lower
        found.append(Check("lowest speed", lowest, "<=", threshold, shown))
    elif value is not None and threshold is not None:
        what = _RATIOS.get(metric, metric) if unit == "1" else _WORDS.get(metric, metric)
        low = _is_low(kind, family, metric, threshold, baseline)
        found.append(Check(what, value, "<=" if low else ">=", threshold, shown))
    for figure, side, limit, what, of in _PAIRS:
        one, other = _figure(numbers.get(figure)), _figure(numbers.get(limit))
        if one is not None and other is not None:
            found.append(Check(what, one, side, other, of))
    needed = _figure(numbers.get("needed_usual_veh"))
    if needed is not None and baseline is not None and value is not None:
        found.append(Check("vehicles", value, "<=", 0.0, ""))
        found.append(Check("vehicles that are usual", baseline, ">=", needed, ""))
    factor = _figure(numbers.get("unit_factor_1"))
    if factor is not None and value is not None and baseline:
        found.append(
            Check("reading in the other unit", value * factor, ">=", baseline * 0.98, shown)
        )
        found.append(
            Check("reading in the other unit", value * factor, "<=", baseline * 1.02, shown)
        )
    return tuple(found)


def _is_low(kind: str, family: str, metric: str, threshold: float, baseline: float | None) -> bool:
    """Whether the value had to fall to its threshold."""
    if family in _LOW or kind == "intermittent_leak":
        return True
    if family == Family.INCIDENT:
        return metric != "count_veh"
    return family == Family.MALFUNCTION and baseline is not None and threshold < baseline


def _figure(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value)
