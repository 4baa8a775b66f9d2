"""The same question at an earlier time, laid beside the buckets of now: last week, last year, and what is usual.

Earlier is earlier on the local calendar, so that eight o'clock meets eight o'clock across a change of the clocks. It
refuses to call usual what fewer than three earlier weeks show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.api.history.lengths import Length
from services.domain.instant import from_us, to_us
from services.store.query.question import Question as Asked

Floats = NDArray[np.float64]
Ask = Callable[[Asked], tuple[NDArray[np.int64], Floats]]
"""Answers a question: (b + 1,) edges and (c, k, m) values of c columns, k sensors and m buckets."""

BASELINE_WEEKS: Final = 8
FEWEST_WEEKS: Final = 3
QUANTILES: Final = (0.1, 0.5, 0.9)
"""Lower bound, median and upper bound of the band."""
_WEEK_S: Final = 7 * 86_400


def shifted(ask: Ask, asked: Asked, edges_us: NDArray[np.int64], back: Length, zone: str) -> Floats:
    """(c, k, m) the values of the buckets that lie so much earlier; NaN where there are none.

    Args:
        edges_us: (m + 1,) the buckets of now.
    """
    start, end = back.before(asked.start, zone), back.before(asked.end, zone)
    if to_us(start) >= to_us(end):
        end = from_us(to_us(start) + 1)
    earlier_edges, values = ask(replace(asked, start=start, end=end))
    wanted = back.all_before(edges_us[:-1], zone)
    middle = back.all_before((edges_us[:-1] + edges_us[1:]) // 2, zone)
    at = np.searchsorted(earlier_edges, np.maximum(wanted, middle), side="right") - 1
    there = (at >= 0) & (at < values.shape[2])
    found = np.full((*values.shape[:2], len(wanted)), np.nan)
    found[:, :, there] = values[:, :, at[there]]
    return found


def usual(ask: Ask, asked: Asked, edges_us: NDArray[np.int64], zone: str) -> Floats:
    """(3, c, k, m) the band in which the same hours of the last weeks lay: 10 % quantile, median, 90 % quantile.

    NaN where fewer than FEWEST_WEEKS of the BASELINE_WEEKS weeks before have a value.
    """
    weeks = np.stack(
        [
            shifted(ask, asked, edges_us, Length(0, _WEEK_S * (i + 1)), zone)
            for i in range(BASELINE_WEEKS)
        ]
    )
    number = (~np.isnan(weeks)).sum(axis=0)
    ranked = np.sort(weeks, axis=0)  # NaN last
    band = np.full((len(QUANTILES), *weeks.shape[1:]), np.nan)
    enough = number >= FEWEST_WEEKS
    for i, share in enumerate(QUANTILES):
        place = (np.maximum(number, 1) - 1) * share
        low = np.floor(place).astype(np.intp)
        high = np.minimum(low + 1, np.maximum(number, 1) - 1)
        below = np.take_along_axis(ranked, low[None], axis=0)[0]
        above = np.take_along_axis(ranked, high[None], axis=0)[0]
        band[i] = np.where(enough, below + (above - below) * (place - low), np.nan)
    return band
