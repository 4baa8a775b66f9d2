"""What is left of a value after its season: the level of its slot of the day, and of its hour of the week.

Each value moves the slot that it falls into: by `day_alpha` in the day's, by `week_alpha` in the week's; the first ones
of a slot count in full (the weight is a / (1 - (1 - a)^visits)). With several values an hour the week's slot therefore
follows the last hour closely and begins each hour where it was left a week ago. Slots are of UTC: a shift of an hour
twice a year is a change like any other. 456 x 9 bytes a series. It refuses to say what is unusual.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.table import Array, Field, Rows, Table
from services.domain.instant import DAY_US

WEEK_SLOTS: Final = 168
_WEEK_US: Final = 7 * DAY_US
_MONDAY_US: Final = 3 * DAY_US
_MOST: Final = 255


class Seasons:
    """Levels by slot of the day and by hour of the week.

    Args:
        day_slots: slots of the day.
        day_alpha, week_alpha: weights of a slot's newest value.
    """

    def __init__(self, day_slots: int, day_alpha: float, week_alpha: float) -> None:
        self.day_slots = day_slots
        visits = np.maximum(np.arange(_MOST + 1), 1)[:, None]
        alpha = np.array([day_alpha, week_alpha])
        self._share = np.where(visits == 1, 1.0, alpha / (1.0 - (1.0 - alpha) ** visits))
        self._slots = day_slots + WEEK_SLOTS
        self.table = Table(
            {"level": Field("f8", 0.0, (self._slots,)), "visits": Field("u1", 0, (self._slots,))}
        )

    def left_over(self, rows: Rows, at_us: Array, values: Array) -> tuple[Array, Array]:
        """(n,) value minus the day's slot, (n,) minus the week's, and learn; rows are distinct, values finite.

        An unknown slot of the day leaves 0, an unknown hour of the week leaves what the day's slot leaves.
        """
        at = np.empty((len(rows), 2), np.intp)
        at[:, 0] = at_us % DAY_US * self.day_slots // DAY_US
        at[:, 1] = (at_us + _MONDAY_US) % _WEEK_US * WEEK_SLOTS // _WEEK_US + self.day_slots
        at += rows[:, None] * self._slots
        levels, visits = self.table["level"].reshape(-1), self.table["visits"].reshape(-1)
        level, seen = levels.take(at), visits.take(at)
        off = values[:, None] - level
        times = np.minimum(seen, _MOST - 1) + np.uint8(1)
        visits[at] = times
        levels[at] = level + off * self._share[times, [0, 1]]
        day = np.where(seen[:, 0] > 0, off[:, 0], 0.0)
        return day, np.where(seen[:, 1] > 0, off[:, 1], day)
