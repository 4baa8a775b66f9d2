"""What ingest promises beside its peers, and whether a run shows it.

Ratios are taken within a round; the median of the rounds counts. The broker's ceiling is the faster of two receivers:
mosquitto_sub acknowledges each message by itself, which costs the broker more than acknowledgements in bulk.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.peers.medians import Median
from benchmarks.peers.pipelines import Name
from benchmarks.peers.trial import Outcome

_OURS: Final = (Name.OURS, Name.OURS_QOS_0, Name.OURS_ARRAY, Name.OURS_COLUMNS)
_CHEAPER: Final[Mapping[Name, float]] = {
    Name.BRIDGE_COPY: 1.5,
    Name.NODE_BATCH: 4.0,
    Name.BRIDGE_CONFLICT: 5.0,
    Name.TUTORIAL: 30.0,
    Name.FLOOR: 0.5,
}
"""How many times the CPU of ours, outside the broker, a pipeline must at least cost."""
_RESIDENT_MB: Final = 150.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One promise: `measured` must be at least `wanted`, or at most when `at_most`."""

    what: str
    measured: float
    wanted: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Whether the run shows it."""
        return self.measured <= self.wanted if self.at_most else self.measured >= self.wanted

    @property
    def verdict(self) -> str:
        """The same for a table."""
        return "yes" if self.met else "NO"


def ratios(flood: Mapping[Name, Sequence[Outcome]]) -> dict[str, dict[str, float]]:
    """For each other pipeline: how many times its speed ours has, and how many times our CPU it costs."""
    found: dict[str, dict[str, float]] = {}
    for name, runs in flood.items():
        pairs = list(zip(flood.get(Name.OURS, ()), runs, strict=False))
        if name is Name.OURS or not pairs:
            continue
        found[name] = {
            "speed_of_ours_to_it": statistics.median(
                ours.readings_per_s / each.readings_per_s for ours, each in pairs
            ),
            "its_cpu_to_ours_outside_the_broker": statistics.median(
                each.outside_us / ours.outside_us for ours, each in pairs
            ),
        }
    return found


def bars(
    flood: Mapping[Name, Sequence[Outcome]], steady: Mapping[int, Mapping[Name, Median]]
) -> list[Bar]:
    """Every promise that the runs can judge."""
    found = []
    for ours, ceilings, share in (
        (Name.OURS, (Name.CEILING, Name.RECEIVE), 0.9),
        (Name.OURS_QOS_0, (Name.CEILING_QOS_0,), 0.85),
    ):
        known = [flood[name] for name in ceilings if flood.get(name)]
        if not known:
            continue
        shares = [
            run.readings_per_s / max(each.readings_per_s for each in fastest)
            for run, *fastest in zip(flood.get(ours, ()), *known, strict=False)
        ]
        if shares:
            found.append(
                Bar(f"{ours}: share of the faster ceiling", statistics.median(shares), share)
            )
    against = ratios(flood)
    for name, times in _CHEAPER.items():
        if name in against:
            cost = against[name]["its_cpu_to_ours_outside_the_broker"]
            found.append(Bar(f"CPU of {name} / ours", cost, times))
    many = {name: flood.get(name, ()) for name in (Name.OURS_ARRAY, Name.OURS_COLUMNS)}
    found += [
        Bar(f"{name}: readings/s", statistics.median(run.readings_per_s for run in runs), 150_000)
        for name, runs in many.items()
        if runs
    ]
    for rate, p50, p99 in ((10_000, 20.0, 100.0), (100, None, 60.0)):
        lag = steady.get(rate, {}).get(Name.OURS)
        if lag is None or lag.lag_p50_ms is None or lag.lag_p99_ms is None:
            continue
        if p50 is not None:
            found.append(Bar(f"lag p50 ms at {rate:,}/s", lag.lag_p50_ms, p50, at_most=True))
        found.append(Bar(f"lag p99 ms at {rate:,}/s", lag.lag_p99_ms, p99, at_most=True))
    ours_runs = [run for name in _OURS for run in flood.get(name, ())]
    if ours_runs:
        most = max(run.resident_peak_mb or 0.0 for run in ours_runs)
        wrong = sum(run.missing + run.repeated for run in ours_runs)
        found.append(Bar("resident MB, worst run", most, _RESIDENT_MB, at_most=True))
        found.append(Bar("readings missing or twice", wrong, 0, at_most=True))
    return found
