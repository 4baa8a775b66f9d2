"""What the live core hears of sensors while they are judged again: those who judge them catch up with it.

It refuses to hold more than a bound; who sees that it is `full` lets the feed wait and finishes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain

MOST_READINGS: Final = 200_000


class Heard:
    """Readings of some sensors, in the order in which the live core took them.

    Attributes:
        parts: them, as they came.
    """

    def __init__(self, domain: Domain, numbers: Sequence[int]) -> None:
        self.parts: list[ReadingBatch] = []
        self._domain, self._readings = domain, 0
        self._mine = np.zeros(max(numbers, default=0) + 1, np.bool_)
        self._mine[list(numbers)] = True

    @property
    def full(self) -> bool:
        """Whether it holds as much as it may."""
        return self._readings >= MOST_READINGS

    def add(self, batch: ReadingBatch) -> None:
        """The live core took this batch."""
        if batch.domain is not self._domain:
            return
        inside = batch.sensor < len(self._mine)
        mine = inside & self._mine[np.where(inside, batch.sensor, 0)]
        if mine.any():
            self.parts.append(batch.take(mine))
            self._readings += len(self.parts[-1])
