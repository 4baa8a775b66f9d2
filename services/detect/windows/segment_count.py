"""How many more vehicles are between two neighbours than the time of travel explains?

Vehicles are conserved: N(u, t - L / v) x ratio - N(d, t), the counts since the beginning at the upper station, delayed
by the time of travel over the L metres between both, and at the lower one, stays level as long as traffic flows. What
is held up between them lifts it at once, whether or not a queue reaches a station. Formula, at each look: that
difference's increments are added up and fade with 5 minutes (a slow drift of either counter fades too); its habit
(1 h) and spread (4 h, at least 1 vehicle) are learned from looks within 3 spreads; surplus = sum - habit.
Units: vehicles, m, km/h, s. Source: input-output counts (Makigami, Newell, Rothery 1971; Newell 1993, cumulative
curves shifted by the time of free travel), differenced against drift as in Cassidy, Windover 1995.
Missing: over a lost count (or one that stands for more than 1.5 intervals) nothing is added. A time of travel of more
than four looks is not followed. Late readings do not enter. Irregular stamps: counts are looked up by their times.
It refuses to decide what an incident is, and to know which of two stations miscounts.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.elementwise import clip, or_zero
from services.detect.table import NEVER, Array, Field, Rows, Table
from services.domain.instant import SECOND_US

_LOOK_US: Final = 30 * SECOND_US
_LOOKS: Final = 5
_BLOCK: Final = 2048
"""Stations whose looks stay in the processor's cache together."""
_ENDLESS: Final = np.iinfo(np.int64).max
_FADE_S, _SPEED_S, _HABIT_S, _SPREAD_S = 300.0, 120.0, 3600.0, 14_400.0
_KNOWN_S: Final = 1200.0
_LEAST_SPREAD_VEH, _FIRST_SPREAD_VEH, _WITHIN = 1.0, 3.0, 3.0
_LACKS, _FURTHEST = 2.5, 8.0
_MEAN_TO_SIGMA: Final = 1.2533
_LEAST_M_PER_S: Final = 5.0


