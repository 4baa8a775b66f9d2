"""Has something blocked the road between two stations? A queue where none belongs, or vehicles that do not come out.

Question: does station u stand in a queue that ends before its neighbour d downstream, or are vehicles held up between
    both that see free traffic, or is u slow for minutes where the road has room?
Formula, at each half minute (flows are means that fade with 2 min; 'left' is the flow at d over that of the last 7 or
    20 minutes, whichever is less):
    Queue: slow(u) - v(u) >= 30 km/h, v(u) <= .75 slow(u), v(d) - v(u) >= 30 km/h, v(d) >= 55 km/h, and left < 1, which
        is not asked where u carries at most 80 % of the most it has carried; slow is the mean of the last 15 minutes
        without signs. Raised by two of three looks where left <= .93, by four of five elsewhere, by one and two of
        three where readings come every 3 minutes or more seldom.
    Choked: in a standing queue, v(u) <= 64 km/h, v(d) as above, left <= .93, and left, or the flow at u over that which
        passes when u is the head of a queue, is at most .75. Raised as the queue is by four of five.
    Storage, surplus: vehicles do not come out, or more than usual are between both, by the counts (`held_up.py`).
        Raised by two of three looks with storage, by the looks that prove a surplus; that alone is a warning below 25
        vehicles.
    Closure: no vehicle at all comes out at d, which speaks, while u is jammed and its flow collapses (`closure.py`).
        Raised by two of three looks; by one where 30 vehicles are missed.
    Slowdown: the sum of what v(d) - v(u) exceeds its habit (`slowdown.py`); a warning, until another sign joins it.
    Cleared when none holds and v(d) - v(u) < 18 km/h, now or as a mean of 3 min, for ten minutes.
    A station that was the head of a queue with at least .8 of the flow left, or had a surplus behind it, for four
    minutes at this hour (or the one beside it) on 30 % of the days, and no incident was told further downstream, is a
    learned bottleneck. There a surplus raises nothing, and a queue only where left <= .7: a bottleneck goes on to
    discharge about 90 % of its capacity, a blocked lane of three leaves half.
Units: km/h, veh/h, vehicles, shares. Sources: speed drop (ANCHORS section 4) with the spatial test of California #8 on
    speeds; counts of neighbours: `held_up.py`; capacity left: HCM 2000, chapter 22; discharge of bottlenecks: Cassidy,
    Bertini 1999.
Missing: a neighbour that was silent for more than three of its intervals is not compared. Without counts the queue
    alone is asked, by three of four looks. Where speed is missing it is estimated (`speed_estimate.py`). Late readings
    do not enter. Irregular stamps: the looks are bins of the feed's own time (`pace.py`). Stations without a neighbour
    within 3 km downstream, and sensors that are stuck, faulty or begin to chatter, raise nothing. As a neighbour such a
    one is passed over, and one that is silent: the queue and what is choked are then asked against the station beyond,
    where that counts.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.conditions import Episodes, Transitions
from services.detect.detectors.closure import Closure
from services.detect.detectors.held_up import STORED_VEH, HeldUp
from services.detect.detectors.incident_evidence import (
    APART,
    DROP,
    SHARE,
    Looked,
    evidence_of,
)
from services.detect.detectors.queue_heads import HEAD_KM_PER_H, QueueHeads
from services.detect.detectors.road_pairs import Pairs, Road
from services.detect.detectors.slowdown import Slowdown
from services.detect.elementwise import clip
from services.detect.emission import Subjects, emit
from services.detect.table import NEVER, Array, Field, Rows, Table
from services.detect.windows.arrivals import Arrivals
from services.detect.windows.recent_signs import enough, recent
from services.domain.condition import Condition, Rule
from services.domain.instant import HOUR_US, SECOND_US

_NEAR: Final = 18.0
_BEYOND_KM_PER_H: Final = 55.0
_SLOW_S: Final = 900.0
_CLEARLY, _CHOKED, _STARVED = 0.93, 0.75, 0.7
_BOTTLENECK, _HEAD_LEFT = 0.3, 0.8
_WARNING, _CRITICAL = 1, 2
_STALE_US: Final = 90 * SECOND_US
_GAP_US: Final = 600 * SECOND_US
_RARE_US: Final = 180 * SECOND_US
_LOOK_S: Final = 30.0


class Incident:
    """Heads of queues, and vehicles held up, between neighbours."""

    rule = Rule.INCIDENT

    def __init__(self) -> None:
        self.episodes = Episodes(off_delay_us=600 * SECOND_US)
        self.arrivals = Arrivals()
        self.closure = Closure()
        self.slowdown = Slowdown()
        self.held_up = HeldUp(self.arrivals, self.closure, self.slowdown)
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
            "held_up": self.held_up.table,
            "segments": self.held_up.segments.table,
            "closure": self.closure.table,
            "slowdown": self.slowdown.table,
            "heads": self.heads.table,
            "episodes": self.episodes.table,
        }

    def take(
        self,
        rows: Rows,
        at_us: Array,
        dt_s: Array,
        speed: Array,
        flow: Array,
        occupancy: Array,
        vehicles: Array,
    ) -> None:
        """Remember one reading of each of `rows` (distinct); NaN where it is missing.

        Args:
            dt_s: (n,) since the last; speed, flow, occupancy: (n,) km/h, veh/h, %.
            vehicles: (n,) that passed since the last reading, NaN where some of them are not known.
        """
        t = self.table
        known = np.isfinite(speed)
        t["speed"][rows] = np.where(known, speed, t["speed"][rows])
        t["speed_us"][rows] = np.where(known, at_us, t["speed_us"][rows])
        t["moved"][rows] = True
        self.arrivals.take(rows, dt_s, flow)
        self.held_up.segments.take(rows, at_us, vehicles)
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
        own = road.downstream[rows]
        safe = np.where(own >= 0, own, rows)
        front = road.ahead(rows, road.doubtful | self._silent(end_us, road.cadence_us))
        has = front >= 0
        front = np.where(has, front, rows)
        v, vd = self._speed(rows, end_us, cadence), self._speed(front, end_us, cadence)
        left = self.arrivals.left(front)
        counted = np.isfinite(left)
        sound = has & ~(road.doubtful[rows] | road.doubtful[front]) & ((front == own) | counted)
        fit = sound & (front == own)
        apart = np.where(has, vd - v, np.nan)
        on = self.episodes.active(rows)
        head = (v < HEAD_KM_PER_H) & (apart > APART)
        around = self.heads.around(rows, hour)
        room = self.slowdown.room(rows, self.arrivals) & ~self.slowdown.jammed(front, end_us)
        queue = (
            (slow - v >= DROP) & (v <= SHARE * slow) & (apart >= APART) & (vd >= _BEYOND_KM_PER_H)
            & (room | ~(left >= 1.0)) & sound & ((around < _BOTTLENECK) | (left <= _STARVED))
        )  # fmt: skip
        through = np.fmin(left, self.heads.discharging(rows, self.arrivals.table["flow"][rows]))
        choked = (
            (v <= HEAD_KM_PER_H) & (apart >= APART) & (vd >= _BEYOND_KM_PER_H) & sound
            & (through <= _CHOKED) & (left <= _CLEARLY)
        )  # fmt: skip
        jam = self.closure.feel(rows, v, slow)
        rare = cadence >= _RARE_US
        stands, body = (
            self.closure.stopped(each, road.upstream[each], road.downstream[each], rare)
            for each in (rows, safe)
        )
        empty = fit & ~body & self.closure.empty(safe, end_us, road.cadence_us[safe])
        dt_s = np.where(gap, 0.0, since_us / SECOND_US)
        pairs = Pairs(rows, safe, end_us, gap, dt_s, v, vd, slow, t["slow"][safe], fit)
        onset = self.episodes.onset_us(rows)
        told = on & (end_us - np.where(on, onset, 0) < HOUR_US)
        held = self.held_up.look(pairs, road, empty, jam, told)
        starved = held.starved
        usual = around >= _BOTTLENECK
        crowded, full = held.crowded & ~usual, held.proven & ~usual
        closed = self.closure.closed(rows, jam | stands, empty, held.denied, self.arrivals)
        queued, clearly, dry, tight = (
            recent(t[name], rows, gap, sign)
            for name, sign in (
                ("queued", queue), ("clearly", queue & (left <= _CLEARLY)), ("starved", starved), ("choked", choked),
            )
        )  # fmt: skip
        shut = recent(self.closure.table["signs"], rows, gap, closed)
        slowed = self.slowdown.signs(rows, safe, end_us, dt_s, v, vd, fit, on, self.arrivals)
        bad = enough(clearly, 0x07, np.where(rare, 1, 2)) | enough(dry, 0x07, np.full(len(rows), 2))
        for kept in (queued, tight):
            bad |= np.where(rare, enough(kept, 0x07, 2), enough(kept, 0x1F, 4))
        bad |= ~counted & enough(queued, 0x0F, 3)
        bad |= enough(shut, 0x07, np.where(rare | self.closure.sure(safe), 1, 2))
        bad |= full
        by_surplus = full & ((queued | dry | tight | shut) == 0)
        few = by_surplus & (held.surplus < STORED_VEH)
        severity = np.where(bad & ~few, _CRITICAL, _WARNING).astype(np.int8)
        only = slowed & ~bad
        sign = queue | starved | closed | choked | crowded
        first = sign & (((queued | dry | shut | tight) & 0x1E) == 0) & ~held.before
        last_us = self.closure.table["vehicle_us"][safe]
        began = np.where(first, np.where(empty, last_us, end_us), t["began_us"][rows])
        t["began_us"][rows] = began
        began = np.where(only, self.slowdown.since_us(rows, end_us), began)
        near = (apart < _NEAR) | (self.slowdown.apart(rows) < _NEAR)
        good = near & ~(sign | self.slowdown.lasts(rows))
        now = np.full(len(rows), end_us, np.int64)
        changes = self.episodes.step(rows, now, bad | slowed, good | gap, began, severity)
        out: list[Condition] = []
        if changes:
            flows = self.arrivals.table
            seen = Looked(
                rows, front, v, vd, slow, flows["flow"][front], flows["long_flow"][front], left, held.expected,
                held.stored, (starved | empty) & ~(queue | choked), around, road.congested[rows],
                empty & (starved | closed), (end_us - last_us) / (60 * SECOND_US), self.closure.table["before"][safe],
                only, self.slowdown.table["recent"][rows], self.slowdown.filled(rows, self.arrivals),
                by_surplus, held.surplus, held.limit,
            )  # fmt: skip
            out = self._say(ids, end_us, road, changes, seen, np.where(on, onset, began), severity)
        beyond = np.where(road.downstream[safe] >= 0, road.downstream[safe], safe)
        near = self.episodes.active(safe) | self.episodes.active(beyond)
        head = (head & ~(left <= _HEAD_LEFT)) | held.crowded
        self.heads.learn(
            rows, end_us, hour, head & ~near & fit, self.arrivals.table["flow"][rows], dt_s
        )
        active = np.flatnonzero(self.episodes.active(np.arange(t.n)))
        self.closure.halt(active, road.downstream, self.arrivals)
        quiet = ((queued | shut) == 0) & ~self.episodes.active(rows) & np.isfinite(v)
        a = 1.0 - np.exp(-clip(cadence / SECOND_US, 20.0, 900.0) / _SLOW_S)
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

    def _silent(self, end_us: int, cadence_us: Array) -> Array:
        """(rows,) bool, nothing has come for three intervals."""
        n = self.table.n
        last = np.maximum(self.table["speed_us"][:n], self.closure.table["counted_us"][:n])
        return np.asarray((last == NEVER) | (end_us - last > np.maximum(_STALE_US, 3 * cadence_us)))

    def _speed(self, rows: Rows, end_us: int, cadence_us: Array) -> Array:
        """(n,) last speed; NaN where it is too old, which is sooner where no vehicle has passed since."""
        at = self.table["speed_us"][rows]
        age = end_us - np.where(at == NEVER, end_us, at)
        limit = np.where(self.closure.table["none"][rows], 0, 3 * cadence_us)
        fresh = (at != NEVER) & (age <= np.maximum(_STALE_US, limit))
        return np.where(fresh, self.table["speed"][rows], np.nan)
