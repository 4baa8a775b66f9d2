"""How the values of a bucket become one number, and how numbers of parts become that of the whole. Missing is not zero.

Rows come sorted by cell (a cell is one series in one bucket); a cell without values gives NaN, and a count of 0.
"""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True)
class Parts:
    """What is known of parts of time in which there are values, n of them in the order of (series, time).

    Attributes:
        count: (n,) values, at least one each; total, low, high: (n,) their sum, least and greatest.
        first, last: (n,) the earliest and the latest of them.
    """

    count: Floats
    total: Floats
    low: Floats
    high: Floats
    first: Floats
    last: Floats

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Parts:
        """The chosen parts."""
        return Parts(
            self.count[rows],
            self.total[rows],
            self.low[rows],
            self.high[rows],
            self.first[rows],
            self.last[rows],
        )

    def __len__(self) -> int:
        return len(self.count)


def parts_of(values: Floats) -> Parts:
    """Each value (n,), none NaN, as a part of its own."""
    return Parts(np.ones(len(values)), values, values, values, values, values)


def joined(*several: Parts) -> Parts:
    """One after the other."""
    return Parts(
        np.concatenate([each.count for each in several]),
        np.concatenate([each.total for each in several]),
        np.concatenate([each.low for each in several]),
        np.concatenate([each.high for each in several]),
        np.concatenate([each.first for each in several]),
        np.concatenate([each.last for each in several]),
    )


def merged(parts: Parts, cell: Cells) -> tuple[Cells, Parts]:
    """The parts of each cell as one: the cells that have any, in order, and what is known of them.

    Args:
        cell: (n,) not falling.
    """
    if not len(parts):
        return cell, parts
    begin = np.flatnonzero(np.diff(cell, prepend=cell[0] - 1))
    end = np.append(begin[1:], len(cell))
    return cell[begin], Parts(
        np.add.reduceat(parts.count, begin),
        np.add.reduceat(parts.total, begin),
        np.minimum.reduceat(parts.low, begin),
        np.maximum.reduceat(parts.high, begin),
        parts.first[begin],
        parts.last[end - 1],
    )


def spread(statistic: Statistic, parts: Parts, cell: Cells, cells: int) -> Floats:
    """(cells,) a statistic that follows from parts, one part a cell; NaN (a count: 0) where there is none."""
    columns = {
        Statistic.MIN: parts.low,
        Statistic.MAX: parts.high,
        Statistic.SUM: parts.total,
        Statistic.COUNT: parts.count,
        Statistic.FIRST: parts.first,
        Statistic.LAST: parts.last,
    }
    whole = np.full(cells, 0.0 if statistic is Statistic.COUNT else np.nan)
    whole[cell] = parts.total / parts.count if statistic is Statistic.AVG else columns[statistic]
    return whole


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
