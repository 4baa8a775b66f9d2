"""What stands where nothing was measured: nothing, the value before, or a line between its neighbours; always marked.

It refuses to go beyond the last measurement in a line, and to fill a gap that is longer than its caller allows.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Gaps(StrEnum):
    """How a missing value is shown."""

    NULL = "null"
    """Missing."""
    HOLD = "hold"
    """The last value before it."""
    INTERPOLATE = "interpolate"
    """On the line between the values before and after it."""


def filled(
    values: NDArray[np.float64], at_us: NDArray[np.int64], how: Gaps, longest_us: int | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The values with gaps filled, and which are imputed.

    Args:
        values: (k, m) of k series at m times; NaN is missing.
        at_us: (m,) the times, in order.
        longest_us: gaps of more time between two known values stay; None: all are filled.

    Returns:
        (k, m) values; (k, m) whether each was imputed.
    """
    known = ~np.isnan(values)
    imputed = np.zeros(values.shape, np.bool_)
    if how is Gaps.NULL or values.shape[1] == 0:
        return values, imputed
    m = values.shape[1]
    places = np.arange(m)
    before = np.maximum.accumulate(np.where(known, places, -1), axis=1)
    after = np.minimum.accumulate(np.where(known, places, m)[:, ::-1], axis=1)[:, ::-1]
    low, high = np.clip(before, 0, None), np.clip(after, None, m - 1)
    rows = np.arange(len(values))[:, None]
    # a gap that has no end yet is as long as it has lasted
    length_us = np.where(after < m, at_us[high], at_us[places]) - at_us[low]
    fill = ~known & (before >= 0)
    if longest_us is not None:
        fill &= length_us <= longest_us
    if how is Gaps.HOLD:
        new = values[rows, low]
    else:
        fill &= after < m
        span = np.maximum(at_us[high] - at_us[low], 1)
        share = (at_us[places] - at_us[low]) / span
        start = values[rows, low]
        new = start + (values[rows, high] - start) * share
    imputed |= fill
    return np.where(fill, new, values), imputed
