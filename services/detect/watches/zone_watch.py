"""The watch over district metered areas: net inflow, the meters' consumption and the pressures, by full hour.

Inlets of one zone are added up; its outlets are taken off, and what its tanks took into storage (level times declared
area). The first inlet of a zone speaks for it. Hours are judged one hour after they ended, when the feed's time says
so: what has not come by then is missing, and an hour in which one inlet, outlet or tank said nothing, or water came out
of the zone, is not judged.
Where meters cover the zone its mass balance is judged, else its net inflow, with the pressures' word on it. It refuses
to look at single customers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from services.detect.detector_settings import DetectorSettings
from services.detect.detectors.zone_balance import ZoneBalance
from services.detect.detectors.zone_burst import ZoneBurst
from services.detect.detectors.zone_leak import ZoneLeak
from services.detect.detectors.zone_pressure import ZonePressure
from services.detect.emission import Subjects
from services.detect.table import Array, Field, Rows, Table
from services.detect.watches.meter_watch import MeterWatch
from services.detect.watches.zone_flows import ZoneFlows
from services.detect.watches.zone_map import Members
from services.detect.watches.zone_pressures import ZonePressures
from services.detect.windows.coverage import Coverage, Seen
from services.detect.windows.hour_bins import HourBins, lost_us
from services.detect.windows.hour_of_week import LocalClock
from services.detect.windows.intervals import Intervals
from services.domain.condition import Condition
from services.domain.instant import HOUR_US
from services.domain.sensor import Sensor

_MOST = 0.9
"""Share of its meters' hours that a zone must cover."""
_LEAST = 0.5
"""Less than this share of the usual use is never scaled up to all of it."""
_BACK_H = 24
"""So many hours back are judged when the feed's time leaps."""
_NOISE = 0.1
"""Net inflow may be as far below zero, as a share of its level, and still be a reading."""


@dataclass(frozen=True, slots=True)
class _Hour:
    """One hour of all zones: (zones,) net inflow in L/h, how many pipes and tanks, their hours heard and readings."""

    net: Array
    count: Array
    heard: Array
    readings: Array


