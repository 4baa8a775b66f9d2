"""Corrections that the broker sends again: of a reading that was corrected before the kill, all its values come again.

Written one after the other they would undo and redo the correction. It looks only at readings whose every row in the
batch comes again; where the last of them is what is stored, all of them are done. It refuses to guess beyond a batch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.domain.batch import ReadingBatch
from services.store.writing.readings import ReadingWriter


def replayed(
    writer: ReadingWriter, batch: ReadingBatch, again: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(n,) rows of readings that come again several times and end as they are stored."""
    done = np.zeros(len(batch), np.bool_)
    order = np.lexsort((batch.observed_us, batch.sensor))
    sensor, times = batch.sensor[order], batch.observed_us[order]
    ends = np.append((sensor[1:] != sensor[:-1]) | (times[1:] != times[:-1]), True)
    group = np.concatenate([[0], np.cumsum(ends[:-1])])
    rows = np.bincount(group)
    whole = (np.bincount(group, weights=again[order]) == rows) & (rows > 1)
    if not whole.any():
        return done
    last = np.flatnonzero(ends)[whole]
    stands = writer.holds(batch.take(order[last]))
    settled = np.zeros(len(rows), np.bool_)
    settled[np.flatnonzero(whole)[stands]] = True
    done[order] = settled[group]
    return done
