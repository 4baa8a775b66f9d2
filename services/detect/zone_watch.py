"""The watch over inlets and outlets of district metered areas: readings -> blocks of an hour -> the rules for zones.

It refuses to know customers; `night_flow` judges the net inflow of the least hour.
"""

from __future__ import annotations

import numpy as np

from services.detect.detector_settings import DetectorSettings
from services.detect.detectors.night_flow import NightFlow
from services.detect.emission import Subjects
from services.detect.table import Array, Field, Rows, Table
from services.detect.windows.blocks import Blocks, HourBlocks
from services.detect.windows.hour_of_week import LocalClock
from services.detect.windows.intervals import MeterIntervals
from services.domain.condition import Condition
from services.domain.instant import DAY_US, SECOND_US
from services.domain.sensor import Sensor


class ZoneWatch:
    """All inlets, or all outlets."""

    columns = ("register_litres", "consumption_litres", "flow_litres_per_h")

    def __init__(self, settings: DetectorSettings) -> None:
        self.ids: list[str] = []
        self.clock = LocalClock()
        self.intervals = MeterIntervals(max_litres_per_h=1e8, max_backflow_litres_per_h=1e6)
        self.blocks = HourBlocks()
        self.place = Table({"zone": Field("i2")})
        self.night = NightFlow(settings, settings.zone_sigma_share, settings.zone_cusum_h)

    def tables(self) -> dict[str, Table]:
        """All state by name."""
        named = {
            "intervals": self.intervals.table,
            "blocks": self.blocks.table,
            "place": self.place,
        }
        for name, table in self.night.tables.items():
            named[f"{self.night.rule.value}.{name}"] = table
        return named

    def add(self, sensors: list[Sensor]) -> None:
        """New inlets at the end."""
        first = len(self.ids)
        self.ids.extend(sensor.id for sensor in sensors)
        for table in self.tables().values():
            table.add(len(sensors))
        for i, sensor in enumerate(sensors):
            self.place["zone"][first + i] = self.clock.zone(sensor.time_zone)
            if sensor.cadence_s:
                self.intervals.table["cadence_us"][first + i] = sensor.cadence_s * SECOND_US

    def look(self, end_us: int) -> list[Condition]:
        """Nothing: each sensor is judged by itself."""
        del end_us
        return []

    def step(self, rows: Rows, at_us: Array, values: list[Array]) -> list[Condition]:
        """One reading of each of `rows` (distinct)."""
        intervals = self.intervals.step(rows, at_us, *values)
        at, start, end, litres, hours, gap = self.blocks.step(intervals)
        if at.size == 0:
            return []
        rows = rows[at]
        zone = self.place["zone"][rows]
        middle = (start + end) // 2
        slot = self.clock.slot(zone, middle)
        blocks = Blocks(rows, start, end, litres, hours, litres <= np.float64(1e-6), gap, slot)
        local_day = (middle + self.clock.offset_us(zone, middle)) // DAY_US
        return self.night.step(Subjects(self.ids, rows), blocks, local_day)
