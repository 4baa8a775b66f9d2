"""What a cumulative register says between two readings: litres, or rollover, backflow, exchange, another unit, a jump.

One set of rules for the detectors' stream and for stored history. It refuses to call a fall of the register negative
consumption unless water can have flowed back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.domain.instant import HOUR_US

Array = NDArray[Any]
MOST_LITRES_PER_H: Final = 2e5
"""More than this is no consumption of a meter but a wrong value."""
MOST_BACKFLOW_LITRES_PER_H: Final = 2000.0
"""A register that falls faster was exchanged."""
SHORTEST_H: Final = 1 / 60
_ROLLOVER_LITRES_PER_H: Final = 20_000.0
_FACTORS: Final = (1000.0, 0.001, 100.0, 0.01, 10.0, 0.1)
_FAR_LITRES_PER_H: Final = 2000.0
"""A register that moves faster (and by a m3) is asked whether it has changed its unit."""
_USUAL_LITRES_PER_H: Final = 300.0
"""What may have been used meanwhile when it has."""


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
class Falls:
    """Which pairs of readings fall, and why; n pairs.

    Attributes:
        rolled: (n,) the register passed its end; around: (n,) litres if it did.
        back: (n,) water ran back; exchanged: (n,) reset or exchanged.
    """

    rolled: Array
    around: Array
    back: Array
    exchanged: Array


def falls(
    before: Array, register: Array, hours: Array, falling: Array, *, most: float, most_back: float
) -> Falls:
    """Tell falling registers apart.

    Args:
        before, register: (n,) litres; hours: (n,) between them, at least SHORTEST_H.
        falling: (n,) which pairs to ask about; register < before there.
        most, most_back: litres an hour forward and backward.
    """
    dv = np.where(falling, register - before, np.nan)
    modulus = 10.0 ** np.ceil(np.log10(np.maximum(np.where(falling, before, 1.0), 1.0) + 1e-9))
    around = register + modulus - before
    back = falling & (-dv <= most_back * hours) & (register > 0)
    plausible = np.minimum(most, _ROLLOVER_LITRES_PER_H) * hours
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
    return Falls(rolled, around, back, falling & ~back & ~rolled)


def unit_factor(pair: Array, register: Array, before: Array, hours: Array, held: Array) -> Array:
    """(n,) power of ten by which the register must be multiplied to go on where it was; 1 where it does so itself.

    A register that left its unit may change its factor, or come back; what fits no factor is another register.

    Args:
        pair: (n,) where there is a reading before.
        held: (n,) the factor of the reading before.
    """
    with np.errstate(invalid="ignore"):
        apart = np.abs(register - before) > _FAR_LITRES_PER_H * hours + 1000.0
    ask = pair & (apart | (held != 1)) & (register >= 20.0) & (before >= 1000.0)
    found = np.ones(len(register))
    if not ask.any():
        return found
    for factor in _FACTORS:
        forward = register * factor - before
        fits = (forward >= -factor) & (forward <= _USUAL_LITRES_PER_H * hours + factor + 10.0)
        found = np.where(ask & apart & fits & (found == 1), factor, found)
    return found


def consumed(
    at_us: Array,
    register: Array,
    series: Array,
    most: float = MOST_LITRES_PER_H,
    most_back: float = MOST_BACKFLOW_LITRES_PER_H,
) -> tuple[Array, Array]:
    """Litres since the reading before of the same series, and what the register did.

    Args:
        at_us: (n,) when; register: (n,) litres, none NaN; series: (n,) whose; sorted by (series, at_us).

    Returns:
        (n,) litres, NaN where nothing is known (the first of a series, and after an exchange), negative only with
        BACKFLOW; (n,) int8 `MeterEvent`.
    """
    n = len(register)
    before, since = np.roll(register, 1).astype(np.float64), np.roll(at_us, 1)
    pair = np.roll(series, 1) == series
    pair[:1] = False
    factor = np.ones(n)
    hours = np.where(pair, np.maximum((at_us - since) / HOUR_US, SHORTEST_H), SHORTEST_H)
    found = unit_factor(pair, register, before, hours, np.ones(n))
    for i in np.flatnonzero(found != 1):
        _follow(int(i), register, before, factor=factor, pair=pair, hours=hours)
    litres, event = differences(
        before, register, hours, pair=pair, factor=factor, most=most, most_back=most_back
    )
    return litres, event


def differences(
    before: Array,
    register: Array,
    hours: Array,
    *,
    pair: Array,
    factor: Array,
    most: float,
    most_back: float,
) -> tuple[Array, Array]:
    """(n,) litres from `before` to `register`, NaN where they do not follow, and (n,) int8 `MeterEvent`."""
    litres = np.where(pair, register - before, np.nan)
    event = np.zeros(len(register), np.int8)
    foreign = factor != 1
    falling = pair & (litres < 0) & ~foreign
    if falling.any():
        found = falls(before, register, hours, falling, most=most, most_back=most_back)
        litres = np.where(found.rolled, found.around, np.where(found.exchanged, np.nan, litres))
        event = np.where(found.rolled, np.int8(MeterEvent.ROLLOVER), event)
        event = np.where(found.back, np.int8(MeterEvent.BACKFLOW), event)
        event = np.where(found.exchanged, np.int8(MeterEvent.EXCHANGE), event)
    if foreign.any():
        litres = np.where(foreign, np.nan, litres)
        event = np.where(foreign, np.int8(MeterEvent.UNIT), event)
    wild = np.abs(litres) > most * np.maximum(hours, SHORTEST_H)
    if wild.any():
        event = np.where(wild, np.int8(MeterEvent.JUMP), event)
        litres = np.where(wild, np.nan, litres)
    return litres, event


def _follow(
    i: int, register: Array, before: Array, *, factor: Array, pair: Array, hours: Array
) -> None:
    """From a reading in another unit on, one after the other, until the register is in its own unit again."""
    held = 1.0
    while i < len(register) and pair[i]:
        one = slice(i, i + 1)
        held = unit_factor(pair[one], register[one], before[one], hours[one], np.array([held]))[0]
        factor[i] = held
        if i + 1 < len(register) and pair[i + 1]:
            before[i + 1] = register[i] * held
        if held == 1:
            return
        i += 1
