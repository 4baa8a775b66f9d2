"""A district of homes: meters with registers, and what the inlet, a pressure gauge and a tank see of them.

Meters count whole register steps, roll over, and are read at jittered times; faults act on the water or the meter.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.domain.catalogue import Domain, SensorKind
from services.domain.instant import HOUR_US, SECOND_US
from services.domain.sensor import Sensor
from simulators import truth
from simulators.faults.schedule import Schedule
from simulators.reading import Reading
from simulators.scenario import FaultKind, WaterScenario
from simulators.water.calendar import Calendar
from simulators.water.homes import Homes

_SLICE_S: Final = 900
_TRUTH_KIND: Final = {
    FaultKind.LEAK: "continuous_flow",
    FaultKind.BURST: "burst",
    FaultKind.BACKFLOW: "backflow",
    FaultKind.STUCK: "stuck_meter",
    FaultKind.SILENT: "missing_data",
}
_PLACE: Final = (-0.4815, 38.3452)


class WaterModel:
    """One district metered area, in slices of at most 15 minutes."""

    def __init__(
        self,
        scenario: WaterScenario,
        seed: int,
        start_us: int,
        live_us: int,
    ) -> None:
        n = scenario.homes
        self._scenario = scenario
        self._slice_us = min(_SLICE_S, scenario.cadence_s) * SECOND_US
        self._turns = max(1, round(scenario.cadence_s * SECOND_US / self._slice_us))
        self.clock_us = start_us - start_us % self._slice_us
        self._live_us = live_us
        self._seed = seed
        self._calendar = Calendar(n, seed, scenario.time_zone) if scenario.holidays else None
        self._homes = Homes(
            n, scenario.litres_a_person_a_day, scenario.time_zone, seed, self._calendar
        )
        self.meters = [f"{scenario.zone}.M{number:04d}" for number in range(n)]
        self._inlet = f"{scenario.zone}.INLET"
        self._pressure = f"{scenario.zone}.PRESSURE"
        self._tank = f"{scenario.zone}.TANK"
        mains = [fault for fault in scenario.fault if fault.kind is FaultKind.MAIN_LEAK]
        others = [fault for fault in scenario.fault if fault.kind is not FaultKind.MAIN_LEAK]
        self._faults = Schedule(others, self.meters, live_us)
        self._mains = Schedule(mains, [self._inlet], live_us)
        draw = np.random.default_rng([seed, 3])
        self._total = draw.uniform(1e3, 0.8 * scenario.rollover_litres, n).round()
        for placed in self._faults.of(FaultKind.ROLLOVER):
            until_h = (live_us - start_us) / HOUR_US + placed.fault.start_h
            use = self._homes.mean_litres_per_h[placed.row] * until_h
            self._total[placed.row] = scenario.rollover_litres - use
        self._spread_us = min(scenario.spread_s * SECOND_US, self._slice_us) // 2
        self._phase_us = draw.integers(0, self._spread_us, n)
        self._inflow = float(self._homes.mean_litres_per_h.sum())
        self._level_m = 3.0
        self.sensors = self._describe(draw)

    def step(self) -> list[Reading]:
        """The readings of one slice: a part of the meters, and the district's own sensors."""
        start, end = self.clock_us, self.clock_us + self._slice_us
        readings = [*self._read_meters(start), *self._read_district(start)]
        used = self._homes.litres(start, self._slice_us)
        used += self._faults.hours(FaultKind.LEAK, start, end)
        used += self._faults.hours(FaultKind.BURST, start, end)
        used -= self._faults.hours(FaultKind.BACKFLOW, start, end)
        counted = np.where(self._faults.active(FaultKind.STUCK, start), 0.0, used)
        self._total = (self._total + counted) % self._scenario.rollover_litres
        hours = self._slice_us / HOUR_US
        lost = self._scenario.background_litres_per_h_a_home * len(used)
        leak = self._mains.hours(FaultKind.MAIN_LEAK, start, end).sum() / hours
        self._inflow = max(float(used.sum()) / hours, 0.0) + lost + float(leak)
        self.clock_us = end
        return readings

    def truth(self) -> dict[str, object]:
        """Every fault so far, with its meter; with holidays also who was away or had guests."""
        events: list[dict[str, object]] = []
        for schedule, ids in ((self._faults, self.meters), (self._mains, [self._inlet])):
            for placed in schedule.of(*_TRUTH_KIND, FaultKind.MAIN_LEAK):
                kind = _TRUTH_KIND.get(placed.fault.kind, "dma_leak")
                size = {"lph": placed.fault.size} if placed.fault.size else {}
                for window in schedule.windows(placed, 0, self.clock_us):
                    name, series = f"w{len(events)}", [ids[placed.row]]
                    events.append(truth.event(name, kind, series, window, size))
        zone = self._scenario.zone
        sensors: list[dict[str, object]] = [
            {"sensor_id": each, "dma": zone} for each in self.meters
        ]
        if self._scenario.inlet:
            sensors.append({"sensor_id": self._inlet, "dma": zone, "role": "inlet"})
        facts = truth.case(
            "water",
            self._scenario.cadence_s,
            (self._live_us, self.clock_us),
            sensors,
            events,
            merge_h=24,
            grace_h=24,
        )
        if self._calendar is not None:
            facts["benign"] = [
                truth.harmless(kind, [self.meters[home]], window)
                for home, kind, window in self._calendar.harmless(self._live_us, self.clock_us)
            ]
        return facts

    def _read_meters(self, at: int) -> list[Reading]:
        n = len(self.meters)
        turn = at // self._slice_us % self._turns
        draw = np.random.default_rng([self._seed, 4, at // SECOND_US])
        jitter = draw.integers(0, self._spread_us, n)
        stamps = at + self._phase_us + jitter
        stamps -= stamps % SECOND_US
        step = self._scenario.register_step_litres
        registers = np.floor(self._total / step) * step
        speaking = (np.arange(n) % self._turns == turn) & ~self._faults.active(FaultKind.SILENT, at)
        return [
            Reading(
                Domain.WATER,
                self.meters[row],
                int(stamps[row]),
                {"register": float(registers[row])},
            )
            for row in np.flatnonzero(speaking)
        ]

    def _read_district(self, at: int) -> list[Reading]:
        draw = np.random.default_rng([self._seed, 5, at // SECOND_US])
        noise = draw.normal(0.0, 1.0, 3).tolist()
        readings = []
        if self._scenario.inlet:
            flow = round(max(self._inflow * (1 + 0.01 * noise[0]), 0.0), 1)
            readings.append(Reading(Domain.WATER, self._inlet, at, {"flow": flow}))
        if self._scenario.pressure:
            usual = max(float(self._homes.mean_litres_per_h.sum()), 1.0)
            fall = 25.0 * (self._inflow / usual) ** 1.85
            kpa = round(max(420.0 - fall + 1.5 * noise[1], 0.0), 1)
            readings.append(Reading(Domain.WATER, self._pressure, at, {"pressure": kpa}))
        if self._scenario.tank:
            usual = max(float(self._homes.mean_litres_per_h.sum()), 1.0)
            self._level_m += (1.1 - self._inflow / usual) * self._slice_us / HOUR_US * 0.25
            self._level_m = min(max(self._level_m, 0.5), 5.0)
            level = round(self._level_m + 0.005 * noise[2], 3)
            readings.append(Reading(Domain.WATER, self._tank, at, {"level": level}))
        return readings

    def _describe(self, draw: np.random.Generator) -> tuple[Sensor, ...]:
        scenario = self._scenario
        places = np.array(_PLACE) + draw.normal(0.0, 0.008, (len(self.meters), 2))
        sensors = [
            Sensor(
                meter,
                SensorKind.WATER_METER,
                lon=round(float(lon), 5),
                lat=round(float(lat), 5),
                unit="L",
                cadence_s=float(scenario.cadence_s),
                gateway=f"{scenario.zone}.GW{row % 4}",
                zone=scenario.zone,
                time_zone=scenario.time_zone,
            )
            for row, (meter, (lon, lat)) in enumerate(zip(self.meters, places, strict=True))
        ]
        for there, name, kind in (
            (scenario.inlet, self._inlet, SensorKind.DMA_INLET),
            (scenario.pressure, self._pressure, SensorKind.PRESSURE),
            (scenario.tank, self._tank, SensorKind.TANK_LEVEL),
        ):
            if there:
                cadence_s = self._slice_us / SECOND_US
                lon, lat = _PLACE
                sensors.append(
                    Sensor(
                        name,
                        kind,
                        lon=lon,
                        lat=lat,
                        zone=scenario.zone,
                        cadence_s=cadence_s,
                        time_zone=scenario.time_zone,
                    )
                )
        return tuple(sensors)
