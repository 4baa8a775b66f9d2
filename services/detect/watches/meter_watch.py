"""The watch over customer meters: readings -> intervals -> blocks of an hour -> the rules for meters.

It learns each meter's chance of an hour without use and refuses to learn from what it flagged, unless that ended by
itself within three days: a life that rests less than it did.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from services.detect.detector_settings import DetectorSettings
from services.detect.detectors.backflow import Backflow
from services.detect.detectors.burst import Burst
from services.detect.detectors.continuous_flow import ContinuousFlow
from services.detect.detectors.daily_use import DailyUse
from services.detect.detectors.intermittent_leak import IntermittentLeak
from services.detect.detectors.night_flow import NightFlow
from services.detect.detectors.register_change import RegisterChange
from services.detect.detectors.stuck_meter import StuckMeter
from services.detect.detectors.unit_jump import UnitJump
from services.detect.elementwise import or_zero
from services.detect.emission import Subjects
from services.detect.table import NEVER, Array, Field, Rows, Table
from services.detect.windows.blocks import Blocks, HourBlocks
from services.detect.windows.hour_of_week import LocalClock, slot_of_local
from services.detect.windows.intervals import COARSE_H, Intervals, MeterIntervals
from services.detect.windows.slots import SlotBaseline
from services.domain.condition import Condition
from services.domain.instant import DAY_US, HOUR_US, SECOND_US
from services.domain.sensor import Sensor

_PRIOR_VISITS = 2.0
_PRIOR_H = 12.0
_KNOWN_H = 7 * 24.0
_KNOWN_VISITS = 9.0
"""Of this hour of the day, those of the same weekday counted three times: a fortnight's half."""
_HOLIDAY_H = 30.0
"""A pause longer than this is an absence; the habit is not learned from it."""


_RUN_US = 3 * DAY_US
"""A run that a pause ends so soon was lived; hardly anybody repairs a leak so soon."""


