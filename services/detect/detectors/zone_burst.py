"""Is far more water entering a zone than at this hour as a rule, for hours? The burst main.

Question: does the inflow exceed the zone's habit, hour after hour, so far that no demand explains it?
Formula: z = (x - expected) / sigma; expected is the learned shape of the hour at the level of the last weeks, plus
    the leak known; from 06 to 22 h that of the day of the week that uses most at this hour, so that a public holiday,
    which is a Sunday on a working day, is no burst. Sigma is the learned spread of this hour of the day (1.25 mean
    |x - expected|, slow), at least 4 % of the level and 10 % of what is expected beyond it.
    S = max(0, S + min(z, 6) - k), k = 2.5 (Page 1954), raised when S > h: three hours at least, so the flushing of a
    hydrant is no burst; pressures in accord (`zone_pressure`) lower h to 50 %, never the three hours. Cleared by three
    hours in a row with z < 1.5. Told anew each day with its litres: mean excess times time.
Units: L/h. Defaults: h = 7 sigmas. Needs the shape of the weekday and 10 days of spread.
Source: z > 6 in three samples, the practice of control rooms, as a CUSUM of hours.
Missing: an unknown hour changes nothing; evidence counts those of the spell. Late readings do not enter.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.conditions import Episodes
from services.detect.detector_settings import DetectorSettings
from services.detect.detectors.zone_loss import confidence, loss, told_daily
from services.detect.emission import Subjects, emit
from services.detect.table import NEVER, Array, Field, Table
from services.detect.windows.coverage import Seen, held
from services.domain.condition import Condition, Evidence, Rule
from services.domain.instant import HOUR_US

_K: Final = 2.5
_CLIP: Final = 6.0
_FLOOR: Final = 0.04
_PEAK_FLOOR: Final = 0.1
"""And of what is expected beyond the level: a hot day lifts the peaks most."""
_LEARN: Final = 0.1
_NEEDED: Final = 10
_NORMAL: Final = 1.5
_CRITICAL: Final = 0.4
_ACCORD: Final = 0.5
"""By so much do pressures in full accord lower the limit."""
_LEAST_H: Final = 3


class ZoneBurst:
    """Hours of extreme inflow."""

    rule = Rule.BURST

    def __init__(self, settings: DetectorSettings) -> None:
        self.h = settings.zone_burst_h
        self.episodes = Episodes(off_delay_us=2 * HOUR_US)
        self.table = Table(
            {
                "spread": Field("f4", 0.0, (24,)),
                "visits": Field("f4", 0.0, (24,)),
                "sum": Field("f8"),
                "since_us": Field("i8", NEVER),
                "mark": Field("f8", 0.0, (2,)),
                "litres": Field("f8"),
                "hours": Field("i4"),
                "sure": Field("f8"),
            }
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {"spell": self.table, "episodes": self.episodes.table}

    def step(
        self, subjects: Subjects, start_us: Array, told_us: Array, rate: Array, expected: Array,
        most: Array, level: Array, hour: Array, seen: Seen, accord: Array,
    ) -> list[Condition]:  # fmt: skip
        """Take one full hour of each of n zones.

        Args:
            rate, expected, level: (n,) L/h; NaN where nothing is expected yet.
            most: (n,) L/h, expected on the day of the week that uses most at this hour.
            hour: (n,) local hour of the day.
            seen: what was heard of the zones.
            accord: (n,) of the pressures, 0 to 1.
        """
        t, rows = self.table, subjects.rows
        excess = rate - expected
        known = np.isfinite(excess) & (level > 0)
        visits = t["visits"][rows, hour]
        awake = (hour >= 6) & (
            hour < 22
        )  # a holiday is a Sunday on a working day, and its nights are nights
        top = np.where(awake, np.fmax(expected, most), expected)
        least = _FLOOR * np.where(known, level, 1.0)
        least += _PEAK_FLOOR * np.where(known, np.maximum(top - level, 0.0), 0.0)
        sigma = np.maximum(t["spread"][rows, hour], least)
        ready = known & (visits >= _NEEDED)
        beyond = rate - top
        z = np.where(ready, beyond / np.where(ready, sigma, 1.0), 0.0)
        before = t["sum"][rows]
        active, onset = self.episodes.active(rows), self.episodes.onset_us(rows)
        after = np.where(ready, np.maximum(0.0, before + np.minimum(z, _CLIP) - _K), before)
        after = np.where(active, before, after)
        begins = (before <= 0) & (after > 0)
        since = np.where(begins, start_us, t["since_us"][rows])
        mark = np.where(begins[:, None], seen.before, t["mark"][rows])
        spell = active | (after > 0)
        litres = np.where(spell, t["litres"][rows] + np.where(ready, excess, 0.0), 0.0)
        hours = np.where(spell, t["hours"][rows] + ready, 0)
        least = self.h * (1.0 - _ACCORD * accord)
        bad = ~active & (after > least) & (hours >= _LEAST_H) & (z > _K)
        good = ready & (z < _NORMAL)
        begun = np.where(active, onset, np.where(since == NEVER, start_us, since))
        mean = litres / np.maximum(hours, 1)
        end_us = start_us + HOUR_US
        lost = mean * (end_us - begun) / HOUR_US
        sure = np.where(active, t["sure"][rows], confidence(after / least, accord))
        severity = np.where(mean >= _CRITICAL * np.where(known, level, np.inf), 2, 1)
        changes = self.episodes.step(rows, told_us, bad, good, begun, severity)
        changes = told_daily(changes, active, begun, end_us)
        on = self.episodes.active(rows)
        over = active & ~on
        t["mark"][rows], t["sure"][rows] = mark, sure
        t["sum"][rows] = np.where(over, 0.0, after)
        t["since_us"][rows] = np.where(over | (after <= 0), NEVER, since)
        t["litres"][rows] = np.where(over, 0.0, litres)
        t["hours"][rows] = np.where(over, 0, hours)
        learn = known & ~on & (after < 0.5 * self.h)
        pace = np.maximum(_LEARN, 1.0 / (visits + 1.0))
        deviation = 1.2533 * np.minimum(
            np.abs(excess), np.where(visits >= _NEEDED, 3.0 * sigma, np.inf)
        )
        old = t["spread"][rows, hour]
        t["spread"][rows, hour] = np.where(learn, old + pace * (deviation - old), old)
        t["visits"][rows, hour] = np.where(learn, visits + 1.0, visits)
        if not changes:
            return []

        limit = expected + np.where(active, _NORMAL, _K) * sigma

        def evidence(i: int) -> Evidence:
            window_s = float(start_us[i] + HOUR_US - begun[i]) / 1e6
            readings, missing = held(mark[i], seen.after[i], window_s / 3600)
            return Evidence(
                "flow_litres_per_h", "L/h",
                round(float(rate[i]), 1), round(float(limit[i]), 1),
                round(float(expected[i]), 1), window_s, readings, missing,
                loss(mean[i], lost[i], sure[i])
                | {
                    "sum_sigmas_1": round(float(after[i]), 2),
                    "sum_limit_1": round(float(least[i]), 2),
                    "sigma_litres_per_h": round(float(sigma[i]), 2),
                },
            )  # fmt: skip

        return emit(
            self.rule, subjects, changes, told_us, begun, self.episodes.severity(rows), sure, evidence,
        )  # fmt: skip
