"""Faults of delivery: messages that come twice, late, or damaged, as seeded shares of a stream.

It changes no reading that is not damaged on purpose, and it keeps the order of sending times.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from itertools import count
from typing import Final

import numpy as np

from services.domain.instant import HOUR_US, SECOND_US
from simulators.messages import Message
from simulators.scenario import DeliveryScenario


class Damage(StrEnum):
    """Ways in which a message is unreadable; each costs its readings, which count as rejected."""

    CUT = "cut"
    NOT_UTF8 = "not_utf8"
    NOT_FINITE = "not_finite"
    UNKNOWN_UNIT = "unknown_unit"
    UNKNOWN_METRIC = "unknown_metric"
    NO_ZONE = "no_zone"


_UNIT: Final = re.compile(rb'("units":\{"\w+":)"[^"]*"')


def _replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda payload: payload.replace(old, new, 1)


DAMAGES: Final[Mapping[Damage, Callable[[bytes], bytes]]] = {
    Damage.CUT: lambda payload: payload[: len(payload) // 2],
    Damage.NOT_UTF8: _replaced(b'"time"', b'"ti\xffme"'),
    Damage.NOT_FINITE: _replaced(b'"values":{', b'"values":{"count":NaN,'),
    Damage.UNKNOWN_UNIT: lambda payload: _UNIT.sub(rb'\1"furlong"', payload, count=1),
    Damage.UNKNOWN_METRIC: _replaced(b'"values":{', b'"values":{"smell":1.0,'),
    Damage.NO_ZONE: _replaced(b'Z"', b'"'),
}


def disturb(messages: Iterable[Message], shares: DeliveryScenario, seed: int) -> Iterator[Message]:
    """The stream with its faults; messages of one reading each, in the order of `due_us`."""
    draw = np.random.default_rng([seed, 21])
    order = count()
    later: list[tuple[int, int, Message]] = []
    damages = tuple(DAMAGES.values())
    twice, broken = shares.duplicate_share, shares.duplicate_share + shares.malformed_share
    held = broken + shares.late_share
    for message in messages:
        while later and later[0][0] <= message.due_us:
            yield heapq.heappop(later)[2]
        chance = draw.random()
        if chance < twice:
            yield message
            again = message._replace(due_us=message.due_us + 5 * SECOND_US)
            heapq.heappush(later, (again.due_us, next(order), again))
        elif chance < broken:
            yield message
            damaged = damages[int(draw.integers(len(damages)))](message.payload)
            yield message._replace(payload=damaged, readings=1, sound=False)
        elif chance < held:
            late = message._replace(due_us=message.due_us + round(shares.late_h * HOUR_US))
            heapq.heappush(later, (late.due_us, next(order), late))
        else:
            yield message
    while later:
        yield heapq.heappop(later)[2]
