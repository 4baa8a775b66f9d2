"""What numpy does element by element, for arrays of a few dozen sensors: its own functions take longer to find out what
they were given than to compute. It refuses to give other results than theirs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def clip(values: Array, low: Array | float, high: Array | float) -> Array:
    """(n,) the values, low and high at the least and at the most; NaN stays. As `numpy.clip`."""
    return np.minimum(np.maximum(values, low), high)


def or_zero(values: Array, otherwise: float = 0.0) -> Array:
    """(n,) the values, and zero (or `otherwise`) for NaN. As `numpy.nan_to_num`, but what is infinite stays so."""
    return np.where(np.isnan(values), otherwise, values)
