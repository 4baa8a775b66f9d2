"""Several runs of one pipeline as one line of figures."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.peers.trial import Outcome


@dataclass(frozen=True, slots=True)
class Median:
    """Medians over rounds; the worst round for memory, what is missing and what is there twice.

    CPU is in microseconds a reading; `outside_us` is service and database together.
    """

    rounds: int
    readings: int
    readings_per_s: float
    service_us: float
    database_us: float
    broker_us: float
    load_us: float
    outside_us: float
    lag_p50_ms: float | None
    lag_p99_ms: float | None
    resident_peak_mb: float | None
    missing: int
    repeated: int
    foreign_cores: float


def median(runs: Sequence[Outcome]) -> Median:
    """The medians of at least one run."""

    def cpu(account: str) -> float:
        return statistics.median(run.cpu_us[account] for run in runs)

    return Median(
        len(runs),
        runs[0].readings,
        statistics.median(run.readings_per_s for run in runs),
        cpu("service"),
        cpu("database"),
        cpu("broker"),
        cpu("load"),
        statistics.median(run.outside_us for run in runs),
        _of([run.lag_p50_ms for run in runs]),
        _of([run.lag_p99_ms for run in runs]),
        max((run.resident_peak_mb for run in runs if run.resident_peak_mb), default=None),
        max(run.missing for run in runs),
        max(run.repeated for run in runs),
        statistics.median(run.foreign_cores for run in runs),
    )


def _of(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
