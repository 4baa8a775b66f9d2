"""Litres by full hour: intervals of any length and phase, shared out over the hours that they touch.

So that sensors of one zone can be added up and compared at the same hours; an interval counts as if its litres had
run evenly. The last two days are kept; what is older is dropped. It refuses to judge and to know gaps: an hour says
how much of it is covered.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.table import Array, Field, Rows, Table
from services.domain.instant import HOUR_US

KEPT: Final = 48
_LONGEST_H: Final = 26


class HourBins:
    """Ring of the last 48 hours of each row: litres, and hours covered (of all who add to the row)."""

    def __init__(self) -> None:
        self.table = Table(
            {
                "hour": Field("i8", -1, (KEPT,)),
                "litres": Field("f8", 0.0, (KEPT,)),
                "covered": Field("f8", 0.0, (KEPT,)),
            }
        )

    def add(self, rows: Rows, start_us: Array, end_us: Array, litres: Array) -> None:
        """Share out (n,) litres over [start, end); rows may repeat. Unknown and longer than 26 h: nothing."""
        span = end_us - start_us
        use = np.isfinite(litres) & (span > 0) & (span <= _LONGEST_H * HOUR_US)
        if not use.all():
            rows, start_us, end_us = rows[use], start_us[use], end_us[use]
            litres, span = litres[use], span[use]
        if rows.size == 0:
            return
        t = self.table
        first = start_us // HOUR_US
        for k in range(int(((end_us - 1) // HOUR_US - first).max()) + 1):
            hour = first + k
            part = np.minimum(end_us, (hour + 1) * HOUR_US) - np.maximum(start_us, hour * HOUR_US)
            here = part > 0
            r, h, slot = rows[here], hour[here], (hour % KEPT)[here]
            newer = h > t["hour"][r, slot]
            if newer.any():
                for name in ("litres", "covered"):
                    t[name][r[newer], slot[newer]] = 0.0
                np.maximum.at(t["hour"], (r[newer], slot[newer]), h[newer])
            same = t["hour"][r, slot] == h
            at = (r[same], slot[same])
            share = part[here][same]
            np.add.at(t["litres"], at, litres[here][same] * share / span[here][same])
            np.add.at(t["covered"], at, share / HOUR_US)

    def read(self, rows: Rows, hour: int) -> tuple[Array, Array]:
        """(n,) litres and (n,) hours covered of one hour since 1970; zeros where nothing is known."""
        slot = hour % KEPT
        t = self.table
        here = t["hour"][rows, slot] == hour
        return (
            np.where(here, t["litres"][rows, slot], 0.0),
            np.where(here, t["covered"][rows, slot], 0.0),
        )
