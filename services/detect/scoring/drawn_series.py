"""Picks the series that let a person judge an alert or an event, out of a recording, in the unit of the evidence.

Registers and interval consumption become a rate in L/h; a gap stays a gap. It refuses to smooth or to fill.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.detect.recorded.recordings import Recording
from services.detect.scoring.families import Family
from services.detect.scoring.truth import names
from services.domain.catalogue import Domain, SensorKind
from services.domain.instant import HOUR_US
from services.domain.sensor import Sensor

RATE: Final = "flow_litres_per_h"
SPEED: Final = "speed_km_per_h"
UNITS: Final[Mapping[str, str]] = {
    RATE: "L/h",
    "pressure_kpa": "kPa",
    "level_m": "m",
    SPEED: "km/h",
    "occupancy_pct": "%",
    "count_veh": "vehicles",
    "flow_veh_per_h": "vehicles/h",
}
"""Column -> unit under which it is drawn."""

_AS_RATE: Final = ("register_litres", "consumption_litres")
_GAP_FACTOR: Final = 3.0
_INLETS: Final = (SensorKind.DMA_INLET, SensorKind.DMA_OUTLET)
_MOST_LINES: Final = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One sensor's series in a window.

    Attributes:
        sensor_id: whose.
        column: which, a key of `UNITS`.
        at_us: (n,) int64, ascending.
        values: (n,) float64 in the unit of the column; a NaN breaks the line.
        steps: True: a value holds over the interval that ends at its time.
    """

    sensor_id: str
    column: str
    at_us: NDArray[np.int64]
    values: NDArray[np.float64]
    steps: bool


class DrawnSeries:
    """A recording, one sensor at a time."""

    def __init__(self, recording: Recording) -> None:
        self.sensors = {sensor.id: sensor for sensor in recording.sensors}
        self._rows: dict[str, tuple[Domain, NDArray[np.int64]]] = {}
        self._batches = recording.batches
        for domain, batch in recording.batches.items():
            order = np.argsort(batch.sensor, kind="stable")
            numbers, begins = np.unique(batch.sensor[order], return_index=True)
            for number, rows in zip(numbers, np.split(order, begins[1:]), strict=True):
                self._rows[recording.sensors[int(number)].id] = (domain, rows)

    def columns(self, sensor_id: str) -> list[str]:
        """The columns in which the sensor can be drawn."""
        if sensor_id not in self._rows:
            return []
        domain, rows = self._rows[sensor_id]
        known = {
            RATE if column in _AS_RATE else column
            for column, values in self._batches[domain].metrics.items()
            if np.isfinite(values[rows]).any()
        }
        return [column for column in UNITS if column in known]

    def line(self, sensor_id: str, column: str, start_us: int, end_us: int) -> Line:
        """The sensor's series in [start, end], and one reading on either side."""
        domain, rows = self._rows[sensor_id]
        batch = self._batches[domain]
        at = batch.observed_us[rows]
        values = batch.metrics
        if column in values and np.isfinite(values[column][rows]).any():
            at, drawn, steps = *_known(at, values[column][rows]), False
        elif "register_litres" in values and np.isfinite(values["register_litres"][rows]).any():
            at, register = _known(at, values["register_litres"][rows])
            hours = np.diff(at) / HOUR_US
            drawn = np.append(np.nan, np.diff(register) / np.maximum(hours, 1e-9))
            steps = True
        else:
            at, litres = _known(at, values["consumption_litres"][rows])
            interval_h = float(np.median(np.diff(at))) / HOUR_US if len(at) > 1 else 1.0
            drawn, steps = litres / max(interval_h, 1e-9), True
        return Line(sensor_id, column, *_window(at, drawn, start_us, end_us), steps)

    def cadence_us(self, sensor_id: str) -> int:
        """Median time between the sensor's readings."""
        _, at = self._at(sensor_id)
        return int(np.median(np.diff(at))) if len(at) > 1 else HOUR_US

    def _at(self, sensor_id: str) -> tuple[Domain, NDArray[np.int64]]:
        domain, rows = self._rows[sensor_id]
        return domain, self._batches[domain].observed_us[rows]

    def main_column(self, sensor_id: str, metric: str | None) -> str | None:
        """The evidence's column where it can be drawn, else the sensor's first; None without any."""
        columns = self.columns(sensor_id)
        wanted = RATE if metric in _AS_RATE else metric
        if wanted in columns:
            return wanted
        if SPEED in columns:
            return SPEED
        return columns[0] if columns else None

    def sensors_of(self, patterns: Sequence[str]) -> list[str]:
        """The sensors that an event or alert speaks of: the inlets of a zone, else up to five by name."""
        meant = [each for each in self._rows if names(patterns, each)]
        if not meant:
            meant = [each for each, s in self.sensors.items() if s.zone in patterns] or list(
                self._rows
            )
        inlets = [each for each in meant if self.sensors[each].kind in _INLETS]
        if inlets and len(meant) > len(patterns):
            meant = inlets
        return sorted(meant)[-_MOST_LINES:]

    def beside(self, sensor_id: str, family: str) -> list[str]:
        """The neighbours that belong in the picture: for an incident the next station on either side."""
        sensor = self.sensors.get(sensor_id)
        if family != Family.INCIDENT or sensor is None or sensor.position_m is None:
            return []
        road = sorted(
            (each for each in self.sensors.values() if _same_road(each, sensor)),
            key=lambda each: each.position_m or 0.0,
        )
        i = road.index(sensor)
        return [each.id for each in (*road[max(i - 1, 0) : i], *road[i + 1 : i + 2])]


def _same_road(one: Sensor, other: Sensor) -> bool:
    return one.road == other.road and one.position_m is not None


def _known(
    at: NDArray[np.int64], values: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    finite = np.isfinite(values)
    return at[finite], values[finite]


def _window(
    at: NDArray[np.int64], values: NDArray[np.float64], start_us: int, end_us: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Cut to the window; a NaN in front of the first reading after a gap."""
    usual = float(np.median(np.diff(at))) if len(at) > 1 else 0.0
    begin = max(int(np.searchsorted(at, start_us)) - 1, 0)
    end = int(np.searchsorted(at, end_us, side="right")) + 1
    at, values = at[begin:end], values[begin:end]
    breaks = np.flatnonzero(np.diff(at) > _GAP_FACTOR * usual) + 1
    return np.insert(at, breaks, at[breaks] - 1), np.insert(values, breaks, np.nan)
