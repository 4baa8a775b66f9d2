"""What is usual of a ratio at this part of the week: level and spread of its logarithm, for each pair of sensors.

Sixteen slots: three hours of the day each, working days and weekends apart, so that a week teaches most of them and
two weeks all. Robust: a value moves its slot as far as one at 1.5 spreads would, so that days that are unlike the
others move it little, and a value that drifts away over days stays away. 16 x 9 = 144 bytes a row. It refuses to decide
what is unusual.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.elementwise import clip
from services.detect.table import Array, Field, Rows, Table

_PART_H: Final = 3
_SLOTS: Final = 2 * 24 // _PART_H
_WORKING_DAYS: Final = 5
_CLIP: Final = 1.5
_CONSISTENT: Final = 1.353
"""One over the mean of min(|z|, 1.5) of a normal: with it the spread estimates sigma."""
_FIRST_SPREAD: Final = 0.08
_LEAST_SPREAD: Final = 0.02
_PRIOR: Final = 4.0
"""Visits that the first spread is worth."""
_MEMORY: Final = 60.0
"""Visits of a slot that are remembered: four weeks of working days."""


def part_of_week(hour_of_week: Array) -> Array:
    """(n,) intp slot of (n,) hours of the local week, 0 (Monday 00 h) to 167."""
    weekend = hour_of_week // 24 >= _WORKING_DAYS
    return np.asarray((hour_of_week % 24) // _PART_H + weekend * (_SLOTS // 2), np.intp)


class RatioHabit:
    """Level and spread by part of the week."""

    def __init__(self) -> None:
        self.table = Table(
            {
                "level": Field("f4", 0.0, (_SLOTS,)),
                "spread": Field("f4", _FIRST_SPREAD, (_SLOTS,)),
                "visits": Field("u1", 0, (_SLOTS,)),
            }
        )

    def expected(self, rows: Rows, slot: Array) -> tuple[Array, Array, Array]:
        """(n,) level, (n,) spread and (n,) visits of the rows at (n,) slots; level NaN where there was none."""
        t = self.table
        visits = t["visits"][rows, slot].astype(np.float64)
        level = np.where(visits > 0, t["level"][rows, slot], np.nan)
        return level, t["spread"][rows, slot].astype(np.float64), visits

    def learn(self, rows: Rows, slot: Array, values: Array) -> None:
        """Move the slots of `rows` (distinct) towards (n,) finite values."""
        t = self.table
        visits = t["visits"][rows, slot].astype(np.float64)
        level, spread = t["level"][rows, slot], t["spread"][rows, slot]
        off = values - level
        far = _CLIP * spread
        near = clip(off, -far, far)
        a = 1.0 / np.minimum(visits + 1.0, _MEMORY)
        young = visits < _PRIOR
        t["level"][rows, slot] = np.where(
            visits == 0, values, level + a * np.where(young, off, near)
        )
        b = 1.0 / np.minimum(visits + _PRIOR, _MEMORY)
        wide = np.maximum(spread + b * (_CONSISTENT * np.abs(near) - spread), _LEAST_SPREAD)
        t["spread"][rows, slot] = np.where(visits == 0, spread, wide)
        t["visits"][rows, slot] = np.minimum(visits + 1, 255)
