"""Exponential means of several signals of each series, each with its own span, without the pull of their beginning.

s = (1 - a) s + a x; the mean is s / (1 - (1 - a)^n), a = 1 / span. It refuses NaN and to know times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from services.detect.table import Array, Field, Rows, Table

_LONG: Final = 20_000
"""Values after which a mean has forgotten its beginning, whatever its span (at most 600)."""


class Means:
    """One mean for each span.

    Args:
        spans: in values, 1 to 600.
    """

    def __init__(self, spans: Sequence[float]) -> None:
        self._alpha = 1.0 / np.array(spans, np.float64)
        n = np.maximum(np.arange(_LONG + 1), 1)[:, None]
        self._whole = 1.0 - (1.0 - self._alpha) ** n
        self.table = Table({"sums": Field("f8", 0.0, (len(spans),))})

    def push(self, rows: Rows, values: Array, count: Array) -> Array:
        """(n, spans) means after one more value each; rows are distinct.

        Args:
            values: (n, spans), finite.
            count: (n,) values so far, with this one.
        """
        sums = self.table["sums"]
        new = (1.0 - self._alpha) * sums[rows] + self._alpha * values
        sums[rows] = new
        means: Array = new / self._whole[np.minimum(count, _LONG)]
        return means
