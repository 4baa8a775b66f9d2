"""Has the inflow of a zone risen by something that is no demand? The leak in the mains of a district.

Question: does the day's inflow hold a constant part that its habit does not have, day after day?
Formula: a day runs from 06 to 06 h local, x(h) is its hourly inflow less the leak known so far, s(h) the learned shape
    of this day of the week as shares of the level. Two witnesses, in L/h:
    *offset* b of the regression x / s = a + b / s over the day's hours: demand follows weather and season in
    proportion (a), a leak runs alike at all hours (b);
    *night* n = mean of x over 01-05 h less its share of the level of the last weeks, less the median of 28 such n.
    z = witness / sigma, sigma = 1.4826 MAD over the last 28 days without an excess (`zone_sums`);
    S = max(0, S + min(z, 4) - k) (Page 1954), k = .75 (offset) and 1 (night), raised when S exceeds h (offset) or .8 h
    (night): two days at least, so a holiday is no leak. The mean of the witness since S left zero is added to the leak
    known and the sums begin anew, so that a second leak on top is found as well, and told (`zone_loss.one_more`).
    Downward sums likewise: a leak that has lost 60 % of its largest rate has ended. A fall by 3 % of the level while
    no leak is known is the repair of one that was taken for habit: leaks are counted from the new base. The nights
    raise nothing that the offset contradicts, and are learned anew after a leak.
    Pressures in accord (`zone_pressure`) lower the limits of a leak, from its second day on, down to 45 %, and that of
    its end likewise.
    The habit learns on calm days alone (no sum beyond half its limit, |z| <= 3) and is frozen for the first four weeks
    of a leak; after that it learns from inflow less leak.
    Litres lost are rate times time since the spell began, hours that nobody heard included; a rise or fall that the
    sums find later is counted from its own begin. Told anew each day. Confidence: 1 - .5 limit / sum, more with accord.
Units: L/h. Defaults: h = 6 sigmas; smallest sigma .4 % (offset) and 2 % (night) of the level. The night needs 7
    values and the offset 14, after a first week of learning: two and three weeks. info below 5 % of the usual inflow,
    critical from 40 %.
Source: CUSUM on night flow and on the day, the practice of water companies; the offset witness is our own.
Missing: a day with fewer than 18 hours is skipped; without three night hours its night says nothing; evidence counts
    the hours of the spell that were not heard (of its nights, where those raised it). Late readings do not enter.
    Duplicates and irregular stamps: the window of intervals settles them. Needs hourly or finer readings.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from services.detect.conditions import Episodes
from services.detect.detector_settings import DetectorSettings
from services.detect.detectors.zone_loss import confidence, loss, one_more, told_daily
from services.detect.detectors.zone_pressure import ZonePressure
from services.detect.emission import Subjects, emit
from services.detect.table import NEVER, Array, Field, Rows, Table
from services.detect.windows.coverage import Seen, held
from services.detect.windows.zone_habit import HOURS, NEEDED_H, ZoneHabit, hours_mean
from services.detect.windows.zone_sums import SLACK, WITNESSES, ZoneSums
from services.domain.condition import Condition, Evidence, Rule
from services.domain.instant import DAY_US, HOUR_US

DAY_BEGINS_H: Final = 6
_NIGHT_H: Final = 4
_ACCORD: Final = 0.55
"""By so much do pressures in full accord lower the limits."""
_ENDED: Final = 0.4
"""A leak that has fallen below this share of its largest rate has ended."""
_NIGHT_LIMIT: Final = 0.8
"""The night's limit as a share of the offset's."""
_HELD_US: Final = 28 * DAY_US
"""So long is the habit frozen in a leak; after that it goes on learning from inflow less leak."""
_REBASE: Final = 0.03
"""A fall below the habit of at least this share of the level is a new base; less than that is learned."""
_CRITICAL: Final = 0.4
_WARNING: Final = 0.05
"""Leak as a share of the usual inflow."""


class ZoneLeak:
    """Offset and night of each day against the habit of the zone."""

    rule = Rule.ZONE_LEAK

    def __init__(self, settings: DetectorSettings, pressure: ZonePressure | None = None) -> None:
        self.pressure = pressure or ZonePressure()
        self.limits = settings.zone_cusum_h * np.array((1.0, _NIGHT_LIMIT))
        self.episodes = Episodes()
        self.habit = ZoneHabit()
        self.sums = ZoneSums(self.limits)
        self.table = Table(
            {
                "day": Field("i4", -1),
                "judged": Field("i4", -1),
                "end_us": Field("i8", NEVER),
                "start_us": Field("i8", NEVER),
                "day_mark": Field("f8", 0.0, (WITNESSES, 2)),
                "last_mark": Field("f8", 0.0, (WITNESSES, 2)),
                "begun_mark": Field("f8", 0.0, (2,)),
                "witness": Field("i1"),
                "hours": Field("f4", np.nan, (HOURS,)),
                "known": Field("f8"),
                "base": Field("f8"),
                "peak": Field("f8"),
                "litres": Field("f8"),
                "counted_us": Field("i8", NEVER),
                "sure": Field("f8"),
                "ease": Field("f8"),
                "rose_us": Field("i8", NEVER),
            }
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {
            "zone": self.table,
            "habit": self.habit.table,
            "episodes": self.episodes.table,
        } | self.sums.tables

    def step(
        self, subjects: Subjects, start_us: Array, told_us: Array, rate: Array, local_hour: Array,
        seen: Seen, nights: Seen,
    ) -> list[Condition]:  # fmt: skip
        """Take one finished hour of each of n zones; the last hour of a day judges it, or the first of a later one.

        Args:
            start_us, told_us: (n,) begin of the hour, and when a person could be told of it.
            rate: (n,) L/h.
            local_hour: (n,) hours since 1970, local, of the hour's middle.
            seen, nights: what was heard of the zones, and of their nights.
        """
        t, rows = self.table, subjects.rows
        day, hour = np.divmod(local_hour - DAY_BEGINS_H, HOURS)
        out: list[Condition] = []
        over = (day > t["day"][rows]) & (t["judged"][rows] < t["day"][rows])
        if over.any():  # its last hour never came
            at = np.flatnonzero(over)
            out = self._finish(subjects.take(at), told_us[at])
        fresh = day > t["day"][rows]
        if fresh.any():
            r = rows[fresh]
            t["hours"][r] = np.nan
            t["day"][r] = day[fresh]
            t["start_us"][r] = start_us[fresh]
            t["day_mark"][r, 0], t["day_mark"][r, 1] = seen.before[fresh], nights.before[fresh]
        use = day == t["day"][rows]
        r = rows[use]
        t["hours"][r, hour[use]] = rate[use]
        t["end_us"][r] = start_us[use] + HOUR_US
        t["last_mark"][r, 0], t["last_mark"][r, 1] = seen.after[use], nights.after[use]
        last = np.flatnonzero(use & (hour == HOURS - 1))
        if last.size:
            out += self._finish(subjects.take(last), told_us[last])
        return out

    def expected(self, rows: Rows, local_hour: Array) -> Array:
        """(n,) L/h usual at the hour (local, since 1970), with the leak known; NaN where unknown."""
        day, hour = np.divmod(local_hour - DAY_BEGINS_H, HOURS)
        return self.habit.expected(rows, (day + 3) % 7, hour) + self.table["known"][rows]

    def most(self, rows: Rows, local_hour: Array) -> Array:
        """(n,) L/h as `expected`, on the day of the week that uses most at this hour."""
        return (
            self.habit.most(rows, (local_hour - DAY_BEGINS_H) % HOURS) + self.table["known"][rows]
        )

    def level(self, rows: Rows) -> Array:
        """(n,) L/h, the level of the last weeks; NaN where unknown."""
        return self.habit.table["level"][rows]

    def _finish(self, subjects: Subjects, told_us: Array) -> list[Condition]:
        """Judge the full day of each of the zones."""
        t, rows = self.table, subjects.rows
        t["judged"][rows] = t["day"][rows]
        size = len(subjects.ids)
        self.pressure.day(rows, size)
        out, calm = self._judge_day(subjects, told_us)
        self.pressure.close(rows, calm, size)
        return out

    def _judge_day(self, subjects: Subjects, told_us: Array) -> tuple[list[Condition], Array]:
        """What the day means, and (n,) whether it is calm and may teach."""
        t, rows = self.table, subjects.rows
        teach = np.zeros(len(rows), np.bool_)
        enough = np.isfinite(t["hours"][rows]).sum(axis=1) >= NEEDED_H
        if not enough.any():
            return [], teach
        if not enough.all():
            subjects, told_us = subjects.take(np.flatnonzero(enough)), told_us[enough]
            rows = subjects.rows
        hours = t["hours"][rows].astype(np.float64)
        weekday = (t["day"][rows] + 3) % 7
        net = hours - t["known"][rows][:, None]
        offset, night, today, level = self.habit.witnesses(rows, weekday, net)
        sums, sigma, calm = self.sums.add(
            rows, (offset, night), level, t["start_us"][rows], t["day_mark"][rows]
        )
        out = self._decide(subjects, told_us, hours, level, sums, sigma)
        began = self.episodes.onset_us(rows)
        held = self.episodes.active(rows) & (t["end_us"][rows] - began < _HELD_US)
        self.habit.learn(rows, weekday, net, today, calm & ~held)
        teach[enough] = calm & ~self.episodes.active(rows)
        return out, teach

    def _decide(
        self, subjects: Subjects, told_us: Array, hours: Array, level: Array, sums: Array,
        sigma: Array,
    ) -> list[Condition]:  # fmt: skip
        t, run, rows = self.table, self.sums.table, subjects.rows
        index = np.arange(len(rows))
        active, onset = self.episodes.active(rows), self.episodes.onset_us(rows)
        now = _ACCORD * self.pressure.by_days(rows)
        ease = np.where(active, t["ease"][rows], now)  # what little raised it ends it as well
        limits = self.limits[None, :, None] * np.ones((len(rows), 1, 2))
        twice = (
            run["days"][rows][:, :, 0] >= 2
        )  # one day raises nothing, whatever the pressures say
        limits[:, :, 0] *= 1.0 - np.where(active[:, None] | ~twice, 0.0, ease[:, None])
        limits[:, :, 1] *= (1.0 - np.where(active, ease, 0.0))[:, None]
        crossing = sums / limits
        crossing[:, 1] *= self.sums.borne_out(rows, sigma)
        best = np.argmax(crossing, axis=1)  # (n, 2): which witness, by direction
        top = np.take_along_axis(crossing, best[:, None, :], axis=1)[:, 0, :]
        crossed = top > 1.0
        direction = np.where(crossed[:, 0] & (top[:, 0] >= top[:, 1]), 0, 1)
        moved = crossed.any(axis=1)
        chosen = best[index, direction]
        count = np.maximum(run["days"][rows][index, chosen, direction], 1)
        mean = run["totals"][rows][index, chosen, direction] / count
        since = run["since_us"][rows][index, chosen, direction]
        # what falls far while no leak is known was part of the habit: a new base, from which leaks are counted
        falls = moved & ~active & (direction == 1)
        rebased = falls & (mean < -_REBASE * level)
        believed = moved & (~falls | rebased)
        known = t["known"][rows] + np.where(believed, mean, 0.0)
        base = np.where(rebased, known, t["base"][rows])
        leak = known - base
        peak = np.where(active, np.maximum(t["peak"][rows], leak), np.maximum(leak, 0.0))
        up, down = moved & (direction == 0), moved & (direction == 1)
        ended = active & down & (leak < _ENDED * peak)
        share = np.where(level > 0, leak / np.where(level > 0, level, 1.0), 0.0)
        severity = np.where(share >= _CRITICAL, 2, np.where(share >= _WARNING, 1, 0))
        begun = np.where(active, onset, np.where(since == NEVER, told_us, since))
        begun_mark = np.where(
            active[:, None], t["begun_mark"][rows], run["mark"][rows][index, chosen, direction]
        )
        witness = np.where(active, t["witness"][rows], chosen)
        end_us = t["end_us"][rows]
        counted = np.where(active, t["counted_us"][rows], end_us)
        back = np.where(moved, end_us - np.where(since == NEVER, end_us, since), 0)
        # the rate of before since the last look, and what the sum now adds or takes back since it left zero
        spent = (t["known"][rows] - base) * (end_us - counted) + np.where(
            believed, mean, 0.0
        ) * back
        litres = np.maximum(np.where(active, t["litres"][rows], 0.0) + spent / HOUR_US, 0.0)
        accord = self.pressure.by_days(rows)
        sure = np.where(active, t["sure"][rows], confidence(top.max(axis=1), accord))
        rate = np.where(ended, t["known"][rows] - base, leak)
        usual = hours_mean(hours) - leak
        changes = self.episodes.step(rows, told_us, up, ended, begun, severity)
        worse = changes.updated
        changes = told_daily(changes, active, begun, begun)
        quiet = (
            end_us - back - t["rose_us"][rows]
        )  # since it rose last, up to where it began to rise again
        further = up & active & one_more(mean, leak - mean, level, quiet)
        t["rose_us"][rows] = np.where(up, end_us, t["rose_us"][rows])
        further[np.concatenate([changes.raised, worse, changes.cleared])] = False
        if further.any():
            kept = changes.updated[~further[changes.updated]]
            changes = replace(changes, updated=kept, worsened=np.flatnonzero(further))
        t["begun_mark"][rows], t["witness"][rows] = begun_mark, witness
        t["counted_us"][rows], t["sure"][rows], t["ease"][rows] = end_us, sure, ease
        t["known"][rows], t["base"][rows] = np.where(ended, base, known), base
        t["peak"][rows] = np.where((active | up) & ~ended, peak, 0.0)
        t["litres"][rows] = np.where((active | up) & ~ended, litres, 0.0)
        self.sums.begin_anew(rows[moved])
        self.sums.forget_nights(rows[ended])
        if not changes:
            return []

        limit = limits[index, chosen, direction]
        least = (np.array(SLACK)[chosen] + limit / count) * sigma[index, chosen]
        bound = usual + np.where(active, _ENDED * peak, leak - mean + least)

        def evidence(i: int) -> Evidence:
            w = int(chosen[i])
            span_h = float(end_us[i] - begun[i]) / HOUR_US
            expected_h = span_h if witness[i] == 0 else _NIGHT_H * np.ceil(span_h / HOURS - 0.1)
            readings, missing = held(begun_mark[i], t["last_mark"][rows[i], witness[i]], expected_h)
            return Evidence(
                "flow_litres_per_h", "L/h",
                round(float(usual[i] + leak[i]), 1), round(float(bound[i]), 1),
                round(float(usual[i]), 1), span_h * 3600, readings, missing,
                loss(rate[i], litres[i], sure[i])
                | self.pressure.named(int(rows[i]), len(subjects.ids))
                | {
                    "sum_sigmas_1": round(float(sums[i, w, direction[i]]), 2),
                    "sum_limit_1": round(float(limit[i]), 2),
                    "sigma_litres_per_h": round(float(sigma[i, w]), 2),
                    "night_1": float(w),
                }
                | ({"further_litres_per_h": round(float(mean[i]), 1)} if further[i] else {}),
            )  # fmt: skip

        return emit(
            self.rule, subjects, changes, told_us, begun, self.episodes.severity(rows), sure, evidence,
        )  # fmt: skip
