"""The habit of a zone: the shape of each day of the week as shares of a level, its nights, and the level itself.

Shapes hold the weight of their weekday too (a Sunday of half the use is half as high); their mean is one.
A day runs from 06 to 06 h local, so that a night belongs to one day. Caller and detectors decide which days teach; the
level goes on with every day. 7 x 24 x 2 float32 and a few numbers: about 1.5 KB a zone. It refuses to judge.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.elementwise import clip
from services.detect.table import Array, Field, Rows, Table
from services.detect.windows.rolling import Rolling

HOURS: Final = 24
NEEDED_H: Final = 18
"""Hours that a day must have to say anything."""
_NIGHT: Final = slice(19, 23)
"""01-05 h, in hours after the day's begin."""
_LEARN: Final = 0.15
_SLOW: Final = 0.05
_SETTLED: Final = 14


class ZoneHabit:
    """Shape, nights and level of each zone."""

    def __init__(self) -> None:
        self.table = Table(
            {
                "shape": Field("f4", 0.0, (7, HOURS)),
                "weight": Field("f4", 0.0, (7, HOURS)),
                "night": Field("f8", np.nan, (7,)),
                "level": Field("f8", np.nan),
                "first_level": Field("f8", np.nan),
            }
        )

    def expected(self, rows: Rows, weekday: Array, hour: Array) -> Array:
        """(n,) L/h usual at the hour of the day (after 06 h) at the level of the last weeks; NaN where unknown."""
        t = self.table
        place = (rows, weekday, hour)
        return np.where(t["weight"][place] > 0, t["level"][rows] * t["shape"][place], np.nan)

    def most(self, rows: Rows, hour: Array) -> Array:
        """(n,) L/h usual at the hour of the day on whichever day of the week uses most then; NaN where unknown."""
        t = self.table
        known = t["weight"][rows, :, hour] > 0
        shape = np.where(known, t["shape"][rows, :, hour], -np.inf).max(axis=1)
        return np.where(np.isfinite(shape), t["level"][rows] * shape, np.nan)

    def _even_out(self, rows: Rows) -> None:
        """Shapes are shares of the level: their mean over the days known is one, what is beyond it is the level's."""
        t = self.table
        known = t["weight"][rows] > 0
        shape = t["shape"][rows]
        mean = np.where(known, shape, 0.0).sum(axis=(1, 2)) / np.maximum(known.sum(axis=(1, 2)), 1)
        mean = np.where(mean > 0, mean, 1.0)
        t["shape"][rows] = shape / mean[:, None, None]
        t["level"][rows] *= mean

    def witnesses(
        self, rows: Rows, weekday: Array, net: Array
    ) -> tuple[Array, Array, Array, Array]:
        """(n,) offset and night in L/h, the day's level, and the level so far; NaN where nothing is known.

        Args:
            weekday: (n,) 0 for Monday; net: (n, 24) L/h by hour of the day, less what is known to leak.
        """
        t = self.table
        shape = t["shape"][rows, weekday].astype(np.float64)
        usable = np.isfinite(net) & (t["weight"][rows, weekday] > 0) & (shape > 0.02)
        judged = (usable.sum(axis=1) >= NEEDED_H) & np.isfinite(t["level"][rows])
        safe = np.where(usable, shape, 1.0)
        u = np.where(usable, 1.0 / safe, 0.0)
        y = np.where(usable, net / safe, 0.0)
        n = np.maximum(usable.sum(axis=1), 1)
        mu = u.sum(axis=1) / n
        du = np.where(usable, u - mu[:, None], 0.0)
        spread = (du * du).sum(axis=1)
        known = judged & (spread > 1e-3 * n * mu * mu)
        offset = np.where(known, (du * y).sum(axis=1) / np.where(known, spread, 1.0), np.nan)
        dark = usable[:, _NIGHT]
        count = dark.sum(axis=1)
        dark_mean = np.where(dark, net[:, _NIGHT], 0.0).sum(axis=1) / np.maximum(count, 1)
        usual = self.table["night"][rows, weekday] * self._season(rows)
        night = np.where(judged & (count >= 3), dark_mean - usual, np.nan)
        ratio = np.sort(np.where(usable, y, np.inf), axis=1)
        middle = ratio[np.arange(len(ratio)), n // 2]
        today = np.where(judged, middle, hours_mean(net))
        return offset, night, today, np.where(judged, t["level"][rows], np.nan)

    def _season(self, rows: Rows) -> Array:
        """(n,) the level as a multiple of what it was at the end of the second week."""
        first, level = self.table["first_level"][rows], self.table["level"][rows]
        known = (first > 0) & (level > 0)
        return np.where(known, level / np.where(known, first, 1.0), 1.0)

    def learn(self, rows: Rows, weekday: Array, net: Array, today: Array, teach: Array) -> None:
        """Take the day of each of `rows`: the level always, shape and night where (n,) teach says so."""
        t = self.table
        level = t["level"][rows]
        first = np.isnan(level)
        sane = today > 0
        weight0 = t["weight"][rows, weekday].max(axis=1)
        # the first of its weekday says nothing of the level: it may be a day off
        new = (weight0 <= 0) & ~first
        near = np.where(new, level, clip(today, 0.8 * level, 1.25 * level))
        young = np.maximum(_SLOW, 1.0 / (t["weight"][rows].max(axis=2).sum(axis=1) + 1.0))
        level = np.where(first, today, level + young * (near - level))
        t["level"][rows] = level = np.where(sane, level, t["level"][rows])
        settling = t["weight"][rows].max(axis=2).sum(axis=1) < _SETTLED
        t["first_level"][rows] = np.where(settling, level, t["first_level"][rows])
        shape, weight = t["shape"][rows, weekday], t["weight"][rows, weekday]
        share = net / np.where(level > 0, level, 1.0)[:, None]
        use = (share > 0) & (sane & teach)[
            :, None
        ]  # nobody gives water back: a pipe runs backwards
        pace = np.maximum(_LEARN, 1.0 / (weight + 1.0))
        moved = shape + pace * (np.where(use, share, 0.0) - shape)
        t["shape"][rows, weekday] = np.where(use, moved, shape)
        t["weight"][rows, weekday] = np.where(use, weight + 1.0, weight)
        self._even_out(rows[use.any(axis=1)])
        dark = net[:, _NIGHT]
        count = np.isfinite(dark).sum(axis=1)
        dark_mean = np.where(np.isfinite(dark), dark, 0.0).sum(axis=1) / np.maximum(count, 1)
        ratio = dark_mean / self._season(rows)
        old = t["night"][rows, weekday]
        pace = pace[:, 21]
        ratio = np.where(np.isnan(old), ratio, old + pace * (ratio - old))
        t["night"][rows, weekday] = np.where((count >= 3) & sane & teach, ratio, old)


def hours_mean(hours: Array) -> Array:
    """(n,) mean of the finite hours of each day; zero where there are none."""
    known = np.isfinite(hours)
    total: Array = np.where(known, hours, 0.0).sum(axis=1)
    mean: Array = total / np.maximum(known.sum(axis=1), 1)
    return mean


def ring_spread(ring: Rolling, rows: Rows, centre: Array) -> Array:
    """(n,) 1.4826 times the median distance of the rings' values from (n,) centre; NaN where empty."""
    values = np.abs(ring.values(rows).astype(np.float64) - centre[:, None])
    ordered = np.sort(values, axis=1)
    count = ring.count(rows)
    middle = np.maximum(count - 1, 0) / 2
    index = np.arange(len(rows))
    low, high = np.floor(middle).astype(np.intp), np.ceil(middle).astype(np.intp)
    spread: Array = 0.7413 * (ordered[index, low] + ordered[index, high])
    return spread
