"""Is traffic slow? Below a fixed speed, whether or not it is slow here every day.

Question: is the 5-minute mean speed below the limit?
Formula: mean of the speeds of the last 5 minutes < `congestion_km_per_h` for `congestion_on_s`; cleared above
    `congestion_clear_km_per_h` for `congestion_off_s` (deadband 8 km/h). Critical below a third of the limit.
Units: km/h, vehicle-hours for each km of road. Defaults: 64 km/h (40 mph), 72 km/h, 60 s, 300 s.
Source: PeMS and FHWA practice (40 mph, five-minute points).
Missing: readings without vehicles have no speed; fewer than half of the expected values in 5 minutes: no look is
    taken. Late readings do not enter. Irregular stamps: by time. A faulty sensor
    (`sensor_fault`, `stuck`) suppresses it.
"""

from __future__ import annotations

import numpy as np

from services.detect.conditions import Episodes
from services.detect.detector_settings import DetectorSettings
from services.detect.emission import Subjects, emit
from services.detect.table import NEVER, Array, Field, Table
from services.domain.condition import Condition, Evidence, Rule
from services.domain.instant import SECOND_US


class Congestion:
    """Speed below the limit."""

    rule = Rule.CONGESTION

    def __init__(self, settings: DetectorSettings) -> None:
        self.settings = settings
        self.episodes = Episodes(
            on_delay_us=int(settings.congestion_on_s * SECOND_US),
            off_delay_us=int(settings.congestion_off_s * SECOND_US),
        )
        self.table = Table(
            {
                "below_us": Field("i8", NEVER),
                "vehicles": Field("f8"),
                "delay": Field("f8"),
                "lowest": Field("f4", np.inf),
            }
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {"spell": self.table, "episodes": self.episodes.table}

    def step(
        self,
        subjects: Subjects,
        at_us: Array,
        mean: Array,
        count: Array,
        expected_count: Array,
        usual: Array,
        vehicles: Array,
        faulty: Array,
    ) -> list[Condition]:
        """Take one look at each of n stations.

        Args:
            mean: (n,) 5-minute mean speed in km/h; count: (n,) values in it; expected_count: (n,) at full cadence.
            usual: (n,) km/h usual at this hour, NaN unknown; vehicles: (n,) since the last reading, NaN unknown.
            faulty: (n,) bool, the sensor is not to be believed.
        """
        s, t, rows = self.settings, self.table, subjects.rows
        look = np.isfinite(mean) & (count >= 0.5 * expected_count) & ~faulty
        slow = look & (mean < s.congestion_km_per_h)
        free = look & (mean > s.congestion_clear_km_per_h)
        below = t["below_us"][rows]
        below = np.where(slow & (below == NEVER), at_us, below)
        active, onset = self.episodes.active(rows), self.episodes.onset_us(rows)
        running = slow | active
        reference = np.maximum(np.where(np.isnan(usual), 0.0, usual), s.congestion_clear_km_per_h)
        passed = np.where(running, np.nan_to_num(vehicles), 0.0)
        late = np.where(
            running & look, 1.0 / np.maximum(np.where(look, mean, 1.0), 3.0) - 1.0 / reference, 0.0
        )
        total = np.where(running, t["vehicles"][rows] + passed, 0.0)
        delay = np.where(running, t["delay"][rows] + passed * np.maximum(late, 0.0), 0.0)
        lowest = np.where(running, np.fmin(t["lowest"][rows], mean), np.inf)
        severity = np.where(mean < s.congestion_km_per_h / 3, 2, 1)
        changes = self.episodes.step(rows, at_us, slow, free, below, severity)
        out: list[Condition] = []
        if changes:

            def evidence(i: int) -> Evidence:
                numbers = {
                    "clear_limit_km_per_h": s.congestion_clear_km_per_h,
                    "lowest_km_per_h": round(float(lowest[i]), 1),
                    "vehicles_veh": round(float(total[i]), 0),
                    "delay_veh_h_per_km": round(float(delay[i]), 3),
                }
                if np.isfinite(usual[i]):
                    numbers["recurrent_1"] = float(usual[i] < s.congestion_clear_km_per_h)
                return Evidence(
                    "speed_km_per_h", "km/h", round(float(mean[i]), 1), s.congestion_km_per_h,
                    round(float(usual[i]), 1) if np.isfinite(usual[i]) else None, 300.0, int(count[i]),
                    round(float(max(0.0, 1 - count[i] / max(expected_count[i], 1))), 3), numbers,
                )  # fmt: skip

            out = emit(
                self.rule, subjects, changes, at_us, np.where(active, onset, below), severity,
                0.5 + (s.congestion_km_per_h - np.nan_to_num(mean)) / (2 * s.congestion_km_per_h), evidence,
            )  # fmt: skip
        on = self.episodes.active(rows)
        keep = slow | on | ~look
        t["below_us"][rows] = np.where(keep & (slow | (below != NEVER)), below, NEVER)
        t["vehicles"][rows] = np.where(slow | on, total, 0.0)
        t["delay"][rows] = np.where(slow | on, delay, 0.0)
        t["lowest"][rows] = np.where(slow | on, lowest, np.inf)
        return out
