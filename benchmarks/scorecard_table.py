"""The lines of the scorecard: which cases, which figure, what published detectors reach there, and our aim.

A literal table. It refuses to name single events, and to compute anything but a figure from what was counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final

from services.detect.scoring.figures import Figures

BASELINE_SOURCE: Final = "README of the practice set; LeakDB and NAB as published"


@dataclass(frozen=True, slots=True)
class Judged:
    """Everything that a line may ask of its cases.

    Attributes:
        own: pooled figures of the row's families.
        leaks: of the leak family alone.
        skill: over chance, where leaks overlap; None elsewhere.
        f_score: sample by sample, in per cent.
        cases: how many.
    """

    own: Figures
    leaks: Figures
    skill: float | None
    f_score: float
    cases: int


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a row.

    Attributes:
        name, unit: of the figure.
        of: takes it from what was counted; None where another scorer gives it by name, or nothing computes it.
        aim: what it should reach; `higher` says in which direction.
        baseline, baseline_of: what a published detector reaches, and which.
    """

    name: str
    of: Callable[[Judged], float | None] | None
    aim: float
    baseline: float | None = None
    baseline_of: str = ""
    higher: bool = True
    unit: str = ""

    @property
    def sign(self) -> str:
        """How the aim is to be read."""
        return ">=" if self.higher else "<="

    def better(self, one: float, other: float) -> bool:
        """Whether a figure is better than another."""
        return one > other if self.higher else one < other

    def good(self, one: float, limit: float) -> bool:
        """Whether a figure reaches a limit."""
        return one >= limit - 1e-6 if self.higher else one <= limit + 1e-6

    def shown(self, value: float | None) -> str:
        """The figure with its unit; a dash for None."""
        if value is None:
            return "-"
        if self.unit:
            return f"{value:.1f} {self.unit}"
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of work.

    Attributes:
        work: its name.
        cases, but: patterns of the names of its cases, and of those that are not meant.
        measures: its figures.
        families: whose events and false alarms count; None for all.
        spacing_m: only roads whose stations are so far apart, from (included) to (not included).
        by_sample: whether every sample is judged too.
    """

    work: str
    cases: tuple[str, ...]
    measures: tuple[Measure, ...]
    but: tuple[str, ...] = ()
    families: frozenset[str] | None = None
    spacing_m: tuple[float, float] | None = None
    by_sample: bool = False


def _recall(judged: Judged) -> float | None:
    return judged.own.recall


def _precision(judged: Judged) -> float | None:
    return judged.own.precision


def _false_alarms(judged: Judged) -> float | None:
    return float(judged.own.false_alarms)


def _per_day(judged: Judged) -> float | None:
    return judged.own.per_day


def _median_minutes(judged: Judged) -> float | None:
    return None if judged.own.median_h is None else 60 * judged.own.median_h


def _slowest_h(judged: Judged) -> float | None:
    return judged.own.delays_h[-1] if judged.own.delays_h else None


def _per_1000(judged: Judged) -> float | None:
    return judged.own.per_1000_sensor_days


def _leaks_h(judged: Judged) -> float | None:
    return judged.leaks.median_h


def _seldom(work: str, cases: str, recall: float, hours: float) -> Row:
    """Meters that are read seldom: what is knowable of leaks and faults from so few readings."""
    return Row(
        work,
        (cases,),
        (
            Measure("recall", _recall, recall),
            Measure("precision", _precision, 0.90),
            Measure("false alarms per 1,000 meter-days", _per_1000, 0.5, higher=False),
            Measure("leaks, median time", _leaks_h, hours, higher=False, unit="h"),
        ),
    )


_VENDOR: Final = "vendor rules"
_MNF20: Final = "night minimum, 20 %"
_CALIFORNIA: Final = "California #8, T1 = 22"
_PEMS: Final = "PeMS-style rules"
_HTM: Final = "Numenta HTM"
_ARTIME: Final = "ARTime"
NAB_CASES: Final = "series/nab"
"""The row that `scorecard_nab` fills: its files are no cases with events."""

ROWS: Final[tuple[Row, ...]] = (
    Row(
        "hourly customer meters, all families",
        ("water/ami_hourly*",),
        (
            Measure("recall", _recall, 0.95, 0.839, _VENDOR),
            Measure("precision", _precision, 0.90, 0.684, _VENDOR),
            Measure(
                "false alarms per 1,000 meter-days",
                lambda judged: judged.own.per_1000_sensor_days,
                0.5, 2.8, _VENDOR, higher=False,
            ),
            Measure(
                "leaks, median time",
                lambda judged: judged.leaks.median_h,
                20, 29, _VENDOR, higher=False, unit="h",
            ),
        ),
        but=("*apartments*",),
    ),
    Row(
        "homes that never sleep",
        ("water/*apartments*",),
        (
            Measure("recall", _recall, 1.0, 0.0, _VENDOR),
            Measure("false alarms", _false_alarms, 0, 0, _VENDOR, higher=False),
        ),
    ),
    Row(
        "15-min meters",
        ("water/*15min*", "water/*15_min*"),
        (
            Measure("recall", _recall, 0.95),
            Measure("precision", _precision, 0.90),
            Measure(
                "false alarms per 1,000 meter-days",
                lambda judged: judged.own.per_1000_sensor_days, 0.5, higher=False,
            ),
            Measure(
                "leaks, median time", lambda judged: judged.leaks.median_h, 20, higher=False, unit="h"
            ),
        ),
    ),
    _seldom("meters every 12 hours", "water/12h_*", 0.80, 60),
    _seldom("meters read daily", "water/daily_*", 0.75, 72),
    Row(
        "DMA, L-Town",
        ("water/dma_ltown*/*",),
        (
            Measure("recall", _recall, 1.0, 1.0, "weekday CUSUM"),
            Measure("precision", _precision, 0.80, 0.80, "weekday CUSUM"),
        ),
    ),
    Row(
        "LeakDB (Hanoi)",
        ("water/leakdb*/*",),
        (
            Measure("skill over chance", lambda judged: judged.skill, 0.80, 0.50, _MNF20),
            Measure("F by sample", lambda judged: judged.f_score, 75, 56.5, "LeakDB paper"),
        ),
        by_sample=True,
    ),
    Row(
        "mass balance",
        ("water/dma_mass_balance*/*",),
        (
            Measure("recall", _recall, 1.0, 1.0, "inlet minus meters, daily CUSUM"),
            Measure("false alarms", _false_alarms, 0, 1, "inlet minus meters, daily CUSUM", higher=False),
            Measure("slowest", _slowest_h, 12, 29, "inlet minus meters, daily CUSUM", higher=False, unit="h"),
        ),
    ),
    Row(
        "incidents, stations under 0.9 km apart",
        ("traffic/*",),
        (
            Measure("recall", _recall, 0.95, 13 / 15, _CALIFORNIA),
            Measure("false alarms a corridor-day", _per_day, 0.3, 0.8, _CALIFORNIA, higher=False),
            Measure("median time", _median_minutes, 3, 5.7, f"{_CALIFORNIA} (mean)", higher=False, unit="min"),
        ),
        families=frozenset({"incident"}),
        spacing_m=(0, 900),
    ),
    Row(
        "incidents, 1 km apart",
        ("traffic/*", "simulated/corridor*"),
        (
            Measure("recall", _recall, 0.85),
            Measure("false alarms a corridor-day", _per_day, 0.6, higher=False),
            Measure("median time", _median_minutes, 5, higher=False, unit="min"),
        ),
        families=frozenset({"incident"}),
        spacing_m=(900, inf),
    ),
    Row(
        "congestion",
        ("traffic/*",),
        (
            Measure("recall", _recall, 0.97, 105 / 107, "fixed 40 mph"),
            Measure("precision", _precision, 105 / 112, 105 / 112, "fixed 40 mph"),
        ),
        families=frozenset({"congestion"}),
    ),
    Row(
        "sensor malfunction",
        ("traffic/*",),
        (
            Measure("recall", _recall, 0.95, 12 / 14, _PEMS),
            Measure("false alarms", _false_alarms, 0, 0, _PEMS, higher=False),
            Measure("median time", _median_minutes, 15, 17, f"{_PEMS} (mean)", higher=False, unit="min"),
        ),
        families=frozenset({"malfunction", "missing", "stuck"}),
    ),
    Row(
        "stations that miscount, simulated road",
        ("simulated/miscounts*",),
        (
            Measure("recall", _recall, 0.95),
            Measure("false alarms", _false_alarms, 0, higher=False),
            Measure("median time", _median_minutes, 240, higher=False, unit="min"),
        ),
        families=frozenset({"malfunction", "missing", "stuck"}),
    ),
    Row(
        "NAB, standard profile",
        (NAB_CASES,),
        (
            Measure("realKnownCause", None, 55.5, 55.5, _HTM),
            Measure("realAWSCloudwatch", None, 73.4, 73.4, _HTM),
            Measure("realAdExchange", None, 76.9, 76.9, _HTM),
            Measure("realTweets", None, 68.0, 68.0, _HTM),
            Measure("artificial", None, 70.2, 70.2, _HTM),
            Measure("ALL", None, 74.9, 73.2, _ARTIME),
            Measure("ALL, few false alarms", None, 63.0, 63.0, _ARTIME),
            Measure("ALL, few misses", None, 78.9, 78.9, _ARTIME),
            Measure("ALL at 0.5", None, 73.2, 73.2, f"{_ARTIME}, best threshold"),
        ),
    ),
)  # fmt: skip
"""The table of the aims, from top to bottom."""
