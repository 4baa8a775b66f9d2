"""The chance of a value so high: peaks over a threshold, and a generalised Pareto tail fitted to them.

Of the last N values of a series the highest K are kept with their ages; the threshold is the lowest of the top share q,
and the excesses over it give the tail by their first two moments (Hosking and Wallis 1987; Siffer et al. 2017, SPOT,
fits by likelihood and never forgets). Below the threshold the chance falls exponentially from 1 at the middle. The fit
is made anew at every 32nd value of a series, so that the result does not depend on how a stream is cut. K x 8 bytes
for each of a series' features. It refuses to know what the values mean; only high ones are rare.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.elementwise import clip
from services.detect.table import Array, Field, Rows, Table

_MOST: Final = 15.0
"""Surprise ends here: no chance is smaller than 1e-15."""
_LEAST: Final = 10.0**-_MOST
_FLAT: Final = 1e-6
_FEWEST: Final = 10
_AT_ONCE: Final = 64
"""Series merged at a time, so that their peaks stay in the processor's cache."""


class Peaks:
    """Tails of several features of each series.

    Args:
        features: how many values come together.
        peaks, tail_share, memory: K, q and N above.
        block: values between two fits; warm: values before the first.
        least_shape: bound from below of the tail's shape: -0.1 lets no tail end soon.
        base_alpha: weight of the newest value in the middle.
    """

    def __init__(
        self,
        features: int,
        peaks: int = 100,
        tail_share: float = 0.02,
        memory: int = 5000,
        block: int = 32,
        warm: int = 96,
        least_shape: float = -0.1,
        base_alpha: float = 0.002,
    ) -> None:
        self.peaks, self.tail_share, self.memory = peaks, tail_share, memory
        self.block, self.warm = block, warm
        self.least_shape, self.base_alpha = least_shape, base_alpha
        self.table = Table(
            {
                "held": Field("f4", -np.inf, (features, peaks)),
                "born": Field("i4", 0, (features, peaks)),
                "pending": Field("f4", -np.inf, (features, block)),
                "base": Field("f8", 0.0, (features,)),
                "count": Field("i4"),
                "threshold": Field("f8", np.inf, (features,)),
                "scale": Field("f8", 0.0, (features,)),
                "shape": Field("f8", 0.0, (features,)),
                "share": Field("f8", 1.0),
                "middle": Field("f8", 0.0, (features,)),
            }
        )

    def surprise(self, rows: Rows, values: Array) -> Array:
        """(n, features) -log10 of the chance of a value as high as this; 0 before the first fit.

        Args:
            values: (n, features); NaN surprises nobody.
        """
        t = self.table
        g = values.astype(np.float32).astype(np.float64)
        threshold, middle = t["threshold"][rows], t["middle"][rows]
        whole = -np.log10(t["share"][rows])[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            reach = threshold - middle
            way = np.where(reach > _FLAT * np.abs(threshold), (g - middle) / reach, 0.0)
            out = whole * np.maximum(way, 0.0)
            i, j = np.nonzero(g > threshold)
            if i.size:
                of = (rows[i], j)
                y = g[i, j] - threshold[i, j]
                out[i, j] = whole[i, 0] - np.log10(_tail(y, t["scale"][of], t["shape"][of]))
        return np.where(np.isfinite(out) & np.isfinite(threshold), np.minimum(out, _MOST), 0.0)

    def learn(self, rows: Rows, values: Array) -> None:
        """One value of each feature for each of `rows` (distinct); NaN is below everything."""
        t = self.table
        g = values.astype(np.float32)
        count = t["count"].take(rows)
        missing = np.isnan(g)
        known = np.where(missing, 0.0, g).astype(np.float64)
        t["base"][rows] = (1 - self.base_alpha) * t["base"][rows] + self.base_alpha * known
        place = count % self.block
        t["pending"][rows, :, place] = np.where(missing, -np.inf, g)
        t["count"][rows] = count + 1
        full = rows[place == self.block - 1]
        for i in range(0, len(full), _AT_ONCE):
            self._merge(full[i : i + _AT_ONCE])

    def replace(self, rows: Rows, features: slice, history: Array) -> None:
        """Put `history` (n, chosen features, m), oldest first, in the place of all m values that `rows` have seen.

        For features that are known only later; m is a whole number of blocks.
        """
        t, m = self.table, history.shape[2]
        g = history.astype(np.float32)
        ordered = np.argsort(-g, axis=2, kind="stable")[:, :, : self.peaks]
        kept = ordered.shape[2]
        held, born = t["held"][rows], t["born"][rows]
        held[:, features, :kept] = np.take_along_axis(g, ordered, axis=2)
        born[:, features, :kept] = ordered
        t["held"][rows], t["born"][rows] = held, born
        base = t["base"][rows]
        for i in range(m):
            base[:, features] = (1 - self.base_alpha) * base[:, features]
            base[:, features] += self.base_alpha * g[:, :, i].astype(np.float64)
        t["base"][rows] = base
        if m >= self.warm:
            self._fit(rows)

    def _merge(self, rows: Rows) -> None:
        t, count = self.table, self.table["count"][rows]
        fresh = t["pending"][rows]
        changed = fresh.max(axis=2) > t["held"][rows, :, -1]
        if (count > self.memory).any():
            changed |= (count[:, None, None] - t["born"][rows] > self.memory).any(axis=2)
        i, j = np.nonzero(changed)
        if i.size:
            row = rows[i]
            held, born = t["held"][row, j], t["born"][row, j]
            held = np.where(count[i, None] - born > self.memory, np.float32(-np.inf), held)
            values = np.concatenate([held, fresh[i, j]], axis=1)
            ages = (count[i, None] - self.block + np.arange(self.block)).astype(np.int32)
            births = np.concatenate([born, ages], axis=1)
            best = np.argsort(-values, axis=1, kind="stable")[:, : self.peaks]
            best += np.arange(len(row))[:, None] * values.shape[1]
            t["held"][row, j] = values.reshape(-1).take(best)
            t["born"][row, j] = births.reshape(-1).take(best)
        ready = count >= self.warm
        if ready.any():
            self._fit(rows[ready])

    def _fit(self, rows: Rows) -> None:
        t = self.table
        count = np.minimum(t["count"][rows], self.memory)
        k = np.minimum(np.maximum((self.tail_share * count).astype(np.int64), _FEWEST), self.peaks)
        held = t["held"][rows].astype(np.float64)
        threshold = np.take_along_axis(held, (k - 1)[:, None, None], axis=2)[:, :, 0]
        known = np.isfinite(threshold)
        above = (np.arange(self.peaks) < (k - 1)[:, None])[:, None, :] & known[:, :, None]
        excess = np.where(above, held - np.where(known, threshold, 0.0)[:, :, None], 0.0)
        n = (k - 1)[:, None]
        mean = excess.sum(axis=2) / n
        off = np.where(above, excess - mean[:, :, None], 0.0)
        variance = np.maximum((off * off).sum(axis=2) / n, 1e-12 * mean * mean)
        some = mean > 0
        ratio = np.where(some, mean * mean / np.where(some, variance, 1.0), 1.0)
        shape = clip(0.5 * (1.0 - ratio), self.least_shape, 1.0)
        t["threshold"][rows] = np.where(known, threshold, np.inf)
        t["shape"][rows] = np.where(some, shape, 0.0)
        t["scale"][rows] = np.where(some, mean * (1.0 - shape), 0.0)
        t["share"][rows] = k / count
        whole = 1.0 - (1.0 - self.base_alpha) ** t["count"][rows]
        t["middle"][rows] = t["base"][rows] / whole[:, None]


def _tail(y: Array, scale: Array, shape: Array) -> Array:
    """(n,) chance that an excess is as high as y > 0; where all excesses were equal, a third or so."""
    with np.errstate(divide="ignore", over="ignore"):
        y = y / np.where(scale > 0, scale, np.inf)
        b = np.maximum(1.0 + shape * y, 0.0)
        tail = np.where(np.abs(shape) < 1e-6, np.exp(-y), b ** (-1.0 / shape))
    return np.where(scale > 0, np.maximum(tail, _LEAST), 0.3)
