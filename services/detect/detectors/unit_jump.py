"""Does a meter suddenly speak in another unit? m3 instead of litres, a pulse weight that is wrong by 100 or 1000.

Question: has the register moved by a power of ten (and by nothing else), or has every use of the day?
Formula: (1) the register times 10, 100, 1000 or a tenth, ... of that continues the old one (`windows/intervals.py`):
    told at once, cleared when it continues in the old unit. (2) x = log rate of a block that is not zero, m = its mean
    by habit; a day is off when its mean of x is log(40) or more from m and it still has two pauses, which a burst has
    not. Told after two days off in a row, cleared by a day that is not.
Units: factors without unit; L/h. Defaults: 40 times, two days. Habit known after 100 blocks with use.
Source: unit guards asked for by users of meter portals (ANCHORS.md, section 3); the log of a rate shifts, a leak adds.
Missing: readings that are missing lengthen the days. Late readings do not enter. Irregular stamps: by blocks.
While the register is in another unit nothing else is judged; while a day is off, neither bursts nor habits are.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.conditions import Episodes
from services.detect.detector_settings import DetectorSettings
from services.detect.emission import Subjects, emit
from services.detect.table import NEVER, Array, Field, Rows, Table
from services.detect.windows.blocks import Blocks
from services.detect.windows.intervals import Intervals
from services.detect.windows.seen_hours import SeenHours, missing_share
from services.domain.condition import Condition, Evidence, Rule
from services.domain.instant import DAY_US

TIMES: Final = 40.0
_DAY_H: Final = 24.0
_PAUSES: Final = 2
_DAYS: Final = 2
_KNOWN: Final = 100
_FORGETS: Final = 1 / 500


class UnitJump:
    """Powers of ten."""

    rule = Rule.SENSOR_FAULT

    def __init__(self, settings: DetectorSettings) -> None:
        del settings
        self.episodes = Episodes()
        self.seen = SeenHours()
        self.table = Table(
            {
                "by_register": Field("?"),
                "habit": Field("f8"),
                "taught": Field("i4"),
                "start_us": Field("i8", NEVER),
                "hours": Field("f8"),
                "total": Field("f8"),
                "uses": Field("i2"),
                "pauses": Field("i2"),
                "days_off": Field("i2"),
                "off_since_us": Field("i8", NEVER),
                "far_us": Field("i8", NEVER),
                "paused": Field("?"),
                "mute_us": Field("i8", NEVER),
            }
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {"unit": self.table, "episodes": self.episodes.table, "seen": self.seen.table}

    def register(
        self, subjects: Subjects, intervals: Intervals, factor: Array, read: Array
    ) -> list[Condition]:
        """Take one interval of each of n meters.

        Args:
            factor: (n,) by which the registers must be multiplied now to go on where they were; 1 as a rule.
            read: (n,) registers as they were read.
        """
        t, rows = self.table, intervals.rows
        odd = (factor != 1) & ~intervals.late
        some = np.flatnonzero((odd | t["by_register"][rows]) & ~intervals.late)
        if some.size == 0:
            return []
        rows, odd, factor, read = rows[some], odd[some], factor[some], read[some]
        at, start = intervals.end_us[some], intervals.start_us[some]
        hours, seen = intervals.hours[some], intervals.seen_hours[some]
        onset = np.where(self.episodes.active(rows), self.episodes.onset_us(rows), start)
        severity = np.ones(len(rows), np.int8)
        changes = self.episodes.step(rows, at, odd, ~odd, onset, severity)
        t["by_register"][rows] = odd
        if not changes:
            return []

        def evidence(i: int) -> Evidence:
            expected = float(read[i] * factor[i])
            return Evidence(
                "register_litres", "L", round(float(read[i]), 3), None, round(expected, 3),
                float(hours[i] * 3600), 1, missing_share(float(seen[i]), float(at[i] - start[i])),
                {"unit_factor_1": float(factor[i])},
            )  # fmt: skip

        return emit(
            self.rule, subjects.take(some), changes, at, onset, severity,
            np.full(len(rows), 0.95), evidence,
        )  # fmt: skip

    def step(self, subjects: Subjects, blocks: Blocks) -> list[Condition]:
        """Take one finished block of each of n meters."""
        t, rows = self.table, blocks.rows
        x = np.log(np.maximum(blocks.rate, 1e-6))
        shift = np.where(t["taught"][rows] >= _KNOWN, x - t["habit"][rows], 0.0)
        self._alternation(blocks, shift)
        use = ~blocks.zero
        fresh = t["hours"][rows] <= 0
        if fresh.any():
            t["start_us"][rows[fresh]] = blocks.start_us[fresh]
        t["hours"][rows] += blocks.hours
        t["total"][rows] += np.where(use, shift, 0.0)
        t["uses"][rows] += use
        t["pauses"][rows] += blocks.zero
        seen, readings = self.seen.add(
            rows, blocks.seen_hours, blocks.readings, fresh & (t["days_off"][rows] == 0)
        )
        whole = np.flatnonzero(t["hours"][rows] >= _DAY_H)
        out = self._day(subjects, blocks, whole, seen, readings) if whole.size else []
        calm = use & ~blocks.gap & (np.abs(shift) < np.log(TIMES)) & (t["days_off"][rows] == 0)
        r = rows[calm]
        weight = np.maximum(1.0 / (t["taught"][r] + 1.0), _FORGETS)
        t["habit"][r] += weight * (x[calm] - t["habit"][r])
        t["taught"][r] = np.minimum(t["taught"][r] + 1, 2**30)
        return out

    def mute(self, rows: Rows, at_us: Array) -> Array:
        """(n,) bool: far rates with pauses between them within a day, or a day off: no burst looks like that."""
        t = self.table
        since = t["mute_us"][rows]
        muted: Array = (t["days_off"][rows] > 0) | (
            (since != NEVER) & (at_us - np.where(since == NEVER, at_us, since) < DAY_US)
        )
        return muted

    def _alternation(self, blocks: Blocks, shift: Array) -> None:
        t, rows = self.table, blocks.rows
        far = ~blocks.zero & (shift >= np.log(TIMES))
        last = t["far_us"][rows]
        near = (last != NEVER) & (
            blocks.end_us - np.where(last == NEVER, blocks.end_us, last) < DAY_US
        )
        again = far & near & t["paused"][rows]
        t["mute_us"][rows[again]] = blocks.end_us[again]
        t["paused"][rows] = ~far & near & (t["paused"][rows] | blocks.zero)
        t["far_us"][rows[far]] = blocks.end_us[far]

    def _day(
        self, subjects: Subjects, blocks: Blocks, at: Array, seen: Array, readings: Array
    ) -> list[Condition]:
        t = self.table
        rows, end, seen, readings = blocks.rows[at], blocks.end_us[at], seen[at], readings[at]
        uses = t["uses"][rows]
        shift = t["total"][rows] / np.maximum(uses, 1)
        off = (uses >= 2) & (t["pauses"][rows] >= _PAUSES) & (np.abs(shift) >= np.log(TIMES))
        since = np.where(t["days_off"][rows] > 0, t["off_since_us"][rows], t["start_us"][rows])
        days = np.where(off, np.minimum(t["days_off"][rows] + 1, 1000), 0)
        t["days_off"][rows], t["off_since_us"][rows] = days, since
        for name in ("hours", "total", "uses", "pauses"):
            t[name][rows] = 0
        active, onset = self.episodes.active(rows), self.episodes.onset_us(rows)
        good = ~off & ~t["by_register"][rows]
        severity = np.ones(len(rows), np.int8)
        changes = self.episodes.step(rows, end, days >= _DAYS, good, since, severity)
        self.seen.forget(rows[~off])
        if not changes:
            return []
        habit = np.exp(t["habit"][rows])

        def evidence(i: int) -> Evidence:
            times = float(np.exp(shift[i]))
            limit = habit[i] * (TIMES if times >= 1 else 1 / TIMES)
            window_us = float(end[i] - since[i])
            return Evidence(
                "flow_litres_per_h", "L/h", round(float(habit[i]) * times, 3), round(float(limit), 3),
                round(float(habit[i]), 3), window_us / 1e6, int(readings[i]),
                missing_share(float(seen[i]), window_us),
                {"times_usual_1": round(times, 4), "days_1": float(days[i])},
            )  # fmt: skip

        return emit(
            self.rule, subjects.take(at), changes, end, np.where(active, onset, since), severity,
            np.full(len(rows), 0.8), evidence,
        )  # fmt: skip
