"""How much of the window behind a decision was seen: readings counted, hours that they stand for, share missing.

Each detector for meters keeps one for its own window. It refuses to know when a window begins; the detector says so.
"""

from __future__ import annotations

import numpy as np

from services.detect.table import Array, Field, Rows, Table
from services.domain.instant import HOUR_US


class SeenHours:
    """Hours seen and readings counted in the present window of each sensor."""

    def __init__(self) -> None:
        self.table = Table({"hours": Field("f8"), "readings": Field("i4")})

    def add(self, rows: Rows, hours: Array, readings: Array, fresh: Array) -> tuple[Array, Array]:
        """Count for each of `rows` (distinct) and return (n,) hours seen and (n,) readings of the window so far.

        Args:
            hours: (n,) that readings stand for; readings: (n,) their number.
            fresh: (n,) bool: the window begins with these.
        """
        t = self.table
        seen = np.where(fresh, 0.0, t["hours"][rows]) + hours
        number = np.where(fresh, 0, t["readings"][rows]) + readings
        t["hours"][rows] = seen
        t["readings"][rows] = number
        return seen, number

    def forget(self, rows: Rows) -> None:
        """No window is on for these `rows`."""
        self.table["hours"][rows] = 0.0
        self.table["readings"][rows] = 0


def missing_share(seen_hours: float, window_us: float) -> float:
    """0..1: the share of a window of `window_us` microseconds that no reading stands for."""
    window_h = window_us / HOUR_US
    return round(min(max(1.0 - seen_hours / window_h, 0.0), 1.0), 4) if window_h > 0 else 0.0
