"""Is traffic slow beside one station alone, where there is room enough on the road? Then something stands in its way.

Question: in traffic that this road has often carried freely, is station u slower against its neighbour d downstream
    than it always is, for minutes, while d is free and as many vehicles pass as before?
Formula, at each look: D = v(d) - v(u); z = (D - habit) / spread, habit and spread of the pair's D over an hour (spread
    at least 3 km/h, z within 4 either way); S = max(0, S + z - .7) (CUSUM).
    Slowed: S >= 8 and the excess D - habit, a mean that fades with 3 min, >= 6 km/h.
    Counted only where the road has room: the flow of the last 7 and 20 minutes is at most 80 % of the most that u has
    carried (a quarter of an hour's mean, 2 % less a day); where d is free: v(d) >= .88 of its free speed (which rises
    in 15 min and falls in 4 h); where vehicles pass: flow of 7 min >= .8 of that of 20; and where for five minutes
    neither station was below .6 of its free speed: jams have signs of their own.
Units: km/h, veh/h, shares. Source: CUSUM (Page 1954) on the spatial difference of speeds (California #8 compares
    occupancies); room as in the McMaster algorithm (Persaud, Hall 1990): low speed at a flow that is no bottleneck's.
Missing: without a speed at both stations nothing is added, without counts the sign is silent, and so it is on the
    first day. A pause empties the sum. Late readings do not enter. Irregular stamps: by looks of the feed's own time.
It refuses to raise anything: `incident.py` does.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.elementwise import clip, or_zero
from services.detect.table import NEVER, Array, Field, Rows, Table
from services.detect.windows.arrivals import Arrivals
from services.domain.instant import SECOND_US

LEAST_KM_PER_H: Final = 6.0
"""Excess of the difference from which on a slowdown is told."""
_SLACK, _LIMIT, _FAR, _SPREAD_KM_PER_H = 0.7, 8.0, 4.0, 3.0
_ROOM, _FREE_SHARE, _JAM_SHARE, _PASSING = 0.8, 0.88, 0.6, 0.8
_JAM_US: Final = 300 * SECOND_US
_HABIT_S, _RECENT_S, _UP_S, _DOWN_S = 3600.0, 180.0, 900.0, 14_400.0
_KNOWN_S: Final = 1200.0
_DAY_KEEPS: Final = 0.98
_MEAN_TO_SIGMA: Final = 1.2533


class Slowdown:
    """What each pair of neighbours knows of its difference of speeds, and each station of its free speed and room."""

    def __init__(self) -> None:
        self.table = Table(
            {
                "free": Field("f4", np.nan),
                "jam_us": Field("i8", NEVER),
                "most": Field("f4"),
                "days": Field("i2"),
                "habit": Field("f4", np.nan),
                "spread": Field("f4", _SPREAD_KM_PER_H),
                "seen_s": Field("f4"),
                "sum": Field("f4"),
                "recent": Field("f4", np.nan),
                "since_us": Field("i8", NEVER),
            }
        )

    def turn_day(self, rows: Rows) -> None:
        """A new local day has begun at `rows`."""
        t = self.table
        t["days"][rows] = np.minimum(t["days"][rows] + (t["most"][rows] > 0), 1000)
        t["most"][rows] *= _DAY_KEEPS

    def signs(
        self,
        rows: Rows,
        safe: Rows,
        end_us: int,
        dt_s: Array,
        v: Array,
        vd: Array,
        fit: Array,
        on: Array,
        arrivals: Arrivals,
    ) -> Array:
        """(n,) bool, slowed; the pairs `rows` and `safe` are looked at and learn.

        Args:
            dt_s: (n,) seconds since the look before; 0 after a gap, where all begins anew.
            v, vd: (n,) km/h here and downstream; fit: (n,) bool, both are to be believed.
            on: (n,) bool, an incident is told here already: nothing is learned.
        """
        t = self.table
        gap = dt_s <= 0
        mid, long = arrivals.table["mid_flow"][rows], arrivals.table["long_flow"][rows]
        low = np.fmin(mid, long)
        t["most"][rows] = np.fmax(t["most"][rows], np.where(gap, np.nan, low))
        self._know_free(rows, end_us, dt_s, v)
        apart = np.where(fit, vd - v, np.nan)
        known = np.isfinite(apart)
        habit, spread, seen = t["habit"][rows], t["spread"][rows], t["seen_s"][rows]
        excess = apart - np.where(np.isnan(habit), apart, habit)
        z = np.where(seen >= _KNOWN_S, clip(excess / spread, -_FAR, _FAR), 0.0)
        room = self.room(rows, arrivals)
        moves = ~(self.jammed(rows, end_us) | self.jammed(safe, end_us))
        free = vd >= _FREE_SHARE * t["free"][safe]
        counts = known & room & moves & free & (mid >= _PASSING * long)
        total = t["sum"][rows]
        kept = np.where(room & moves, np.maximum(total - _SLACK, 0.0), 0.0)
        total = np.where(
            counts, clip(total + z - _SLACK, 0.0, 3 * _LIMIT), np.where(known, kept, total)
        )
        total = np.where(gap, 0.0, total)
        t["sum"][rows] = total
        since = t["since_us"][rows]
        t["since_us"][rows] = np.where(total > 0, np.where(since == NEVER, end_us, since), NEVER)
        recent = np.where(gap, np.nan, t["recent"][rows])
        fresh = np.where(
            np.isnan(recent), excess, recent + _share(dt_s, _RECENT_S) * (excess - recent)
        )
        recent = np.where(known, fresh, recent)
        t["recent"][rows] = recent
        early = seen < _KNOWN_S
        learn = known & (early | (room & ~on & (total < _LIMIT / 2)))
        self._learn(rows, learn, dt_s, apart, excess)
        return np.asarray(counts & (total >= _LIMIT) & (recent >= LEAST_KM_PER_H))

    def room(self, rows: Rows, arrivals: Arrivals) -> Array:
        """(n,) bool, the station has carried clearly more than now on other days: it is no bottleneck at this flow."""
        t = self.table
        return np.asarray((arrivals.usual(rows) <= _ROOM * t["most"][rows]) & (t["days"][rows] > 0))

    def lasts(self, rows: Rows) -> Array:
        """(n,) bool, it is still clearly slower than its habit."""
        return np.asarray(
            (self.table["sum"][rows] > 0) & (self.table["recent"][rows] >= LEAST_KM_PER_H / 2)
        )

    def excess(self, rows: Rows) -> Array:
        """(n,) km/h by which the neighbour is faster than its habit, a mean that fades with 3 min; NaN not known."""
        return np.asarray(self.table["recent"][rows])

    def apart(self, rows: Rows) -> Array:
        """(n,) km/h by which the neighbour is faster, a mean that fades with 3 min; NaN not known."""
        return np.asarray(self.table["recent"][rows] + self.table["habit"][rows])

    def since_us(self, rows: Rows, end_us: int) -> Array:
        """(n,) when the slowdown began in the data; `end_us` where none is."""
        since = self.table["since_us"][rows]
        return np.where(since == NEVER, end_us, since)

    def filled(self, rows: Rows, arrivals: Arrivals) -> Array:
        """(n,) share of the most that the station has carried; NaN not known."""
        t = self.table
        return np.asarray(
            arrivals.usual(rows) / np.where(t["most"][rows] > 0, t["most"][rows], np.nan)
        )

    def _know_free(self, rows: Rows, end_us: int, dt_s: Array, v: Array) -> None:
        t = self.table
        free = t["free"][rows]
        step = np.where(v > free, _share(dt_s, _UP_S), _share(dt_s, _DOWN_S))
        moved = np.where(np.isnan(free), v, free + step * (v - free))
        t["free"][rows] = np.where(np.isfinite(v), moved, free)
        t["jam_us"][rows] = np.where(v < _JAM_SHARE * free, end_us, t["jam_us"][rows])

    def jammed(self, rows: Rows, end_us: int, within_us: int = _JAM_US) -> Array:
        """(n,) bool, below .6 of its free speed within the last five minutes, or so many microseconds."""
        at = self.table["jam_us"][rows]
        return np.asarray((at != NEVER) & (end_us - np.where(at == NEVER, 0, at) < within_us))

    def _learn(self, rows: Rows, learn: Array, dt_s: Array, apart: Array, excess: Array) -> None:
        t = self.table
        habit, spread, seen = t["habit"][rows], t["spread"][rows], t["seen_s"][rows]
        a = np.maximum(_share(dt_s, _HABIT_S), dt_s / np.maximum(seen + dt_s, 1.0))
        far = _FAR * spread
        off = clip(or_zero(excess), -far, far)
        level = np.where(np.isnan(habit), apart, habit + a * off)
        wide = spread + a * (_MEAN_TO_SIGMA * np.abs(off) - spread)
        t["habit"][rows] = np.where(learn, level, habit)
        t["spread"][rows] = np.where(learn, np.maximum(wide, _SPREAD_KM_PER_H), spread)
        t["seen_s"][rows] = np.minimum(seen + np.where(learn, dt_s, 0.0), 1e6)


def _share(dt_s: Array, tau_s: float) -> Array:
    return np.asarray(1.0 - np.exp(-dt_s / tau_s))