class MeterWatch:
    """All customer meters."""

    columns = ("register_litres", "consumption_litres", "flow_litres_per_h")

    def __init__(self, settings: DetectorSettings) -> None:
        self.ids: list[str] = []
        self.hear: Callable[[Rows, Intervals], None] | None = None
        self.clock = LocalClock()
        self.intervals = MeterIntervals()
        self.blocks = HourBlocks()
        self.zero = SlotBaseline(alpha=0.12, shrink=2.0, spread=False)
        self.rest = SlotBaseline(alpha=0.12, shrink=2.0, spread=False)
        self.pause = SlotBaseline(alpha=0.12, shrink=2.0, spread=False)
        self.learned = Table(
            {
                "hours": Field("f4"),
                "zero_hours": Field("f4"),
                "rest_hours": Field("f4"),
                "litres": Field("f4"),
                "zone": Field("i2"),
                "held_us": Field("i8", NEVER),
            }
        )
        self.backflow = Backflow(settings)
        self.continuous = ContinuousFlow(settings)
        self.burst = Burst(settings)
        self.stuck = StuckMeter(settings)
        self.night = NightFlow(settings)
        self.daily = DailyUse(settings, self.night.episodes)
        self.intermittent = IntermittentLeak(settings)
        self.unit = UnitJump(settings)
        self.register = RegisterChange(settings)

    def usual(self, rows: Rows) -> Array:
        """(n,) L/h that meters use on the mean of all that was learned; zero for those that never spoke."""
        return self.learned["litres"][rows] / np.maximum(self.learned["hours"][rows], _PRIOR_H)

    def tables(self) -> dict[str, Table]:
        """All state by name."""
        named = {
            "intervals": self.intervals.table,
            "blocks": self.blocks.table,
            "zero": self.zero.table,
            "rest": self.rest.table,
            "pause": self.pause.table,
            "learned": self.learned,
        }
        for detector in (
            self.backflow, self.continuous, self.burst, self.stuck, self.night, self.daily,
            self.intermittent, self.unit, self.register,
        ):  # fmt: skip
            for name, table in detector.tables.items():
                named[f"{detector.rule.value}.{name}"] = table
        return named

    def add(self, sensors: list[Sensor]) -> None:
        """New meters at the end."""
        first = len(self.ids)
        self.ids.extend(sensor.id for sensor in sensors)
        for table in self.tables().values():
            table.add(len(sensors))
        for i, sensor in enumerate(sensors):
            self.learned["zone"][first + i] = self.clock.zone(sensor.time_zone)
            if sensor.cadence_s:
                self.intervals.table["cadence_us"][first + i] = sensor.cadence_s * SECOND_US

    def look(self, end_us: int) -> list[Condition]:
        """Nothing: each sensor is judged by itself."""
        del end_us
        return []

    def step(self, rows: Rows, at_us: Array, values: list[Array]) -> list[Condition]:
        """One reading of each of `rows` (distinct)."""
        register, consumption, flow = values
        before = self.intervals.table["register"][rows]
        intervals = self.intervals.step(rows, at_us, register, consumption, flow)
        if self.hear is not None:
            self.hear(rows, intervals)
        subjects = Subjects(self.ids, rows)
        out = self.backflow.step(subjects, intervals, self.intervals.table["resolution"])
        out += self.register.step(subjects, intervals, before, register)
        out += self.unit.register(
            subjects, intervals, self.intervals.table["factor"][rows], register
        )
        resolution = self.intervals.table["resolution"]
        full = self.blocks.step(intervals, resolution[rows])
        if full.at.size == 0:
            return out
        rows = rows[full.at]
        middle = (full.start_us + full.end_us) // 2
        local = middle + self.clock.offset_us(self.learned["zone"][rows], middle)
        slot = slot_of_local(local)
        blocks = Blocks(
            rows, full.start_us, full.end_us, full.litres, full.hours, full.zero, full.rested,
            full.least, full.gap, slot, full.seen_hours, full.readings,
        )  # fmt: skip
        gap, hours = blocks.gap, blocks.hours
        subjects = Subjects(self.ids, rows)
        pool = self.zero.pool(rows, slot)  # all three learn together
        chance = self._chance("zero_hours", rows, *self.zero.level_of(pool))
        level, visits = self.rest.level_of(pool)
        chance_of_rest = self._chance("rest_hours", rows, level, visits)
        level = np.minimum(level, self.rest.second_lowest(pool))
        on_a_busy_day = self._chance("rest_hours", rows, level, visits)
        out += self.unit.step(subjects, blocks)
        foreign = self.unit.mute(rows, blocks.end_us)
        cadence = self.intervals.table["cadence_us"][rows]
        coarse = cadence > COARSE_H * HOUR_US
        mean = self.usual(rows)
        out += self.continuous.step(
            subjects, blocks, chance_of_rest, on_a_busy_day, coarse, resolution[rows], mean
        )
        flowing = self.continuous.episodes.active(rows) | self.continuous.suspicious(rows)
        out += self.burst.step(subjects, blocks, ~flowing & ~gap & ~foreign, foreign, coarse)
        loud = self.continuous.episodes.active(rows) | self.burst.episodes.active(rows)
        resting, visits = self.pause.level_of(pool)
        known = (self.learned["hours"][rows] >= _KNOWN_H) & (visits >= _KNOWN_VISITS)
        out += self.intermittent.step(subjects, blocks, or_zero(resting), known & ~coarse, loud)
        out += self.stuck.step(subjects, blocks, chance)
        out += self.night.step(subjects, blocks, local // DAY_US, coarse)
        out += self.daily.step(subjects, blocks, cadence, coarse)
        sound = ~foreign & ~self.intermittent.suspicious(rows) & ~self.burst.episodes.active(rows)
        teach = (
            ~flowing & sound & (self.stuck.resting_hours(rows) <= _HOLIDAY_H)
            & (~gap | (blocks.zero & (hours < 6)))
        )  # fmt: skip
        self._hold(blocks, flowing, sound)
        share = np.where(teach, 1.0, 0.0)
        self.zero.learn(rows, slot, blocks.zero.astype(np.float64), share)
        self.rest.learn(rows, slot, blocks.rested.astype(np.float64), share)
        self.pause.learn(rows, slot, self.intermittent.pause(blocks).astype(np.float64), share)
        taught = np.where(teach, hours, 0.0).astype(np.float32)
        self.learned["hours"][rows] += taught
        self.learned["zero_hours"][rows] += taught * blocks.zero
        self.learned["rest_hours"][rows] += taught * blocks.rested
        self.learned["litres"][rows] += taught * blocks.rate
        return out

    def _hold(self, blocks: Blocks, flowing: Array, sound: Array) -> None:
        """Learn from a run that was in doubt as soon as it ends by itself within three days: so do not leaks."""
        t, rows = self.learned, blocks.rows
        since = t["held_us"][rows]
        begun = np.where((since == NEVER) & flowing, blocks.start_us, since)
        begun = np.where(sound | (begun == NEVER), begun, blocks.end_us - 2 * _RUN_US)  # too old
        over = (begun != NEVER) & ~flowing
        lived = over & (blocks.start_us - begun <= _RUN_US)
        t["held_us"][rows] = np.where(over, NEVER, begun)
        at = np.flatnonzero(lived)
        middle, end_us = begun[at] + HOUR_US // 2, blocks.start_us[at]
        while at.size:
            r, inside = rows[at], middle < end_us
            at, middle, end_us, r = at[inside], middle[inside], end_us[inside], r[inside]
            slot = slot_of_local(middle + self.clock.offset_us(t["zone"][r], middle))
            usual = self.pause.table["level"][r, slot].astype(np.float64)
            one, none = np.ones(len(r)), np.zeros(len(r))
            self.zero.learn(r, slot, none, one)
            self.rest.learn(r, slot, none, one)
            self.pause.learn(
                r, slot, usual, one
            )  # of that nothing is known; all three learn together
            t["litres"][r] += t["litres"][r] / np.maximum(t["hours"][r], 1.0)
            t["hours"][r] += 1.0
            middle = middle + HOUR_US

    def _chance(self, hours: str, rows: Rows, level: Array, visits: Array) -> Array:
        """(n,) learned chance that the hour is one of those that the total `hours` counts.

        Args:
            level, visits: (n,) the same by the hour of the week, and how much of that has been seen.
        """
        # before the hour is known: the share of such hours so far, none at the very beginning
        seen = self.learned["hours"][rows].astype(np.float64)
        prior = self.learned[hours][rows] / (seen + _PRIOR_H)
        level = np.where(np.isnan(level), prior, level)
        return (level * visits + prior * _PRIOR_VISITS) / (visits + _PRIOR_VISITS)
