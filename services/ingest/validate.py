"""Judges decoded readings against clock, registry and plausible ranges, whole columns at a time.

It refuses to drop anything silently: a row is good, marked, or carries the reason of its rejection. Plausibility only
marks. Order matters: rows come in order of arrival.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.domain.catalogue import CATALOGUE, Domain
from services.domain.instant import OLDEST_US, SECOND_US
from services.domain.quality import Quality
from services.domain.rejection import RejectReason

ACCEPTED: Final = 0
REASONS: Final = (
    RejectReason.UNKNOWN_SENSOR,
    RejectReason.WRONG_DOMAIN,
    RejectReason.TIME_TOO_OLD,
    RejectReason.TIME_IN_FUTURE,
)
"""Verdict k + 1 is REASONS[k]; the first that applies counts."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The clock's limits, microseconds: ahead of receipt for rejection and for a mark, age for LATE (0: never)."""

    future_us: int
    suspect_us: int
    late_us: int

    @classmethod
    def of_seconds(cls, future_s: float, suspect_s: float, late_s: float) -> Limits:
        """From the settings' seconds."""
        return cls(
            round(future_s * SECOND_US), round(suspect_s * SECOND_US), round(late_s * SECOND_US)
        )


def verdicts(
    known: NDArray[np.bool_],
    in_domain: NDArray[np.bool_],
    observed_us: NDArray[np.int64],
    received_us: NDArray[np.int64],
    limits: Limits,
) -> NDArray[np.int8]:
    """(n,) ACCEPTED, or 1 + the place of the reason in REASONS."""
    verdict = np.zeros(len(known), dtype=np.int8)
    verdict[observed_us - received_us > limits.future_us] = 4
    verdict[observed_us < OLDEST_US] = 3
    verdict[~in_domain] = 2
    verdict[~known] = 1
    return verdict


def quality_of(
    domain: Domain,
    metrics: dict[str, NDArray[np.float64]],
    estimated: NDArray[np.bool_],
    *,
    observed_us: NDArray[np.int64],
    received_us: NDArray[np.int64],
    limits: Limits,
) -> NDArray[np.int16]:
    """(n,) bits of Quality that a reading earns by itself: all but LATE by order."""
    quality = np.zeros(len(observed_us), dtype=np.int16)
    implausible = np.zeros(len(observed_us), dtype=np.bool_)
    for name, values in metrics.items():
        metric = CATALOGUE[domain].by_column[name]
        implausible |= (values < metric.low) | (values > metric.high)
    age = received_us - observed_us
    quality[implausible] |= Quality.IMPLAUSIBLE
    quality[estimated] |= Quality.ESTIMATED
    quality[age < -limits.suspect_us] |= Quality.SUSPECT_CLOCK
    if limits.late_us:
        quality[age > limits.late_us] |= Quality.LATE
    return quality


def behind(
    sensor: NDArray[np.int64], observed_us: NDArray[np.int64], newest_us: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(n,) whether a row is older than a reading of its sensor that came before it.

    Args:
        sensor: (n,) numbers.
        observed_us: (n,) in order of arrival.
        newest_us: (n,) the sensor's newest time before the first row.
    """
    late = observed_us < newest_us
    order = np.argsort(sensor, kind="stable")
    grouped, times = sensor[order], observed_us[order]
    same = grouped[1:] == grouped[:-1]
    if not (same & (times[1:] < times[:-1])).any():
        return late
    group = np.concatenate([[0], np.cumsum(~same)])
    rank = np.unique(times, return_inverse=True)[1].astype(np.int64)
    key = group * len(times) + rank
    highest = np.maximum.accumulate(key)
    late[order] |= highest > key
    return late
