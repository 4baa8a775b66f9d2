"""The mean of the last few minutes: the newest W values of each sensor with their times. NaN is no value.

It refuses to hold more than W values: at cadences below span / W the mean covers less than the span.
"""

from __future__ import annotations

import numpy as np

from services.detect.table import NEVER, Array, Field, Rows, Table


class TimedMean:
    """Mean over a span of time.

    Args:
        span_us: how far back.
        width: W, values kept.
    """

    def __init__(self, span_us: int, width: int = 16) -> None:
        self.span_us, self.width = span_us, width
        self.table = Table(
            {
                "values": Field("f4", np.nan, (width,)),
                "times": Field("i8", NEVER, (width,)),
                "head": Field("i2"),
            }
        )

    def push(self, rows: Rows, at_us: Array, values: Array) -> tuple[Array, Array]:
        """Add one value to each of `rows` (distinct) and return (n,) mean and (n,) count over (at - span, at].

        The mean is NaN where the span holds no value.
        """
        t = self.table
        known = np.isfinite(values)
        head = t["head"].take(rows)
        at = (rows * self.width + head)[known]
        t["values"].reshape(-1)[at] = values[known]
        t["times"].reshape(-1)[at] = at_us[known]
        t["head"][rows] = (head + known) % self.width
        ring, times = t["values"][rows].astype(np.float64), t["times"][rows]
        inside = (times > (at_us - self.span_us)[:, None]) & (times <= at_us[:, None])
        count = inside.sum(axis=1)
        total = np.where(inside, ring, 0.0).sum(axis=1)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan), count
