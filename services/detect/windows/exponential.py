"""Exponentially weighted mean and variance of each sensor: d = x - m; m += a d; v = (1 - a)(v + a d^2).

Until 1/a values have come, a is 1/n: the plain mean of what there is. It refuses to know times.
"""

from __future__ import annotations

import numpy as np

from services.detect.table import Array, Field, Rows, Table


class Exponential:
    """Level and spread that forget.

    Args:
        alpha: 0 < a <= 1, the weight of the newest value.
    """

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha
        self.table = Table(
            {"mean": Field("f8", np.nan), "variance": Field("f8"), "seen": Field("i4")}
        )

    def push(self, rows: Rows, values: Array) -> None:
        """One value for each of `rows` (n,), distinct; NaN and infinities are skipped."""
        known = np.isfinite(values)
        if not known.all():
            rows, values = rows[known], values[known]
        t = self.table
        seen = t["seen"].take(rows) + 1
        mean = t["mean"].take(rows)
        a = np.maximum(self.alpha, 1.0 / seen)
        d = values - np.where(seen == 1, values, mean)
        t["mean"][rows] = np.where(seen == 1, values, mean + a * d)
        t["variance"][rows] = (1.0 - a) * (t["variance"].take(rows) + a * d * d)
        t["seen"][rows] = np.minimum(seen, 2**30)

    def mean(self, rows: Rows) -> Array:
        """(n,) level; NaN before the first value."""
        return self.table["mean"][rows]

    def variance(self, rows: Rows) -> Array:
        """(n,) variance around the level; 0 before the second value."""
        return self.table["variance"][rows]
