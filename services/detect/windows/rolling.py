"""The last W values of each sensor: count, mean, variance, minimum, maximum, quantiles, median and MAD.

Mean and variance come from running sums around an anchor near the data and are summed anew whenever the ring has
gone round once, so that neither a large offset nor a long life costs digits. It refuses to know times.
"""

from __future__ import annotations

import numpy as np

from services.detect.table import Array, Field, Rows, Table


class Rolling:
    """Ring of the last `width` values of each sensor.

    Args:
        width: W, values kept a sensor (8 W bytes in float64, 4 W in float32).
        dtype: of the ring; sums are float64 always.
    """

    def __init__(self, width: int, dtype: str = "f8") -> None:
        self.width = width
        self.table = Table(
            {
                "ring": Field(dtype, np.nan, (width,)),
                "pushed": Field("i8"),
                "anchor": Field("f8"),
                "sum": Field("f8"),
                "square": Field("f8"),
            }
        )

    def push(self, rows: Rows, values: Array) -> None:
        """Append one value to each of `rows` (distinct); NaN is skipped.

        Args:
            rows: (n,) distinct rows.
            values: (n,) float64.
        """
        known = np.isfinite(values)
        if not known.all():
            rows, values = rows[known], values[known]
        if rows.size == 0:
            return
        t, w = self.table, self.width
        ring = t["ring"].reshape(-1)
        pushed = t["pushed"].take(rows)
        head = pushed % w
        at = rows * w + head
        old = ring.take(at)
        ring[at] = values
        values = ring.take(at)  # as stored: float32 rings sum what they hold
        anchor = t["anchor"].take(rows)
        fresh = pushed == 0
        if fresh.any():
            anchor = np.where(fresh, values, anchor)
            t["anchor"][rows] = anchor
        new = values - anchor
        gone = old - anchor
        gone[pushed < w] = 0.0
        t["sum"][rows] = t["sum"].take(rows) + (new - gone)
        t["square"][rows] = t["square"].take(rows) + (new * new - gone * gone)
        t["pushed"][rows] = pushed + 1
        wrapped = head == w - 1
        if wrapped.any():
            self._resum(rows[wrapped])

    def _resum(self, rows: Rows) -> None:
        values = self.table["ring"][rows].astype(np.float64, copy=False)
        anchor = values.mean(axis=1)
        values -= anchor[:, None]
        self.table["anchor"][rows] = anchor
        self.table["sum"][rows] = values.sum(axis=1)
        self.table["square"][rows] = np.einsum("ij,ij->i", values, values)

    def forget(self, rows: Rows) -> None:
        """Begin again with empty rings for `rows`."""
        self.table["ring"][rows] = np.nan
        for name in ("pushed", "anchor", "sum", "square"):
            self.table[name][rows] = 0

    def count(self, rows: Rows) -> Array:
        """(n,) how many values each ring holds."""
        return np.minimum(self.table["pushed"][rows], self.width)

    def mean(self, rows: Rows) -> Array:
        """(n,) mean; NaN where the ring is empty."""
        count = self.count(rows)
        return np.where(
            count > 0,
            self.table["anchor"][rows] + self.table["sum"][rows] / np.maximum(count, 1),
            np.nan,
        )

    def variance(self, rows: Rows) -> Array:
        """(n,) variance with n - 1; NaN below two values."""
        count = self.count(rows)
        s = self.table["sum"][rows]
        m2 = self.table["square"][rows] - s * s / np.maximum(count, 1)
        return np.where(count > 1, np.maximum(m2, 0.0) / np.maximum(count - 1, 1), np.nan)

    def values(self, rows: Rows) -> Array:
        """(n, W) the rings, in no order; NaN where not filled yet."""
        return self.table["ring"][rows]

    def minimum(self, rows: Rows) -> Array:
        """(n,) smallest value; NaN where the ring is empty."""
        values = self.values(rows)
        low = np.where(np.isnan(values), np.inf, values).min(axis=1)
        return np.where(np.isinf(low), np.nan, low)

    def maximum(self, rows: Rows) -> Array:
        """(n,) largest value; NaN where the ring is empty."""
        return -_negated_minimum(self.values(rows))

    def quantile(self, rows: Rows, q: float) -> Array:
        """(n,) linear-interpolated quantile of each ring, as numpy.quantile; NaN where it is empty."""
        return sorted_quantile(
            np.sort(self.values(rows).astype(np.float64), axis=1), self.count(rows), q
        )

    def median_mad(self, rows: Rows) -> tuple[Array, Array]:
        """(n,) median and (n,) median absolute deviation from it (times 1.4826 estimates a normal's sigma)."""
        values, count = self.values(rows).astype(np.float64), self.count(rows)
        median = sorted_quantile(np.sort(values, axis=1), count, 0.5)
        distance = np.sort(np.abs(values - median[:, None]), axis=1)
        return median, sorted_quantile(distance, count, 0.5)


def _negated_minimum(values: Array) -> Array:
    low = np.where(np.isnan(values), np.inf, -values).min(axis=1)
    return np.where(np.isinf(low), np.nan, low)


def sorted_quantile(ordered: Array, count: Array, q: float) -> Array:
    """(n,) quantile of the first `count` entries of each row of `ordered` (n, W), sorted, NaN last."""
    if ordered.shape[0] == 0:
        return np.empty(0)
    place = q * np.maximum(count - 1, 0)
    low = np.floor(place).astype(np.intp)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    index = np.arange(len(ordered))
    a, b = ordered[index, low], ordered[index, high]
    return np.where(count > 0, a + (b - a) * (place - low), np.nan)
