"""From meter readings to intervals of consumption: differences of a register, reported volumes, or a rate.

A falling register is told apart into rollover, backflow, and reset or exchange; the last two are events and never
consumption. A single zero among other registers is no reading. The register's resolution and the meter's cadence are
learned. Readings that are not newer than the last one of their sensor are late: they do not enter (the next difference
of a register covers them anyway). It refuses to alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.detect.table import NEVER, Array, Field, Rows, Table
from services.domain.instant import DAY_US, HOUR_US, SECOND_US
from services.domain.register import (
    MOST_BACKFLOW_LITRES_PER_H,
    MOST_LITRES_PER_H,
    SHORTEST_H,
    MeterEvent,
    differences,
    unit_factor,
)

LATE_RESET: Final = 3
"""So many readings in a row, all more than a week behind the last: the clock was wrong, start from them."""
COARSE_H: Final = 2.2
"""Meters that are read more seldom have no pauses and no nights; their days are compared (`daily_use`)."""
_FIRST_CADENCE_US: Final = 2 * DAY_US
"""A first interval that is longer is a gap, whatever comes later."""
_WEEK_US: Final = 7 * DAY_US


@dataclass(frozen=True, slots=True)
class Intervals:
    """What each reading of a call says; n rows in the order of the call.

    Attributes:
        rows: (n,) rows of the sensors.
        start_us, end_us: (n,) the interval; equal where there is none.
        litres: (n,) consumption; NaN where nothing is known; negative only with BACKFLOW.
        hours: (n,) length.
        gap: (n,) bool: far longer than the cadence, readings are missing inside.
        seen_hours: (n,) of these hours those that the reading stands for: all, or one cadence where others are missing.
        event: (n,) int8 `MeterEvent`.
        late: (n,) bool: not newer than what was known; ignored.
    """

    rows: Rows
    start_us: Array
    end_us: Array
    litres: Array
    hours: Array
    gap: Array
    seen_hours: Array
    event: Array
    late: Array


class MeterIntervals:
    """Last reading, cadence and resolution of each meter.

    Args:
        max_litres_per_h: more than this is no consumption but a wrong value.
        max_backflow_litres_per_h: a register that falls faster was exchanged.
    """

    def __init__(
        self,
        max_litres_per_h: float = MOST_LITRES_PER_H,
        max_backflow_litres_per_h: float = MOST_BACKFLOW_LITRES_PER_H,
    ) -> None:
        self.max_rate, self.max_back = max_litres_per_h, max_backflow_litres_per_h
        self.table = Table(
            {
                "last_us": Field("i8", NEVER),
                "register_us": Field("i8", NEVER),
                "register": Field("f8", np.nan),
                "cadence_us": Field("f8", 0.0),
                "intervals": Field("i4"),
                "resolution": Field("f4", 0.0),
                "factor": Field("f4", 1.0),
                "behind": Field("i2"),
            }
        )

    def step(
        self, rows: Rows, at_us: Array, register: Array, consumption: Array, flow: Array
    ) -> Intervals:
        """Take one reading of each of `rows` (distinct); values (n,) in L, L and L/h, NaN missing."""
        t = self.table
        last = t["last_us"][rows]
        first = last == NEVER
        late = ~first & (at_us <= last)
        if late.any():
            late = self._count_behind(rows, at_us, last, late)
            first |= ~late & (at_us <= last)
        elif t["behind"][rows].any():
            t["behind"][rows] = 0
        dt = np.where(first | late, 0, at_us - np.where(first, at_us, last)).astype(np.float64)
        use = ~late
        cadence = self._learn_cadence(rows, dt, use & ~first)
        gap = (dt > 2.5 * cadence) & (dt > 0)

        start, litres, event = self._from_register(rows, at_us, register, use, first)
        gap |= np.isfinite(litres) & (at_us - start > 2.5 * cadence)  # readings without a register
        without = np.isnan(litres) & np.isnan(register) & use
        if without.any():
            span = np.where(gap, np.minimum(cadence, dt), dt)
            span = np.where(first, cadence, span)
            reported = np.where(np.isfinite(consumption), consumption, flow * span / HOUR_US)
            take = without & np.isfinite(reported) & (span > 0)
            litres = np.where(take, reported, litres)
            start = np.where(take, at_us - span.astype(np.int64), start)
            gap = np.where(take, False, gap)
            event = np.where(take & (reported < 0), np.int8(MeterEvent.BACKFLOW), event)
        hours = np.maximum(at_us - start, 0) / HOUR_US
        every = cadence / HOUR_US
        seen = np.where(hours > 1.5 * every, np.minimum(hours, every), hours)
        wild = np.abs(litres) > self.max_rate * np.maximum(hours, 1 / 60)
        if wild.any():
            event = np.where(wild, np.int8(MeterEvent.JUMP), event)
            litres = np.where(wild, np.nan, litres)
        small = (litres > 1e-3) & use & (hours <= COARSE_H)  # a day's use is no step of a register
        resolution = t["resolution"][rows]
        resolution = np.where(
            small & ((resolution == 0) | (litres < resolution)), litres, resolution
        )
        t["resolution"][rows] = resolution
        t["last_us"][rows] = np.where(use, at_us, last)
        return Intervals(rows, start, at_us, litres, hours, gap, seen, event, late)

    def _count_behind(self, rows: Rows, at_us: Array, last: Array, late: Array) -> Array:
        far = late & (last - np.where(late, at_us, last) > _WEEK_US)
        behind = np.where(far, self.table["behind"][rows] + 1, 0).astype(np.int16)
        reset = behind >= LATE_RESET
        self.table["behind"][rows] = np.where(reset, 0, behind)
        if reset.any():
            self.table["register_us"][rows[reset]] = NEVER
        return late & ~reset

    def _learn_cadence(self, rows: Rows, dt: Array, use: Array) -> Array:
        t = self.table
        cadence, seen = t["cadence_us"][rows], t["intervals"][rows]
        steps = np.maximum(0.02, 0.5 / (1.0 + seen))
        moved = cadence * np.exp(np.sign(dt - cadence) * np.minimum(steps, 0.25))
        moved = np.where(cadence <= 0, np.minimum(dt, _FIRST_CADENCE_US), moved)
        near = np.abs(dt - cadence) < 0.05 * cadence
        moved = np.where(near & (cadence > 0), cadence + 0.05 * (dt - cadence), moved)
        learned = np.where(use & (dt >= SECOND_US), moved, cadence)
        t["cadence_us"][rows] = learned
        t["intervals"][rows] = np.minimum(seen + use, 2**30)
        return learned

    def _from_register(
        self, rows: Rows, at_us: Array, register: Array, use: Array, first: Array
    ) -> tuple[Array, Array, Array]:
        t = self.table
        n = len(rows)
        start, litres = at_us.copy(), np.full(n, np.nan)
        event = np.zeros(n, np.int8)
        has = np.isfinite(register) & use
        if not has.any():
            return start, litres, event
        before, since = t["register"][rows], t["register_us"][rows]
        # one zero among other registers is a read that failed; the second in a row is a register that begins anew
        zero = has & (register == 0) & (before > 0) & (since == t["last_us"][rows])
        if zero.any():  # unless it may have passed its end
            end = 10.0 ** np.ceil(np.log10(np.where(zero, before, 1.0)))
            has &= ~(zero & (before <= 0.9 * end))
        pair = has & (since != NEVER) & ~first
        span = np.where(pair, at_us - np.where(pair, since, 0), 0)
        hours = np.maximum(span / HOUR_US, SHORTEST_H)
        start = np.where(pair, since, start)
        held = t["factor"][rows].astype(np.float64)
        factor = unit_factor(pair, register, before, hours, held)
        t["factor"][rows] = np.where(pair, factor, held)
        litres, event = differences(
            before,
            register,
            hours,
            pair=pair,
            factor=factor,
            most=self.max_rate,
            most_back=self.max_back,
        )
        kept = np.where(factor != 1, register * factor, register)
        t["register"][rows] = np.where(has, kept, before)
        t["register_us"][rows] = np.where(has, at_us, since)
        return start, litres, event
