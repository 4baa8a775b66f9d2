"""One score in 0..1 for each value of any series. It refuses to know what the values mean, and raises no alert."""

from __future__ import annotations

import numpy as np

from services.detect.rounds import Rounds
from services.detect.table import Array, Rows
from services.detect.windows.exponential import Exponential


class AnomalyScore:
    """Scores of many series, one row a series."""

    def __init__(self) -> None:
        self._level = Exponential(0.01)
        self._rounds = Rounds()

    def add(self, count: int) -> None:
        """Make room for `count` more series."""
        self._level.table.add(count)
        self._rounds.reserve(self._level.table.n)

    def step(self, rows: Rows, at_us: Array, values: Array) -> Array:
        """(n,) scores of n values in the order of the stream; a row may occur several times. NaN scores 0."""
        del at_us
        scores = np.zeros(len(rows))
        for part in self._rounds.split(rows):
            scores[part] = self._round(rows[part], values[part])
        return scores

    def _round(self, rows: Rows, values: Array) -> Array:
        spread = np.sqrt(self._level.variance(rows))
        z = np.abs(values - self._level.mean(rows)) / np.maximum(spread, 1e-9)
        self._level.push(rows, values)
        z = np.where(np.isfinite(z) & (spread > 0), z, 0.0)
        return np.asarray(z / (z + 4.0))
