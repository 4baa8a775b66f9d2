"""The watch over pressure loggers: their means by full hour and their models, for the zones that they stand in.

It refuses to judge: a pressure alone raises nothing, see `detectors/zone_pressure.py`.
"""

from __future__ import annotations

import numpy as np

from services.detect.detector_settings import DetectorSettings
from services.detect.table import Array, Field, Rows, Table
from services.detect.watches.zone_map import Members, ZoneMap
from services.detect.windows.hour_means import HourMeans
from services.detect.windows.pressure_model import PressureModel
from services.domain.condition import Condition
from services.domain.sensor import Sensor

_STUCK_H = 3
"""A mean that is the same for so many hours is a logger that hangs: no net stands still."""


class ZonePressures:
    """All pressure loggers."""

    columns = ("pressure_kpa",)

    def __init__(self, settings: DetectorSettings) -> None:
        del settings
        self.ids: list[str] = []
        self.zones = ZoneMap()
        self.members = Members()
        self.means = HourMeans()
        self.model = PressureModel()
        self.odd = Table({"total": Field("f8"), "days": Field("i4")})
        self.told = Table({"kpa": Field("f8", np.nan), "again": Field("i4")})

    def tables(self) -> dict[str, Table]:
        """All state by name."""
        return {"means": self.means.table, "odd": self.odd, "told": self.told} | self.model.tables

    def add(self, sensors: list[Sensor]) -> None:
        """New loggers at the end."""
        self.ids.extend(sensor.id for sensor in sensors)
        for table in self.tables().values():
            table.add(len(sensors))
        for sensor in sensors:
            self.members.add(self.zones.index(sensor.zone))

    def look(self, end_us: int) -> list[Condition]:
        """Nothing: the inlets' watch looks."""
        del end_us
        return []

    def step(self, rows: Rows, at_us: Array, values: list[Array]) -> list[Condition]:
        """One pressure of each of `rows` (distinct)."""
        self.means.add(rows, at_us, values[0])
        return []

    def read(self, rows: Rows, hour: int) -> Array:
        """(n,) mean pressure of the hour in kPa, read once for each hour; NaN of a logger that hangs."""
        kpa, t = self.means.read(rows, hour), self.told
        again = np.where(kpa == t["kpa"][rows], t["again"][rows] + 1, 0)
        t["again"][rows] = again
        t["kpa"][rows] = np.where(np.isfinite(kpa), kpa, t["kpa"][rows])
        return np.where(again >= _STUCK_H - 1, np.nan, kpa)

    def note(self, rows: Rows, kpa: Array, odd: Array) -> None:
        """Remember (n,) the day's mean residuals of loggers whose zone's pressures are (n,) odd; forget the others'."""
        known = np.isfinite(kpa)
        t = self.odd
        total = np.where(known, kpa, 0.0) + np.where(odd, t["total"][rows], 0.0)
        t["total"][rows] = np.where(odd, total, 0.0)
        t["days"][rows] = np.where(odd, t["days"][rows] + known, 0)

    def noted(self, rows: Rows) -> Array:
        """(n,) mean residual in kPa since the zone's pressures became odd; NaN where none is known."""
        days = self.odd["days"][rows]
        return np.where(days > 0, self.odd["total"][rows] / np.maximum(days, 1), np.nan)
