"""Has the least flow of the night risen for good? The leak of a meter that never rests: apartments, hotels, zones.

Question: is the nightly minimum higher than it was, by little but every night?
Formula: x = mean of the two lowest hourly rates of 01-06 h local; z = (x - median) / sigma over the last 28 nights
    that were not flagged, sigma = max(1.4826 MAD, (q90 - median) / 1.28, share of the median, 2 L/h);
    S = max(0, S + min(z, 7) - k), raised at S > h (Page 1954, k = .75). A night with z < 1 sets S to zero, for a leak
    runs every night. Told only when the mean of x over the n nights of the sum is beyond the same limit in litres,
    median + (k + h / n) sigma as they were when the sum left zero: value and threshold of the evidence. Cleared by
    such a night. The leak is x - median.
    Meters that are read more seldom than every 2.2 h have no nights; `daily_use` compares their days.
Units: L/h. Defaults: h = 28 sigmas, smallest sigma 15 % of the median. Needs 10 nights.
Source: minimum night flow, the practice of water companies, with a CUSUM; vendor rules find none of these leaks.
Missing: a night with fewer than three blocks is skipped. Late and duplicate readings do not enter. Irregular stamps:
    by time.
"""

from __future__ import annotations

import numpy as np

from services.detect.conditions import Episodes
from services.detect.detector_settings import DetectorSettings
from services.detect.emission import Subjects, emit
from services.detect.table import NEVER, Array, Field, Rows, Table
from services.detect.windows.blocks import Blocks
from services.detect.windows.cusum import Cusum
from services.detect.windows.rolling import Rolling
from services.detect.windows.seen_hours import SeenHours, missing_share
from services.domain.condition import Condition, Evidence, Rule
from services.domain.instant import DAY_US, HOUR_US

NIGHTS = 28
NIGHT_H = 5
_NEEDED = 10
_PERSISTS = 1.0
"""A leak runs every night: one night below median + 1 sigma and the sum starts anew."""
_BORED = 3.0
"""L/h: below this median a meter rests at night, and `continuous_flow` watches it."""


