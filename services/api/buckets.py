"""The grid of buckets of a range, and values laid onto it: a bucket without values is there, and empty.

Its edges are those of TimescaleDB's `time_bucket`: whole days begin at local midnight, weeks on Monday; shorter ones
are counted in UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from services.domain.instant import SECOND_US, to_us

STEPS_S: Final = (
    *(1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 10_800, 14_400, 21_600, 43_200),
    *(86_400, 172_800, 604_800, 2_419_200, 7_862_400, 31_622_400),
)
"""Lengths that a person would choose."""
_DAY_S: Final = 86_400
_ORIGIN: Final = datetime(2000, 1, 3)  # noqa: DTZ001 - local midnight of a Monday, in any zone


def grid(start: datetime, end: datetime, bucket_s: int, zone: str) -> NDArray[np.int64]:
    """Beginnings of the buckets that touch [start, end), microseconds since 1970, in order."""
    if bucket_s % _DAY_S:
        width_us = bucket_s * SECOND_US
        origin = to_us(_ORIGIN.replace(tzinfo=UTC))
        first = (to_us(start) - origin) // width_us * width_us + origin
        return np.arange(first, to_us(end), width_us, dtype=np.int64)
    width = timedelta(seconds=bucket_s)
    local = start.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    at = _ORIGIN + (local - _ORIGIN) // width * width
    edges = []
    while (edge := to_us(at.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC))) < to_us(end):
        edges.append(edge)
        at += width
    return np.array(edges, np.int64)


def count(start: datetime, end: datetime, bucket_s: int) -> int:
    """How many buckets a range may touch; it touches up to two fewer."""
    return (to_us(end) - to_us(start)) // (bucket_s * SECOND_US) + 2


def fitting(start: datetime, end: datetime, most: int) -> int:
    """Seconds of the shortest usual bucket of which a range touches at most `most`."""
    return next((step for step in STEPS_S if count(start, end, step) <= most), STEPS_S[-1])


def laid_out(
    edges: NDArray[np.int64],
    bucket_us: NDArray[np.int64],
    lane: NDArray[np.intp],
    lanes: int,
    values: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Values on the whole grid, NaN where there are none.

    Args:
        edges: (b,) beginnings of the buckets, in order.
        bucket_us: (n,) the bucket of each value; every one is an edge.
        lane: (n,) 0 to lanes - 1: whose value it is.
        lanes: how many there are.
        values: (n,) the values.

    Returns:
        (b * lanes,) in the order of (bucket, lane).
    """
    whole = np.full(len(edges) * lanes, np.nan)
    whole[np.searchsorted(edges, bucket_us) * lanes + lane] = values
    return whole
