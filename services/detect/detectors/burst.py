"""Is far more water running than this meter ever uses, for hours? A burst pipe or a valve left open.

Question: does the rate exceed both `burst_litres_per_h` and the meter's own tail quantile, for long enough?
Formula: rate > max(burst_litres_per_h, Q(burst_quantile)) in every block for `burst_night_h` when the spell touches
    the night (22-06 h local), else for `burst_day_h`. Cleared when a block falls below half of the limit.
Units: L/h, hours. Defaults: 300 L/h, .999, 2.5 h and 9 h (most pools are filled by day, in less).
Source: tail quantile in the manner of SPOT (Siffer 2017), floor and hours after leak programmes (Athens-Clarke: 8 h).
Missing: an unknown block neither adds nor ends, and hours that lack readings count from 13 h on: a pool may have been
    filled in a part of them. Late and duplicate readings do not enter. Irregular stamps: by time.
    Cadence: of meters that are read more seldom than every 2.2 h two readings in a row must be beyond the limit; a
    single volume that no day ever had is told by `daily_use`.
"""

from __future__ import annotations

import numpy as np

from services.detect.conditions import Episodes
from services.detect.detector_settings import DetectorSettings
from services.detect.elementwise import clip
from services.detect.emission import Subjects, emit
from services.detect.table import NEVER, Array, Field, Table
from services.detect.windows.blocks import Blocks
from services.detect.windows.seen_hours import SeenHours, missing_share
from services.detect.windows.tail import Tail
from services.domain.condition import Condition, Evidence, Rule

_LONG_GAPS = 1.5
"""A hole counts when it is so many times as long as a burst by day."""


class Burst:
    """Spells of extreme rates."""

    rule = Rule.BURST

    def __init__(self, settings: DetectorSettings) -> None:
        self.settings = settings
        self.episodes = Episodes()
        self.tail = Tail()
        self.seen = SeenHours()
        self.table = Table(
            {
                "start_us": Field("i8", NEVER),
                "hours": Field("f8"),
                "night_hours": Field("f8"),
                "litres": Field("f8"),
                "least": Field("f8", np.inf),
                "limit": Field("f8"),
            }
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {
            "spell": self.table,
            "episodes": self.episodes.table,
            "tail": self.tail.table,
            "seen": self.seen.table,
        }

    def step(
        self, subjects: Subjects, blocks: Blocks, learn: Array, mute: Array, coarse: Array
    ) -> list[Condition]:
        """Take one finished block of each of n meters.

        Args:
            learn: (n,) bool, whether the tail may move.
            mute: (n,) bool: the unit is in doubt; nothing is raised.
            coarse: (n,) bool: read too seldom to show a spell; two readings in a row must say so.
        """
        s, t, rows = self.settings, self.table, blocks.rows
        rate = blocks.rate
        held = t["start_us"][rows] != NEVER
        near = (rate >= 0.5 * s.burst_litres_per_h) | held
        if not near.any():  # no spell is on and none can begin
            self.tail.learn(rows[learn], rate[learn])
            return []
        limit = np.full(len(rows), s.burst_litres_per_h)
        which = np.flatnonzero(near)
        limit[which] = np.maximum(limit[which], self.tail.quantile(rows[which], s.burst_quantile))
        limit = np.where(held, t["limit"][rows], limit)  # the limit stands while a spell lasts
        high = rate > limit
        hour = blocks.slot % 24
        night = (hour >= 22) | (hour < 6)
        start = np.where(high & ~held, blocks.start_us, t["start_us"][rows])
        heard = ~blocks.gap | (blocks.hours >= _LONG_GAPS * s.burst_day_h)
        hours = t["hours"][rows] + np.where(high & heard, blocks.hours, 0.0)
        night_hours = t["night_hours"][rows] + np.where(high & heard & night, blocks.hours, 0.0)
        litres = t["litres"][rows] + np.where(high, blocks.litres, 0.0)
        least = np.where(high, np.minimum(t["least"][rows], rate), t["least"][rows])
        seen, number = self.seen.add(rows, blocks.seen_hours, blocks.readings, ~held)
        long_enough = (hours >= s.burst_day_h) | (night_hours >= s.burst_night_h)
        bad = high & long_enough & (start != NEVER) & ~mute & (held | ~coarse)
        active = self.episodes.active(rows)
        onset = self.episodes.onset_us(rows)
        severity = np.where((litres >= 5000.0) | (rate >= 3 * limit), 2, 1)
        changes = self.episodes.step(rows, blocks.end_us, bad, rate < 0.5 * limit, start, severity)
        out: list[Condition] = []
        if changes:

            def evidence(i: int) -> Evidence:
                window_us = float(blocks.end_us[i] - start[i])
                by_night = night_hours[i] >= s.burst_night_h
                return Evidence(
                    "flow_litres_per_h", "L/h",
                    round(float(litres[i] / max(hours[i], 1e-9)), 1), round(float(limit[i]), 1), None,
                    window_us / 1e6, int(number[i]), missing_share(float(seen[i]), window_us),
                    {
                        "hours_above_h": round(float(hours[i]), 2),
                        "needed_h": s.burst_night_h if by_night else s.burst_day_h,
                        "newest_litres_per_h": round(float(rate[i]), 1),
                        "litres_so_far": round(float(litres[i]), 1),
                        "litres_per_day": round(float(24 * least[i] if np.isfinite(least[i]) else 0.0), 1),
                        "least_litres_per_h": round(float(least[i] if np.isfinite(least[i]) else 0.0), 1),
                    },
                )  # fmt: skip

            out = emit(
                self.rule, subjects, changes, blocks.end_us, np.where(active, onset, start),
                severity, clip(1 - 0.5 * limit / np.maximum(rate, 1e-9), 0, 1), evidence,
            )  # fmt: skip
        over = ~high & ~self.episodes.active(rows)
        self.seen.forget(rows[over])
        for name, value, empty in (
            ("start_us", start, NEVER), ("hours", hours, 0.0), ("night_hours", night_hours, 0.0),
            ("litres", litres, 0.0), ("least", least, np.inf), ("limit", limit, 0.0),
        ):  # fmt: skip
            t[name][rows] = np.where(over, empty, value)
        learn = learn & ~self.episodes.active(rows)
        self.tail.learn(rows[learn], rate[learn])
        return out
