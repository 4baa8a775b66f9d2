"""The watch over district metered areas: flows of inlets and outlets, and the meters' consumption, by full hour.

Inlets of one zone are added up, its outlets taken off; the first inlet of a zone speaks for it. Hours are judged one
hour after they ended, when the feed's time says so: what has not come by then is missing. Where meters cover the zone
its mass balance is judged, else its net inflow. It refuses to look at single customers.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from services.detect.detector_settings import DetectorSettings
from services.detect.detectors.zone_balance import ZoneBalance
from services.detect.detectors.zone_burst import ZoneBurst
from services.detect.detectors.zone_leak import ZoneLeak
from services.detect.emission import Subjects
from services.detect.meter_watch import MeterWatch
from services.detect.table import Array, Field, Rows, Table
from services.detect.windows.coverage import Coverage
from services.detect.windows.hour_bins import HourBins, lost_us
from services.detect.windows.hour_of_week import LocalClock
from services.detect.windows.intervals import Intervals, MeterIntervals
from services.domain.condition import Condition
from services.domain.instant import HOUR_US, SECOND_US
from services.domain.sensor import Sensor

_ENOUGH = 0.5
"""Share of an hour that an inlet must cover."""
_MOST = 0.9
"""Share of its meters' hours that a zone must cover."""
_STALLED_H = 6
"""An inlet's own time serves where the feed's time lags so many hours behind it (a lone sensor after a gap)."""
_BACK_H = 24
"""So many hours back are judged when the feed's time leaps."""


class ZoneFlows:
    """Outlets (or any pipes) of zones: hourly litres, judged by nobody alone."""

    columns = ("register_litres", "consumption_litres", "flow_litres_per_h")

    def __init__(self, settings: DetectorSettings) -> None:
        del settings
        self.ids: list[str] = []
        self.zones: list[str | None] = []
        self.intervals = MeterIntervals(max_litres_per_h=1e8, max_backflow_litres_per_h=1e6)
        self.bins = HourBins()

    def tables(self) -> dict[str, Table]:
        """All state by name."""
        return {"intervals": self.intervals.table, "bins": self.bins.table}

    def add(self, sensors: list[Sensor]) -> None:
        """New pipes at the end."""
        first = len(self.ids)
        self.ids.extend(sensor.id for sensor in sensors)
        self.zones.extend(sensor.zone for sensor in sensors)
        for table in self.tables().values():
            table.add(len(sensors))
        for i, sensor in enumerate(sensors):
            if sensor.cadence_s:
                self.intervals.table["cadence_us"][first + i] = sensor.cadence_s * SECOND_US

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


