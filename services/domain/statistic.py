"""How the values of a bucket become one number, and how numbers of parts become that of the whole. Missing is not zero.

Rows come sorted by cell (a cell is one series in one bucket); a cell without values gives NaN, and a count of 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Cells = NDArray[np.int64]


class Statistic(StrEnum):
    """What is asked of the values of a bucket.

    TIME_WEIGHTED: the mean over time, each value holding until the next one; pNN: percentiles, interpolated between
    the two nearest values as PostgreSQL's percentile_cont does. FIRST and LAST go by observed time.
    """

    AVG = "avg"
    MIN = "min"
    MAX = "max"
    SUM = "sum"
    COUNT = "count"
    FIRST = "first"
    LAST = "last"
    TIME_WEIGHTED = "time_weighted"
    P05 = "p05"
    P10 = "p10"
    P15 = "p15"
    P25 = "p25"
    P50 = "p50"
    P75 = "p75"
    P85 = "p85"
    P90 = "p90"
    P95 = "p95"
    P99 = "p99"


SHARE_OF: Final[Mapping[Statistic, float]] = {
    each: int(each.value[1:]) / 100 for each in Statistic if each.value[1:].isdigit()
}
"""Percentile -> the share of values that lie below it."""
OF_VALUES: Final = frozenset(SHARE_OF) | {Statistic.TIME_WEIGHTED}
"""What only the values themselves tell; all others follow from those of parts."""


class Part(StrEnum):
    """What must be known of a part of time so that the statistics of the whole follow."""

    COUNT = "count"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    FIRST = "first"
    LAST = "last"


PARTS_OF: Final[Mapping[Statistic, tuple[Part, ...]]] = {
    Statistic.AVG: (Part.COUNT, Part.SUM),
    Statistic.MIN: (Part.MIN,),
    Statistic.MAX: (Part.MAX,),
    Statistic.SUM: (Part.SUM,),
    Statistic.COUNT: (Part.COUNT,),
    Statistic.FIRST: (Part.FIRST,),
    Statistic.LAST: (Part.LAST,),
}
"""Statistic -> what it follows from."""
Parts = Mapping[Part, Floats]
"""Of n parts of time, (n,) each: counts of at least 1, and what else is known of their values."""


def needed(statistics: Iterable[Statistic]) -> tuple[Part, ...]:
    """The parts from which these statistics follow, and always the count."""
    wanted = {Part.COUNT}.union(*(PARTS_OF.get(each, ()) for each in statistics))
    return tuple(part for part in Part if part in wanted)


def parts_of(values: Floats, wanted: Iterable[Part]) -> Parts:
    """Each value (n,), none NaN, as a part of its own."""
    return {part: np.ones(len(values)) if part is Part.COUNT else values for part in wanted}


@dataclass(frozen=True, slots=True)
class Folded:
    """What is known of each cell.

    Attributes:
        parts: (cells,) each; NaN (a count: 0) where there is no value.
        first_at, last_at: (cells,) when the first and the last part of it began, where there is any.
    """

    parts: Mapping[Part, Floats]
    first_at: Cells
    last_at: Cells

    def statistic(self, kind: Statistic) -> Floats:
        """(cells,) a statistic that follows from parts."""
        if kind is not Statistic.AVG:
            return self.parts[PARTS_OF[kind][0]]
        count = self.parts[Part.COUNT]
        mean = np.full(len(count), np.nan)
        np.divide(self.parts[Part.SUM], count, out=mean, where=count > 0)
        return mean


def fold(parts: Parts, at_us: Cells, cell: Cells, cells: int) -> Folded:
    """The parts of each cell as one.

    Args:
        at_us: (n,) when each part began; cell: (n,) not falling, and in each cell in the order of time.
    """
    first_at, last_at = np.zeros(cells, np.int64), np.zeros(cells, np.int64)
    whole = {part: np.full(cells, 0.0 if part is Part.COUNT else np.nan) for part in parts}
    if len(cell):
        begin = np.flatnonzero(np.diff(cell, prepend=cell[0] - 1))
        last = np.append(begin[1:], len(cell)) - 1
        where = cell[begin]
        first_at[where], last_at[where] = at_us[begin], at_us[last]
        for part, column in parts.items():
            if part is Part.FIRST:
                whole[part][where] = column[begin]
            elif part is Part.LAST:
                whole[part][where] = column[last]
            elif len(begin) == len(cell):
                whole[part][where] = column
            else:
                whole[part][where] = _JOIN[part].reduceat(column, begin)
    return Folded(whole, first_at, last_at)


def together(one: Folded, other: Folded) -> Folded:
    """The same cells from two sources, whose parts do not overlap in time."""
    has, also = one.parts[Part.COUNT] > 0, other.parts[Part.COUNT] > 0
    earlier = has & (~also | (one.first_at <= other.first_at))
    later = has & (~also | (one.last_at >= other.last_at))
    whole: dict[Part, Floats] = {}
    for part, column in one.parts.items():
        second = other.parts[part]
        if part is Part.FIRST:
            whole[part] = np.where(earlier, column, second)
        elif part is Part.LAST:
            whole[part] = np.where(later, column, second)
        else:
            both = _JOIN[part](column, second)
            whole[part] = np.where(has & also, both, np.where(has, column, second))
    return Folded(
        whole,
        np.where(earlier, one.first_at, other.first_at),
        np.where(later, one.last_at, other.last_at),
    )


_JOIN: Final[Mapping[Part, np.ufunc]] = {
    Part.COUNT: np.add,
    Part.SUM: np.add,
    Part.MIN: np.minimum,
    Part.MAX: np.maximum,
}


def percentiles(values: Floats, cell: Cells, cells: int, shares: list[float]) -> list[Floats]:
    """(cells,) for each share: the value below which that share of the cell's values lies, interpolated.

    Args:
        values: (n,) none NaN; cell: (n,) not falling.
    """
    found = [np.full(cells, np.nan) for _ in shares]
    if not len(values):
        return found
    begin = np.flatnonzero(np.diff(cell, prepend=cell[0] - 1))
    number = np.diff(np.append(begin, len(cell)))
    ranked = values[np.lexsort((values, cell))]
    for share, whole in zip(shares, found, strict=True):
        place = (number - 1) * share
        below = np.floor(place).astype(np.int64)
        above = np.minimum(below + 1, number - 1)
        low, high = ranked[begin + below], ranked[begin + above]
        whole[cell[begin]] = low + (high - low) * (place - below)
    return found


def time_weighted(
    at_us: Cells,
    values: Floats,
    series: Cells,
    *,
    hold_us: Floats,
    edges_us: Cells,
    start_us: int,
    end_us: int,
    number: int,
) -> Floats:
    """(number * b,) the mean over time of each series in each bucket; each value holds until the next of its series.

    Args:
        at_us: (n,) when; values: (n,) none NaN; series: (n,) 0 to number - 1; sorted by (series, time).
        hold_us: (number,) the longest that a value of each series holds; infinite where it holds until the next.
        edges_us: (b + 1,) the buckets' bounds.
        start_us, end_us: what holds before the one counts from there, and nothing holds longer than until the other.
    """
    buckets = len(edges_us) - 1
    total, weight = np.zeros(number * buckets), np.zeros(number * buckets)
    if len(values):
        stop = min(end_us, int(edges_us[-1]))
        until = np.append(at_us[1:], stop)
        until[np.append(series[1:] != series[:-1], True)] = stop
        hold = np.minimum(hold_us[series], 4e18).astype(np.int64)
        until = np.minimum(np.minimum(until, stop), at_us + hold)
        begin = np.maximum(at_us, start_us)
        bucket = np.searchsorted(edges_us, begin, side="right") - 1
        here = np.flatnonzero((until > begin) & (bucket < buckets))
        while here.size:
            b = bucket[here]
            length = (np.minimum(until[here], edges_us[b + 1]) - begin[here]).astype(np.float64)
            cell = series[here] * buckets + b
            np.add.at(total, cell, values[here] * length)
            np.add.at(weight, cell, length)
            bucket[here] += 1
            begin[here] = edges_us[b + 1]
            here = here[(until[here] > begin[here]) & (bucket[here] < buckets)]
    found = np.full(len(total), np.nan)
    np.divide(total, weight, out=found, where=weight > 0)
    return found
