"""The past of a recording that says when its lines arrived: all that has arrived, for those who judge sensors again.

The first value of each metric wins, as in the database. It holds what it was given, in memory; it refuses to forget.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from services.detect.table import Array
from services.domain.batch import ReadingBatch, concatenate
from services.domain.catalogue import Domain


class MemoryPast:
    """Readings by domain, in the order of their arrival."""

    def __init__(self) -> None:
        self._held: dict[Domain, list[ReadingBatch]] = {}

    def add(self, batch: ReadingBatch) -> None:
        """These arrived."""
        self._held.setdefault(batch.domain, []).append(batch)

    def news(self, late: ReadingBatch) -> Array:
        """(n,) bool, which late readings bring anything that has not arrived before."""
        brings = np.ones(len(late), np.bool_)
        parts = [
            part.take(chosen)
            for part in self._held.get(late.domain, ())
            if (chosen := np.isin(part.observed_us, late.observed_us)).any()
        ]
        if not parts:
            return brings
        known = concatenate(parts)
        have: dict[tuple[int, int], set[str]] = {}
        keys = zip(known.sensor.tolist(), known.observed_us.tolist(), strict=True)
        for row, key in enumerate(keys):
            metrics = have.setdefault(key, set())
            metrics.update(n for n, values in known.metrics.items() if np.isfinite(values[row]))
        keys = zip(late.sensor.tolist(), late.observed_us.tolist(), strict=True)
        for row, key in enumerate(keys):
            names = {n for n, values in late.metrics.items() if np.isfinite(values[row])}
            brings[row] = not names <= have.get(key, set())
        return brings

    def __call__(
        self, domain: Domain, numbers: Sequence[int], start_us: int, end_us: int
    ) -> Iterator[ReadingBatch]:
        """Readings of the sensors observed in [start, end), in the order of time, each once."""
        wanted = np.array(numbers, np.int64)
        parts = [
            part.take(chosen)
            for part in self._held.get(domain, ())
            if (
                chosen := (part.observed_us >= start_us)
                & (part.observed_us < end_us)
                & np.isin(part.sensor, wanted)
            ).any()
        ]
        if parts:
            yield _once(concatenate(parts))


def _once(batch: ReadingBatch) -> ReadingBatch:
    """The readings in the order of (time, sensor), those of one sensor and time as one."""
    rows = batch.take(np.lexsort((batch.sensor, batch.observed_us)))
    new = np.ones(len(rows), np.bool_)
    new[1:] = (np.diff(rows.observed_us) != 0) | (np.diff(rows.sensor) != 0)
    if new.all():
        return rows
    reading = np.cumsum(new) - 1
    metrics = {}
    for name, values in rows.metrics.items():
        measured = np.flatnonzero(np.isfinite(values))[::-1]
        joined = np.full(reading[-1] + 1, np.nan)
        joined[reading[measured]] = values[measured]  # the first that arrived is written last
        metrics[name] = joined
    first = rows.take(new)
    return ReadingBatch(
        rows.domain, first.sensor, first.observed_us, first.received_us, first.quality, metrics
    )
