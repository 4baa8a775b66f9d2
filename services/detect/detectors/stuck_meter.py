"""Has the meter stopped counting? A blocked or dead meter loses revenue and hides leaks.

Question: would this meter, as it has been learned, rest so long?
Formula: over a run of zero blocks, chance = product of p0(slot). Raised when chance <= `stuck_chance`, the run lasts
    `stuck_min_days`, and it is `stuck_vacancy_factor` times longer than the longest pause that ended by itself.
    A home is seldom occupied when such a pause was as long as `stuck_min_days`, or when pauses of a day and more
    made up a third of its hours: there the run must last `stuck_seldom_days` and 2.5 times the longest pause.
    Cleared by the first block with consumption.
Units: hours, litres; chance is a probability. Defaults: 1e-6, 16 days (a fortnight's holiday and its weekend), 1.5,
    90 days.
Source: learned zero-runs; the vendors' rule is 7 days of zero, which most holidays break.
Missing: a gap over which the register did not move is known to be without use and counts, once there are
    twelve readings and a day was seen. Late and duplicate readings do not enter. Irregular stamps: by time.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.conditions import Episodes
from services.detect.detector_settings import DetectorSettings
from services.detect.elementwise import clip
from services.detect.emission import Subjects, emit
from services.detect.table import NEVER, Array, Field, Table
from services.detect.windows.blocks import Blocks
from services.detect.windows.seen_hours import SeenHours, missing_share
from services.domain.condition import Condition, Evidence, Rule

_SELDOM_FACTOR: Final = 2.5
_SELDOM_SHARE: Final = 1 / 3
_LONG_PAUSE_H: Final = 24.0
_READINGS: Final = 12
_SEEN_H: Final = 24.0
_KNOWN_H: Final = 7 * 24.0
_YEAR_H: Final = 365 * 24.0


class StuckMeter:
    """Runs of zero consumption."""

    rule = Rule.STUCK

    def __init__(self, settings: DetectorSettings) -> None:
        self.settings = settings
        self.episodes = Episodes()
        self.seen = SeenHours()
        self.table = Table(
            {
                "start_us": Field("i8", NEVER),
                "hours": Field("f8"),
                "log_chance": Field("f8"),
                "longest_h": Field("f4"),
                "known_h": Field("f8"),
                "rested_h": Field("f8"),
            }
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {
            "run": self.table,
            "episodes": self.episodes.table,
            "seen": self.seen.table,
        }

    def resting_hours(self, rows: Array) -> Array:
        """(n,) hours since the last consumption."""
        return self.table["hours"][rows]

    def step(self, subjects: Subjects, blocks: Blocks, chance_of_zero: Array) -> list[Condition]:
        """Take one finished block of each of n meters; chance_of_zero (n,) as learned for its hour."""
        s, t, rows = self.settings, self.table, blocks.rows
        self._count(rows, blocks.hours)
        resting = blocks.zero | (t["start_us"][rows] != NEVER)
        if not resting.all():  # for the others nothing has begun and nothing ends
            some = np.flatnonzero(resting)
            if some.size == 0:
                return []
            subjects, blocks = subjects.take(some), blocks.take(some)
            rows, chance_of_zero = blocks.rows, chance_of_zero[some]
        zero = blocks.zero
        start, hours = t["start_us"][rows], t["hours"][rows]
        longest = t["longest_h"][rows].astype(np.float64)
        before = hours
        seen, number = self.seen.add(rows, blocks.seen_hours, blocks.readings, start == NEVER)
        start = np.where(zero & (start == NEVER), blocks.start_us, start)
        hours = hours + np.where(zero, blocks.hours, 0.0)
        log_chance = t["log_chance"][rows] + np.where(
            zero, np.log(clip(chance_of_zero, 0.02, 0.98)) * np.maximum(blocks.hours, 1.0), 0.0
        )
        needed, seldom = self._needed(rows, hours, longest)
        bad = zero & (hours >= needed) & (log_chance <= np.log(s.stuck_chance))
        bad &= (number >= _READINGS) & (seen >= _SEEN_H)  # two readings years apart say little
        active = self.episodes.active(rows)
        onset = self.episodes.onset_us(rows)
        severity = np.ones(len(rows), np.int8)
        changes = self.episodes.step(rows, blocks.end_us, bad, ~zero, start, severity)
        out: list[Condition] = []
        if changes:

            def evidence(i: int) -> Evidence:
                window_us = float(blocks.end_us[i] - start[i])
                return Evidence(
                    "consumption_litres", "L", round(float(blocks.litres[i]), 3), None, None,
                    window_us / 1e6, int(number[i]), missing_share(float(seen[i]), window_us),
                    {
                        "hours_without_use_h": round(float(hours[i]), 1),
                        "needed_h": round(float(needed[i]), 1),
                        "longest_earlier_pause_h": round(float(longest[i]), 1),
                        "watched_before_h": round(max(float(t["known_h"][rows[i]] - hours[i]), 0.0), 1),
                        "seldom_occupied_1": float(seldom[i]),
                        "chance_by_habit_1": float(np.exp(max(log_chance[i], -700.0))),
                        "chance_limit_1": s.stuck_chance,
                    },
                )  # fmt: skip

            out = emit(
                self.rule, subjects, changes, blocks.end_us, np.where(active, onset, start),
                severity, 1.0 - 0.4 * needed / np.maximum(hours, 1e-9), evidence,
            )  # fmt: skip
        ended = ~zero & (
            before > 0
        )  # a flagged run as well: the meter lives, so the home had been empty
        t["longest_h"][rows] = np.where(ended, np.maximum(longest, before), longest)
        t["rested_h"][rows] += np.where(ended & (before >= _LONG_PAUSE_H), before, 0.0)
        self.seen.forget(rows[~zero])
        for name, value, empty in (
            ("start_us", start, NEVER), ("hours", hours, 0.0), ("log_chance", log_chance, 0.0),
        ):  # fmt: skip
            t[name][rows] = np.where(zero, value, empty)
        return out

    def _count(self, rows: Array, hours: Array) -> None:
        t = self.table
        known = t["known_h"][rows] + hours
        t["known_h"][rows] = known
        old = rows[known > _YEAR_H]
        if old.size:  # what was so long ago counts half
            t["known_h"][old] /= 2
            t["rested_h"][old] /= 2

    def _needed(self, rows: Array, hours: Array, longest: Array) -> tuple[Array, Array]:
        """(n,) hours that a rest must last, and (n,) bool: the home is seldom occupied."""
        s, t = self.settings, self.table
        before = t["known_h"][rows] - hours
        seldom = (longest >= 24 * s.stuck_min_days) | (
            (before >= _KNOWN_H) & (t["rested_h"][rows] > _SELDOM_SHARE * before)
        )
        needed = np.where(
            seldom,
            np.maximum(24 * s.stuck_seldom_days, _SELDOM_FACTOR * longest),
            np.maximum(24 * s.stuck_min_days, s.stuck_vacancy_factor * longest),
        )
        return needed, seldom