class SegmentCount:
    """Counts of each station as of the last five looks, and the surplus between it and the next one."""

    def __init__(self) -> None:
        self.table = Table(
            {
                "total": Field("f8"),
                "at_us": Field("i8", NEVER),
                "lost_us": Field("i8", NEVER),
                "past": Field("f8", 0.0, (_LOOKS,)),
                "past_us": Field("i8", NEVER, (_LOOKS,)),
                "head": Field("i1"),
                "went_in": Field("f8", np.nan),
                "came_out": Field("f8"),
                "pair_us": Field("i8", NEVER),
                "speed": Field("f4", np.nan),
                "sum": Field("f4"),
                "habit": Field("f4"),
                "spread": Field("f4", _FIRST_SPREAD_VEH),
                "seen_s": Field("f4"),
                "behind": Field("i1"),
            }
        )

    def take(self, rows: Rows, at_us: Array, vehicles: Array) -> None:
        """Remember one reading of each of `rows` (distinct): (n,) vehicles since the one before, NaN not known."""
        t = self.table
        known = np.isfinite(vehicles)
        t["total"][rows] += np.where(known, vehicles, 0.0)
        t["at_us"][rows] = at_us
        t["lost_us"][rows] = np.where(known, t["lost_us"][rows], at_us)

    def look(
        self,
        rows: Rows,
        safe: Rows,
        dt_s: Array,
        metres: Array,
        speed: Array,
        ratio: Array,
        flows: Array,
        learns: Array,
    ) -> None:
        """Compare `rows` with their neighbours `safe`, as of a look.

        Args:
            dt_s: (n,) since the look before, 0 after a gap, where all begins anew; metres: (n,) to the neighbour.
            speed: (n,) km/h on the way, NaN not known; ratio: (n,) logarithm of the vehicles out for one in.
            flows: (n,) bool, traffic flows at both and both are to be believed; else nothing is added.
            learns: (n,) bool, no incident is told.
        """
        t = self.table
        self._keep(rows)
        gap = dt_s <= 0
        old = np.where(gap, np.nan, t["speed"][rows])
        mean = np.where(np.isnan(old), speed, old + _share(dt_s, _SPEED_S) * (speed - old))
        mean = np.where(np.isnan(speed), old, mean)
        t["speed"][rows] = mean
        travel_s = or_zero(metres / np.maximum(mean / 3.6, _LEAST_M_PER_S), 1e6)
        t["behind"][rows] = np.minimum(travel_s * SECOND_US / _LOOK_US, _LOOKS)
        at_us = t["at_us"][safe]
        left_us = at_us - (travel_s * SECOND_US).astype(np.int64)
        went_in, sure = self._as_of(rows, left_us)
        came_out, pair_us = t["total"][safe], t["pair_us"][rows]
        sure &= (left_us >= t["lost_us"][rows]) & ~gap
        kept = (t["lost_us"][rows] <= pair_us) & (t["lost_us"][safe] <= pair_us) & ~gap
        before = np.where(kept, t["went_in"][rows], np.nan)
        more = np.exp(ratio) * (went_in - before) - (came_out - t["came_out"][rows])
        known = sure & flows & np.isfinite(more)
        t["went_in"][rows] = np.where(sure, went_in, before)
        t["came_out"][rows] = np.where(sure, came_out, t["came_out"][rows])
        t["pair_us"][rows] = np.where(sure, at_us, pair_us)
        spread, habit, seen = t["spread"][rows], t["habit"][rows], t["seen_s"][rows]
        total = t["sum"][rows] * (_FADE_S / (_FADE_S + dt_s)) + np.where(known, more, 0.0)
        total = np.where(gap | ~flows, 0.0, np.maximum(total, habit - _FURTHEST * spread))
        t["sum"][rows] = total
        self._learn(rows, known & learns, dt_s, total - habit, spread, habit, seen)

    def surplus(self, rows: Rows) -> Array:
        """(n,) vehicles more than usual between the stations and their neighbours; 0 while it is not known."""
        t = self.table
        known = t["seen_s"][rows] >= _KNOWN_S
        return np.where(known, t["sum"][rows] - t["habit"][rows], 0.0)

    def lacks(self, rows: Rows, vehicles: Array) -> Array:
        """(n,) bool, clearly fewer than usual are on the way, by more than (n,) `vehicles` or than they ever stray."""
        missed = -self.surplus(rows)
        return np.asarray(missed > np.minimum(vehicles, _LACKS * self.spread(rows)))

    def spread(self, rows: Rows) -> Array:
        """(n,) vehicles, how far the surplus strays as a rule."""
        return self.table["spread"][rows]

    def _keep(self, rows: Rows) -> None:
        """Note totals and times as of this look."""
        t = self.table
        head = (t["head"][rows] + 1) % _LOOKS
        t["head"][rows] = head
        t["past"][rows, head], t["past_us"][rows, head] = t["total"][rows], t["at_us"][rows]

    def _as_of(self, rows: Rows, at_us: Array) -> tuple[Array, Array]:
        """(n,) vehicles that had passed by the times (n,), between two looks in proportion; (n,) bool, it is known."""
        parts = [
            _between(
                np.ascontiguousarray(self.table["past_us"][rows[i : i + _BLOCK]].T),
                np.ascontiguousarray(self.table["past"][rows[i : i + _BLOCK]].T),
                at_us[i : i + _BLOCK],
            )
            for i in range(0, max(len(rows), 1), _BLOCK)
        ]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([each[0] for each in parts]), np.concatenate([e[1] for e in parts])

    def _learn(
        self,
        rows: Rows,
        learn: Array,
        dt_s: Array,
        off: Array,
        spread: Array,
        habit: Array,
        seen: Array,
    ) -> None:
        t = self.table
        early = seen < _KNOWN_S
        reach = dt_s / np.maximum(seen + dt_s, 1.0)
        near = np.where(early, off, clip(off, -_WITHIN * spread, _WITHIN * spread))
        within = learn & (early | (np.abs(off) < _WITHIN * spread))
        moved = habit + np.maximum(_share(dt_s, _HABIT_S), reach) * near
        t["habit"][rows] = np.where(within, moved, habit)
        step = np.maximum(_share(dt_s, _SPREAD_S), reach)
        wide = spread + step * (_MEAN_TO_SIGMA * np.abs(near) - spread)
        t["spread"][rows] = np.where(learn, np.maximum(wide, _LEAST_SPREAD_VEH), spread)
        t["seen_s"][rows] = np.minimum(seen + np.where(learn, dt_s, 0.0), 1e6)


def _share(dt_s: Array, tau_s: float) -> Array:
    return np.asarray(dt_s / (dt_s + tau_s))


def _between(then_us: Array, passed: Array, at_us: Array) -> tuple[Array, Array]:
    """Of times and counts of (5, n) looks in any order: as `SegmentCount._as_of`."""
    later = then_us > at_us
    begin_us = np.maximum.reduce(np.where(later, NEVER, then_us))
    end_us = np.minimum.reduce(np.where(later, then_us, _ENDLESS))
    begin = np.maximum.reduce(np.where(later, 0.0, passed))
    end = np.minimum.reduce(np.where(later, passed, np.inf))
    sure = (begin_us != NEVER) & (end_us != _ENDLESS)
    part = np.where(sure, at_us - begin_us, 0) / np.where(sure, end_us - begin_us, 1)
    return begin + part * np.where(sure, end - begin, 0.0), sure
