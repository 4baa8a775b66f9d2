"""How often the clock is looked at where time is that of the readings, and where a batch of them may be cut for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

import numpy as np

from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain
from services.domain.instant import SECOND_US

TICK_US: Final[Mapping[Domain, int]] = {
    Domain.WATER: 900 * SECOND_US,
    Domain.TRAFFIC: 60 * SECOND_US,
}
"""How often the clock is looked at, in stream time."""


def parts_by_time(batch: ReadingBatch) -> Iterator[tuple[ReadingBatch, int]]:
    """Parts of a batch in its order, and the time that the feed has reached behind each: nothing older follows in it.

    A batch in which each sensor's days come one after the other is not cut: the second sensor is not silent.
    """
    every = TICK_US[batch.domain]
    at = batch.observed_us
    oldest_left = np.minimum.accumulate(at[::-1])[::-1]  # of this row and those behind it
    cuts = np.flatnonzero(np.diff(oldest_left // every)) + 1
    for a, b in pairwise([0, *cuts.tolist(), len(batch)]):
        part = batch if b - a == len(batch) else batch.take(np.arange(a, b))
        reached = int(oldest_left[b] if b < len(batch) else at.max())
        yield part, reached
