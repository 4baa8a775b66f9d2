"""Splits a batch in which a (sensor, time) comes more than once into batches in which it comes once.

The store compares each batch with what is there; written one after the other in one transaction, the waves are
counted exactly as if the readings had come in separate batches. Readings that repeat what the same batch has already
said are counted here and never written. It refuses to merge values: the store does that.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from services.domain.batch import ReadingBatch


@dataclass(slots=True)
class Waves:
    """The rows of a batch, divided.

    Attributes:
        rows: for each wave the (k,) places in the batch; without corrections at most as many as the domain has metrics.
        duplicate: places of rows that bring nothing beyond earlier rows of the batch.
        conflicting: how many of those have another value for a metric than the earlier rows.
    """

    rows: list[NDArray[np.intp]]
    duplicate: list[int] = field(default_factory=list)
    conflicting: int = 0


def divide(batch: ReadingBatch, *, revise: bool = False) -> Waves:
    """The batch in waves of unique (sensor, observed_us), the first occurrences first.

    With `revise` a row that says a value otherwise brings something: it is written in a wave after the one it corrects.
    """
    n = len(batch)
    # A sum that wraps may join different keys; then the exact way below finds nothing to divide.
    mixed = batch.sensor.astype(np.int64) * np.int64(0x1F123BB5159A55E5) + batch.observed_us
    mixed.sort()
    if not (mixed[1:] == mixed[:-1]).any():
        return Waves([np.arange(n)])
    order = np.lexsort((batch.observed_us, batch.sensor))
    sensor, times = batch.sensor[order], batch.observed_us[order]
    same = (sensor[1:] == sensor[:-1]) & (times[1:] == times[:-1])
    wave = np.zeros(n, dtype=np.int64)
    waves = Waves([])
    starts = np.flatnonzero(np.concatenate([[True], ~same]))
    ends = np.append(starts[1:], n)
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if end - start > 1:
            _divide_group(batch, order[start:end].tolist(), wave, waves, revise=revise)
    for number in range(int(wave.max()) + 1):
        waves.rows.append(np.flatnonzero(wave == number))
    return waves


def _divide_group(
    batch: ReadingBatch,
    places: list[int],
    wave: NDArray[np.int64],
    waves: Waves,
    *,
    revise: bool,
) -> None:
    said: dict[str, float] = {}
    number = -1
    for place in places:
        brings = conflicts = False
        for name, values in batch.metrics.items():
            value = float(values[place])
            if np.isnan(value):
                continue
            if name not in said or (revise and said[name] != value):
                said[name] = value
                brings = True
            elif said[name] != value:
                conflicts = True
        if brings:
            number += 1
            wave[place] = number
        else:
            wave[place] = -1
            waves.duplicate.append(place)
            waves.conflicting += conflicts
