"""Stations along motorways: what they count of the moving traffic, with the noise and the faults of real ones."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.domain.catalogue import Domain, SensorKind
from services.domain.instant import SECOND_US
from services.domain.sensor import Sensor
from simulators import truth
from simulators.faults.schedule import Placed, Schedule
from simulators.reading import Reading
from simulators.scenario import FaultKind, TrafficScenario
from simulators.traffic.cells import Cells
from simulators.traffic.demand import Demand

_OCCUPIED_M: Final = 6.5
"""Length of a vehicle plus that of the loop."""
_CONGESTED_KM_PER_H: Final = 64.0
_CONGESTED_US: Final = 600 * SECOND_US
_OF_SENSORS: Final = {
    FaultKind.DEAD: "detector_malfunction",
    FaultKind.STUCK: "stuck_sensor",
    FaultKind.SILENT: "missing_data",
}
_PLACE: Final = (-0.60, 38.38)
_DEGREES_A_M: Final = 1 / 87_000


class TrafficModel:
    """Roads of stations; a station stands at the end of each cell."""

    def __init__(self, scenario: TrafficScenario, seed: int, start_us: int, live_us: int) -> None:
        self._scenario = scenario
        self._step_us = scenario.cadence_s * SECOND_US
        self.clock_us = start_us - start_us % self._step_us
        self._seed, self._live_us = seed, live_us
        n, self._columns = (
            scenario.stations,
            min(scenario.stations_a_road, max(scenario.stations, 1)),
        )
        self._roads = max(1, -(-n // self._columns))
        self._cells = Cells(self._roads, self._columns, scenario.spacing_m / 1000)
        self._demand = Demand(self._roads, scenario.time_zone, seed)
        self._cells.fill(self._demand.at(self.clock_us))
        self.stations = [
            f"A{1 + row // self._columns}N.S{row % self._columns:02d}" for row in range(n)
        ]
        each = scenario.lanes if scenario.each_lane else 1
        self._lanes_counted = scenario.lanes / each
        self._ids = [
            f"{station}.L{lane + 1}" if scenario.each_lane else station
            for station in self.stations
            for lane in range(each)
        ]
        self._station_of = np.repeat(np.arange(n), each)
        ofroads = [f for f in scenario.fault if f.kind is FaultKind.INCIDENT]
        ofsensors = [f for f in scenario.fault if f.kind is not FaultKind.INCIDENT]
        self._incidents = Schedule(ofroads, self.stations, live_us)
        self._faults = Schedule(ofsensors, self._ids, live_us)
        self._open = np.ones((self._roads, self._columns))
        if scenario.bottleneck < self._columns:
            self._open[:, scenario.bottleneck] = scenario.bottleneck_share
        self._last: list[dict[str, float]] = [{} for _ in self._ids]
        self._slow_since = np.full(n, -1, dtype=np.int64)
        self._congested: list[tuple[int, int, int]] = []
        self.sensors = self._describe()

    def step(self) -> list[Reading]:
        """One reading of each sensor, for the interval that ends at its time."""
        start, self.clock_us = self.clock_us, self.clock_us + self._step_us
        n = len(self.stations)
        capacity = self._open.copy()
        capacity.ravel()[:n] *= 1 - self._incidents.strength(FaultKind.INCIDENT, start)
        passed = self._cells.pass_time(self._scenario.cadence_s, self._demand.at(start), capacity)
        self._note_congestion(passed.km_per_h.ravel()[:n], start)
        return self._read(start, *(grid.ravel()[self._station_of] for grid in passed))

    def truth(self) -> dict[str, object]:
        """Incidents, faults of sensors, and congestion by definition: below 64 km/h for 10 minutes or more."""
        events: list[dict[str, object]] = []
        for placed in self._incidents.of(FaultKind.INCIDENT):
            for window in self._incidents.windows(placed, 0, self.clock_us):
                size = {"capacity_lost": placed.fault.size}
                series = self._upstream(placed)
                events.append(truth.event(f"t{len(events)}", "incident", series, window, size))
        for kind, word in _OF_SENSORS.items():
            for placed in self._faults.of(kind):
                for window in self._faults.windows(placed, 0, self.clock_us):
                    series = [self._ids[placed.row]]
                    events.append(truth.event(f"t{len(events)}", word, series, window, {}))
        running = [
            (row, int(since), self.clock_us)
            for row, since in enumerate(self._slow_since)
            if since >= 0 and self.clock_us - since >= _CONGESTED_US
        ]
        for row, begin, end in (*self._congested, *running):
            size = {"minutes": (end - begin) / 60 / SECOND_US}
            series = [self._ids[each] for each in np.flatnonzero(self._station_of == row)]
            events.append(truth.event(f"t{len(events)}", "congestion", series, (begin, end), size))
        sensors: list[dict[str, object]] = [
            {"sensor_id": each.id, "position_m": each.position_m, "lanes": each.lanes}
            for each in self.sensors
        ]
        return truth.case(
            "traffic",
            self._scenario.cadence_s,
            (self._live_us, self.clock_us),
            sensors,
            events,
            merge_h=1,
            grace_h=0.25,
        )

    def _read(
        self,
        start: int,
        vehicles: NDArray[np.float64],
        density: NDArray[np.float64],
        speed: NDArray[np.float64],
    ) -> list[Reading]:
        n = len(self._ids)
        draw = np.random.default_rng([self._seed, 14, start // SECOND_US])
        expected = vehicles * self._lanes_counted
        counts = np.floor(expected + draw.normal(0.0, 0.25, n) * np.sqrt(expected) + draw.random(n))
        counts = np.maximum(counts, 0.0)
        speeds = speed + draw.normal(0.0, 1.0, n) * (2.0 + 6.0 / np.sqrt(np.maximum(counts, 1)))
        speeds = np.clip(speeds, 2.0, 160.0).round(1)
        occupied = density * _OCCUPIED_M / 10 * (1 + 0.05 * draw.normal(0.0, 1.0, n))
        occupied = np.clip(np.where(counts > 0, occupied, 0.0), 0.0, 100.0).round(1)
        dead = self._faults.active(FaultKind.DEAD, start)
        stuck = self._faults.active(FaultKind.STUCK, start)
        silent = self._faults.active(FaultKind.SILENT, start)
        readings = []
        for row, sensor_id in enumerate(self._ids):
            values = {"count": float(counts[row]), "occupancy": float(occupied[row])}
            if counts[row] > 0:
                values["speed"] = float(speeds[row])
            if dead[row]:
                values = {"count": 0.0, "occupancy": 0.0}
            if stuck[row] and self._last[row]:
                values = self._last[row]
            self._last[row] = values
            if not silent[row]:
                readings.append(Reading(Domain.TRAFFIC, sensor_id, self.clock_us, values))
        return readings

    def _note_congestion(self, speed: NDArray[np.float64], start: int) -> None:
        slow = speed < _CONGESTED_KM_PER_H
        for row in np.flatnonzero(~slow & (self._slow_since >= 0)):
            begin = int(self._slow_since[row])
            if start - begin >= _CONGESTED_US:
                self._congested.append((int(row), begin, start))
        self._slow_since[~slow] = -1
        self._slow_since[slow & (self._slow_since < 0)] = start

    def _upstream(self, placed: Placed) -> list[str]:
        """The sensors that an incident's queue reaches first: its own station and the three before it."""
        first = placed.row - min(3, placed.row % self._columns)
        near = (self._station_of >= first) & (self._station_of <= placed.row)
        return [self._ids[row] for row in np.flatnonzero(near)]

    def _describe(self) -> tuple[Sensor, ...]:
        scenario = self._scenario
        kind = SensorKind.TRAFFIC_LANE if scenario.each_lane else SensorKind.TRAFFIC_STATION
        sensors = []
        for sensor_id, station in zip(self._ids, self._station_of.tolist(), strict=True):
            road, place = divmod(station, self._columns)
            position_m = scenario.spacing_m * (place + 1)
            sensors.append(
                Sensor(
                    sensor_id,
                    kind,
                    lon=round(_PLACE[0] + position_m * _DEGREES_A_M, 5),
                    lat=round(_PLACE[1] + 0.03 * road, 5),
                    road=f"A-{1 + road}",
                    direction="N",
                    position_m=position_m,
                    lanes=1 if scenario.each_lane else scenario.lanes,
                    cadence_s=float(scenario.cadence_s),
                    time_zone=scenario.time_zone,
                )
            )
        return tuple(sensors)
