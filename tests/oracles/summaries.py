"""Summaries by plain loops over readings: what the store's must equal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from services.domain.statistic import SHARE_OF, Statistic


def statistic(kind: Statistic, values: Sequence[float]) -> float:
    """Of the values of one bucket in the order of time; not the time-weighted mean."""
    if kind is Statistic.COUNT:
        return float(len(values))
    if not values:
        return math.nan
    if kind in SHARE_OF:
        ranked, place = sorted(values), (len(values) - 1) * SHARE_OF[kind]
        low, high = ranked[math.floor(place)], ranked[math.ceil(place)]
        return low + (high - low) * (place - math.floor(place))
    return {
        Statistic.AVG: sum(values) / len(values),
        Statistic.MIN: min(values),
        Statistic.MAX: max(values),
        Statistic.SUM: sum(values),
        Statistic.FIRST: values[0],
        Statistic.LAST: values[-1],
    }[kind]


def time_weighted(
    readings: Sequence[tuple[int, float]], low: int, high: int, hold_us: float
) -> float:
    """Mean over [low, high) of readings (time, value) in order, each holding until the next or for hold_us."""
    total = weight = 0.0
    for i, (at, value) in enumerate(readings):
        until = readings[i + 1][0] if i + 1 < len(readings) else high
        length = min(until, high, at + hold_us) - max(at, low)
        if length > 0:
            total, weight = total + value * length, weight + length
    return total / weight if weight else math.nan