class NightFlow:
    """Least flow of each night against the last 28."""

    rule = Rule.NIGHT_FLOW

    def __init__(
        self,
        settings: DetectorSettings,
        sigma_share: float | None = None,
        cusum_h: float | None = None,
    ) -> None:
        self.settings = settings
        self.sigma_share = settings.night_sigma_share if sigma_share is None else sigma_share
        self.episodes = Episodes(off_delay_us=DAY_US // 2)
        self.cusum = Cusum(
            k=0.75, h=settings.night_cusum_h if cusum_h is None else cusum_h, clip=7.0
        )
        self.nights = Rolling(NIGHTS, "f4")
        self.seen = SeenHours()
        self.table = Table(
            {
                "day": Field("i4", -1),
                "lowest": Field("f8", np.inf),
                "second": Field("f8", np.inf),
                "blocks": Field("i2"),
                "seen": Field("f8"),
                "readings": Field("i4"),
                "coarse": Field("?"),
                "end_us": Field("i8", NEVER),
                "litres": Field("f8"),
                "run_nights": Field("i4"),
                "run_sum": Field("f8"),
                "run_median": Field("f8"),
                "run_sigma": Field("f8"),
            }
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {
            "night": self.table,
            "episodes": self.episodes.table,
            "cusum": self.cusum.table,
            "nights": self.nights.table,
            "seen": self.seen.table,
        }

    def step(
        self, subjects: Subjects, blocks: Blocks, local_day: Array, coarse: Array
    ) -> list[Condition]:
        """Take one finished block of each of n meters.

        Args:
            local_day: (n,) days since 1970 of the block's middle.
            coarse: (n,) bool: the meter is read too seldom to have nights.
        """
        t, rows = self.table, blocks.rows
        changed = coarse != t["coarse"][rows]
        if changed.any():
            self._begin_anew(rows[changed], coarse[changed])
        hour = blocks.slot % 24
        night = (hour >= 1) & (hour < 6) & ~(blocks.gap & (blocks.hours > 6))
        inside = night & ~coarse
        over = (t["blocks"][rows] > 0) & (~inside | (local_day != t["day"][rows]))
        out = self._finish(subjects, blocks, np.flatnonzero(over)) if over.any() else []
        add = np.flatnonzero(inside)
        if add.size:
            r, rate = rows[add], blocks.rate[add]
            lowest, second = t["lowest"][r], t["second"][r]
            t["second"][r] = np.minimum(second, np.maximum(lowest, rate))
            t["lowest"][r] = np.minimum(lowest, rate)
            t["blocks"][r] += 1
            t["seen"][r] += blocks.seen_hours[add]
            t["readings"][r] += blocks.readings[add]
            t["day"][r] = local_day[add]
            t["end_us"][r] = blocks.end_us[add]
        return out

    def _begin_anew(self, rows: Rows, coarse: Array) -> None:
        """What was learned of nights at another cadence says nothing."""
        t = self.table
        t["coarse"][rows] = coarse
        t["blocks"][rows] = 0
        t["lowest"][rows] = t["second"][rows] = np.inf
        t["seen"][rows] = t["readings"][rows] = 0
        self.nights.forget(rows)
        self.cusum.reset(rows)

    def _finish(self, subjects: Subjects, blocks: Blocks, at: Array) -> list[Condition]:
        t, s = self.table, self.settings
        rows = blocks.rows[at]
        value = np.where(
            t["blocks"][rows] >= 3, (t["lowest"][rows] + t["second"][rows]) / 2, np.nan
        )
        seen, readings = t["seen"][rows].copy(), t["readings"][rows].copy()
        t["lowest"][rows] = np.inf
        t["second"][rows] = np.inf
        for name in ("blocks", "seen", "readings"):
            t[name][rows] = 0
        usable = np.isfinite(value)
        rows, value, at = rows[usable], value[usable], at[usable]
        seen, readings = seen[usable], readings[usable]
        if rows.size == 0:
            return []
        end = t["end_us"][rows]
        told = blocks.end_us[at]
        median, mad = self.nights.median_mad(rows)
        known = self.nights.count(rows) >= _NEEDED
        upper = (
            self.nights.quantile(rows, 0.9) - median
        ) / 1.2816  # nights have a longer tail upwards
        sigma = np.maximum(
            np.maximum(1.4826 * mad, upper), np.maximum(self.sigma_share * median, 2.0)
        )
        watched = known & (median >= _BORED)
        z = np.where(watched, (value - median) / np.where(watched, sigma, 1.0), np.nan)
        self.cusum.reset(rows[z < _PERSISTS])
        fresh = self.cusum.table["sum"][rows] <= 0
        total = self.cusum.push(rows, np.where(z < _PERSISTS, np.nan, z), end)
        seen, readings = self.seen.add(rows, seen, readings, fresh)
        nights = np.where(fresh, 0, t["run_nights"][rows]) + 1
        run = np.where(fresh, 0.0, t["run_sum"][rows]) + value
        # the run is judged against what was usual before it began
        usual = np.where(fresh, median, t["run_median"][rows])
        spread = np.where(fresh, sigma, t["run_sigma"][rows])
        for name, run_value in (
            ("run_nights", nights), ("run_sum", run), ("run_median", usual), ("run_sigma", spread),
        ):  # fmt: skip
            t[name][rows] = run_value
        mean = run / nights
        enough = self.cusum.h
        limit = usual + (self.cusum.k + enough / nights) * spread
        active, onset = self.episodes.active(rows), self.episodes.onset_us(rows)
        since = self.cusum.table["since_us"][rows]
        leak = value - usual
        severity = np.where(leak >= s.critical_litres_per_h, 2, 1)
        bad = watched & (total > enough) & (mean > limit)
        days = np.where(since == NEVER, 1.0, np.rint(1.0 + (end - since) / DAY_US))
        per_day = 24 * np.maximum(mean - usual, 0.0)
        litres = np.where(active, t["litres"][rows] + np.maximum(leak, 0) * 24, per_day * days)
        changes = self.episodes.step(
            rows, told, bad, z < _PERSISTS, np.where(since == NEVER, end, since), severity
        )
        out: list[Condition] = []
        if changes:

            def evidence(i: int) -> Evidence:
                window_us = float(days[i]) * NIGHT_H * HOUR_US
                return Evidence(
                    "flow_litres_per_h", "L/h", round(float(mean[i]), 2), round(float(limit[i]), 2),
                    round(float(usual[i]), 2), window_us / 1e6, int(readings[i]),
                    missing_share(float(seen[i]), window_us),
                    {
                        "nights_1": float(nights[i]),
                        "newest_litres_per_h": round(float(value[i]), 2),
                        "sum_sigmas_1": round(float(total[i]), 2),
                        "sum_limit_1": enough,
                        "sigma_litres_per_h": round(float(spread[i]), 2),
                        "litres_per_day": round(float(per_day[i]), 1),
                        "litres_so_far": round(float(litres[i]), 1),
                    },
                )  # fmt: skip

            out = emit(
                self.rule, subjects.take(at), changes, told,
                np.where(active, onset, since), severity,
                1.0 - 0.5 * enough / np.maximum(total, enough), evidence,
            )  # fmt: skip
        on = self.episodes.active(rows)
        t["litres"][rows] = np.where(on, litres, 0.0)
        cleared = changes.cleared
        if cleared.size:
            self.cusum.reset(rows[cleared])
        teach = ~on & ~(z > 3)
        self.nights.push(rows[teach], value[teach])
        return out
