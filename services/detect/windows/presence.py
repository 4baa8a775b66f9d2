"""How many readings came in a span of time: the times of the newest W readings of each sensor.

It is what a rule asks when it tells how many readings its window held and which share is missing. It refuses to look
at values, and to hold more than W times: a span with more counts W.
"""

from __future__ import annotations

import numpy as np

from services.detect.table import NEVER, Array, Field, Rows, Table
from services.domain.instant import SECOND_US


class Presence:
    """Times of readings.

    Args:
        width: W, times kept.
    """

    def __init__(self, width: int = 16) -> None:
        self.width = width
        self.table = Table({"times": Field("i8", NEVER, (width,)), "head": Field("i2")})

    def push(self, rows: Rows, at_us: Array, present: Array) -> None:
        """Remember the time of one reading of each of `rows` (distinct) where `present` (n,) bool."""
        t = self.table
        head = t["head"].take(rows)
        t["times"].reshape(-1)[(rows * self.width + head)[present]] = at_us[present]
        t["head"][rows] = (head + present) % self.width

    def count(self, rows: Rows, since_us: Array, until_us: Array) -> Array:
        """(n,) readings in [since, until) of each of `rows`."""
        times = self.table["times"][rows]
        inside: Array = (times >= since_us[:, None]) & (times < until_us[:, None])
        return np.asarray(inside.sum(axis=1))


def missing_share(readings: Array, span_us: Array, cadence_us: Array) -> Array:
    """(n,) 0..1, the share of the readings of a run that did not come.

    Args:
        readings: (n,) that came, the first and the last of the run among them.
        span_us: (n,) from the first to the last.
        cadence_us: (n,) between readings, declared or learned; 0 not known, then nothing is missing.
    """
    expected = 1.0 + np.maximum(span_us, 0) / np.maximum(cadence_us, SECOND_US)
    return np.where(cadence_us > 0, np.maximum(0.0, 1.0 - readings / expected), 0.0)