class ZoneWatch(ZoneFlows):
    """All inlets, and with them their zones."""

    def __init__(self, settings: DetectorSettings) -> None:
        self.clock = LocalClock()
        self.place = Table({"zone": Field("i2"), "done": Field("i8", -1)})
        self.metered = HourBins()
        self.heard = {name: Coverage() for name in ("pipes", "nights", "all")}
        self.leak = ZoneLeak(settings)
        self.burst = ZoneBurst(settings)
        self.balance = ZoneBalance(settings)
        self.outlets: ZoneFlows | None = None
        self.meters: MeterWatch | None = None
        self._leader: dict[str, int] = {}
        self._leads = np.empty(0, np.intp)
        self._customers: dict[str, int] = {}
        self._meter_zones: list[str | None] = []
        self._of_meter = np.empty(0, np.intp)
        super().__init__(settings)

    @classmethod
    def among(cls, watches: Iterable[object]) -> ZoneWatch:
        """The zones' watch among all watches, told of the others that it listens to."""
        chosen = list(watches)
        zones = next(watch for watch in chosen if isinstance(watch, cls))
        for watch in chosen:
            if isinstance(watch, MeterWatch):
                watch.hear, zones.meters = zones.hear, watch
            elif isinstance(watch, ZoneFlows) and watch is not zones:
                zones.outlets = watch
        return zones

    def tables(self) -> dict[str, Table]:
        """All state by name."""
        named = super().tables() | {"place": self.place, "metered": self.metered.table}
        named |= {f"heard.{name}": coverage.table for name, coverage in self.heard.items()}
        for part, detector in (
            ("leak", self.leak),
            ("burst", self.burst),
            ("balance", self.balance),
        ):
            for name, table in detector.tables.items():
                named[f"{part}.{name}"] = table
        return named

    def add(self, sensors: list[Sensor]) -> None:
        """New inlets at the end."""
        first = len(self.ids)
        super().add(sensors)
        leads = [int(lead) for lead in self._leads]
        for i, sensor in enumerate(sensors):
            row = first + i
            self.place["zone"][row] = self.clock.zone(sensor.time_zone)
            leads.append(self._leader.setdefault(sensor.zone, row) if sensor.zone else row)
        self._leads = np.array(leads, np.intp)
        self._link()

    def add_meters(self, sensors: list[Sensor]) -> None:
        """New customer meters at the end; `hear` speaks of them by their order."""
        for sensor in sensors:
            self._meter_zones.append(sensor.zone)
            if sensor.zone:
                self._customers[sensor.zone] = self._customers.get(sensor.zone, 0) + 1
        self._link()

    def _link(self) -> None:
        self._of_meter = np.array(
            [self._leader.get(zone, -1) if zone else -1 for zone in self._meter_zones], np.intp
        )

    def hear(self, meters: Rows, intervals: Intervals) -> None:
        """What customer meters counted; meters (n,) by their order of `add_meters`."""
        zone = self._of_meter[meters]
        here = (zone >= 0) & (intervals.litres >= 0)
        if here.any() and self.meters is not None:
            start, end = intervals.start_us[here], intervals.end_us[here]
            cadence = self.meters.intervals.table["cadence_us"][meters[here]]
            self.metered.add(
                zone[here], start, end, intervals.litres[here], lost_us(start, end, cadence)
            )

    def step(self, rows: Rows, at_us: Array, values: list[Array]) -> list[Condition]:
        """One reading of each of `rows` (distinct); judges where the feed's time has stood still for hours."""
        super().step(rows, at_us, values)
        leads = self._leads[rows]
        done = self.place["done"][leads]
        first = done < 0
        self.place["done"][leads[first]] = at_us[first] // HOUR_US - 1
        own = at_us // HOUR_US - _STALLED_H
        out: list[Condition] = []
        for last in np.unique(own[~first & (own > done)]):
            out += self._judge_until(np.unique(leads[own == last]), int(last))
        return out

    def look(self, end_us: int) -> list[Condition]:
        """Judge the hours that ended an hour ago."""
        every = np.arange(len(self.ids))
        last = end_us // HOUR_US - 2
        done = self.place["done"][: len(every)]
        done[done > last + _BACK_H] = last  # a clock that was ahead for long
        return self._judge_until(every, last)

    def _judge_until(self, rows: Rows, last: int) -> list[Condition]:
        done = self.place["done"]
        due = rows[done[rows] < last]
        if not due.size:
            return []
        out: list[Condition] = []
        for hour in range(max(int(done[due].min()), last - _BACK_H) + 1, last + 1):
            out += self._judge(due[done[due] < hour], hour, (hour + 2) * HOUR_US)
        done[due] = last
        return out

    def _judge(self, due: Rows, hour: int, told_us: int) -> list[Condition]:
        every = np.arange(len(self.ids))
        rates = self.rates(every, hour)
        net = np.zeros(len(every))
        np.add.at(net, self._leads, rates)  # NaN of one inlet makes the zone NaN
        heard, readings = self.bins.heard(every, hour)
        pipes = np.zeros((3, len(every)))  # how many, hours heard, readings
        for i, column in enumerate((np.ones(len(every)), np.minimum(heard, 1.0), readings)):
            np.add.at(pipes[i], self._leads, column)
        if self.outlets is not None and self.outlets.ids:
            others = np.arange(len(self.outlets.ids))
            taken = self.outlets.rates(others, hour)
            heard, readings = self.outlets.bins.heard(others, hour)
            for i, zone in enumerate(self.outlets.zones):
                if zone in self._leader:
                    net[self._leader[zone]] -= taken[i]
                    pipes[:, self._leader[zone]] += (1.0, min(heard[i], 1.0), readings[i])
        due = due[self._leads[due] == due]
        start = np.full(len(due), hour * HOUR_US)
        middle = start + HOUR_US // 2
        local = (middle + self.clock.offset_us(self.place["zone"][due], middle)) // HOUR_US
        customers = np.zeros(len(every))
        for zone, number in self._customers.items():
            if zone in self._leader:
                customers[self._leader[zone]] = number
        customers = customers[due]
        count, heard, readings = pipes[:, due]
        dark = (local % 24 >= 1) & (local % 24 < 5)
        share_heard = heard / np.maximum(count, 1.0)
        seen = self.heard["pipes"].add(due, share_heard, readings)
        nights = self.heard["nights"].add(due, share_heard * dark, readings * dark)
        of_meters, counted = self.metered.heard(due, hour)
        whole = self.heard["all"].add(
            due,
            (heard + np.minimum(of_meters, customers)) / np.maximum(count + customers, 1.0),
            readings + counted,
        )
        known = np.isfinite(net[due])
        if not known.any():
            return []
        out: list[Condition] = []
        litres, covered = self.metered.read(due, hour)
        share = covered / np.maximum(customers, 1.0)
        metered = known & (customers > 0) & (share >= _MOST)
        if metered.any():
            m = due[metered]
            out += self.balance.step(
                Subjects(self.ids, m), hour, told_us, net[m],
                (litres / np.maximum(share, _MOST))[metered], whole.take(metered),
            )  # fmt: skip
        left = known & ~self.balance.covers(due, hour) & ~self.balance.episodes.active(due)
        if left.any():
            rest, start, local = due[left], start[left], local[left]
            told = np.full(len(rest), told_us)
            subjects = Subjects(self.ids, rest)
            out += self.burst.step(
                subjects, start, told, net[rest], self.leak.expected(rest, local),
                self.leak.level(rest), local % 24, seen.take(left),
            )  # fmt: skip
            out += self.leak.step(
                subjects, start, told, net[rest], local, seen.take(left), nights.take(left)
            )
        return out
