"""Has something blocked the road between two stations? The head of a queue where none belongs, minutes after it began.

Question: has traffic here fallen far below its recent speed while the next station downstream still flows, with fewer
    vehicles than before?
Formula: at each half minute, for station u and its neighbour d downstream: slow(u) - v(u) >= 30 km/h and
    v(u) <= .75 slow(u), v(d) - v(u) >= 30 km/h, and the short mean flow of d (2 min) below its long mean (20 min);
    slow is the mean speed of the last 15 minutes without signs. Raised by two signs of three looks (three of four
    where flows are missing), cleared when v(d) - v(u) < 18 km/h for ten minutes.
    A station that was the head of a queue at this hour (or the one beside it) on 30 % of the days is a learned
    bottleneck and raises nothing.
Units: km/h, veh/h, shares. Source: speed drop (ANCHORS section 4) with the spatial test of California #8 on speeds.
Missing: a neighbour that was silent for more than three of its intervals is not compared. Late readings do not
    enter. Irregular stamps: the looks are bins of the feed's own time (`pace.py`). Stations without a neighbour within
    3 km downstream, and sensors that are stuck, faulty or begin to chatter, raise nothing.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.conditions import Episodes
from services.detect.emission import Subjects, emit
from services.detect.table import NEVER, Array, Field, Rows, Table
from services.detect.windows.presence import Presence
from services.domain.condition import Condition, Evidence, Rule
from services.domain.instant import SECOND_US

_DROP, _SHARE, _APART, _NEAR = 30.0, 0.75, 30.0, 18.0
_SLOW_S, _FLOW_S, _LONG_FLOW_S = 900.0, 120.0, 1200.0
_HEAD_KM_PER_H = 64.0
_BOTTLENECK = 0.3
_STALE_US: Final = 90 * SECOND_US
_GAP_US: Final = 600 * SECOND_US
_LOOK_S: Final = 30.0
_LOOKS: Final = 3


class Incident:
    """Heads of queues between neighbours."""

    rule = Rule.INCIDENT

    def __init__(self) -> None:
        self.episodes = Episodes(off_delay_us=600 * SECOND_US)
        self.table = Table(
            {
                "speed": Field("f8", np.nan),
                "speed_us": Field("i8", NEVER),
                "slow": Field("f8", np.nan),
                "flow": Field("f8", np.nan),
                "long_flow": Field("f8", np.nan),
                "moved": Field("?"),
                "looked_us": Field("i8", NEVER),
                "signs": Field("u1"),
                "began_us": Field("i8", NEVER),
                "heads": Field("f4", 0.0, (24,)),
                "today": Field("?", False, (24,)),
                "day": Field("i4", -1),
                "days": Field("i4"),
            }
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {"looks": self.table, "episodes": self.episodes.table}

    def take(self, rows: Rows, at_us: Array, dt_s: Array, speed: Array, flow: Array) -> None:
        """Remember one reading of each of `rows` (distinct): km/h and veh/h, NaN missing; dt_s since the last."""
        t = self.table
        known = np.isfinite(speed)
        t["speed"][rows] = np.where(known, speed, t["speed"][rows])
        t["speed_us"][rows] = np.where(known, at_us, t["speed_us"][rows])
        t["moved"][rows] = True
        pause = dt_s > _GAP_US / SECOND_US
        for name, tau in (("flow", _FLOW_S), ("long_flow", _LONG_FLOW_S)):
            old = np.where(pause, np.nan, t[name][rows])
            a = 1.0 - np.exp(-np.where(pause, 0.0, dt_s) / tau)
            new = np.where(np.isnan(old), flow, old + a * (flow - old))
            t[name][rows] = np.where(np.isfinite(flow), new, old)

    def look(
        self,
        ids: list[str],
        end_us: int,
        downstream: Array,
        hour: Array,
        day: Array,
        doubtful: Array,
        cadence_us: Array,
        congested: Array,
        presence: Presence,
    ) -> list[Condition]:
        """Compare neighbours at the end of a bin; only stations that spoke in it are judged.

        Args:
            downstream: (rows,) row of the next station, -1 none; hour, day: (rows,) local; doubtful: (rows,) bool;
            cadence_us: (rows,); congested: (rows,) bool, a jam at the station has been told already;
            presence: the times of the stations' readings.
        """
        t = self.table
        n = t.n
        rows = np.flatnonzero(t["moved"][:n])
        if rows.size == 0:
            return []
        t["moved"][rows] = False
        day, hour = day[rows].astype(np.int32), hour[rows]
        self._turn_days(rows, day)
        v, at = t["speed"][rows], t["speed_us"][rows]
        looked = t["looked_us"][rows]
        gap = (looked == NEVER) | (end_us - np.where(looked == NEVER, end_us, looked) > _GAP_US)
        t["looked_us"][rows] = end_us
        slow = np.where(gap, np.nan, t["slow"][rows])
        d = downstream[rows]
        has = d >= 0
        safe = np.where(has, d, rows)
        vd, at_d = t["speed"][safe], t["speed_us"][safe]
        stale = np.maximum(_STALE_US, 3 * cadence_us[rows])
        fresh = (at != NEVER) & (at_d != NEVER)
        fresh &= (end_us - np.where(fresh, at, end_us) <= stale) & (
            end_us - np.where(fresh, at_d, end_us) <= stale
        )
        apart = np.where(has & fresh, vd - v, np.nan)
        fewer = t["flow"][safe] < t["long_flow"][safe]
        counted = np.isfinite(t["flow"][safe]) & np.isfinite(t["long_flow"][safe])
        head = (v < _HEAD_KM_PER_H) & (apart > _APART)
        around = t["heads"][rows[:, None], (hour[:, None] + np.array([-1, 0, 1])) % 24].max(axis=1)
        sign = (
            (slow - v >= _DROP) & (v <= _SHARE * slow) & (apart >= _APART) & (fewer | ~counted)
            & ~(doubtful[rows] | doubtful[safe]) & (around < _BOTTLENECK)
        )  # fmt: skip
        history = np.where(gap, 0, t["signs"][rows] << 1).astype(np.uint8) & 0x0F | sign.astype(
            np.uint8
        )
        t["signs"][rows] = history
        three, four = _BITS[history & 0x07], _BITS[history]
        bad = np.where(counted, three >= 2, four >= 3)
        began = np.where(sign & (three == 1), end_us, t["began_us"][rows])
        t["began_us"][rows] = began
        active, onset = self.episodes.active(rows), self.episodes.onset_us(rows)
        told = np.full(len(rows), end_us, np.int64)
        severity = np.full(len(rows), 2, np.int8)
        changes = self.episodes.step(rows, told, bad, (apart < _NEAR) | gap, began, severity)
        out: list[Condition] = []
        if changes:
            span = (_LOOKS * np.maximum(_LOOK_S * SECOND_US, cadence_us[rows])).astype(np.int64)
            came = [presence.count(r, told - span, told) for r in (rows, safe)]
            wanted = [
                np.clip(span // np.maximum(cadence_us[r], SECOND_US), 1, presence.width)
                for r in (rows, safe)
            ]
            readings = came[0] + came[1]
            missing = 1.0 - np.minimum(came, wanted).sum(axis=0) / np.sum(wanted, axis=0)
            limit = np.fmin(np.fmin(slow - _DROP, _SHARE * slow), vd - _APART)

            def evidence(i: int) -> Evidence:
                return Evidence(
                    "speed_km_per_h", "km/h", _finite(v[i]), _finite(limit[i]), _finite(slow[i]),
                    float(span[i] / SECOND_US), int(readings[i]), round(float(missing[i]), 3),
                    {
                        "downstream_readings_1": float(came[1][i]),
                        "downstream_km_per_h": _finite(vd[i]) or 0.0,
                        "apart_limit_km_per_h": _APART,
                        "downstream_flow_veh_per_h": _finite(t["flow"][safe[i]]) or 0.0,
                        "downstream_flow_before_veh_per_h": _finite(t["long_flow"][safe[i]]) or 0.0,
                        "bottleneck_share_1": round(float(around[i]), 3),
                        "congestion_1": float(congested[rows[i]]),
                    },
                )  # fmt: skip

            out = emit(
                self.rule, Subjects(ids, rows), changes, told, np.where(active, onset, began), severity,
                0.5 + np.nan_to_num(apart) / 200.0, evidence,
            )  # fmt: skip
        t["today"][rows, hour] |= head
        quiet = (history == 0) & ~self.episodes.active(rows) & np.isfinite(v)
        a = 1.0 - np.exp(-np.clip(cadence_us[rows] / SECOND_US, 20.0, 900.0) / _SLOW_S)
        t["slow"][rows] = np.where(np.isnan(slow), v, np.where(quiet, slow + a * (v - slow), slow))
        return out

    def _turn_days(self, rows: Rows, day: Array) -> None:
        t = self.table
        turned = np.flatnonzero(day != t["day"][rows])
        if turned.size == 0:
            return
        r = rows[turned]
        seen = t["day"][r] >= 0
        weight = np.where(seen, 1.0 / np.minimum(t["days"][r] + 1.0, 5.0), 0.0)[:, None]
        heads = t["heads"][r]
        t["heads"][r] = heads + weight * (t["today"][r] - heads)
        t["days"][r] += seen
        t["today"][r] = False
        t["day"][r] = day[turned]


_BITS: Final = np.array([i.bit_count() for i in range(16)], np.int8)


def _finite(x: float) -> float | None:
    return round(float(x), 1) if np.isfinite(x) else None
