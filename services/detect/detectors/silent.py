"""Has a sensor stopped speaking? By the clock, from its own cadence, sensors that never spoke included.

Question: is the last reading older than this sensor's habit allows?
Formula: now - last > max(floor, factor x learned cadence): 24 h and 3 for water, 15 min and 6 for traffic (a
    tenth of its messages may be lost). A sensor that never spoke counts from the moment it became known; one that spoke
    once and has no cadence in the registry has six hours at least. Cleared by its next reading.
    Of a meter that is read more seldom than every 2.2 h no pause shorter than the floor is told, wherever it falls
    between two readings: floor + 1.5 cadences, the half so that the reading that ends it is not raced.
    While most of a domain, or of a gateway, is silent together, the cause lies before the sensors: `feed_silent.py`
    tells that one thing, none of them is raised, and the clock of all starts anew after it.
Units: microseconds, seconds in evidence. Source: learned interval, fired by the clock (kapacitor #1015, #1784).
Missing: that is the question. Late readings neither clear nor count. Irregular stamps: the cadence is a running
    median of the intervals. It needs `tick`; `step` alone never raises.
"""

from __future__ import annotations

import numpy as np

from services.detect.detector_settings import DetectorSettings
from services.detect.detectors.feed_silent import FeedSilent, Presence
from services.detect.table import NEVER, Array, Field, Rows, Table
from services.detect.windows.intervals import COARSE_H
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.domain.instant import HOUR_US, SECOND_US
from services.domain.sensor import Sensor

_BETWEEN = 1.5
"""Cadences from the reading before a pause to half a cadence after the one that should have ended it."""
_UNKNOWN_US = 6 * HOUR_US
"""How long a sensor may be silent at least that spoke once and whose cadence is not known."""


class Silent:
    """When each sensor of the core last spoke; rows are the core's own."""

    rule = Rule.SILENT

    def __init__(self, settings: DetectorSettings) -> None:
        self.settings = settings
        self.table = Table(
            {
                "last_us": Field("i8", NEVER),
                "known_us": Field("i8", NEVER),
                "cadence_us": Field("f8"),
                "seen": Field("i4"),
                "active": Field("?"),
            }
        )
        self.feeds = FeedSilent()
        self._floor = np.empty(0)
        self._meter = np.empty(0, np.bool_)
        self._factor = np.empty(0)
        self._next_us = NEVER

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {"presence": self.table}

    def add(self, sensors: list[Sensor]) -> None:
        """New rows, in order."""
        s = self.settings
        first = self.table.n
        self.table.add(len(sensors))
        floor, factor = [], []
        meters = [sensor.kind is SensorKind.WATER_METER for sensor in sensors]
        for i, sensor in enumerate(sensors):
            traffic = sensor.domain is Domain.TRAFFIC
            meter = sensor.kind is SensorKind.WATER_METER
            floor.append(
                s.silent_traffic_min * 60 * SECOND_US
                if traffic
                else (s.silent_water_h if meter else s.silent_station_h) * HOUR_US
            )
            factor.append(s.silent_traffic_cadences if traffic else s.silent_water_cadences)
            if sensor.cadence_s:
                self.table["cadence_us"][first + i] = sensor.cadence_s * SECOND_US
        self.feeds.add(sensors)
        self._floor = np.concatenate([self._floor, floor])
        self._factor = np.concatenate([self._factor, factor])
        self._meter = np.concatenate([self._meter, np.array(meters, np.bool_)])
        self._next_us = NEVER

    def observe(self, ids: list[str], rows: Rows, at_us: Array) -> list[Condition]:
        """Readings of distinct `rows` at (n,) at_us; returns what they clear."""
        t = self.table
        last = t["last_us"].take(rows)
        new = at_us > last
        dt = np.where((last != NEVER) & new, at_us - np.where(last == NEVER, at_us, last), 0.0)
        cadence, seen = t["cadence_us"].take(rows), t["seen"].take(rows)
        steps = np.minimum(0.3, np.maximum(0.02, 1.0 / (1.0 + seen)))
        moved = np.where(cadence <= 0, dt, cadence * (1.0 + np.sign(dt - cadence) * steps))
        moved = np.where(np.abs(dt - cadence) < steps * cadence, dt, moved)
        t["cadence_us"][rows] = np.where(dt >= SECOND_US, moved, cadence)
        t["seen"][rows] = np.minimum(seen + (dt > 0), 2**30)
        t["last_us"][rows] = np.maximum(at_us, last)
        out: list[Condition] = []
        back = t["active"].take(rows) & new
        if back.any():
            for i in np.flatnonzero(back).tolist():
                row = int(rows[i])
                onset = int(last[i]) if last[i] != NEVER else int(t["known_us"][row])
                t["active"][row] = False
                out.append(self._say(ids[row], row, Change.CLEAR, onset, int(at_us[i])))
        return out

    def tick(self, ids: list[str], now_us: int) -> list[Condition]:
        """What the clock alone tells at now_us; cheap when nothing can be due."""
        t, n = self.table, self.table.n
        if n == 0 or now_us < self._next_us:
            return []
        known = t["known_us"][:n]
        known[known == NEVER] = now_us
        last = t["last_us"][:n]
        reference = np.where(last == NEVER, known, last)
        limit = self._limit(np.arange(n))
        late = now_us - reference > limit
        active = t["active"][:n]
        presence = Presence(reference, last != NEVER, active, limit, t["cadence_us"][:n])
        out, since = self.feeds.judge(now_us, presence)
        due = late & ~active & (now_us - since > limit)
        for row in np.flatnonzero(due).tolist():
            active[row] = True
            out.append(self._say(ids[row], row, Change.RAISE, int(reference[row]), now_us))
        waiting = ~active & ~late
        soonest = reference + self._floor.astype(np.int64)  # a learned limit can only be later
        self._next_us = int(soonest[waiting].min()) if waiting.any() else now_us
        if (late & ~active).any() or self.feeds.active:
            self._next_us = now_us
        return out

    def _limit(self, rows: Rows) -> Array:
        """(n,) microseconds that each of `rows` may be silent."""
        cadence, last = self.table["cadence_us"][rows], self.table["last_us"][rows]
        floor = self._floor[rows]
        coarse = self._meter[rows] & (cadence > COARSE_H * HOUR_US)
        floor = np.where(coarse, floor + _BETWEEN * cadence, floor)
        limit = np.maximum(floor, self._factor[rows] * cadence)
        once = (cadence <= 0) & (last != NEVER)
        return np.where(once, np.maximum(limit, _UNKNOWN_US), limit).astype(np.int64)

    def forget_schedule(self) -> None:
        """State was set from outside: look at every row at the next tick."""
        self._next_us = NEVER

    def _say(self, subject: str, row: int, change: Change, onset: int, at: int) -> Condition:
        cadence = float(self.table["cadence_us"][row])
        limit = int(self._limit(np.array([row]))[0])
        silent = (at - onset) / SECOND_US
        return Condition(
            self.rule, subject, change, onset, at, Severity.WARNING, 0.9,
            Evidence(
                "observed_at", "s", round(silent, 1), round(limit / SECOND_US, 1), None, silent, 0, 1.0,
                {
                    "cadence_s": round(cadence / SECOND_US, 1),
                    "never_seen_1": float(self.table["last_us"][row] == NEVER),
                },
            ),
        )  # fmt: skip
