"""Is water running without a pause? The sign of a leak behind a meter.

Question: would this meter, as it has been learned, go so long without a single hour of no use?
Formula: over a run of blocks (about an hour each) without a pause, chance = product of (1 - p0(slot)), p0 being the
    learned chance of a block with a pause at that hour of the week; a pause is a block of no use, or, where readings
    are finer, a stretch of it so long that no leak can have run (`windows/blocks.py`). Holidays, guests and a day off
    are lived like another day of the week: chance_busy takes for p0 the second lowest of that hour on the seven days,
    where it is lower. Raised when the run lasts `continuous_min_h` with a flow of `continuous_early_litres_per_h` and
    chance <= `continuous_chance`; when it lasts 5/6 of `continuous_vendor_h` and chance_busy <= `continuous_chance`;
    or when it lasts `continuous_vendor_h`, has been through each hour of the day, never fell below two steps of the
    register an hour, and chance_busy <= `continuous_vendor_chance`. The leak is the least rate of the last 12 to 24
    hours, bounded by what finer readings allow; told again when it has grown by half, and by 2 L/h, since it was last
    told. Cleared by two blocks with a pause one after the other.
Units: L, L/h, hours; chance is a probability.
Defaults: 12 h, 1e-4 and never below 9 L/h, two steps of the register or .6 of the mean rate; 20 h,
    1e-4; 24 h, 1e-3. At least half of a run is heard.
Source: the vendors' rule of 24 hours without a zero (Neptune, BEACON), with the chance of a pause learned, so that
    sparse homes are told early and homes that never sleep (p0 near 0) are left to `night_flow`.
Missing: a gap counts neither as use nor as a pause; one of 12 h begins the run anew. Late and duplicate readings do
    not enter. Irregular stamps: by time, not by number of readings. Cadence: up to 2.2 h; a meter that is read more
    seldom shows no pauses, and `night_flow` compares its days.
"""

from __future__ import annotations

from dataclasses import replace
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
from services.domain.instant import HOUR_US

_HALF_DAY_H: Final = 12.0
_GAP_H: Final = 12.0
_LONGEST_H: Final = 72.0
"""The chance is that of at most so many hours: else a small chance of a pause would add up over months."""
_ALMOST: Final = 5 / 6
"""Of a day without a pause: the rest would be told again by hours that it has seen."""
_EARLY_SHARE: Final = 0.6
"""Of the mean rate: what a large customer draws all day is no leak after half of it."""
_GROWN: Final = 1.5
_GROWN_LITRES_PER_H: Final = 2.0
_OFF_US: Final = int(0.8 * HOUR_US)


