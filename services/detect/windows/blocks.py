"""From intervals of any length to blocks of about an hour: the unit in which the rules for meters count.

Fifteen-minute intervals are added up until 54 minutes are full, hourly and longer ones are a block each; so 'an hour
without use' means the same for every meter and register steps of a litre do not look like pauses. An unknown
interval breaks the block.

What readings finer than an hour say of a pause is kept beside it. A leak of r L/h makes the register move by at least
r t - d in any time t, d being its resolution; so a stretch of time t without a step bounds what can be leaking, and
so does each quarter of an hour, and each two that follow each other: `least` is the smallest such bound. `rested`
says that the register stood still for `REST_H` and for longer than any leak of `SEEN_LITRES_PER_H` would let it.
It refuses to judge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.detect.table import NEVER, Array, Field, Table
from services.detect.windows.intervals import Intervals
from services.domain.instant import HOUR_US

FULL_HOURS: Final = 0.9
REST_H: Final = 0.65
"""Two quarters of an hour without a step happen to a leak of 2 L/h; three do not."""
SEEN_LITRES_PER_H: Final = 1.6
_PART_H: Final = 0.22
_NOTHING_LITRES: Final = 1e-6
_INSIDE: Final = ("rested", "least", "part_h", "part_litres", "last_h", "last_litres")
"""What is known of the inside of the present block; the stretch without a step may be longer than a block."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Finished blocks, m rows.

    Attributes:
        rows: (m,) rows of the sensors (distinct).
        start_us, end_us: (m,) the block.
        litres, hours: (m,) consumption and length; rate = litres / hours in L/h.
        zero: (m,) bool: nothing was used in the whole block.
        rested: (m,) bool: nothing was used in it, or for long enough that no leak can have run.
        least: (m,) L/h, at most so much can have run all the time; the rate itself where readings are not finer.
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
    rested: Array
    least: Array
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
            self.hours[which], self.zero[which], self.rested[which], self.least[which],
            self.gap[which], self.slot[which], self.seen_hours[which], self.readings[which],
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
    zero: Array
    rested: Array
    least: Array
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
                "still_h": Field("f4"),
                "rested": Field("?"),
                "least": Field("f4", np.inf),
                "part_litres": Field("f4"),
                "part_h": Field("f4"),
                "last_litres": Field("f4"),
                "last_h": Field("f4"),
            }
        )

    def step(self, intervals: Intervals, resolution: Array) -> Finished:
        """Add one interval a row and return the blocks that are full with it; resolution (n,) of the registers, L."""
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
        rested, least = self._inside(intervals, known, skip, joined, hours, resolution)
        for name, new, empty in (
            ("start_us", start, NEVER), ("hours", hours, 0.0), ("litres", litres, 0.0),
            ("readings", readings, 0),
        ):  # fmt: skip
            t[name][rows] = np.where(skip, t[name][rows], np.where(keep, new, empty))
        at = np.flatnonzero(done)
        for name in _INSIDE:
            t[name][rows[at]] = self.table.fields[name].fill
        zero = litres[at] <= _NOTHING_LITRES
        return Finished(
            at, start[at], intervals.end_us[at], litres[at], hours[at], zero, zero | rested[at],
            np.minimum(least[at], litres[at] / hours[at]), intervals.gap[at] & (hours[at] > 1.5),
            before[at] + intervals.seen_hours[at], readings[at],
        )  # fmt: skip

    def _inside(
        self, intervals: Intervals, known: Array, skip: Array, joined: Array, hours: Array,
        resolution: Array,
    ) -> tuple[Array, Array]:  # fmt: skip
        """(n,) whether the register stood still for long in the block so far, and (n,) the bound of a leak, L/h."""
        t, rows = self.table, intervals.rows
        held = {
            name: np.where(joined, t[name][rows], self.table.fields[name].fill) for name in _INSIDE
        }
        span = np.where(known, intervals.hours, 0.0)
        litres = np.where(known, intervals.litres, 0.0)
        idle = known & (litres <= _NOTHING_LITRES)
        still = np.where(idle, t["still_h"][rows] + span, 0.0)  # it may have begun before the block
        rested = (held["rested"] != 0) | (
            still >= np.maximum(REST_H, resolution / SEEN_LITRES_PER_H)
        )
        part_h, part = held["part_h"] + span, held["part_litres"] + litres
        whole = known & (part_h >= _PART_H)
        alone = (part + resolution) / np.maximum(part_h, 1e-9)
        both = (part + held["last_litres"] + resolution) / np.maximum(part_h + held["last_h"], 1e-9)
        bound = np.where(
            whole, np.where(held["last_h"] > 0, np.minimum(alone, both), alone), np.inf
        )
        inside = np.minimum(still, hours)
        bound = np.minimum(bound, np.where(idle, resolution / np.maximum(inside, 1e-9), np.inf))
        least = np.minimum(held["least"], bound)
        for name, value in (
            ("still_h", still), ("rested", rested), ("least", least),
            ("part_h", np.where(whole, 0.0, part_h)), ("part_litres", np.where(whole, 0.0, part)),
            ("last_h", np.where(whole, part_h, held["last_h"])),
            ("last_litres", np.where(whole, part, held["last_litres"])),
        ):  # fmt: skip
            fill = self.table.fields[name].fill
            t[name][rows] = np.where(skip, t[name][rows], np.where(known, value, fill))
        return rested, least
