"""Splits a batch in which sensors occur several times into rounds in which each occurs once, in the order of the feed.

A scatter finds first occurrences without sorting; a batch with many repeats is sorted. It refuses to touch readings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from services.detect.table import Rows

_SCANS: Final = 4
"""Rounds found by scattering before the rest is sorted; random sensors rarely need more."""


class Rounds:
    """Scratch memory for splitting: one integer a sensor."""

    def __init__(self) -> None:
        self._mark = np.empty(0, np.intp)

    def reserve(self, rows: int) -> None:
        """Make room for rows 0 to rows - 1."""
        if rows > len(self._mark):
            self._mark = np.zeros(max(rows, 2 * len(self._mark)), np.intp)

    def split(self, rows: Rows) -> Iterator[Rows]:
        """Positions (into rows) of the first, second, ... reading of each sensor, in the order of the feed."""
        rest: Rows = np.arange(len(rows))
        mark = self._mark
        for _ in range(_SCANS):
            left = rows[rest]
            mark[left[::-1]] = rest[::-1]  # the first position of a sensor is written last
            first = mark[left] == rest
            if first.all():
                yield rest
                return
            yield rest[first]
            rest = rest[~first]
        order = rest[np.argsort(rows[rest], kind="stable")]
        ordered = rows[order]
        begin = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        rank = np.arange(len(order)) - np.repeat(begin, np.diff(np.append(begin, len(order))))
        by_rank = np.argsort(rank, kind="stable")
        for part in np.split(order[by_rank], np.cumsum(np.bincount(rank))[:-1]):
            yield np.sort(part)