class ContinuousFlow:
    """Runs without a pause."""

    rule = Rule.CONTINUOUS_FLOW

    def __init__(self, settings: DetectorSettings) -> None:
        self.settings = settings
        self.episodes = Episodes(off_delay_us=_OFF_US)
        self.seen = SeenHours()
        self.table = Table(
            {
                "start_us": Field("i8", NEVER),
                "hours": Field("f8"),
                "gap_hours": Field("f8"),
                "log_chance": Field("f8"),
                "log_busy": Field("f8"),
                "least": Field("f8", np.inf),
                "earlier_least": Field("f8", np.inf),
                "least_hours": Field("f8"),
                "litres": Field("f8"),
                "lost": Field("f8"),
                "told": Field("f8"),
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

    def suspicious(self, rows: Array) -> Array:
        """(n,) bool: a run is long enough that nothing should be learned from it."""
        hours = self.table["hours"][rows]
        rare: Array = _bounded(self.table["log_chance"][rows], hours) < np.log(0.01)
        return rare & (hours >= 6)

    def step(
        self,
        subjects: Subjects,
        blocks: Blocks,
        chance_of_pause: Array,
        on_a_busy_day: Array,
        coarse: Array,
        resolution: Array,
        mean: Array,
    ) -> list[Condition]:
        """Take one finished block of each of n meters.

        Args:
            chance_of_pause: (n,) as learned for its hour; on_a_busy_day: (n,) the same as if it were another day.
            coarse: (n,) bool: the meter is read too seldom to show pauses; its blocks end every run.
            resolution: (n,) L, of the registers: one step an hour says nothing early, two do.
            mean: (n,) L/h, of all that was learned from.
        """
        s, t, rows = self.settings, self.table, blocks.rows
        zero = blocks.rested | coarse
        active = self.episodes.active(rows)
        lost = blocks.gap & ~zero & ~active & (blocks.hours > _GAP_H)
        if lost.any():  # pauses may have been overlooked: the run begins after the gap
            t["start_us"][rows[lost]] = NEVER
            for name in (
                "hours",
                "gap_hours",
                "log_chance",
                "log_busy",
                "litres",
                "least_hours",
            ):
                t[name][rows[lost]] = 0.0
            t["least"][rows[lost]] = np.inf
            t["earlier_least"][rows[lost]] = np.inf
        start = t["start_us"][rows]
        fresh = start == NEVER
        start = np.where(fresh & ~zero, blocks.start_us, start)
        counted = ~zero & ~blocks.gap
        hours = t["hours"][rows] + np.where(counted, blocks.hours, 0.0)
        gap_hours = t["gap_hours"][rows] + np.where(blocks.gap & ~zero & ~fresh, blocks.hours, 0.0)
        log_chance = t["log_chance"][rows] + _log_of_none(chance_of_pause, counted)
        log_busy = t["log_busy"][rows] + _log_of_none(on_a_busy_day, counted)
        # the least rate of the last 12 to 24 hours: a run that grows shows
        half_day, least_before = t["least_hours"][rows], t["least"][rows]
        turned = half_day >= _HALF_DAY_H
        earlier = np.where(turned, least_before, t["earlier_least"][rows])
        newest = np.where(turned, np.inf, least_before)
        newest = np.where(zero, newest, np.minimum(newest, blocks.least))
        least_hours = np.where(turned, 0.0, half_day) + np.where(zero, 0.0, blocks.hours)
        least = np.minimum(newest, earlier)
        litres = t["litres"][rows] + np.where(zero, 0.0, blocks.litres)
        seen, number = self.seen.add(rows, blocks.seen_hours, blocks.readings, fresh)
        told, told_busy = _bounded(log_chance, hours), _bounded(log_busy, hours)
        heard = hours >= gap_hours  # of a run that was mostly silence nobody knows the pauses
        steps = 2.0 * resolution.astype(np.float64)
        strong = np.maximum(np.maximum(s.continuous_early_litres_per_h, steps), _EARLY_SHARE * mean)
        early = (
            (hours >= s.continuous_min_h)
            & (least >= strong)
            & (told <= np.log(s.continuous_chance))
        )
        almost_h = _ALMOST * s.continuous_vendor_h
        almost = (hours >= almost_h) & (told_busy <= np.log(s.continuous_chance))
        late = (hours >= s.continuous_vendor_h) & (told_busy <= np.log(s.continuous_vendor_chance))
        late &= least >= steps  # single steps come by chance, two in every hour seldom
        bad = ~zero & heard & (early | almost | late)
        needed_h = np.where(
            early, s.continuous_min_h, np.where(almost, almost_h, s.continuous_vendor_h)
        )
        limit = np.where(early | almost, s.continuous_chance, s.continuous_vendor_chance)
        least_needed = np.where(early, strong, np.where(almost, 0.0, steps))
        chance = np.exp(np.where(early, told, told_busy))
        leak = np.where(np.isfinite(least), least, 0.0)
        lost_litres = np.where(
            active,
            t["lost"][rows] + np.where(zero, 0.0, leak * blocks.hours),
            leak * (hours + gap_hours),
        )
        severity = np.digitize(leak, [s.trickle_litres_per_h, s.critical_litres_per_h])
        onset = self.episodes.onset_us(rows)
        changes = self.episodes.step(rows, blocks.end_us, bad, zero, start, severity)
        last_told = t["told"][rows]
        grown = (
            active & bad & (leak >= _GROWN * last_told) & (leak >= last_told + _GROWN_LITRES_PER_H)
        )
        grown[changes.updated] = False
        if grown.any():
            changes = replace(changes, worsened=np.flatnonzero(grown))
        for tell in (changes.raised, changes.updated, changes.worsened):
            t["told"][rows[tell]] = leak[tell]
        out: list[Condition] = []
        if changes:

            def evidence(i: int) -> Evidence:
                window_us = float(blocks.end_us[i] - start[i])
                return Evidence(
                    "flow_litres_per_h", "L/h", round(float(leak[i]), 2), None, None,
                    window_us / 1e6, int(number[i]), missing_share(float(seen[i]), window_us),
                    {
                        "hours_without_pause_h": round(float(hours[i]), 2),
                        "needed_h": round(float(needed_h[i]), 2),
                        "least_litres_per_h": round(float(leak[i]), 2),
                        "least_needed_litres_per_h": round(float(least_needed[i]), 2),
                        "chance_by_habit_1": float(chance[i]),
                        "chance_limit_1": float(limit[i]),
                        "litres_so_far": round(float(lost_litres[i]), 1),
                        "litres_per_day": round(float(24 * leak[i]), 1),
                        "told_litres_per_h": round(float(last_told[i] if active[i] else leak[i]), 2),
                        "mean_litres_per_h": round(float(litres[i] / max(hours[i] + gap_hours[i], 1e-9)), 2),
                    },
                )  # fmt: skip

            score = 1.0 - 0.5 * chance / s.continuous_vendor_chance
            out = emit(
                self.rule, subjects, changes, blocks.end_us,
                np.where(active, onset, start), severity, score, evidence,
            )  # fmt: skip
        ended = ~active
        ended[changes.cleared] = True
        over = zero & ended
        for name, value, empty in (
            ("start_us", start, NEVER), ("hours", hours, 0.0), ("gap_hours", gap_hours, 0.0),
            ("log_chance", log_chance, 0.0), ("log_busy", log_busy, 0.0), ("least", newest, np.inf),
            ("earlier_least", earlier, np.inf), ("least_hours", least_hours, 0.0), ("litres", litres, 0.0),
            ("lost", lost_litres, 0.0),
        ):  # fmt: skip
            t[name][rows] = np.where(over, empty, value)
        return out


def _log_of_none(chance_of_pause: Array, counted: Array) -> Array:
    """(n,) log of the chance that there is no pause; 0 where a block does not count."""
    return np.where(counted, np.log1p(-clip(chance_of_pause, 0.002, 0.98)), 0.0)


def _bounded(log_chance: Array, hours: Array) -> Array:
    """(n,) log of the chance of a run of (n,) hours, as if the longest had lasted `_LONGEST_H`."""
    bounded: Array = log_chance * np.minimum(1.0, _LONGEST_H / np.maximum(hours, 1e-9))
    return bounded
