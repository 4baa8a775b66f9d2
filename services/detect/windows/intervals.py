"""From meter readings to intervals of consumption: differences of a register, reported volumes, or a rate.

A falling register is told apart into rollover, backflow, and reset or exchange; the last two are events and never
consumption. The register's resolution and the meter's cadence are learned. Readings that are not newer than the
last one of their sensor are late: they do not enter (the next difference of a register covers them anyway). It
refuses to alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from services.detect.table import NEVER, Array, Field, Rows, Table
from services.domain.instant import DAY_US, HOUR_US, SECOND_US

LATE_RESET: Final = 3
"""So many readings in a row, all more than a week behind the last: the clock was wrong, start from them."""
_FACTORS: Final = (1000.0, 0.001, 100.0, 0.01, 10.0, 0.1)
_FAR_LITRES_PER_H: Final = 2000.0
"""A register that moves faster (and by a m3) is asked whether it has changed its unit."""
_USUAL_LITRES_PER_H: Final = 300.0
"""What may have been used meanwhile when it has."""
_STEPS_H: Final = 2.2
_FIRST_CADENCE_US: Final = 2 * DAY_US
"""A first interval that is longer is a gap, whatever comes later."""
_WEEK_US: Final = 7 * DAY_US


class MeterEvent(IntEnum):
    """What a register did besides counting up."""

    NONE = 0
    ROLLOVER = 1
    BACKFLOW = 2
    EXCHANGE = 3
    """Reset or exchange: the new register has nothing to do with the old one."""
    UNIT = 5
    """The register goes on in another unit, a power of ten away; nothing is known until it comes back."""
    JUMP = 4
    """More litres than a pipe can carry: a wrong value or another meter; the register starts anew from it."""


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
        self, max_litres_per_h: float = 2e5, max_backflow_litres_per_h: float = 2000.0
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
        small = (litres > 1e-3) & use & (hours <= _STEPS_H)  # a day's use is no step of a register
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
        pair = has & (since != NEVER) & ~first
        span = np.where(pair, at_us - np.where(pair, since, 0), 0)
        hours = np.maximum(span / HOUR_US, 1 / 60)
        dv = np.where(pair, register - before, np.nan)
        start = np.where(pair, since, start)
        litres = np.where(pair, dv, litres)
        factor = self._unit(rows, pair, register, before, hours)
        foreign = factor != 1
        falling = pair & (dv < 0) & ~foreign
        if falling.any():
            modulus = 10.0 ** np.ceil(
                np.log10(np.maximum(np.where(falling, before, 1.0), 1.0) + 1e-9)
            )
            around = register + modulus - before
            back = falling & (-dv <= self.max_back * hours) & (register > 0)
            plausible = np.minimum(self.max_rate, 20_000.0) * hours
            rolled = (
                falling
                & (before > 0.9 * modulus)
                & (register < 0.1 * modulus)
                & (around >= 0)
                & (around <= plausible)
                & (modulus >= 1e3)
                & ~(back & (-dv < around))
            )
            back &= ~rolled
            exchanged = falling & ~back & ~rolled
            litres = np.where(rolled, around, np.where(exchanged, np.nan, litres))
            event = np.where(rolled, np.int8(MeterEvent.ROLLOVER), event)
            event = np.where(back, np.int8(MeterEvent.BACKFLOW), event)
            event = np.where(exchanged, np.int8(MeterEvent.EXCHANGE), event)
        if foreign.any():
            litres = np.where(foreign, np.nan, litres)
            event = np.where(foreign, np.int8(MeterEvent.UNIT), event)
            register = register * factor
        t["register"][rows] = np.where(has, register, before)
        t["register_us"][rows] = np.where(has, at_us, since)
        return start, litres, event

    def _unit(self, rows: Rows, pair: Array, register: Array, before: Array, hours: Array) -> Array:
        """(n,) power of ten by which the register must be multiplied to go on where it was; 1 where it does so itself.

        A register that left its unit may change its factor, or come back; what fits no factor is another register.
        """
        t = self.table
        held = t["factor"][rows].astype(np.float64)
        with np.errstate(invalid="ignore"):
            apart = np.abs(register - before) > _FAR_LITRES_PER_H * hours + 1000.0
        ask = pair & (apart | (held != 1)) & (register >= 20.0) & (before >= 1000.0)
        if not ask.any():
            return np.ones(len(rows))
        found = np.ones(len(rows))
        for factor in _FACTORS:
            forward = register * factor - before
            fits = (forward >= -factor) & (forward <= _USUAL_LITRES_PER_H * hours + factor + 10.0)
            found = np.where(ask & apart & fits & (found == 1), factor, found)
        t["factor"][rows] = np.where(pair, found, held)
        return found
