"""Are vehicles held up between two stations? The counts of both tell it before any queue reaches one of them.

Question: do clearly fewer vehicles arrive at station d, in free traffic, than pass its neighbour u upstream; or are
    clearly more between both than the time of travel explains?
Formula, at each half minute (E = r q(u) is what should arrive at d, with the least q(u) of the last 4 looks and the
    pair's own ratio r of free traffic, learned over 90 min):
    Storage: stored += (.88 E - q(d)) dt, never below 0, and 0 while d is not free (85 % of slow(d), 60 km/h).
        Starved: stored >= 25 + sqrt(.02 E) vehicles and q(d) <= .78 E, where the station beyond d also sees less
        (left <= .85) or v(u) has fallen by 15 km/h, and no pair beside lacks vehicles: d or u alone may miscount.
        The first station of a road has no pair above. There v(u) must have fallen, or the flow at d by more than that
        at u has risen: means of 7 over those of 20 min, their product at most .85 (a counter that begins to count too
        much raises the one and leaves the other). At the last station, v(u) must have fallen.
        It counts where d is empty too, if u is jammed or the emptiness reaches the station beyond d later than d
        (left <= .5).
    Surplus: vehicles in minus out against the habit of the pair (`segment_count.py`), while both speak, d is free and
        counts vehicles, neither they nor the station beyond stood below .6 of their free speed within a quarter of an
        hour (a wave of a jam may stand between them), and u carries at most 90 % of the most that it has carried.
        Crowded: surplus >= 5 spreads and 8 vehicles, at two looks of five; sudden: >= 7 spreads, at one look. The pairs
        on both sides must not lack the same vehicles (half of them, or 2.5 of their spreads): a station that miscounts
        adds to one pair what it takes from the other. Where the vehicles need n looks to the station that proves it,
        n looks more are asked, and sudden is told after one look and n.
Units: vehicles, veh/h, km/h, shares. Sources: storage by cumulative counts (Makigami, Newell, Rothery 1971) as a CUSUM;
    surplus: curves of cumulative counts shifted by the time of travel (Newell 1993; Cassidy, Windover 1995).
Missing: without counts at both stations neither sign is asked; surplus at the first and the last pair of a road, where
    no pair beside proves a counter, only while traffic at one of its stations is 3 km/h slower against the next one
    than it is as a rule, and both counters fit their occupancy and speed (within a sixth); and not where a road has
    little room left (so not on the first day): there a queue may grow from a bottleneck. Late readings do not enter.
    Irregular stamps: by looks of the feed's own time.
It refuses to raise anything: `incident.py` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.detect.detectors.closure import Closure
from services.detect.detectors.incident_evidence import FEWER
from services.detect.detectors.road_pairs import Pairs, Road
from services.detect.detectors.slowdown import Slowdown
from services.detect.elementwise import or_zero
from services.detect.table import Array, Field, Rows, Table
from services.detect.windows.arrivals import Arrivals
from services.detect.windows.recent_signs import enough, recent
from services.detect.windows.segment_count import SegmentCount
from services.domain.instant import SECOND_US

FREE_SHARE: Final = 0.85
_FREE_KM_PER_H: Final = 60.0
_BEYOND_LEFT, _FELT_KM_PER_H = 0.85, 15.0
STORED_VEH: Final = 25.0
_SLOWER_KM_PER_H: Final = 3.0
_SPREADS, _SUDDEN, _LEAST_VEH, _DENIED, _ROOM = 5.0, 7.0, 8.0, 0.5, 0.9
_WAVE_US: Final = 900 * SECOND_US


@dataclass(frozen=True, slots=True)
class Held:
    """What the counts say of n pairs.

    Attributes:
        expected: (n,) veh/h that should arrive; stored: (n,) vehicles that did not.
        starved: (n,) bool, clearly fewer arrive.
        denied: (n,) bool, the station beyond counts vehicles that the neighbour should have seen.
        surplus: (n,) vehicles, the most that were on the way beyond the usual while it was clearly more; limit: (n,)
            of it; crowded: (n,) bool, clearly more are on the way; before: (n,) bool, it was so at one of the four
            looks before; proven: (n,) bool, it was so for as long as a proof needs.
    """

    expected: Array
    stored: Array
    starved: Array
    denied: Array
    surplus: Array
    limit: Array
    crowded: Array
    before: Array
    proven: Array


class HeldUp:
    """The counts of neighbours, compared."""

    def __init__(self, arrivals: Arrivals, closure: Closure, slowdown: Slowdown) -> None:
        self.arrivals, self.closure, self.slowdown = arrivals, closure, slowdown
        self.segments = SegmentCount()
        self.table = Table({"crowded": Field("u1"), "sudden": Field("u1"), "most": Field("f4")})

    def look(self, pairs: Pairs, road: Road, empty: Array, jam: Array, told: Array) -> Held:
        """Compare the counts of `pairs`.

        Args:
            empty: (n,) bool, no vehicle comes to the neighbours; jam: (n,) bool, the stations are jammed.
            told: (n,) bool, an incident has been told here within the hour: nothing is learned.
        """
        rows, safe, v, slow = pairs.rows, pairs.safe, pairs.v, pairs.slow
        expected = self.arrivals.expected(rows, pairs.gap)
        free = (pairs.vd >= FREE_SHARE * pairs.slow_beyond) & (pairs.vd >= _FREE_KM_PER_H)
        counts = ((free & pairs.fit) | empty) & ~pairs.gap
        stored = self.arrivals.store(rows, safe, expected, pairs.dt_s, counts)
        beyond = road.downstream[safe]
        there = (beyond >= 0) & ~road.doubtful[np.where(beyond >= 0, beyond, 0)]
        after = np.where(there, beyond, safe)
        felt = slow - v >= _FELT_KM_PER_H
        less = (self.arrivals.left(after) <= _BEYOND_LEFT) | felt
        there &= self.closure.speaks(after, pairs.end_us, road.cadence_us[after])
        denied = self.closure.denied(safe, after, there, self.arrivals)
        proven = (jam & ~denied) | self.closure.travels(safe, after, there, self.arrivals)
        less = np.where(empty, proven, less)
        limit = STORED_VEH + np.sqrt(0.02 * or_zero(expected))
        arrived = self.arrivals.table["flow"][safe]
        starved = counts & less & (stored >= limit) & (arrived <= FEWER * expected)
        some = np.flatnonzero(starved & ~empty)
        if some.size:
            starved[some] &= ~self._lack(rows[some], safe[some], road, stored[some])
            starved[some] &= self._vouched(rows[some], safe[some], road, felt[some])
        calm = counts & ~empty & ~told & (v >= FREE_SHARE * slow)
        crowd = self._surplus(pairs, road, there, free & pairs.fit, told)
        self.arrivals.learn(rows, safe, pairs.dt_s, calm)
        return Held(expected, stored, starved, denied, *crowd)

    def _surplus(
        self, pairs: Pairs, road: Road, there: Array, free: Array, told: Array
    ) -> tuple[Array, Array, Array, Array, Array]:
        """The last five of `Held`."""
        rows, safe, segments, t = pairs.rows, pairs.safe, self.segments, self.table
        flows = pairs.fit & ~(
            self.slowdown.jammed(rows, pairs.end_us) | self.slowdown.jammed(safe, pairs.end_us)
        )
        speed = (pairs.v + pairs.vd) / 2
        ratio = self.arrivals.ratio(rows)
        segments.look(rows, safe, pairs.dt_s, road.metres[rows], speed, ratio, flows, ~told)
        surplus, spread = segments.surplus(rows), segments.spread(rows)
        limit = np.maximum(_SPREADS * spread, _LEAST_VEH)
        crowded, before, sure = (np.zeros(len(rows), np.bool_) for _ in range(3))
        last = road.downstream[safe] < 0
        may = (surplus >= limit) & flows & free & (there | last)
        busy = np.flatnonzero(may | (t["crowded"][rows] > 0))
        if busy.size:
            some, front, more = rows[busy], safe[busy], surplus[busy]
            proven = self._prove(some, front, pairs.end_us, road, more)
            now = proven & may[busy]
            seen = recent(t["crowded"], some, pairs.gap[busy], now)
            burst = now & (more >= _SUDDEN * spread[busy])
            burst = recent(t["sudden"], some, pairs.gap[busy], burst)
            wait = np.minimum(1 + segments.table["behind"][front], 4).astype(np.uint8)
            long = enough(seen, 0x1F, np.minimum(1 + wait, 4)) & now
            most = np.where(now, np.fmax(t["most"][some], more), t["most"][some])
            t["most"][some] = np.where(seen > 0, most, 0.0)
            surplus[busy] = np.where(seen > 0, most, more)
            crowded[busy], before[busy] = now, (seen & 0x1E) > 0
            sure[busy] = long | (proven & ((burst >> wait) & 1 == 1))
        return surplus, limit, crowded, before, sure

    def _prove(self, rows: Rows, safe: Rows, end_us: int, road: Road, surplus: Array) -> Array:
        """(n,) bool, the road has room, no wave of a jam is near, and the pairs on both sides bear the counts out."""
        beyond = np.where(road.downstream[safe] >= 0, road.downstream[safe], safe)
        waves = [self.slowdown.jammed(each, end_us, _WAVE_US) for each in (rows, safe, beyond)]
        room = self.slowdown.filled(rows, self.arrivals) <= _ROOM
        ends = (road.upstream[rows] < 0) | (road.downstream[safe] < 0)
        borne = (~ends | self._slower(rows, safe, road)) & ~self.closure.table["none"][safe]
        borne &= ~self._lack(rows, safe, road, _DENIED * surplus)
        return np.asarray(borne & room & ~np.any(waves, axis=0))

    def _slower(self, rows: Rows, safe: Rows, road: Road) -> Array:
        """(n,) bool, at the ends of a road: traffic is slower than its habit here or there, and both counters fit."""
        here, there = self.slowdown.excess(rows), self.slowdown.excess(safe)
        slower = (here >= _SLOWER_KM_PER_H) | (there >= _SLOWER_KM_PER_H)
        return np.asarray(slower & ~(road.misfit[rows] | road.misfit[safe]))

    def _lack(self, rows: Rows, safe: Rows, road: Road, vehicles: Array) -> Array:
        """(n,) bool, the pair on one side lacks these vehicles: one station counts too many, or the other too few."""
        above = road.upstream[rows]
        over = (above >= 0) & self.segments.lacks(above, vehicles)
        return np.asarray(over | self.segments.lacks(safe, vehicles))

    def _vouched(self, rows: Rows, safe: Rows, road: Road, felt: Array) -> Array:
        """(n,) bool, at the ends of a road, where no pair beside proves a counter, something else does; True within."""
        first, last = road.upstream[rows] < 0, road.downstream[safe] < 0
        lately = self.arrivals.lately(rows) * self.arrivals.lately(safe) <= _BEYOND_LEFT
        return np.asarray(felt | (~last & (~first | lately)))
