"""From blocks of seldom read meters to days and halves of days: the parts that `day_looks` keeps.

Where readings fill half a day (every 12, 6, 4 or 3 hours, say) a part is half a day, and a day ends with each of them;
elsewhere a part is a day, or one reading where they are further apart. A part is as long as its readings: the register
says what ran while some were lost, so one that covers several halves stands for two. Which of the two halves a part is
follows from the time since the one before, so jitter turns nothing around. It refuses to judge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.detect.table import NEVER, Array, Field, Rows, Table
from services.detect.windows.blocks import Blocks
from services.domain.instant import HOUR_US

_DAY_H: Final = 18.0
_HALF_H: Final = 12.0
_LONG_H: Final = 18.0
"""A part from here on stands for two halves."""
_OFF_H: Final = 2.5
"""Readings fill half a day where a whole number of them comes so near to it."""
_JOINED_US: Final = HOUR_US


@dataclass(frozen=True, slots=True)
class Parts:
    """Finished parts, n rows.

    Attributes:
        rate: (n,) L/h of the part; day: (n,) L/h of the day that it ends, of the part alone where there is no other.
        start_us, day_us, end_us: (n,) begin of the part and of the day, end of both.
        held: (n, 2) hours heard of the part, and readings.
        half: (n,) bool, which half of the day; long: (n,) bool, it stands for both.
        two: (n,) bool, the day has two parts.
    """

    rate: Array
    day: Array
    start_us: Array
    day_us: Array
    end_us: Array
    held: Array
    half: Array
    long: Array
    two: Array


def parts_of_day(every_h: Array) -> Array:
    """(n,) 2 where readings every (n,) hours fill half a day, else 1."""
    filled = np.rint(_HALF_H / np.maximum(every_h, 1.0)) * every_h
    return np.where(np.abs(filled - _HALF_H) <= _OFF_H, 2, 1).astype(np.int8)


class DayParts:
    """The unfinished part of each meter, and the one before."""

    def __init__(self) -> None:
        self.table = Table(
            {
                "litres": Field("f8"),
                "hours": Field("f8"),
                "seen": Field("f8"),
                "readings": Field("i4"),
                "start_us": Field("i8", NEVER),
                "end_us": Field("i8", NEVER),
                "half": Field("?"),
                "part_us": Field("i8", NEVER),
                "part_rate": Field("f8"),
                "part_h": Field("f8"),
            }
        )

    def add(self, blocks: Blocks, every_h: Array, two: Array) -> tuple[Rows, Parts | None]:
        """Add a block of each of n meters; returns positions of those whose part is full with it, and the parts.

        Args:
            every_h: (n,) cadence; two: (n,) bool, the meter's day has two parts.
        """
        t, rows = self.table, blocks.rows
        self.forget(rows[(t["hours"][rows] > 0) & (blocks.start_us != t["end_us"][rows])])
        fresh = t["hours"][rows] <= 0
        t["start_us"][rows] = np.where(fresh, blocks.start_us, t["start_us"][rows])
        t["end_us"][rows] = blocks.end_us
        t["litres"][rows] += blocks.litres
        t["hours"][rows] += blocks.hours
        t["seen"][rows] += blocks.seen_hours
        t["readings"][rows] += blocks.readings
        needed = np.where(two, _HALF_H - np.minimum(every_h, _HALF_H / 2) / 2, _DAY_H)
        full = np.flatnonzero(t["hours"][rows] >= needed)
        return full, self._finished(rows[full], two[full]) if full.size else None

    def _finished(self, rows: Rows, two: Array) -> Parts:
        t = self.table
        hours, rate = t["hours"][rows], t["litres"][rows] / t["hours"][rows]
        start, end = t["start_us"][rows], t["end_us"][rows]
        held = np.stack([t["seen"][rows], t["readings"][rows]], axis=1)
        self.forget(rows)
        before = t["part_us"][rows]
        since = np.where(before == NEVER, 0, end - np.where(before == NEVER, end, before))
        half = t["half"][rows] ^ (np.rint(since / (_HALF_H * HOUR_US)) % 2 == 1)
        long = two & (hours >= _LONG_H)
        joined = two & ~long & (before != NEVER) & (np.abs(start - before) < _JOINED_US)
        before_h = np.where(joined, t["part_h"][rows], 0.0)
        day = (rate * hours + t["part_rate"][rows] * before_h) / (hours + before_h)
        day_us = start - (before_h * HOUR_US).astype(np.int64)
        for name, value in (
            ("half", half), ("part_us", end), ("part_rate", rate), ("part_h", hours),
        ):  # fmt: skip
            t[name][rows] = value
        return Parts(rate, day, start, day_us, end, held, half, long, two)

    def forget(self, rows: Rows) -> None:
        """Begin the part again."""
        for name in ("litres", "hours", "seen", "readings"):
            self.table[name][rows] = 0
