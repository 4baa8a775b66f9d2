"""Upper tail of each sensor's rates: a decaying histogram over half-octaves, good for quantiles from .9 to .9999.

36 float32 bins, 1 to 2^18 in the unit of the values. It refuses negative values (they count as the lowest bin).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.elementwise import clip
from services.detect.table import Array, Field, Rows, Table

BINS: Final = 36


class Tail:
    """Histogram of rates.

    Args:
        decay: what a count is worth after the next value, close to 1.
    """

    def __init__(self, decay: float = 0.9997) -> None:
        self.decay = decay
        self.table = Table({"bins": Field("f4", 0.0, (BINS,)), "weight": Field("f4")})

    def learn(self, rows: Rows, values: Array) -> None:
        """Count one value for each of `rows` (distinct); NaN is skipped."""
        known = np.isfinite(values)
        rows, values = rows[known], values[known]
        if rows.size == 0:
            return
        bins = self.table["bins"]
        weight = self.table["weight"][rows]
        place = clip(np.floor(2 * np.log2(np.maximum(values, 1.0))), 0, BINS - 1).astype(np.intp)
        # new values grow heavier instead of old ones lighter; rescaled before float32 loses digits
        bins[rows, place] += np.where(weight > 0, weight, 1.0).astype(np.float32)
        weight = np.where(weight > 0, weight, 1.0) / self.decay
        heavy = weight > 1e4
        if heavy.any():
            bins[rows[heavy]] /= weight[heavy, None].astype(np.float32)
            weight = np.where(heavy, 1.0, weight)
        self.table["weight"][rows] = weight

    def quantile(self, rows: Rows, q: float) -> Array:
        """(n,) upper edge of the half-octave that holds the quantile; 0 where nothing was counted."""
        bins = self.table["bins"][rows].astype(np.float64)
        above = np.cumsum(bins[:, ::-1], axis=1)[:, ::-1]
        total = above[:, :1]
        inside = above > (1.0 - q) * total
        top = np.where(inside, np.arange(BINS), -1).max(axis=1)
        return np.where(top >= 0, 2.0 ** ((top + 1) / 2), 0.0)
