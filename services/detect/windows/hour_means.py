"""Means by full hour of values read at instants: a reading counts for the hour that ends at or after it.

The last two days are kept; what is older is dropped. It refuses to judge and to fill holes: an hour without a value is
NaN.
"""

from __future__ import annotations

import numpy as np

from services.detect.table import Array, Field, Rows, Table
from services.detect.windows.hour_bins import KEPT
from services.domain.instant import HOUR_US


class HourMeans:
    """Ring of the last 48 hours of each row: sum and number of values."""

    def __init__(self) -> None:
        self.table = Table(
            {
                "hour": Field("i8", -1, (KEPT,)),
                "sum": Field("f8", 0.0, (KEPT,)),
                "count": Field("f4", 0.0, (KEPT,)),
                "last_us": Field("i8", -1),
            }
        )

    def add(self, rows: Rows, at_us: Array, values: Array) -> None:
        """One value of each of `rows` (distinct); NaN, and the same instant again, are skipped."""
        t = self.table
        use = np.isfinite(values) & (at_us != t["last_us"][rows])
        rows, at_us, values = rows[use], at_us[use], values[use]
        t["last_us"][rows] = at_us
        hour = (at_us - 1) // HOUR_US
        slot = hour % KEPT
        newer = hour > t["hour"][rows, slot]
        for name in ("sum", "count"):
            t[name][rows[newer], slot[newer]] = 0.0
        t["hour"][rows[newer], slot[newer]] = hour[newer]
        same = t["hour"][rows, slot] == hour
        at = (rows[same], slot[same])
        t["sum"][at] += values[same]
        t["count"][at] += 1.0

    def read(self, rows: Rows, hour: int) -> Array:
        """(n,) mean of one hour since 1970; NaN where nothing is known."""
        slot = hour % KEPT
        t = self.table
        here = (t["hour"][rows, slot] == hour) & (t["count"][rows, slot] > 0)
        count = np.where(here, t["count"][rows, slot], 1.0)
        return np.where(here, t["sum"][rows, slot] / count, np.nan)
