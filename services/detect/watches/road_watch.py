"""The watch over traffic stations and lanes: speeds of the last five minutes, the hour's habit, the rules for roads.

It refuses to believe a sensor that is stuck or contradicts itself: its process alarms are suppressed. One that counts
nobody because the road is closed is no such sensor.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from services.detect.detector_settings import DetectorSettings
from services.detect.detectors.congestion import Congestion, Traffic
from services.detect.detectors.flow_ratio import SLOW_PCT, SLOW_SHARE, Around
from services.detect.detectors.incident import Incident
from services.detect.detectors.road_pairs import NEIGHBOUR_M, Road
from services.detect.detectors.sensor_fault import SensorFault
from services.detect.detectors.stuck_station import StuckStation
from services.detect.elementwise import clip
from services.detect.emission import Subjects
from services.detect.table import NEVER, Array, Field, Rows, Table
from services.detect.windows.hour_of_week import LocalClock
from services.detect.windows.presence import Presence
from services.detect.windows.slots import SlotBaseline, same_hour
from services.detect.windows.speed_estimate import SpeedEstimate
from services.detect.windows.thin_traffic import ThinTraffic
from services.detect.windows.timed import TimedMean
from services.detect.windows.vehicles import LONGEST_US, WHOLE, Vehicles, own_us
from services.domain.condition import Condition
from services.domain.instant import DAY_US, HOUR_US, SECOND_US
from services.domain.sensor import Sensor

_DOUBTFUL = 0.1
"""Share of speed jumps from which on a sensor is not compared with its neighbours."""
_REPEATED = 4
"""Equal readings in a row from which on a sensor is not compared with its neighbours."""
_SPAN_US = 300 * SECOND_US
_MOST_VEH_PER_H, _LEAST_H = 60_000.0, 1 / 60
"""No road carries more; a count above it is no measurement."""
_RESET_US = 7 * 24 * HOUR_US


class RoadWatch:
    """All traffic stations, or all lanes."""

    columns = ("count_veh", "flow_veh_per_h", "speed_km_per_h", "occupancy_pct")

    def __init__(self, settings: DetectorSettings) -> None:
        self.ids: list[str] = []
        self.clock = LocalClock()
        self.recent = TimedMean(_SPAN_US)
        self.presence = Presence()
        self.estimate = SpeedEstimate()
        self.vehicles = Vehicles()
        self.thin = ThinTraffic()
        self.speeds = SlotBaseline(alpha=0.15, winsor=4.0, floor=2.0, shrink=1.0)
        self.flows = SlotBaseline(alpha=0.15, winsor=4.0, floor=30.0, shrink=1.0)
        self.last = Table(
            {
                "last_us": Field("i8", NEVER),
                "cadence_us": Field("f8"),
                "behind": Field("i2"),
                "zone": Field("i2"),
            }
        )
        self.stuck = StuckStation(settings)
        self.fault = SensorFault(settings)
        self.congestion = Congestion(settings)
        self.incident = Incident()
        self.downstream = np.empty(0, np.intp)
        self.metres = np.empty(0)
        self._sensors: list[Sensor] = []

    def tables(self) -> dict[str, Table]:
        """All state by name."""
        named = {
            "last": self.last,
            "recent": self.recent.table,
            "presence": self.presence.table,
            "estimate": self.estimate.table,
            "vehicles": self.vehicles.table,
            "thin": self.thin.table,
            "speeds": self.speeds.table,
            "flows": self.flows.table,
        }
        for detector in (self.stuck, self.fault, self.congestion, self.incident):
            for name, table in detector.tables.items():
                named[f"{detector.rule.value}.{name}"] = table
        return named

    def add(self, sensors: list[Sensor]) -> None:
        """New stations at the end."""
        first = len(self.ids)
        self.ids.extend(sensor.id for sensor in sensors)
        for table in self.tables().values():
            table.add(len(sensors))
        for i, sensor in enumerate(sensors):
            self.last["zone"][first + i] = self.clock.zone(sensor.time_zone)
            if sensor.cadence_s:
                self.last["cadence_us"][first + i] = sensor.cadence_s * SECOND_US
        self._sensors.extend(sensors)
        self._link()

    def step(self, rows: Rows, at_us: Array, values: list[Array]) -> list[Condition]:
        """One reading of each of `rows` (distinct); late ones do not enter."""
        fresh, dt = self._advance(rows, at_us)
        if not fresh.all():
            rows, at_us, dt = rows[fresh], at_us[fresh], dt[fresh]
            values = [column[fresh] for column in values]
            if rows.size == 0:
                return []
        count, flow, speed, occupancy = values
        cadence = self.last["cadence_us"][rows]
        own = own_us(dt, cadence)
        hours = own / HOUR_US
        vehicles = np.where(np.isfinite(count), count, flow * hours)
        most = _MOST_VEH_PER_H * np.maximum(hours, _LEAST_H)
        vehicles = np.where((vehicles >= 0) & (vehicles <= most), vehicles, np.nan)
        broken = (dt > LONGEST_US) & (dt > 4 * cadence)
        speed = np.where((speed >= 0) & (speed <= 300.0), speed, np.nan)
        occupancy = np.where((occupancy >= 0) & (occupancy <= 100), occupancy, np.nan)
        subjects = Subjects(self.ids, rows)
        held = self.incident.episodes.active(rows)
        self._count(rows, hours, count, flow, speed, occupancy, held | self._wrong(rows))
        passed = self.vehicles.passed(rows, own, vehicles, speed, occupancy)
        slot = self.clock.slot(self.last["zone"][rows], at_us)
        places = same_hour(rows, slot)
        usual_flow, _ = self.flows.level(rows, slot, places)
        halted = self.incident.closure.table["halted"][rows] & (vehicles == 0)
        covered = np.where(halted, np.nan, occupancy)  # vehicles that stand cover a sensor evenly
        out = self.stuck.step(subjects, at_us, speed, covered, vehicles, cadence, broken)
        out += self.fault.step(
            subjects,
            at_us,
            own,
            passed,
            speed,
            occupancy,
            usual_flow * hours,
            cadence,
            halted,
            broken,
        )
        faulty = (
            self.stuck.episodes.active(rows)
            | self.fault.episodes.active(rows)
            | (self.fault.table["jumps"][rows] > _DOUBTFUL)
            | self.thin.doubtful(rows)
        )
        guess = self.estimate.push(rows, hours, vehicles, occupancy)
        measured = np.where((vehicles == 0) | (speed < 0), np.nan, speed)
        length = self.fault.usual_length(rows)
        belied = self.thin.push(rows, own, vehicles, measured, occupancy, length)
        moving = np.where(belied, np.nan, np.where(np.isnan(speed), guess, measured))
        mean, number = self.recent.push(rows, at_us, moving)
        self.presence.push(rows, at_us, np.isfinite(moving) | (vehicles == 0))
        expected = clip(_SPAN_US / np.maximum(cadence, SECOND_US), 1, self.recent.width)
        out += self.congestion.step(
            subjects,
            at_us,
            Traffic(
                mean,
                number,
                expected,
                self.presence.count(rows, at_us - _SPAN_US + 1, at_us + 1),
                *self.speeds.expected(rows, slot, places),
                vehicles,
                cadence,
                faulty,
                held,
                self.speeds.highest,
            ),
        )
        self.incident.take(
            rows,
            at_us,
            dt / SECOND_US,
            moving,
            vehicles / np.where(hours > 0, hours, np.nan),
            occupancy,
            np.where((dt > 0) & (dt <= WHOLE * cadence), vehicles, np.nan),
        )
        share = np.where((dt > 0) & (dt <= LONGEST_US) & ~(faulty | halted), hours, 0.0)
        self.flows.learn(
            rows, slot, np.where(hours > 0, passed / np.maximum(hours, 1e-9), np.nan), share
        )
        self.speeds.learn(rows, slot, mean, np.where(self.congestion.unusual(rows), 0.0, share))
        return out

    def look(self, end_us: int) -> list[Condition]:
        """Compare neighbours along the roads at the end of a bin of the feed's time."""
        n = len(self.ids)
        rows = np.arange(n)
        self.congestion.look()
        self.fault.ratio.look(end_us, self._around)
        now = np.full(n, end_us, np.int64)
        local = now + self.clock.offset_us(self.last["zone"][:n], now)
        doubtful = (
            self.stuck.episodes.active(rows)
            | self.fault.episodes.active(rows)
            | (self.fault.table["jumps"][:n] > _DOUBTFUL)
            | self.thin.doubtful(rows)
            | ((self.stuck.repeated(rows) >= _REPEATED) & ~self.incident.closure.stands(rows))
        )
        return self.incident.look(
            self.ids,
            end_us,
            Road(
                self.downstream,
                self.fault.ratio.upstream,
                self.metres,
                (local // HOUR_US) % 24,
                local // DAY_US,
                doubtful,
                self.fault.misfits(rows),
                self.last["cadence_us"][:n],
                self.congestion.episodes.active(rows),
                self.presence,
            ),
        )

    def _count(
        self,
        rows: Rows,
        hours: Array,
        count: Array,
        flow: Array,
        speed: Array,
        occupancy: Array,
        held: Array,
    ) -> None:
        """Add to the hour's counts what passed in the (n,) hours that each reading stands for."""
        passed = np.where(np.isfinite(count), count, flow * hours)
        passed = np.where((passed >= 0) & (passed <= _MOST_VEH_PER_H * hours), passed, np.nan)
        slow = speed < SLOW_SHARE * self.incident.slowdown.table["free"][rows]
        self.fault.ratio.take(rows, hours, passed, slow | (occupancy >= SLOW_PCT) | held)

    def _wrong(self, rows: Rows) -> Array:
        """(n,) bool, a fault is told that the sensors show by themselves, without their neighbours."""
        return np.asarray(self.stuck.episodes.active(rows) | self.fault.contradicts(rows))

    def _around(self) -> Around:
        n = len(self.ids)
        rows = np.arange(n)
        return Around(
            self._wrong(rows) | (self.fault.table["jumps"][:n] > _DOUBTFUL),
            lambda some, at_us: self.clock.slot(self.last["zone"][some], at_us),
            self.flows.level,
        )

    def _link(self) -> None:
        """Find each station's next one downstream: same road and direction, nearest beyond, within 3 km."""
        self.downstream = np.full(len(self.ids), -1, np.intp)
        self.metres = np.full(len(self.ids), np.nan)
        position = np.full(len(self.ids), np.nan)
        roads: dict[tuple[str, str | None], list[tuple[float, int]]] = {}
        for row, sensor in enumerate(self._sensors):
            if sensor.road is not None and sensor.position_m is not None:
                position[row] = sensor.position_m
                roads.setdefault((sensor.road, sensor.direction), []).append(
                    (sensor.position_m, row)
                )
        order: list[int] = []
        linked: list[bool] = []
        for places in roads.values():
            places.sort()
            for (here, row), (beyond, other) in pairwise(places):
                near = 0 < beyond - here <= NEIGHBOUR_M
                if near:
                    self.downstream[row], self.metres[row] = other, beyond - here
                linked.append(near)
            linked.append(False)
            order.extend(row for _, row in places)
        self.fault.ratio.link(self.downstream)
        self.congestion.queues.link(np.array(order, np.intp), np.array(linked, np.bool_), position)

    def _advance(self, rows: Rows, at_us: Array) -> tuple[Array, Array]:
        """(n,) bool, newer than the last reading; (n,) microseconds since it, 0 at the first."""
        t = self.last
        last, cadence, behind = t["last_us"][rows], t["cadence_us"][rows], t["behind"][rows]
        first = last == NEVER
        dt = np.where(first, 0, at_us - np.where(first, at_us, last))
        far = ~first & (dt < -_RESET_US)
        behind = np.where(far, behind + 1, 0).astype(np.int16)
        reset = behind >= 3  # the clock had run ahead: start from the present
        fresh = first | (dt > 0) | reset
        dt = np.where(reset, 0, np.maximum(dt, 0))
        t["behind"][rows] = np.where(reset, 0, behind)
        t["last_us"][rows] = np.where(fresh, at_us, last)
        near = (dt >= SECOND_US) & (dt <= 4 * HOUR_US)
        drift = np.where(
            dt > cadence, 1.02, 0.95
        )  # a lost reading says little, two close ones much
        moved = np.where(cadence <= 0, dt, cadence * drift)
        moved = np.where(np.abs(dt - cadence) <= 0.05 * cadence, dt, moved)
        t["cadence_us"][rows] = np.where(near, moved, cadence)
        return fresh, dt
