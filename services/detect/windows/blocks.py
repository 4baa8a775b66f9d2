"""From intervals of any length to blocks of about an hour: the unit in which the rules for meters count.

Fifteen-minute intervals are added up until 54 minutes are full, hourly and longer ones are a block each; so 'an hour
without use' means the same for every meter and register steps of a litre do not look like pauses. An unknown
interval breaks the block. It refuses to judge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.detect.table import NEVER, Array, Field, Table
from services.detect.windows.intervals import Intervals
from services.domain.instant import HOUR_US

FULL_HOURS: Final = 0.9


@dataclass(frozen=True, slots=True)
class Blocks:
    """Finished blocks, m rows.

    Attributes:
        rows: (m,) rows of the sensors (distinct).
        start_us, end_us: (m,) the block.
        litres, hours: (m,) consumption and length; rate = litres / hours in L/h.
        zero: (m,) bool: nothing was used in the whole block.
        gap: (m,) bool: readings are missing inside, so that pauses may have been overlooked.
        slot: (m,) hour of the local week of the block's middle.
        seen_hours: (m,) hours of the block that readings stand for; readings: (m,) their number.
    """

    rows: Array
    start_us: Array
    end_us: Array
    litres: Array
    hours: Array
    zero: Array
    gap: Array
    slot: Array
    seen_hours: Array
    readings: Array

    @property
    def rate(self) -> Array:
        """(m,) L/h."""
        return self.litres / self.hours

    def take(self, which: Array) -> Blocks:
        """The chosen blocks."""
        return Blocks(
            self.rows[which], self.start_us[which], self.end_us[which], self.litres[which],
            self.hours[which], self.zero[which], self.gap[which], self.slot[which],
            self.seen_hours[which], self.readings[which],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finished:
    """Blocks that a step has filled, m rows; as in `Blocks`, before anybody asks for the local time.

    Attributes:
        at: (m,) positions into the rows of the step.
    """

    at: Array
    start_us: Array
    end_us: Array
    litres: Array
    hours: Array
    gap: Array
    seen_hours: Array
    readings: Array


class HourBlocks:
    """The unfinished block of each meter."""

    def __init__(self) -> None:
        self.table = Table(
            {
                "start_us": Field("i8", NEVER),
                "litres": Field("f8"),
                "hours": Field("f8"),
                "readings": Field("i4"),
            }
        )

    def step(self, intervals: Intervals) -> Finished:
        """Add one interval a row and return the blocks that are full with it."""
        t, rows = self.table, intervals.rows
        known = np.isfinite(intervals.litres) & (intervals.litres >= 0) & (intervals.hours > 0)
        start, before = t["start_us"][rows], t["hours"][rows]
        litres, readings = t["litres"][rows], t["readings"][rows]
        whole = known & ((intervals.hours >= FULL_HOURS) | intervals.gap)
        joined = (
            ~whole
            & (start != NEVER)
            & (
                np.abs(intervals.start_us - np.where(start == NEVER, 0, start) - (before * HOUR_US))
                < 0.1 * HOUR_US
            )
        )
        before = np.where(joined, before, 0.0)
        hours = before + np.where(known, intervals.hours, 0.0)
        litres = np.where(joined, litres, 0.0) + np.where(known, intervals.litres, 0.0)
        readings = np.where(joined, readings, 0) + known
        start = np.where(joined, start, intervals.start_us)
        done = known & (hours >= FULL_HOURS)
        keep = known & ~done
        skip = intervals.late | (np.isnan(intervals.litres) & (intervals.event == 0))
        for name, new, empty in (
            ("start_us", start, NEVER), ("hours", hours, 0.0), ("litres", litres, 0.0),
            ("readings", readings, 0),
        ):  # fmt: skip
            t[name][rows] = np.where(skip, t[name][rows], np.where(keep, new, empty))
        at = np.flatnonzero(done)
        return Finished(
            at, start[at], intervals.end_us[at], litres[at], hours[at],
            intervals.gap[at] & (hours[at] > 1.5),
            before[at] + intervals.seen_hours[at], readings[at],
        )  # fmt: skip
