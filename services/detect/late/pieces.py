"""Pieces of the past so small that the live feed can wait for one: the outcome does not depend on where it is cut.

A piece ends where the feed's pace looks at neighbours (half a minute of a road, an hour of water), where a sensor
speaks for the third time, and after two thousand readings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

import numpy as np

from services.detect.pace import BIN_US
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain
from services.domain.instant import HOUR_US

_LOOK_US: Final[Mapping[Domain, int]] = {Domain.WATER: HOUR_US}
_ROUNDS: Final = 2
_READINGS: Final = 2_000


def pieces(batch: ReadingBatch) -> Iterator[ReadingBatch]:
    """The batch in its order, piece by piece."""
    n = len(batch)
    if not n:
        return
    look = batch.observed_us // _LOOK_US.get(batch.domain, BIN_US)
    begins = np.ones(n, np.bool_)
    begins[1:] = look[1:] != look[:-1]
    stretch = np.cumsum(begins) - 1
    order = np.lexsort((np.arange(n), batch.sensor, stretch))
    other = np.ones(n, np.bool_)  # another sensor or stretch than the one before, in that order
    other[1:] = np.diff(batch.sensor[order]) != 0
    other[1:] |= np.diff(stretch[order]) != 0
    first = np.flatnonzero(other)
    spoken = np.empty(n, np.int64)  # how often the sensor had spoken in the stretch before
    spoken[order] = np.arange(n) - np.repeat(first, np.diff(np.append(first, n)))
    turn = np.maximum.accumulate(stretch * (n + 1) + spoken // _ROUNDS)
    cuts = (np.flatnonzero(np.diff(turn)) + 1).tolist()
    for a, b in pairwise([0, *cuts, n]):
        for start in range(a, b, _READINGS):
            yield batch.take(np.arange(start, min(start + _READINGS, b)))