class ZoneWatch(ZoneFlows):
    """All inlets, and with them their zones."""

    def __init__(self, settings: DetectorSettings) -> None:
        self.clock = LocalClock()
        self.place = Table({"zone": Field("i2"), "done": Field("i8", -1)})
        self.metered = HourBins()
        self.usual = HourBins()
        self.heard = {name: Coverage() for name in ("pipes", "nights", "all")}
        self.pressure = ZonePressure()
        self.leak = ZoneLeak(settings, self.pressure)
        self.burst = ZoneBurst(settings)
        self.balance = ZoneBalance(settings)
        self.others: list[ZoneFlows] = []
        self.meters: MeterWatch | None = None
        self.metered_members = Members()
        super().__init__(settings)

    @classmethod
    def among(cls, watches: Iterable[object]) -> ZoneWatch:
        """The zones' watch among all watches (none has sensors yet), told of the others that it listens to."""
        chosen = list(watches)
        zones = next(watch for watch in chosen if isinstance(watch, cls))
        for watch in chosen:
            if isinstance(watch, MeterWatch):
                watch.hear, zones.meters = zones.hear, watch
            elif isinstance(watch, ZonePressures):
                watch.zones, zones.pressure.loggers = zones.zones, watch
            elif isinstance(watch, ZoneFlows) and watch is not zones:
                watch.zones = zones.zones
                zones.others.append(watch)
        return zones

    def tables(self) -> dict[str, Table]:
        """All state by name."""
        named = super().tables() | {"place": self.place, "metered": self.metered.table}
        named["usual"] = self.usual.table
        named |= {f"heard.{name}": coverage.table for name, coverage in self.heard.items()}
        for part, detector in (
            ("leak", self.leak),
            ("burst", self.burst),
            ("balance", self.balance),
            ("pressure", self.pressure),
        ):
            for name, table in detector.tables.items():
                named[f"{part}.{name}"] = table
        return named

    def add(self, sensors: list[Sensor]) -> None:
        """New inlets at the end."""
        first = len(self.ids)
        super().add(sensors)
        for i, sensor in enumerate(sensors):
            self.place["zone"][first + i] = self.clock.zone(sensor.time_zone)

    def _zone(self, sensor: Sensor, row: int) -> int:
        zone = self.zones.index(sensor.zone) if sensor.zone else self.zones.alone()
        self.zones.lead(zone, row)
        return zone

    def add_meters(self, sensors: list[Sensor]) -> None:
        """New customer meters at the end; `hear` speaks of them by their order."""
        for sensor in sensors:
            zone = self.zones.index(sensor.zone)
            self.metered_members.add(zone)
            self.zones.serve(zone)

    def hear(self, meters: Rows, intervals: Intervals) -> None:
        """What customer meters counted; meters (n,) by their order of `add_meters`."""
        inlet = self.zones.leads(self.metered_members.zones[meters])
        here = (inlet >= 0) & (intervals.litres >= 0)
        if here.any() and self.meters is not None:
            start, end = intervals.start_us[here], intervals.end_us[here]
            cadence = self.meters.intervals.table["cadence_us"][meters[here]]
            lost = lost_us(start, end, cadence)
            self.metered.add(inlet[here], start, end, intervals.litres[here], lost)
            usual = self.meters.usual(meters[here]) * (end - start) / HOUR_US
            self.usual.add(inlet[here], start, end, usual, lost)

    def step(self, rows: Rows, at_us: Array, values: list[Array]) -> list[Condition]:
        """One reading of each of `rows` (distinct)."""
        super().step(rows, at_us, values)
        leads = self.zones.leads(self.members.zones[rows])
        done = self.place["done"][leads]
        first = done < 0
        self.place["done"][leads[first]] = at_us[first] // HOUR_US - 1
        return []

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

    def _hour(self, hour: int) -> _Hour:
        """Everything that is known of the hour, summed up by zone."""
        size = len(self.zones)
        net, count, heard, readings = (np.zeros(size) for _ in range(4))
        for flows in (self, *self.others):
            if not flows.ids:
                continue
            every = np.arange(len(flows.ids))
            zones = flows.members.zones
            rates = flows.rates(every, hour)  # NaN of one makes its zone NaN
            np.add.at(net, zones, rates if flows is self else -rates)
            hours, readings_here = flows.bins.heard(every, hour)
            np.add.at(count, zones, 1.0)
            np.add.at(heard, zones, np.minimum(hours, 1.0))
            np.add.at(readings, zones, readings_here)
        return _Hour(net, count, heard, readings)

    def _judge(self, due: Rows, hour: int, told_us: int) -> list[Condition]:
        zones = self.members.zones[due]
        speaks = self.zones.leads(zones) == due
        due, zones = due[speaks], zones[speaks]
        if not due.size:
            return []
        all_zones = self._hour(hour)
        net = all_zones.net[zones]
        middle = np.full(len(due), hour * HOUR_US + HOUR_US // 2)
        local = (middle + self.clock.offset_us(self.place["zone"][due], middle)) // HOUR_US
        customers = self.zones.customers()[zones]
        seen, nights, whole = self._cover(all_zones, due, zones, hour, local % 24, customers)
        # water that comes out of a zone is nobody's use: a pipe measured backwards, or a gauge set anew
        known = net >= -_NOISE * np.nan_to_num(self.leak.level(due))
        out: list[Condition] = []
        litres, covered = self.metered.read(due, hour)
        share = covered / np.maximum(customers, 1.0)
        metered = known & (customers > 0) & (share >= _MOST)
        if metered.any():
            every = (litres / self._part(due, zones, hour, share))[metered]
            out += self.balance.step(
                Subjects(self.ids, due[metered]), hour, told_us, net[metered], every,
                np.maximum(every - litres[metered], 0.0), whole.take(metered),
            )  # fmt: skip
        left = known & ~self.balance.covers(due, hour) & ~self.balance.episodes.active(due)
        if left.any():
            rest, hours = due[left], local[left]
            self._press(rest, hour, net[left])
            start, told = np.full(len(rest), hour * HOUR_US), np.full(len(rest), told_us)
            subjects = Subjects(self.ids, rest)
            out += self.burst.step(
                subjects, start, told, net[left], self.leak.expected(rest, hours),
                self.leak.most(rest, hours), self.leak.level(rest), hours % 24, seen.take(left),
                self.pressure.by_hours(rest),
            )  # fmt: skip
            out += self.leak.step(
                subjects, start, told, net[left], hours, seen.take(left), nights.take(left)
            )
        return out

    def _part(self, due: Rows, zones: Array, hour: int, share: Array) -> Array:
        """(n,) what the meters heard use of all the zone's, by their means; their (n,) share where none is known."""
        assert self.meters is not None
        of_each = self.meters.usual(np.arange(len(self.metered_members.zones)))
        total = np.zeros(len(self.zones))
        np.add.at(total, self.metered_members.zones, of_each)
        here, whole = self.usual.read(due, hour)[0], total[zones]
        part = np.where(whole > 0, here / np.where(whole > 0, whole, 1.0), share)
        return np.maximum(part, _LEAST)

    def _press(self, rows: Rows, hour: int, net: Array) -> None:
        """Hand the hour to the pressures: net inflow and level by inlet."""
        flow, usual = np.full((2, len(self.ids)), np.nan)
        flow[rows], usual[rows] = net, self.leak.level(rows)
        self.pressure.hour(rows, hour, flow, usual)

    def _cover(
        self, heard: _Hour, due: Rows, zones: Array, hour: int, of_day: Array, customers: Array
    ) -> tuple[Seen, Seen, Seen]:
        """What was heard of the zones that the inlets `due` speak for: pipes and tanks, their nights, with meters."""
        count, hours = np.maximum(heard.count[zones], 1.0), heard.heard[zones]
        readings = heard.readings[zones]
        dark = (of_day >= 1) & (of_day < 5)
        seen = self.heard["pipes"].add(due, hours / count, readings)
        nights = self.heard["nights"].add(due, hours / count * dark, readings * dark)
        of_meters, counted = self.metered.heard(due, hour)
        all_hours = (hours + np.minimum(of_meters, customers)) / (count + customers)
        return seen, nights, self.heard["all"].add(due, all_hours, readings + counted)
