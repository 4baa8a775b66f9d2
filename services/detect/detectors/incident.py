"""Has something blocked the road between two stations? A queue where none belongs, or vehicles that do not come out.

Question: does station u stand in a queue that ends before its neighbour d downstream, or does d, in free traffic, see
    clearly fewer vehicles than pass u, or is u slow for minutes where the road has room?
Formula, at each half minute (flows are means that fade with 2 min; 'left' is the flow at d over that of the last 7 or
    20 minutes, whichever is less):
    Queue: slow(u) - v(u) >= 30 km/h, v(u) <= .75 slow(u), v(d) - v(u) >= 30 km/h, v(d) >= 55 km/h, and left < 1, which
        is not asked where u carries at most 80 % of the most it has carried; slow is the mean of the last 15 minutes
        without signs. Raised by two of three looks where left <= .93, by four of five elsewhere, by one and two of
        three where readings come every 3 minutes or more seldom.
    Choked: in a standing queue, v(u) <= 64 km/h, v(d) as above, left <= .93, and left, or the flow at u over that which
        passes when u is the head of a queue, is at most .75. Raised as the queue is by four of five.
    Storage: E = r q(u) is what should arrive at d, with the least q(u) of the last 4 looks and the pair's own ratio r
        of free traffic (90 min); stored += (.88 E - q(d)) dt, never below 0, and 0 while d is not free (85 % of
        slow(d), 60 km/h). Raised by two of three looks with stored >= 25 + sqrt(.02 E) vehicles and q(d) <= .78 E,
        where the station beyond d also sees less (left <= .85) or v(u) has fallen by 15 km/h: d alone may miscount.
    Closure: no vehicle at all comes out at d, which speaks, while u is jammed and its flow collapses (`closure.py`).
        Raised by two of three looks; by one where 30 vehicles are missed. Storage counts where d is empty too, if u is
        jammed or the emptiness reaches the station beyond d later than d (left <= .5).
    Slowdown: the sum of what v(d) - v(u) exceeds its habit (`slowdown.py`); a warning, until another sign joins it.
    Cleared when none holds and v(d) - v(u) < 18 km/h, now or as a mean of 3 min, for ten minutes.
    A station that was the head of a queue for four minutes at this hour (or the one beside it) on 30 % of the days,
    with at least .8 of the flow left and no incident told further downstream, is a learned bottleneck. There a queue
    raises nothing unless left <= .7: a bottleneck goes on to discharge about 90 % of its capacity, a blocked lane of
    three leaves half.
Units: km/h, veh/h, vehicles, shares. Sources: speed drop (ANCHORS section 4) with the spatial test of California #8 on
    speeds; storage by cumulative counts (Makigami, Newell, Rothery 1971) as a CUSUM; capacity left: HCM 2000, chapter
    22; discharge of bottlenecks: Cassidy, Bertini 1999.
Missing: a neighbour that was silent for more than three of its intervals is not compared. Without counts the queue
    alone is asked, by three of four looks. Where speed is missing it is estimated (`speed_estimate.py`). Late readings
    do not enter. Irregular stamps: the looks are bins of the feed's own time (`pace.py`). Stations without a neighbour
    within 3 km downstream, and sensors that are stuck, faulty or begin to chatter, raise nothing and are no neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.detect.conditions import Episodes, Transitions
from services.detect.detectors.closure import Closure
from services.detect.detectors.incident_evidence import (
    APART,
    DROP,
    FEWER,
    SHARE,
    Looked,
    evidence_of,
)
from services.detect.detectors.queue_heads import HEAD_KM_PER_H, QueueHeads
from services.detect.detectors.slowdown import Slowdown
from services.detect.emission import Subjects, emit
from services.detect.table import NEVER, Array, Field, Rows, Table
from services.detect.windows.arrivals import Arrivals
from services.detect.windows.presence import Presence
from services.detect.windows.recent_signs import enough, recent
from services.domain.condition import Condition, Rule
from services.domain.instant import HOUR_US, SECOND_US

_NEAR: Final = 18.0
_BEYOND_KM_PER_H, _FREE_KM_PER_H, _FREE_SHARE = 55.0, 60.0, 0.85
_SLOW_S: Final = 900.0
_CLEARLY, _CHOKED, _STARVED, _BEYOND_LEFT, _FELT_KM_PER_H = 0.93, 0.75, 0.7, 0.85, 15.0
_STORED_VEH: Final = 25.0
_BOTTLENECK, _HEAD_LEFT = 0.3, 0.8
_WARNING, _CRITICAL = 1, 2
_STALE_US: Final = 90 * SECOND_US
_GAP_US: Final = 600 * SECOND_US
_RARE_US: Final = 180 * SECOND_US
_LOOK_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Road:
    """What the watch knows of all its rows at a look.

    Attributes:
        downstream, upstream: (rows,) row of the next station, -1 none.
        hour, day: (rows,) local.
        doubtful: (rows,) bool, the sensor is not to be believed.
        cadence_us: (rows,) between readings, 0 not known.
        congested: (rows,) bool, a jam at the station has been told already.
        presence: the times of the stations' readings.
    """

    downstream: Array
    upstream: Array
    hour: Array
    day: Array
    doubtful: Array
    cadence_us: Array
    congested: Array
    presence: Presence


class Incident:
    """Heads of queues, and vehicles held up, between neighbours."""

    rule = Rule.INCIDENT

    def __init__(self) -> None:
        self.episodes = Episodes(off_delay_us=600 * SECOND_US)
        self.arrivals = Arrivals()
        self.closure = Closure()
        self.slowdown = Slowdown()
        self.heads = QueueHeads()
        self.table = Table(
            {
                "speed": Field("f8", np.nan),
                "speed_us": Field("i8", NEVER),
                "slow": Field("f8", np.nan),
                "moved": Field("?"),
                "looked_us": Field("i8", NEVER),
                "queued": Field("u1"),
                "clearly": Field("u1"),
                "starved": Field("u1"),
                "choked": Field("u1"),
                "began_us": Field("i8", NEVER),
            }
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {
            "looks": self.table,
            "arrivals": self.arrivals.table,
            "closure": self.closure.table,
            "slowdown": self.slowdown.table,
            "heads": self.heads.table,
            "episodes": self.episodes.table,
        }

    def take(
        self, rows: Rows, at_us: Array, dt_s: Array, speed: Array, flow: Array, occupancy: Array
    ) -> None:
        """Remember one reading of each of `rows` (distinct): km/h, veh/h, %, NaN missing; dt_s since the last."""
        t = self.table
        known = np.isfinite(speed)
        t["speed"][rows] = np.where(known, speed, t["speed"][rows])
        t["speed_us"][rows] = np.where(known, at_us, t["speed_us"][rows])
        t["moved"][rows] = True
        self.arrivals.take(rows, dt_s, flow)
        self.closure.take(rows, at_us, dt_s, flow, occupancy, self.arrivals.usual(rows))

    def look(self, ids: list[str], end_us: int, road: Road) -> list[Condition]:
        """Compare neighbours at the end of a bin; only stations that spoke in it are judged."""
        t = self.table
        rows = np.flatnonzero(t["moved"][: t.n])
        if rows.size == 0:
            return []
        t["moved"][rows] = False
        hour, cadence = road.hour[rows], road.cadence_us[rows]
        self.slowdown.turn_day(self.heads.turn_days(rows, road.day[rows].astype(np.int32)))
        self.arrivals.forget(rows[road.doubtful[rows]])
        looked = t["looked_us"][rows]
        since_us = end_us - np.where(looked == NEVER, end_us, looked)
        gap = (looked == NEVER) | (since_us > np.maximum(_GAP_US, 3 * cadence)) | (since_us < 0)
        t["looked_us"][rows] = end_us
        slow = np.where(gap, np.nan, t["slow"][rows])
        d = road.downstream[rows]
        has = d >= 0
        safe = np.where(has, d, rows)
        v, vd = self._speed(rows, end_us, cadence), self._speed(safe, end_us, cadence)
        fit = has & ~(road.doubtful[rows] | road.doubtful[safe])
        apart = np.where(has, vd - v, np.nan)
        on = self.episodes.active(rows)
        left = self.arrivals.left(safe)
        head = (v < HEAD_KM_PER_H) & (apart > APART)
        around = self.heads.around(rows, hour)
        room = self.slowdown.room(rows, self.arrivals) & ~self.slowdown.jammed(safe, end_us)
        queue = (
            (slow - v >= DROP) & (v <= SHARE * slow) & (apart >= APART) & (vd >= _BEYOND_KM_PER_H)
            & (room | ~(left >= 1.0)) & fit & ((around < _BOTTLENECK) | (left <= _STARVED))
        )  # fmt: skip
        through = np.fmin(left, self.heads.discharging(rows, self.arrivals.table["flow"][rows]))
        choked = (
            (v <= HEAD_KM_PER_H) & (apart >= APART) & (vd >= _BEYOND_KM_PER_H) & fit
            & (through <= _CHOKED) & (left <= _CLEARLY)
        )  # fmt: skip
        jam = self.closure.feel(rows, v, slow)
        rare = cadence >= _RARE_US
        stands, body = (
            self.closure.stopped(each, road.upstream[each], road.downstream[each], rare)
            for each in (rows, safe)
        )
        empty = fit & ~body & self.closure.empty(safe, end_us, road.cadence_us[safe])
        free = (vd >= _FREE_SHARE * t["slow"][safe]) & (vd >= _FREE_KM_PER_H) & fit
        expected, stored, starved, denied = self._storage(
            rows, safe, road, gap, since_us / SECOND_US, free, empty, slow, v, jam, end_us
        )
        closed = self.closure.closed(rows, jam | stands, empty, denied, self.arrivals)
        queued, clearly, dry, tight = (
            recent(t[name], rows, gap, sign)
            for name, sign in (
                ("queued", queue), ("clearly", queue & (left <= _CLEARLY)), ("starved", starved), ("choked", choked),
            )
        )  # fmt: skip
        shut = recent(self.closure.table["signs"], rows, gap, closed)
        dt_s = np.where(gap, 0.0, since_us / SECOND_US)
        slowed = self.slowdown.signs(rows, safe, end_us, dt_s, v, vd, fit, on, self.arrivals)
        counted = np.isfinite(left)
        bad = enough(clearly, 0x07, np.where(rare, 1, 2)) | enough(dry, 0x07, np.full(len(rows), 2))
        for kept in (queued, tight):
            bad |= np.where(rare, enough(kept, 0x07, 2), enough(kept, 0x1F, 4))
        bad |= ~counted & enough(queued, 0x0F, 3)
        bad |= enough(shut, 0x07, np.where(rare | self.closure.sure(safe), 1, 2))
        severity = np.where(bad, _CRITICAL, _WARNING).astype(np.int8)
        only = slowed & ~bad
        sign = queue | starved | closed | choked
        first = sign & (((queued | dry | shut | tight) & 0x1E) == 0)
        last_us = self.closure.table["vehicle_us"][safe]
        began = np.where(first, np.where(empty, last_us, end_us), t["began_us"][rows])
        t["began_us"][rows] = began
        onset, told = self.episodes.onset_us(rows), np.full(len(rows), end_us, np.int64)
        began = np.where(only, self.slowdown.since_us(rows, end_us), began)
        near = (apart < _NEAR) | (self.slowdown.apart(rows) < _NEAR)
        good = near & ~(sign | self.slowdown.lasts(rows))
        changes = self.episodes.step(rows, told, bad | slowed, good | gap, began, severity)
        out: list[Condition] = []
        if changes:
            flows = self.arrivals.table
            seen = Looked(
                rows, safe, v, vd, slow, flows["flow"][safe], flows["long_flow"][safe], left, expected,
                stored, (starved | empty) & ~(queue | choked), around, road.congested[rows],
                empty & (starved | closed), (end_us - last_us) / (60 * SECOND_US), self.closure.table["before"][safe],
                only, self.slowdown.table["recent"][rows], self.slowdown.filled(rows, self.arrivals),
            )  # fmt: skip
            out = self._say(ids, end_us, road, changes, seen, np.where(on, onset, began), severity)
        beyond = np.where(road.downstream[safe] >= 0, road.downstream[safe], safe)
        near = self.episodes.active(safe) | self.episodes.active(beyond)
        self.heads.learn(
            rows, end_us, hour, head & ~near & ~(left <= _HEAD_LEFT) & fit, self.arrivals.table["flow"][rows], dt_s
        )  # fmt: skip
        self.closure.halt(np.flatnonzero(self.episodes.active(np.arange(t.n))), road.downstream)
        quiet = ((queued | shut) == 0) & ~self.episodes.active(rows) & np.isfinite(v)
        a = 1.0 - np.exp(-np.clip(cadence / SECOND_US, 20.0, 900.0) / _SLOW_S)
        t["slow"][rows] = np.where(np.isnan(slow), v, np.where(quiet, slow + a * (v - slow), slow))
        return out

    def _say(
        self,
        ids: list[str],
        end_us: int,
        road: Road,
        changes: Transitions,
        seen: Looked,
        onset: Array,
        severity: Array,
    ) -> list[Condition]:
        told = np.full(len(onset), end_us, np.int64)
        span_s = 3 * np.maximum(_LOOK_S, road.cadence_us[seen.rows] / SECOND_US)
        should = np.where(seen.expected > 0, seen.expected, np.nan)
        sure = 0.5 + np.where(
            seen.by_storage, 0.5 - 0.5 * seen.flow / should, np.nan_to_num(seen.vd - seen.v) / 200
        )
        sure = np.where(seen.closed, 0.95, sure)
        return emit(
            self.rule, Subjects(ids, seen.rows), changes, told, onset, severity, np.nan_to_num(sure),
            evidence_of(seen, told, span_s, road.cadence_us, road.presence),
        )  # fmt: skip

    def _speed(self, rows: Rows, end_us: int, cadence_us: Array) -> Array:
        """(n,) last speed; NaN where it is too old, which is sooner where no vehicle has passed since."""
        at = self.table["speed_us"][rows]
        age = end_us - np.where(at == NEVER, end_us, at)
        limit = np.where(self.closure.table["none"][rows], 0, 3 * cadence_us)
        fresh = (at != NEVER) & (age <= np.maximum(_STALE_US, limit))
        return np.where(fresh, self.table["speed"][rows], np.nan)

    def _storage(
        self,
        rows: Rows,
        safe: Rows,
        road: Road,
        gap: Array,
        dt_s: Array,
        free: Array,
        empty: Array,
        slow: Array,
        v: Array,
        jam: Array,
        end_us: int,
    ) -> tuple[Array, Array, Array, Array]:
        """What arrives downstream, and what does not.

        Returns:
            (n,) veh/h that should arrive; (n,) vehicles held up; (n,) bool, clearly fewer arrive; (n,) bool, the
            station beyond counts vehicles that the neighbour should have seen.
        """
        expected = self.arrivals.expected(rows, gap)
        counts = (free | empty) & ~gap
        stored = self.arrivals.store(rows, safe, expected, dt_s, counts)
        beyond = road.downstream[safe]
        there = (beyond >= 0) & ~road.doubtful[np.where(beyond >= 0, beyond, 0)]
        after = np.where(there, beyond, safe)
        left = self.arrivals.left(after)
        less = (left <= _BEYOND_LEFT) | (slow - v >= _FELT_KM_PER_H)
        there &= self.closure.speaks(after, end_us, road.cadence_us[after])
        denied = self.closure.denied(safe, after, there, self.arrivals)
        proven = (jam & ~denied) | self.closure.travels(safe, after, there, self.arrivals)
        less = np.where(empty, proven, less)
        limit = _STORED_VEH + np.sqrt(0.02 * np.nan_to_num(expected))
        arrived = self.arrivals.table["flow"][safe]
        starved = counts & less & (stored >= limit) & (arrived <= FEWER * expected)
        on, onset = self.episodes.active(rows), self.episodes.onset_us(rows)
        held = on & (self.table["looked_us"][rows] - np.where(on, onset, 0) < HOUR_US)
        self.arrivals.learn(rows, safe, dt_s, counts & ~empty & ~held & (v >= _FREE_SHARE * slow))
        return expected, stored, starved, denied
