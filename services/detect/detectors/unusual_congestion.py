"""Is traffic slower than it ever is at this hour of the week? Something happened; it is not the daily queue.

Question: does the 5-minute mean speed lie far below what this station has shown at this hour of the week?
Formula: drop = usual - mean; raised when drop > `unusual_drop_km_per_h`, drop / spread > `unusual_sigmas` and the
    mean is below three quarters of the usual, for `unusual_on_s`; cleared when the drop is below half of the limit
    for five minutes. Spread is at least 5 km/h.
Units: km/h, sigmas. Defaults: 20 km/h, 4, 180 s. Source: robust slot baseline (hour of week), ANCHORS section 4.
Missing: as `congestion`. The hour must have been seen for two visits (the same hour of other days counts). Late
    readings do not enter. A flagged spell is not learned. A faulty sensor suppresses it.
"""

from __future__ import annotations

import numpy as np

from services.detect.conditions import Episodes
from services.detect.detector_settings import DetectorSettings
from services.detect.emission import Subjects, emit
from services.detect.table import NEVER, Array, Field, Table
from services.domain.condition import Condition, Evidence, Rule
from services.domain.instant import SECOND_US

_VISITS = 2.0


class UnusualCongestion:
    """Speed far below the hour's habit."""

    rule = Rule.UNUSUAL_CONGESTION

    def __init__(self, settings: DetectorSettings) -> None:
        self.settings = settings
        self.episodes = Episodes(
            on_delay_us=int(settings.unusual_on_s * SECOND_US), off_delay_us=300 * SECOND_US
        )
        self.table = Table({"below_us": Field("i8", NEVER)})

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
        usual: tuple[Array, Array, Array],
        faulty: Array,
    ) -> list[Condition]:
        """Take one look at each of n stations; usual: level and spread in km/h and visits known, each (n,)."""
        s, t, rows = self.settings, self.table, subjects.rows
        level, spread, visits = usual
        drop = level - mean
        sigmas = drop / np.maximum(spread, 5.0)
        look = np.isfinite(drop) & (count >= 0.5 * expected_count) & (visits >= _VISITS) & ~faulty
        slow = (
            look
            & (drop > s.unusual_drop_km_per_h)
            & (sigmas > s.unusual_sigmas)
            & (mean < 0.75 * level)
        )
        fine = look & (drop < 0.5 * s.unusual_drop_km_per_h)
        below = t["below_us"][rows]
        below = np.where(slow & (below == NEVER), at_us, below)
        active, onset = self.episodes.active(rows), self.episodes.onset_us(rows)
        severity = np.where(mean < s.congestion_km_per_h / 2, 2, 1)
        changes = self.episodes.step(rows, at_us, slow, fine, below, severity)
        out: list[Condition] = []
        if changes:

            def evidence(i: int) -> Evidence:
                limit = min(
                    level[i] - max(s.unusual_drop_km_per_h, s.unusual_sigmas * max(spread[i], 5.0)),
                    0.75 * level[i],
                )
                return Evidence(
                    "speed_km_per_h", "km/h", round(float(mean[i]), 1), round(float(limit), 1),
                    round(float(level[i]), 1), 300.0, int(count[i]),
                    round(float(max(0.0, 1 - count[i] / max(expected_count[i], 1))), 3),
                    {
                        "drop_km_per_h": round(float(drop[i]), 1),
                        "sigmas_1": round(float(sigmas[i]), 2),
                        "spread_km_per_h": round(float(spread[i]), 2),
                        "fixed_limit_km_per_h": s.congestion_km_per_h,
                        "visits_known_1": round(float(visits[i]), 2),
                    },
                )  # fmt: skip

            out = emit(
                self.rule, subjects, changes, at_us, np.where(active, onset, below), severity,
                1.0 - 0.5 * s.unusual_sigmas / np.maximum(np.nan_to_num(sigmas), s.unusual_sigmas), evidence,
            )  # fmt: skip
        keep = slow | self.episodes.active(rows) | ~look
        t["below_us"][rows] = np.where(keep, below, NEVER)
        return out
