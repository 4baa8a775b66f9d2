"""Litres by full hour: intervals of any length and phase, shared out over the hours that they touch.

So that sensors of one zone can be added up and compared at the same hours; an interval counts as if its litres had
run evenly. The last two days are kept; what is older is dropped. An hour says how much of it litres are known for
(*covered*), how much of it readings came for (*heard*: a register's difference covers the hole before it, but nobody
was heard there), and how many readings that were. It refuses to judge.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.table import Array, Field, Rows, Table
from services.domain.instant import HOUR_US

KEPT: Final = 48
_LONGEST_H: Final = 26


class HourBins:
    """Ring of the last 48 hours of each row: litres, hours covered and heard, readings (of all who add to the row)."""

    def __init__(self) -> None:
        self.table = Table(
            {
                "hour": Field("i8", -1, (KEPT,)),
                "litres": Field("f8", 0.0, (KEPT,)),
                "covered": Field("f8", 0.0, (KEPT,)),
                "heard": Field("f4", 0.0, (KEPT,)),
                "readings": Field("f4", 0.0, (KEPT,)),
            }
        )

    def add(
        self, rows: Rows, start_us: Array, end_us: Array, litres: Array, lost_us: Array
    ) -> None:
        """Share out (n,) litres over [start, end); rows may repeat. Unknown and longer than 26 h: nothing.

        Args:
            lost_us: (n,) how much of the interval, from its start, is a hole that readings should have filled.
        """
        span = end_us - start_us
        use = np.isfinite(litres) & (span > 0) & (span <= _LONGEST_H * HOUR_US)
        if not use.all():
            rows, start_us, end_us = rows[use], start_us[use], end_us[use]
            litres, span, lost_us = litres[use], span[use], lost_us[use]
        if rows.size == 0:
            return
        t = self.table
        first, last = start_us // HOUR_US, (end_us - 1) // HOUR_US
        heard_us = start_us + lost_us
        for k in range(int((last - first).max()) + 1):
            hour = first + k
            part = np.minimum(end_us, (hour + 1) * HOUR_US) - np.maximum(start_us, hour * HOUR_US)
            here = part > 0
            r, h, slot = rows[here], hour[here], (hour % KEPT)[here]
            newer = h > t["hour"][r, slot]
            if newer.any():
                for name in ("litres", "covered", "heard", "readings"):
                    t[name][r[newer], slot[newer]] = 0.0
                np.maximum.at(t["hour"], (r[newer], slot[newer]), h[newer])
            same = t["hour"][r, slot] == h
            at = (r[same], slot[same])
            share = part[here][same]
            np.add.at(t["litres"], at, litres[here][same] * share / span[here][same])
            np.add.at(t["covered"], at, share / HOUR_US)
            begin = np.maximum(heard_us[here][same], h[same] * HOUR_US)
            heard = np.minimum(end_us[here][same], (h[same] + 1) * HOUR_US) - begin
            np.add.at(t["heard"], at, np.maximum(heard, 0) / HOUR_US)
            np.add.at(t["readings"], at, last[here][same] == h[same])

    def read(self, rows: Rows, hour: int) -> tuple[Array, Array]:
        """(n,) litres and (n,) hours covered of one hour since 1970; zeros where nothing is known."""
        slot = hour % KEPT
        t = self.table
        here = t["hour"][rows, slot] == hour
        return (
            np.where(here, t["litres"][rows, slot], 0.0),
            np.where(here, t["covered"][rows, slot], 0.0),
        )

    def heard(self, rows: Rows, hour: int) -> tuple[Array, Array]:
        """(n,) hours heard (of all who add to the row) and (n,) readings of one hour since 1970."""
        slot = hour % KEPT
        t = self.table
        here = t["hour"][rows, slot] == hour
        return (
            np.where(here, t["heard"][rows, slot], 0.0).astype(np.float64),
            np.where(here, t["readings"][rows, slot], 0.0).astype(np.float64),
        )


def lost_us(start_us: Array, end_us: Array, cadence_us: Array) -> Array:
    """(n,) how much of each interval is a hole: whole cadences that passed without their reading."""
    span = end_us - start_us
    steps = np.maximum(np.rint(span / np.maximum(cadence_us, 1.0)), 1.0)
    hole: Array = np.where(cadence_us > 0, span * (1.0 - 1.0 / steps), 0.0).astype(np.int64)
    return hole
