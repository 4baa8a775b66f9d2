"""What flows into and out of zones besides their inlets: outlets, and tanks whose level is a flow too, by full hour.

It refuses to judge: the inlets' watch does.
"""

from __future__ import annotations

import numpy as np

from services.detect.detector_settings import DetectorSettings
from services.detect.table import NEVER, Array, Field, Rows, Table
from services.detect.watches.zone_map import NOWHERE, Members, ZoneMap
from services.detect.windows.hour_bins import HourBins, lost_us
from services.detect.windows.intervals import LATE_RESET, MeterIntervals
from services.domain.condition import Condition
from services.domain.instant import DAY_US, HOUR_US, SECOND_US
from services.domain.sensor import Sensor

_ENOUGH = 0.5
"""Share of an hour that a pipe or a tank must cover."""
_WILD_LITRES_PER_H = 1e8


class ZoneFlows:
    """Outlets (or any pipes) of zones: hourly litres, judged by nobody alone."""

    columns: tuple[str, ...] = ("register_litres", "consumption_litres", "flow_litres_per_h")

    def __init__(self, settings: DetectorSettings) -> None:
        del settings
        self.ids: list[str] = []
        self.zones = ZoneMap()
        self.members = Members()
        self.intervals = MeterIntervals(
            max_litres_per_h=_WILD_LITRES_PER_H, max_backflow_litres_per_h=1e6
        )
        self.bins = HourBins()

    def tables(self) -> dict[str, Table]:
        """All state by name."""
        return {"intervals": self.intervals.table, "bins": self.bins.table}

    def add(self, sensors: list[Sensor]) -> None:
        """New pipes at the end."""
        first = len(self.ids)
        self.ids.extend(sensor.id for sensor in sensors)
        for table in self.tables().values():
            table.add(len(sensors))
        for i, sensor in enumerate(sensors):
            self.members.add(self._zone(sensor, first + i))
            if sensor.cadence_s:
                self.intervals.table["cadence_us"][first + i] = sensor.cadence_s * SECOND_US

    def _zone(self, sensor: Sensor, row: int) -> int:
        del row
        return self.zones.index(sensor.zone)

    def look(self, end_us: int) -> list[Condition]:
        """Nothing: the inlets' watch looks."""
        del end_us
        return []

    def step(self, rows: Rows, at_us: Array, values: list[Array]) -> list[Condition]:
        """One reading of each of `rows` (distinct)."""
        flown = self.intervals.step(rows, at_us, *values)
        cadence = self.intervals.table["cadence_us"][rows]
        lost = lost_us(flown.start_us, flown.end_us, cadence)
        self.bins.add(rows, flown.start_us, flown.end_us, flown.litres, lost)
        return []

    def rates(self, rows: Rows, hour: int) -> Array:
        """(n,) L/h of one hour since 1970; NaN where less than half of it is known."""
        litres, covered = self.bins.read(rows, hour)
        known = covered >= _ENOUGH
        return np.where(known, litres / np.where(known, covered, 1.0), np.nan)


class ZoneTanks(ZoneFlows):
    """Tanks inside zones: litres that went into storage (negative: came out), from level times area.

    A tank without a declared area says nothing, and neither does a hole of more than 26 hours.
    """

    columns: tuple[str, ...] = ("level_m",)

    def __init__(self, settings: DetectorSettings) -> None:
        super().__init__(settings)
        self.last = Table(
            {
                "at_us": Field("i8", NEVER),
                "level": Field("f8", np.nan),
                "cadence_us": Field("f8"),
                "behind": Field("i2"),
            }
        )
        self._area = Table({"m2": Field("f8")})

    def tables(self) -> dict[str, Table]:
        """All state by name."""
        return {"last": self.last, "bins": self.bins.table}

    def add(self, sensors: list[Sensor]) -> None:
        """New tanks at the end."""
        first = len(self.ids)
        self.ids.extend(sensor.id for sensor in sensors)
        for table in (*self.tables().values(), self._area):
            table.add(len(sensors))
        for i, sensor in enumerate(sensors):
            known = sensor.area_m2 is not None
            self.members.add(self.zones.index(sensor.zone) if known else NOWHERE)
            self._area["m2"][first + i] = sensor.area_m2 or 0.0
            self.last["cadence_us"][first + i] = (sensor.cadence_s or 0.0) * SECOND_US

    def step(self, rows: Rows, at_us: Array, values: list[Array]) -> list[Condition]:
        """One level of each of `rows` (distinct)."""
        t, level = self.last, values[0]
        here = np.isfinite(level)
        rows, at_us, level = rows[here], at_us[here], level[here]
        before, since = t["level"][rows], t["at_us"][rows]
        first = since == NEVER
        behind = ~first & (at_us <= since)
        far = behind & (since - np.where(behind, at_us, since) > 7 * DAY_US)
        count = np.where(far, t["behind"][rows] + 1, 0)
        again = count >= LATE_RESET  # the clock was wrong: start anew from here
        t["behind"][rows] = np.where(again, 0, count)
        use = (~first & ~behind) | first | again
        pair = ~first & ~behind
        start = np.where(pair, since, at_us)
        span = at_us - start
        litres = np.where(pair, (level - before) * self._area["m2"][rows] * 1000.0, np.nan)
        wild = np.abs(litres) > _WILD_LITRES_PER_H * np.maximum(span / HOUR_US, 1 / 60)
        cadence = t["cadence_us"][rows]
        shorter = pair & ((cadence <= 0) | (span < 0.9 * cadence))
        cadence = np.where(
            shorter, span, cadence + pair * 0.02 * np.minimum(span - cadence, cadence)
        )
        t["cadence_us"][rows] = cadence
        lost = lost_us(start, at_us, cadence)
        self.bins.add(rows, start, at_us, np.where(wild, np.nan, litres), lost)
        t["level"][rows] = np.where(use, level, before)
        t["at_us"][rows] = np.where(use, at_us, since)
        return []
