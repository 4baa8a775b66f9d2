"""Scores alerts sample by sample, as the LeakDB paper does: every sample is leaking or not, flagged or not.

Vrachimis et al. 2018 (doi 10.5281/zenodo.1313116), section on scoring: true positive and true negative rate, F1, and
an early-detection score. It refuses to know kinds: any alert flags its samples from told to ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.detect.scoring.alert_lines import AlertLine
from services.detect.scoring.truth import Truth
from services.domain.instant import DAY_US

_LATE_SAMPLES: Final = 10
_FLAGGED_SHARE: Final = 0.75
_STEEPNESS: Final = 6.0


@dataclass(frozen=True, slots=True)
class Samples:
    """Counts of samples, and the early-detection score summed over the leaks."""

    true_positive: int = 0
    false_positive: int = 0
    true_negative: int = 0
    false_negative: int = 0
    early: float = 0.0
    leaks: int = 0

    @property
    def r_tp(self) -> float:
        """Per cent of the leaking samples that were flagged."""
        return 100 * self.true_positive / max(self.true_positive + self.false_negative, 1)

    @property
    def r_tn(self) -> float:
        """Per cent of the other samples that were not."""
        return 100 * self.true_negative / max(self.true_negative + self.false_positive, 1)

    @property
    def f_score(self) -> float:
        """F1 of the flags, in per cent."""
        twice = 2 * self.true_positive
        return 100 * twice / max(twice + self.false_positive + self.false_negative, 1)

    @property
    def s_ed(self) -> float:
        """Early-detection score, in per cent."""
        return 100 * self.early / max(self.leaks, 1)


def samples(
    truth: Truth, alerts: Iterable[AlertLine], first_us: int, interval_us: int, number: int
) -> Samples:
    """Score the alerts of a case with one regular series.

    Args:
        truth: its events are the leaks; the whole series is judged.
        alerts: an open alert flags one day.
        first_us, interval_us, number: the series' first sample, its interval, and how many there are.
    """

    def place(us: int) -> int:
        return (us - first_us) // interval_us

    day = DAY_US // interval_us
    flagged = np.zeros(number, bool)
    for alert in alerts:
        begin = place(alert.detected_us)
        end = begin + day if alert.ended_us is None else place(alert.ended_us)
        flagged[max(begin, 0) : max(end, 0)] = True
    leaks = [(place(e.start_us), min(place(e.end_us), number - 1)) for e in truth.events]
    leaking = np.zeros(number, bool)
    for begin, end in leaks:
        leaking[begin : end + 1] = True
    return Samples(
        int((leaking & flagged).sum()),
        int((~leaking & flagged).sum()),
        int((~leaking & ~flagged).sum()),
        int((leaking & ~flagged).sum()),
        sum(_early(flagged, begin, min(end + _LATE_SAMPLES, number - 1)) for begin, end in leaks),
        len(leaks),
    )


def pool_samples(parts: Sequence[Samples]) -> Samples:
    """The counts of several cases together."""
    return Samples(
        sum(part.true_positive for part in parts),
        sum(part.false_positive for part in parts),
        sum(part.true_negative for part in parts),
        sum(part.false_negative for part in parts),
        sum(part.early for part in parts),
        sum(part.leaks for part in parts),
    )


def _early(flagged: NDArray[np.bool_], begin: int, end: int) -> float:
    """1 at once, falling with the share of the leak that went by; 0 where the flag was not kept up."""
    window = flagged[begin : end + 1]
    if not window.any():
        return 0.0
    first = int(window.argmax())
    if window[first:].mean() <= _FLAGGED_SHARE:
        return 0.0
    return 2 / (1 + exp(min(700.0, _STEEPNESS / max(end - begin, 1) * first)))
