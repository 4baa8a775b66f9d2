"""Is the road closed between two stations? No vehicle comes out downstream, and they stand upstream.

Question: has the station downstream, which speaks and had traffic, counted nobody for a while, and does that upstream
    stand in a jam that nothing drains?
Formula: missed(d) += before(d) dt while d counts 0, and -5 for every vehicle, never below 0; before is the flow at d
    when its last vehicle passed (the mean of the last 7 or 20 minutes, whichever is more).
    Empty: d counts 0, occupancy at most 2 %, 90 s since its last vehicle, before >= 200 veh/h, missed >= 12 vehicles.
    Jammed: slow(u) - v(u) >= 30 km/h and v(u) <= .75 slow(u), or v(u) <= 25 km/h; or u counts 0 with occupancy >= 30 %,
        or counts 0 after it was jammed (vehicles that stand have no speed, and may leave the sensor free).
        Without occupancy also: u counts 0, misses as many as above, and so does, since later, the station upstream of
        it, or that is jammed, and u has counted longer than d (not less long, from 3 min on between readings): a queue
        that stands grows upstream, an emptied road empties downstream. Then d must not stand in the same way.
    Collapsed: flow(u) <= .7 of the last 7 or 20 minutes.
    Closed: empty(d), jammed(u) and collapsed(u), unless the station beyond d still counts more than .6 of its flow
        (where ramps bring more to it: .2 beyond their share): then d is a counter that has died.
Units: vehicles, veh/h, km/h, %. Twelve missed vehicles are chance once in 160,000 (Poisson).
Missing: a station that is silent for more than three intervals is neither empty nor jammed. Without occupancy, counts
    and speeds alone are asked; without counts nobody is empty. Late readings do not enter. Irregular stamps: by time.
It refuses to raise anything: `incident.py` does.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.detectors.incident_evidence import DROP, SHARE
from services.detect.elementwise import clip, or_zero
from services.detect.table import NEVER, Array, Field, Rows, Table
from services.detect.windows.arrivals import Arrivals
from services.domain.instant import SECOND_US

_EMPTY_US: Final = 90 * SECOND_US
_STALE_US: Final = 90 * SECOND_US
_MISSED_VEH, _MOST_VEH, _WORTH = 12.0, 60.0, 5.0
_LEAST_VEH_PER_H: Final = 200.0
_CLEAR_PCT, _STANDING_PCT = 2.0, 30.0
_CRAWL_KM_PER_H: Final = 25.0
_COLLAPSED: Final = 0.7
_BEYOND_LEFT, _BEYOND_SPARE = 0.6, 0.2
_TRAVELS: Final = 0.5
_PASSED: Final = 0.4
_PAUSE_S: Final = 900.0


class Closure:
    """What each station knows of vehicles that stand at it or do not come to it."""

    def __init__(self) -> None:
        self.table = Table(
            {
                "counted_us": Field("i8", NEVER),
                "vehicle_us": Field("i8", NEVER),
                "none": Field("?"),
                "occupancy": Field("f4", np.nan),
                "before": Field("f4", np.nan),
                "missed": Field("f4"),
                "jam": Field("?"),
                "stood": Field("?"),
                "halted": Field("?"),
                "signs": Field("u1"),
            }
        )

    def take(
        self, rows: Rows, at_us: Array, dt_s: Array, flow: Array, occupancy: Array, usual: Array
    ) -> None:
        """Remember one reading of each of `rows` (distinct): veh/h, %, and the flow of the last minutes in veh/h."""
        t = self.table
        counted, none = np.isfinite(flow), flow == 0
        pause = dt_s > _PAUSE_S
        before = np.where(none & ~pause, t["before"][rows], usual)
        hours = np.where(pause, 0.0, dt_s) / 3600.0
        missed = np.where(pause, 0.0, t["missed"][rows])
        missed = missed + np.where(none, or_zero(before) * hours, -_WORTH * or_zero(flow) * hours)
        t["before"][rows] = np.where(counted, before, t["before"][rows])
        t["missed"][rows] = np.where(counted, clip(missed, 0.0, _MOST_VEH), t["missed"][rows])
        t["none"][rows] = np.where(counted, none, t["none"][rows])
        t["counted_us"][rows] = np.where(counted, at_us, t["counted_us"][rows])
        came = counted & ~none | (t["vehicle_us"][rows] == NEVER)
        t["vehicle_us"][rows] = np.where(came, at_us, t["vehicle_us"][rows])
        t["occupancy"][rows] = occupancy

    def speaks(self, rows: Rows, end_us: int, cadence_us: Array) -> Array:
        """(n,) bool, counts still come."""
        at = self.table["counted_us"][rows]
        age = end_us - np.where(at == NEVER, end_us, at)
        return np.asarray((at != NEVER) & (age <= np.maximum(_STALE_US, 3 * cadence_us)))

    def empty(self, rows: Rows, end_us: int, cadence_us: Array) -> Array:
        """(n,) bool, no vehicle comes to the station where many should."""
        t = self.table
        none = t["none"][rows]
        if not none.any():
            return none
        long = end_us - np.where(none, t["vehicle_us"][rows], end_us) >= _EMPTY_US
        many = (t["before"][rows] >= _LEAST_VEH_PER_H) & (t["missed"][rows] >= _MISSED_VEH)
        bare = ~(t["occupancy"][rows] > _CLEAR_PCT) & ~t["jam"][rows]
        return np.asarray(none & long & many & bare & self.speaks(rows, end_us, cadence_us))

    def stands(self, rows: Rows) -> Array:
        """(n,) bool, vehicles stand on the sensor and none passes."""
        t = self.table
        return np.asarray(
            t["none"][rows] & ((t["occupancy"][rows] >= _STANDING_PCT) | t["jam"][rows])
        )

    def feel(self, rows: Rows, v: Array, slow: Array) -> Array:
        """(n,) bool, `rows` are jammed, by km/h now and of the last quarter of an hour (NaN not known)."""
        t = self.table
        slowed = ((slow - v >= DROP) & (v <= SHARE * slow)) | (v <= _CRAWL_KM_PER_H)
        covered = t["occupancy"][rows]
        jam = slowed | (t["none"][rows] & ((covered >= _STANDING_PCT) | t["jam"][rows]))
        t["jam"][rows] = jam
        return np.asarray(jam)

    def travels(self, safe: Rows, beyond: Rows, there: Array, arrivals: Arrivals) -> Array:
        """(n,) bool, the emptiness of `safe` has reached the station beyond it later: no common failure of both."""
        t = self.table
        later = t["vehicle_us"][beyond] > t["vehicle_us"][safe]
        return np.asarray(there & later & (arrivals.left(beyond) <= _TRAVELS))

    def denied(self, safe: Rows, beyond: Rows, there: Array, arrivals: Arrivals) -> Array:
        """(n,) bool, the station beyond counts vehicles that `safe` should have seen."""
        own = 1.0 - np.exp(-np.maximum(arrivals.ratio(safe), 0.0))
        return np.asarray(
            there & (arrivals.left(beyond) > np.maximum(_BEYOND_LEFT, own + _BEYOND_SPARE))
        )

    def stopped(self, rows: Rows, above: Array, below: Array, rare: Array) -> Array:
        """(n,) bool, no occupancy tells, but vehicles stand at `rows`, by the order in which stations ceased to count.

        A queue that stands grows upstream, an emptied road empties downstream. Rare readings may hide the second order.

        Args:
            above, below: (n,) rows of the stations up- and downstream, -1 none; rare: (n,) bool.
        """
        t = self.table
        none = t["none"][rows] & np.isnan(t["occupancy"][rows]) & (above >= 0) & (below >= 0)
        if not none.any():
            t["stood"][rows] = False
            return none
        many = (t["before"][rows] >= _LEAST_VEH_PER_H) & (t["missed"][rows] >= _MISSED_VEH)
        last, ahead = t["vehicle_us"][rows], t["vehicle_us"][below]
        outlasts = (last > ahead) | ((last == ahead) & rare)
        held = (t["none"][above] | t["jam"][above]) & (t["vehicle_us"][above] > last)
        stood = none & (t["stood"][rows] | (many & outlasts & held))
        t["stood"][rows] = stood  # until it counts again
        return np.asarray(stood)

    def closed(
        self, rows: Rows, jam: Array, empty: Array, denied: Array, arrivals: Arrivals
    ) -> Array:
        """(n,) bool, nothing gets through between `rows` and their neighbours."""
        if not empty.any():
            return empty
        return np.asarray(jam & empty & ~denied & (arrivals.left(rows) <= _COLLAPSED))

    def sure(self, safe: Rows) -> Array:
        """(n,) bool, so many vehicles are missed that one look is enough."""
        return np.asarray(self.table["missed"][safe] >= 2.5 * _MISSED_VEH)

    def halt(self, told: Rows, downstream: Array, arrivals: Arrivals) -> None:
        """Mark who counts nobody for good reason: stations beyond the pairs `told`, and the standing queue before.

        One that counts nobody while the next station counts .4 of what once passed it, or .2 beyond the share that
        ramps bring, has died.

        Args:
            downstream: (rows,) of all: the next station, -1 none.
        """
        t = self.table
        halted = t["halted"][: t.n]
        halted[:] = False
        if told.size == 0:
            return
        some, before = t["none"][: t.n], t["before"][: t.n]
        ramps = 1.0 - np.exp(-np.maximum(arrivals.ratio(np.arange(t.n)), 0.0))
        share = np.maximum(_PASSED, ramps + _BEYOND_SPARE)
        passed = arrivals.table["flow"][: t.n][downstream] >= share * before
        none = some & ~((downstream >= 0) & passed & (before >= _LEAST_VEH_PER_H))
        front = downstream[told]
        while (front := front[front >= 0]).size and (
            front := front[none[front] & ~halted[front]]
        ).size:
            halted[front] = True
            front = downstream[front]
        stopped = none | (t["jam"][: t.n] & ~some)
        tail, linked, seen = told, np.flatnonzero(downstream >= 0), np.zeros(t.n, np.bool_)
        while (tail := tail[stopped[tail] & ~seen[tail]]).size:
            seen[tail] = True
            tail = linked[np.isin(downstream[linked], tail)]
        halted |= seen & none
