"""How rare is this value at this hour? Histograms of each series by hour of the day, and what they make of a value.

Bins are even after asinh((x - middle) / width), so that they are fine near the middle and reach far out. The chance of
a bin is its count in the hour with a share of its neighbours', drawn to the count of the whole day while the hour has
seen little: p = (near + prior * anywhere) / (total + prior). A second, smaller histogram without hours serves another
signal of the same series. Counts are halved when they have become many. 26 x 34 x 2 + 26 x 4 = 1,872 bytes a series.
It refuses to say which rarity is an anomaly.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.elementwise import clip
from services.detect.table import Array, Field, Rows, Table

HOURS: Final = 24
_ROUNDING: Final = 1e-9
_DAY, _OTHER = HOURS, HOURS + 1
"""Places of the whole day's histogram, and of the other signal's."""


class Rarity:
    """Histograms by hour.

    Args:
        bins: of each histogram.
        prior: values that the whole day's histogram is worth in an hour's.
        blur: what a neighbouring bin counts.
        halve_at: values in a histogram at which its counts are halved; below 65,536.
    """

    def __init__(self, bins: int, prior: float, blur: float, halve_at: int) -> None:
        self.bins, self.prior, self.blur, self.halve_at = bins, prior, blur, halve_at
        self._contexts, self._wide = HOURS + 2, bins + 2
        self.table = Table(
            {
                "counts": Field("u2", 0, (self._contexts, self._wide)),
                "totals": Field("i4", 0, (self._contexts,)),
            }
        )

    def judge_and_learn(self, rows: Rows, hour: Array, place: Array, other: Array) -> Array:
        """(n, 2) -log10 of the chance of the bins, which are counted afterwards.

        Args:
            rows: distinct.
            hour: (n,) 0..23; place: (n,) bin of the value; other: (n,) bin of the other signal.
        """
        counts, totals = self.table["counts"].reshape(-1), self.table["totals"].reshape(-1)
        context = np.empty((len(rows), 3), np.intp)
        context[:, 0], context[:, 1], context[:, 2] = hour, _DAY, _OTHER
        context += rows[:, None] * self._contexts
        at = context * self._wide + 1
        at[:, :2] += place[:, None]
        at[:, 2] += other
        near = counts.take(at) + self.blur * (
            counts.take(at - 1).astype(np.float64) + counts.take(at + 1)
        )
        seen = totals.take(context)
        total = seen * (1.0 + 2.0 * self.blur)
        anywhere = (near[:, 1:] + 0.5) / (total[:, 1:] + 0.5 * self.bins)
        chance = (near[:, ::2] + self.prior * anywhere) / (total[:, ::2] + self.prior)
        counts[at] += 1
        totals[context] = seen + 1
        if (seen[:, 1:] >= self.halve_at - 1).any():
            self._halve(rows, seen[:, 1:] >= self.halve_at - 1)
        out: Array = -np.log10(chance)
        return out

    def _halve(self, rows: Rows, full: Array) -> None:
        counts = self.table["counts"]
        by_day, other = rows[full[:, 0]], rows[full[:, 1]]
        hours = counts[by_day, :HOURS] >> 1
        counts[by_day, :HOURS] = hours
        counts[by_day, _DAY] = hours.sum(axis=1)
        counts[other, _OTHER] >>= 1
        changed = np.union1d(by_day, other)
        self.table["totals"][changed] = counts[changed].sum(axis=2)


def scale_of(first: Array) -> tuple[Array, Array]:
    """(n,) middle and (n,) width of the bins, from the first m values (n, m) of each series."""
    m = first.shape[1]
    middle = np.sort(first, axis=1)[:, m // 2]
    distance = np.sort(np.abs(first - middle[:, None]), axis=1)
    width = np.maximum(distance[:, 3 * m // 4], 0.5 * distance.sum(axis=1) / m)
    flat = width <= 1e-9 * np.abs(middle)
    return middle, np.where(flat, np.maximum(0.01 * np.abs(middle), 1e-3), width)


def place_of(values: Array, middle: Array, width: Array, share: Array, bins: int) -> Array:
    """(n, k) intp bins of k signals; `share` (k,) is a bin's width after asinh. The middle opens a bin."""
    y = np.floor(np.arcsinh((values - middle) / width) / share + _ROUNDING)
    place: Array = clip(y + bins // 2, 0, bins - 1).astype(np.intp)
    return place
