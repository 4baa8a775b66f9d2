"""Does a station count too few or too many vehicles, by what its neighbours on both sides count?

Question: vehicles are conserved, so the flows of neighbours keep a ratio that ramps between them set. Do both ratios of
    station k leave their habits in opposite directions, as if k alone were wrong, while upstream u and downstream d
    agree with each other?
Formula, for each hour (it ends at 7.5 minutes past, where stamps of common cadences do not jitter across):
    up = ln(q(k) / q(u)) - habit(u, k), down = ln(q(d) / q(k)) - habit(k, d), each habit level and spread by part of the
    week (`ratio_habit.py`). Miscounts: up and down have opposite signs, each is at least ln 1.25 and 3 spreads (never
    less than counting noise, sqrt(1/N + 1/N)), and |up + down|, by which u and d disagree, is at most half of the
    smaller of both. Told after 2 such hours in a row, over after 2 in which one of both is back below half of ln 1.25.
    An hour is judged where at all three stations 100 vehicles were counted in 75 % of it, nothing was slower than 70 %
    of the free speed (without speeds: occupancy of 25 % and more) or held up by an incident for more than a fifth of
    it, no other fault is known, both habits have seen 9 such hours, and u and d carry what is usual at this hour of the
    week within a factor of 1.35 (on a holiday ramps do what they never do), and where in the last 12 hours neither
    ratio left its habit alone: then a ramp or a neighbour is what is unlike, and of k nothing can be said.
    Other hours neither add nor end; after a day without a judged one the count begins anew.
Units: vehicles, veh/h, shares. Sources: conservation of vehicles as a check of loops (Weijermars, van Berkum 2005,
    "Detection of invalid loop detector data in urban areas"; Howe 2007, "Detecting errors in loop-based data using a
    long-term integration process"); of two adjacent sections whose miscounts have similar size and opposite sign the
    detector between them is to blame (Flow Balance, Connected Corridors, Berkeley), here on ratios that are learned, so
    that ramps without detectors do not matter.
Missing: a reading that did not come takes its own time out of the hour with it (a count stands for one interval, not
    for the pause before it), so lost messages are no lost vehicles. Late readings do not enter. Irregular stamps: by
    time.
    The habit does not learn from hours in which a station of the pair is told to miscount. It cannot judge the first
    and the last station of a road, nor two neighbours that go wrong together.
It refuses to raise anything: `sensor_fault.py` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.detect.table import NEVER, Array, Field, Rows, Table
from services.detect.windows.ratio_habit import RatioHabit, part_of_week
from services.domain.condition import Evidence
from services.domain.instant import DAY_US, HOUR_US, SECOND_US

SIGN: Final = 5
"""Its number among the signs of a faulty sensor."""
_EDGE_US: Final = 450 * SECOND_US
_OFF: Final = float(np.log(1.25))
_SPREADS, _AGREE = 3.0, 0.5
_LEAST_VEH, _LEAST_HEARD, _MOST_HEARD, _MOST_SLOW = 100.0, 0.75, 1.5, 0.2
_KNOWN_VISITS: Final = 9.0
_USUAL, _USUAL_VISITS = float(np.log(1.35)), 3.0
_ALONE_US: Final = 12 * HOUR_US
_HOURS: Final = 2
SLOW_SHARE: Final = 0.7
SLOW_PCT: Final = 25.0
"""Below this share of the free speed, and without a speed from this occupancy on, a reading is of slow traffic."""


@dataclass(frozen=True, slots=True)
class Around:
    """What the watch knows of all its rows when an hour is over.

    Attributes:
        wrong: (rows,) bool, another fault of the sensor is known.
        slot: hour of the local week of (m,) rows at (m,) instants.
        usual: (m,) veh/h and (m,) visits of (m,) rows at (m,) hours of the week.
    """

    wrong: Array
    slot: Callable[[Rows, Array], Array]
    usual: Callable[[Rows, Array], tuple[Array, Array]]


class FlowRatio:
    """What each station counted in the last hours, and the habits of the ratios to its neighbour downstream."""

    def __init__(self) -> None:
        self.habit = RatioHabit()
        self.table = Table(
            {
                "sums": Field("f8", 0.0, (4,)),
                "since_us": Field("i8", NEVER),
                "flow": Field("f4", np.nan),
                "before": Field("f4", np.nan),
                "heard": Field("f4"),
                "readings": Field("i4"),
                "up": Field("f4", np.nan),
                "down": Field("f4", np.nan),
                "up_limit": Field("f4", np.nan),
                "down_limit": Field("f4", np.nan),
                "hours": Field("i1"),
                "judged_us": Field("i8", NEVER),
                "alone_us": Field("i8", NEVER),
                "first_us": Field("i8", NEVER),
                "off_us": Field("i8", NEVER),
            }
        )
        self.upstream = self.downstream = np.empty(0, np.intp)
        self._hour = -1

    def link(self, downstream: Rows) -> None:
        """Take over the roads: (rows,) row of each station's next one downstream, -1 none."""
        self.downstream = downstream
        self.upstream = np.full(len(downstream), -1, np.intp)
        linked = np.flatnonzero(downstream >= 0)
        self.upstream[downstream[linked]] = linked

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {"hours": self.table, "habit": self.habit.table}

    def take(self, rows: Rows, hours: Array, vehicles: Array, slow: Array) -> None:
        """Add one reading of each of `rows` (distinct).

        Args:
            hours: (n,) that the count stands for; vehicles: (n,) in them, NaN missing.
            slow: (n,) bool, traffic is slow or held up.
        """
        known = np.isfinite(vehicles) & (hours > 0)
        gain = np.empty((len(rows), 4))
        gain[:, 0] = np.where(known, vehicles, 0.0)
        gain[:, 1] = np.where(known, hours, 0.0)
        gain[:, 2] = gain[:, 1] * slow
        gain[:, 3] = known
        sums = self.table["sums"]
        gain += sums.take(rows, axis=0)
        sums[rows] = gain

    def since_us(self, rows: Rows) -> Array:
        """(n,) begin of the hour in which a miscount first showed, where it is told; NEVER elsewhere."""
        return self.table["off_us"][rows]

    def look(self, end_us: int, around: Callable[[], Around]) -> None:
        """A bin of the feed's time is complete: judge the hour that has ended, if one has.

        Args:
            around: asked only then.
        """
        hour = (end_us - _EDGE_US) // HOUR_US
        if hour == self._hour:
            return
        self._hour = hour
        t = self.table
        begin = hour * HOUR_US + _EDGE_US
        since = t["since_us"][: t.n]
        rows = np.flatnonzero(since < begin)
        if rows.size == 0:
            return
        first = np.where(since[rows] == NEVER, begin - HOUR_US, since[rows])
        sums = t["sums"][rows]
        t["sums"][rows] = 0.0
        t["since_us"][rows] = begin
        vehicles, heard = sums[:, 0], sums[:, 1]
        whole = (heard >= _LEAST_HEARD) & (heard <= _MOST_HEARD)
        t["before"][rows] = t["flow"][rows]
        t["flow"][rows] = np.where(whole, vehicles / np.where(whole, heard, 1.0), np.nan)
        t["heard"][rows], t["readings"][rows] = heard, sums[:, 3]
        sound = whole & (vehicles >= _LEAST_VEH) & (sums[:, 2] <= _MOST_SLOW * heard)
        self._judge(rows, first, vehicles, sound, around())

    def _judge(self, rows: Rows, since: Array, vehicles: Array, sound: Array, now: Around) -> None:
        t, n = self.table, self.table.n
        fit, noise, usual = np.zeros(n, np.bool_), np.full(n, np.nan), np.zeros(n, np.bool_)
        week = now.slot(rows, since)
        fit[rows] = sound
        noise[rows] = 1.0 / np.maximum(vehicles, 1.0)
        level, visits = now.usual(rows, week)
        flow = t["flow"][:n].astype(np.float64)
        share = np.where(sound & (level > 0), flow[rows] / np.where(level > 0, level, 1.0), np.nan)
        usual[rows] = (visits >= _USUAL_VISITS) & (
            np.abs(np.log(np.where(share > 0, share, np.nan))) <= _USUAL
        )
        d, u = self.downstream[rows], self.upstream[rows]
        below, above = np.where(d >= 0, d, rows), np.where(u >= 0, u, rows)
        slot = part_of_week(week)
        pair = (d >= 0) & fit[rows] & fit[below] & ~now.wrong[rows] & ~now.wrong[below]
        ratio = np.log(np.where(pair, flow[below], 1.0) / np.where(pair, flow[rows], 1.0))
        habit, spread, seen = self.habit.expected(rows, slot)
        off, limit = np.full(n, np.nan), np.full(n, np.nan)
        told = pair & (seen >= _KNOWN_VISITS)
        off[rows] = np.where(told, ratio - habit, np.nan)
        wide = np.maximum(spread, np.sqrt(noise[rows] + noise[below]))
        limit[rows] = np.maximum(_OFF, _SPREADS * wide)
        apart = np.full(n, NEVER, np.int64)
        apart[rows] = since
        both = (u >= 0) & (d >= 0) & (apart[above] == since)  # the same hour of all three
        up, down = np.where(both, off[above], np.nan), np.where(both, off[rows], np.nan)
        t["up"][rows], t["down"][rows] = up, down
        t["up_limit"][rows], t["down_limit"][rows] = limit[above], limit[rows]
        known, least = np.isfinite(up) & np.isfinite(down), np.fmin(np.abs(up), np.abs(down))
        far = (np.abs(up) >= limit[above]) | (np.abs(down) >= limit[rows])
        alone = np.where(known & far & (least < _OFF / 2), since, t["alone_us"][rows])
        t["alone_us"][rows] = alone
        clear = (alone == NEVER) | (since - np.where(alone == NEVER, 0, alone) > _ALONE_US)
        on = t["off_us"][rows] != NEVER
        judged = known & usual[above] & usual[below] & (clear | on)
        opposite = judged & (up * down < 0) & (np.abs(up + down) <= _AGREE * least)
        bad = opposite & (np.abs(up) >= limit[above]) & (np.abs(down) >= limit[rows])
        good = judged & ~(opposite & (least >= _OFF / 2))
        self._count(rows, since, judged, bad, good)
        strange = np.zeros(n, np.bool_)
        strange[rows] = bad
        strange |= t["off_us"][:n] != NEVER
        learn = np.flatnonzero(pair & ~strange[rows] & ~strange[below])
        self.habit.learn(rows[learn], slot[learn], ratio[learn])

    def _count(self, rows: Rows, since: Array, judged: Array, bad: Array, good: Array) -> None:
        """Hours in a row that show it or, while it is told, that do not."""
        t = self.table
        on = t["off_us"][rows] != NEVER
        last = t["judged_us"][rows]
        stale = judged & ((last == NEVER) | (since - np.where(last == NEVER, 0, last) > DAY_US))
        towards = np.where(on, good, bad)
        hours = np.where(stale, 0, t["hours"][rows])
        hours = np.where(judged, np.where(towards, hours + 1, 0), hours)
        first = np.where(judged & (hours == 1), since, t["first_us"][rows])
        turned = hours >= _HOURS
        t["first_us"][rows] = first
        t["off_us"][rows] = np.where(turned, np.where(on, NEVER, first), t["off_us"][rows])
        t["hours"][rows] = np.where(turned, 0, hours)
        t["judged_us"][rows] = np.where(judged, since, last)

    def evidence(self, ids: Sequence[str], row: int, known: Mapping[str, float]) -> Evidence:
        """The last hour of a station and of its neighbours, and what their ratios should be; with `known` numbers."""
        t = self.table
        u, d = int(self.upstream[row]), int(self.downstream[row])
        all_three = [row, *(r for r in (u, d) if r >= 0)]
        up, down = float(t["up"][row]), float(t["down"][row])
        limits = float(t["up_limit"][row]), float(t["down_limit"][row])
        numbers = {
            **known,
            "counted_veh_per_h": float(t["flow"][row]),
            "counted_before_veh_per_h": float(t["before"][row]),
        }
        for side, other, off, limit, way in (
            ("upstream", u, up, limits[0], 1.0), ("downstream", d, down, limits[1], -1.0),
        ):  # fmt: skip
            if other < 0:
                continue
            ratio = float(t["flow"][row]) / max(float(t["flow"][other]), 1.0)
            numbers |= {
                f"{ids[other]}_{side}_veh_per_h": float(t["flow"][other]),
                f"{ids[other]}_{side}_before_veh_per_h": float(t["before"][other]),
                f"{side}_ratio_1": ratio,
                f"{side}_usual_ratio_1": ratio * float(np.exp(-way * off)),
                f"{side}_limit_factor_1": float(np.exp(limit)),
            }
        numbers["through_off_factor_1"] = float(np.exp(up + down))
        numbers["share_1"] = float(np.exp((up - down) / 2))
        nearer = min(
            ((abs(up), limits[0]), (abs(down), limits[1])), key=lambda each: each[0] / each[1]
        )
        way = -1.0 if up < 0 else 1.0
        least, limit = nearer
        heard = np.minimum(t["heard"][all_three], 1.0)
        return Evidence(
            "count_veh", "1", _told(np.exp(way * least)), _told(np.exp(way * limit)), 1.0,
            HOUR_US / SECOND_US, int(t["readings"][all_three].sum()), round(float(1.0 - heard.mean()), 3),
            {name: round(x, 3) for name, x in numbers.items() if np.isfinite(x)},
        )  # fmt: skip


def _told(x: float) -> float | None:
    return round(float(x), 3) if np.isfinite(x) else None
