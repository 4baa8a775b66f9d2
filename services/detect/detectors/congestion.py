"""Is traffic slow? Below a fixed speed, or far below what this hour of the week has shown: one alert for one jam.

Question: is the 5-minute mean speed below the limit, and if not, is it much slower than usual here at this hour?
Formula: two criteria on the mean of the speeds of the last 5 minutes.
    Limit: mean < `congestion_km_per_h` for `congestion_on_s`; over above `congestion_clear_km_per_h` for
    `congestion_off_s` (deadband 8 km/h).
    Habit: drop = usual - mean > `unusual_drop_km_per_h`, drop / spread > `unusual_sigmas` and mean below three quarters
    of the usual, for `unusual_on_s`; over when the drop is below half of its limit for five minutes (in an hour without
    habit: when the fixed limit's end is reached). Spread is at least 5 km/h.
    A reading of ten minutes or more is a mean that has lasted: one is enough.
    The alert is raised by the first criterion and cleared when both are over. For information: a jam that is no news at
    this hour, or slow traffic above the limit; a warning: a jam that is unusual, or where the habit is not known;
    critical: below a third of the limit, or below half of it where that is unusual.
    The evidence says what the queue is: its head (the bottleneck), length and delay so far (`bottleneck.py`).
Units: km/h, sigmas, km, vehicle-hours. Defaults: 64 km/h (40 mph), 72 km/h, 60 s, 300 s; 20 km/h, 4,
    180 s.
Source: PeMS and FHWA practice (40 mph, five-minute points); robust slot baseline (hour of week), ANCHORS section 4.
Missing: readings without vehicles have no speed; fewer than half of the expected values in 5 minutes: no look is
    taken. The habit counts once the hour was seen for two visits (the same hour of other days counts). Late readings
    do not enter. Irregular stamps: by time. A faulty sensor (`sensor_fault`, `stuck`) suppresses it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from services.detect.conditions import Episodes
from services.detect.detector_settings import DetectorSettings
from services.detect.detectors.bottleneck import Queues
from services.detect.elementwise import or_zero
from services.detect.emission import Subjects, emit
from services.detect.table import NEVER, Array, Field, Rows, Table
from services.domain.condition import Condition, Evidence, Rule
from services.domain.instant import SECOND_US

_VISITS, _KNOWN_VISITS = 2.0, 1.0
"""Visits of the hour from which on the habit may alarm, and from which on it is told."""
_SHARE = 0.75
_RARE_US = 600 * SECOND_US
"""Interval from which on one reading is a mean that has lasted."""
_LEAST_SPREAD = 5.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """One look at n stations.

    Attributes:
        mean: (n,) 5-minute mean speed in km/h; count: (n,) values in it; expected: (n,) values at full cadence.
        present: (n,) readings of those minutes, those in which no vehicle passed among them.
        usual, spread: (n,) km/h of this hour of the week, NaN unknown; visits: (n,) how often it was seen.
        vehicles: (n,) since the last reading, NaN unknown; cadence_us: (n,) between readings, 0 not known.
        faulty: (n,) bool, the sensor is not to be believed.
        incident: (n,) bool, an incident is on just downstream.
        free: the free speeds of rows in km/h, NaN unknown; asked for stations that are slow alone.
    """

    mean: Array
    count: Array
    expected: Array
    present: Array
    usual: Array
    spread: Array
    visits: Array
    vehicles: Array
    cadence_us: Array
    faulty: Array
    incident: Array
    free: Callable[[Array], Array]


class Congestion:
    """Speed below the limit or far below the habit."""

    rule = Rule.CONGESTION

    def __init__(self, settings: DetectorSettings) -> None:
        self.settings = settings
        self.queues = Queues()
        self.episodes = Episodes()
        self.limit = Episodes(
            on_delay_us=int(settings.congestion_on_s * SECOND_US),
            off_delay_us=int(settings.congestion_off_s * SECOND_US),
        )
        self.habit = Episodes(
            on_delay_us=int(settings.unusual_on_s * SECOND_US), off_delay_us=300 * SECOND_US
        )
        self.table = Table(
            {
                "below_us": Field("i8", NEVER),
                "unusual_us": Field("i8", NEVER),
                "vehicles": Field("f8"),
                "delay": Field("f8"),
                "lowest": Field("f4", np.inf),
            }
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {
            "spell": self.table,
            "episodes": self.episodes.table,
            "limit": self.limit.table,
            "habit": self.habit.table,
            "queues": self.queues.table,
        }

    def unusual(self, rows: Array) -> Array:
        """(n,) bool: far below the habit, so that nothing should be learned from this spell."""
        return self.habit.active(rows)

    def look(self) -> None:
        """A half-minute of the feed's time is complete: find the queues anew."""
        n = self.table.n
        rows = np.arange(n)
        self.queues.look(self.episodes.active(rows), self.table["delay"][:n])

    def step(self, subjects: Subjects, at_us: Array, now: Traffic) -> list[Condition]:
        """Take one look at each of n stations."""
        s, t, rows, mean = self.settings, self.table, subjects.rows, now.mean
        look = np.isfinite(mean) & (now.count >= 0.5 * now.expected) & ~now.faulty
        slow = look & (mean < s.congestion_km_per_h)
        drop = now.usual - mean
        sigmas = drop / np.maximum(now.spread, _LEAST_SPREAD)
        judged = look & np.isfinite(drop) & (now.visits >= _VISITS)
        strange = (
            judged
            & (drop > s.unusual_drop_km_per_h)
            & (sigmas > s.unusual_sigmas)
            & (mean < _SHARE * now.usual)
        )
        below, unusual_us = t["below_us"][rows], t["unusual_us"][rows]
        was, onset = self.episodes.active(rows), self.episodes.onset_us(rows)
        if not (slow.any() or strange.any() or was.any()):  # nothing is on and nothing begins
            self.limit.rest(rows)
            self.habit.rest(rows)
            t["below_us"][rows] = np.where(look, NEVER, below)
            t["unusual_us"][rows] = np.where(judged, NEVER, unusual_us)
            t["vehicles"][rows] = t["delay"][rows] = 0.0
            t["lowest"][rows] = np.inf
            return []
        rare = now.cadence_us >= _RARE_US
        below = self._begin(self.limit, rows, at_us, slow, below, rare)
        unusual_us = self._begin(self.habit, rows, at_us, strange, unusual_us, rare)
        none = np.zeros(len(rows), np.int8)
        free = look & (mean > s.congestion_clear_km_per_h)
        # where the hour is not known the habit of the last one cannot be asked: then the fixed limit decides
        fine = np.where(judged, drop < 0.5 * s.unusual_drop_km_per_h, free)
        self.limit.step(rows, at_us, slow, free, below, none)
        self.habit.step(rows, at_us, strange, fine, unusual_us, none)
        jammed, unusual = self.limit.active(rows), self.habit.active(rows)

        known = np.isfinite(now.usual) & (now.visits >= _KNOWN_VISITS)
        running = slow | strange | was
        reference = np.full(len(rows), s.congestion_clear_km_per_h)
        busy = np.flatnonzero(running)
        reference[busy] = np.fmax(now.free(rows[busy]), s.congestion_clear_km_per_h)
        passed = np.where(running, or_zero(now.vehicles), 0.0)
        late = np.where(
            running & look, 1.0 / np.maximum(np.where(look, mean, 1.0), 3.0) - 1.0 / reference, 0.0
        )
        total = np.where(running, t["vehicles"][rows] + passed, 0.0)
        delay = np.where(running, t["delay"][rows] + passed * np.maximum(late, 0.0), 0.0)
        lowest = np.where(running, np.fmin(t["lowest"][rows], mean), np.inf)

        crawling = slow & (
            (mean < s.congestion_km_per_h / 3) | (unusual & (mean < s.congestion_km_per_h / 2))
        )
        serious = jammed & (unusual | strange | ~(now.visits >= _VISITS))
        severity = np.where(crawling, 2, np.where(serious, 1, 0))
        began = np.minimum(
            np.where(jammed, below, unusual_us), np.where(unusual, unusual_us, below)
        )
        on = jammed | unusual
        changes = self.episodes.step(rows, at_us, on, ~on, began, severity)
        out: list[Condition] = []
        if changes:

            def evidence(i: int) -> Evidence:
                numbers = {
                    "below_limit_1": float(jammed[i]),
                    "fixed_limit_km_per_h": s.congestion_km_per_h,
                    "clear_limit_km_per_h": s.congestion_clear_km_per_h,
                    "lowest_km_per_h": _told(lowest[i]),
                    "vehicles_veh": round(float(total[i]), 0),
                    "delay_veh_h_per_km": round(float(delay[i]), 3),
                    "free_km_per_h": round(float(reference[i]), 1),
                    "incident_1": float(now.incident[i]),
                } | self.queues.numbers(int(rows[i]), float(delay[i]))
                limit = s.congestion_km_per_h
                if known[i]:
                    usual = float(now.usual[i])
                    alarm = min(
                        usual
                        - max(
                            s.unusual_drop_km_per_h,
                            s.unusual_sigmas * max(float(now.spread[i]), _LEAST_SPREAD),
                        ),
                        _SHARE * usual,
                    )
                    numbers |= {
                        "recurrent_1": float(usual < s.congestion_clear_km_per_h),
                        "unusual_1": float(unusual[i] or strange[i]),
                        "unusual_limit_km_per_h": round(alarm, 1),
                        "drop_km_per_h": _told(drop[i]),
                        "spread_km_per_h": round(float(now.spread[i]), 2),
                        "visits_known_1": round(float(now.visits[i]), 2),
                    }
                    limit = limit if jammed[i] or not unusual[i] else round(alarm, 1)
                return Evidence(
                    "speed_km_per_h", "km/h", round(float(mean[i]), 1), limit,
                    round(float(now.usual[i]), 1) if known[i] else None, 300.0, int(now.count[i]),
                    round(float(max(0.0, 1 - now.present[i] / max(now.expected[i], 1))), 3), numbers,
                )  # fmt: skip

            by_limit = 0.5 + (s.congestion_km_per_h - or_zero(mean)) / (2 * s.congestion_km_per_h)
            by_habit = 1.0 - 0.5 * s.unusual_sigmas / np.fmax(sigmas, s.unusual_sigmas)
            out = emit(
                self.rule, subjects, changes, at_us, np.where(was, onset, began), severity,
                np.where(unusual, np.maximum(by_limit, by_habit), by_limit), evidence,
            )  # fmt: skip
        t["below_us"][rows] = np.where(slow | jammed | ~look, below, NEVER)
        t["unusual_us"][rows] = np.where(strange | unusual | ~judged, unusual_us, NEVER)
        keep = slow | strange | on
        t["vehicles"][rows] = np.where(keep, total, 0.0)
        t["delay"][rows] = np.where(keep, delay, 0.0)
        t["lowest"][rows] = np.where(keep, lowest, np.inf)
        return out

    def _begin(
        self, episodes: Episodes, rows: Rows, at_us: Array, bad: Array, since_us: Array, rare: Array
    ) -> Array:
        """(n,) when each bad spell began; where readings are `rare`, this one has lasted as long as is asked for."""
        begun_us = at_us - np.where(rare, episodes.on_delay_us, 0)
        some = np.flatnonzero(bad & rare)
        episodes.begun(rows[some], begun_us[some])
        return np.where(bad & (since_us == NEVER), begun_us, since_us)


def _told(km_per_h: float) -> float:
    return round(float(km_per_h), 1) if np.isfinite(km_per_h) else 0.0
