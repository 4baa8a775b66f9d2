"""Has a meter that is read once or a few times a day begun to leak? No pause shows there, but every day is higher.

Question: are the last days the meter's habit and a constant more, rather than its habit, or just any other use?
Formula: x = rate of a day, or of one reading where they are further apart. Where readings fill half a day, a day ends
    with each half: so they tell at once what daily ones tell next day (`windows/day_parts.py`). f is the density of
    the 28 looks before the last 14, m their median, u = 1 / (2 max(m, median of the looks asked)) that of any use, as
    after a change of tenants or of season. The newest k = 2, 3, 4, 5, 7, 10 and 14 looks are asked for the leak
    q = median(x) - m, never more than the least of them or of their halves, for a leak runs every day and every night:
    L_k = sum of log((f(x - q) + .03 u) / (f(x) + u)), each within 4 nats. Raised when the largest L_k exceeds
    `coarse_evidence`, twice that in a home that has stood empty: a generalised likelihood ratio over a window. Guests
    and hot weeks make days higher and more uneven, a leak makes them higher alone.
    Raised as well by a volume that no day ever had: beyond the highest look of the habit by 6 spreads, for two looks
    and 1,500 L in all, or one of 6,000 L. Cleared when log(f(x) / f(x - q)), summed as by Page (1954), exceeds 3.9
    nats, or by a look below half of the leak.
Units: L/h, nats. Defaults: 6 nats; kernel half the spread of the looks, spread at least 15 % of their mean and 1 L/h;
    needs 10 looks before the window, which is as short as 3 looks at first.
Source: Lai 1995, window-limited generalised likelihood ratios; minimum-day reports of utilities with daily reads.
Missing: the register says what ran while readings were lost; up to 12 days of that are one look. A look below a fifth
    of m is an absence: it is not learned, and it proves that nothing leaks. Late and duplicate readings do not enter.
    Irregular stamps: rates, by time.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.conditions import Episodes
from services.detect.detector_settings import DetectorSettings
from services.detect.emission import Subjects, emit
from services.detect.table import Array, Field, Rows, Table
from services.detect.windows.blocks import Blocks
from services.detect.windows.day_looks import LEAST_LITRES_PER_H, PARTS, DayLooks
from services.detect.windows.day_parts import DayParts, Parts, parts_of_day
from services.detect.windows.seen_hours import missing_share
from services.domain.condition import Condition, Evidence, Rule
from services.domain.instant import HOUR_US

_LONGEST_H: Final = 12 * 24.0
_OVER: Final = 3.9
_ABSENT: Final = 0.2
_LIVED_IN: Final = 0.5
"""L/h: a home that uses less as a rule is not missed when it is away."""


class DailyUse:
    """Rates of days against the meter's habit and a constant more.

    Args:
        episodes: those of `night_flow`: one leak is one alert, however the meter is read meanwhile.
    """

    rule = Rule.NIGHT_FLOW

    def __init__(self, settings: DetectorSettings, episodes: Episodes) -> None:
        self.settings, self.episodes = settings, episodes
        self.parts, self.looks = DayParts(), DayLooks()
        self.table = Table(
            {
                "coarse": Field("?"),
                "every_h": Field("f4"),
                "leak": Field("f8"),
                "over": Field("f8"),
            }
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {"day": self.table, "parts": self.parts.table, "looks": self.looks.table}

    def step(
        self, subjects: Subjects, blocks: Blocks, cadence_us: Array, coarse: Array
    ) -> list[Condition]:
        """Take one finished block of each of n meters.

        Args:
            cadence_us: (n,) learned; coarse: (n,) bool, the meter is read too seldom to show pauses.
        """
        t, rows = self.table, blocks.rows
        changed = coarse != t["coarse"][rows]
        if changed.any():
            t["coarse"][rows] = coarse
            self._begin_anew(rows[changed])
        inside = np.flatnonzero(coarse & (blocks.hours <= _LONGEST_H))
        if inside.size == 0:
            return []
        rows, every_h = rows[inside], cadence_us[inside] / HOUR_US
        parts = parts_of_day(every_h)
        changed = parts != self.looks.table["parts"][rows]
        if changed.any():
            self.looks.table["parts"][rows] = parts
            self._begin_anew(rows[changed])
        t["every_h"][rows] = every_h
        full, finished = self.parts.add(blocks.take(inside), every_h, parts == PARTS)
        if finished is None:
            return []
        at = inside[full]
        return self._look(subjects.take(at), blocks.end_us[at], finished)

    def _begin_anew(self, rows: Rows) -> None:
        """Another cadence, another habit."""
        self.parts.forget(rows)
        self.table["over"][rows] = 0.0
        self.looks.forget(rows)

    def _look(self, subjects: Subjects, told_us: Array, new: Parts) -> list[Condition]:
        """Take one look at each of n meters."""
        t, rows, limit = self.table, subjects.rows, self.settings.coarse_evidence
        x, end_us = new.day, new.end_us
        active, onset = self.episodes.active(rows), self.episodes.onset_us(rows)
        habit = self.looks.habit(rows, active)
        lived_in = habit.known & (habit.median >= _LIVED_IN)
        push = ~active & ~(lived_in & (x < _ABSENT * habit.median))
        self.looks.push(rows, new, push)
        found = self.looks.explained(rows, habit)
        found, volume = self.looks.beyond(
            rows, habit, found, (end_us - new.day_us) / HOUR_US, limit
        )
        needed = np.where(habit.highest < LEAST_LITRES_PER_H, 2.0 * limit, limit)
        bad = push & habit.known & ((found.nats > needed) | volume)
        leak = np.where(active, t["leak"][rows], found.leak)
        ended = habit.ended(x, leak) * np.where(new.two & ~new.long, 0.5, 1.0)  # days overlap
        over = np.where(active, t["over"][rows] + ended, 0.0)
        t["over"][rows] = np.maximum(over, 0.0)
        good = active & (((over > _OVER) & habit.known) | (x < 0.5 * leak) | (leak <= 0))
        begun = np.where(active, onset, self.looks.begun_us(rows, found.many))
        severity = np.digitize(
            leak, [self.settings.trickle_litres_per_h, self.settings.critical_litres_per_h]
        )
        changes = self.episodes.step(rows, told_us, bad, good, begun, severity)
        raised = changes.raised
        t["leak"][rows[raised]] = leak[raised]
        if not changes:
            return []
        sums = self.looks.held(rows, np.where(active, 0, found.many))

        def evidence(i: int) -> Evidence:
            window_us = float(end_us[i] - begun[i])
            looks = max(int(found.many[i]), 1)
            return Evidence(
                "flow_litres_per_h", "L/h", round(float(x[i] if active[i] else found.mean[i]), 2),
                round(float(habit.far[i]), 2) if volume[i] else None, round(float(habit.median[i]), 2),
                window_us / 1e6, int(sums[i, 1]) if not active[i] else 1,
                missing_share(float(sums[i, 0]), window_us) if not active[i] else 0.0,
                {
                    "by_day_1": 1.0,
                    "looks_1": float(looks),
                    "read_every_h": round(float(t["every_h"][rows[i]]), 1),
                    "newest_litres_per_h": round(float(x[i]), 2),
                    "evidence_nats_1": round(float(max(found.nats[i], 0.0)), 2),
                    "evidence_limit_1": limit,
                    "spread_litres_per_h": round(float(habit.spread[i]), 2),
                    "litres_per_day": round(float(24 * leak[i]), 1),
                    "litres_so_far": round(float(leak[i]) * window_us / HOUR_US, 1),
                },
            )  # fmt: skip

        sure = np.where(volume, 0.9, 1.0 - 0.5 * limit / np.maximum(found.nats, limit))
        out = emit(self.rule, subjects, changes, told_us, begun, severity, sure, evidence)
        self.looks.forget_newest(rows[raised], found.many[raised])
        return out
