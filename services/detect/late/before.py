"""The past as it was before late readings and metrics came.

It is made once of what came late and then asked for batch after batch; it refuses to know why that is wanted.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from services.detect.table import Array
from services.domain.batch import ReadingBatch


class Before:
    """Takes out of readings what came late.

    Args:
        late: late readings of one domain; None takes out nothing.
    """

    def __init__(self, late: ReadingBatch | None) -> None:
        self._domain = None if late is None else late.domain
        self._known: dict[str, Array] = {}
        if late is None:
            return
        self._times = np.unique(late.observed_us)
        place = np.searchsorted(self._times, late.observed_us)
        key = late.sensor.astype(np.int64) * len(self._times) + place
        for name, values in late.metrics.items():
            self._known[name] = np.unique(key[np.isfinite(values)])

    def without(self, batch: ReadingBatch) -> ReadingBatch:
        """A batch of the past as it was before; readings of which nothing is left are left out."""
        if batch.domain is not self._domain or not len(batch) or not batch.metrics:
            return batch
        place = np.minimum(np.searchsorted(self._times, batch.observed_us), len(self._times) - 1)
        here = np.flatnonzero(self._times[place] == batch.observed_us)
        key = batch.sensor[here].astype(np.int64) * len(self._times) + place[here]
        metrics = dict(batch.metrics)
        for name in metrics.keys() & self._known.keys():
            came = here[np.isin(key, self._known[name])]
            metrics[name] = metrics[name].copy()
            metrics[name][came] = np.nan
        left = np.any([np.isfinite(values) for values in metrics.values()], axis=0)
        return replace(batch, metrics=metrics).take(left)
