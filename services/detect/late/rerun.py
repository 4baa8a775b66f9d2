"""A second core over what is known of some sensors: their stored past, and what the live core heard meanwhile.

The past is read once and held as long as it is not large, so that two runs see the same. It refuses to compare.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from typing import Final, Protocol

import numpy as np

from services.detect.late.before import Before
from services.detect.late.groups import Group
from services.detect.late.heard import Heard
from services.detect.late.pieces import pieces
from services.detect.roster import Detecting
from services.detect.table import Array
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain
from services.domain.condition import Condition

MOST_HELD: Final = 500_000
"""Readings of a past that is held; a larger one is read again."""


class Past(Protocol):
    """Where stored readings are."""

    def __call__(
        self, domain: Domain, numbers: Sequence[int], start_us: int, end_us: int
    ) -> Iterator[ReadingBatch]:
        """Readings of the sensors observed in [start, end), in the order of time."""


class Known:
    """What is known of a group's readings.

    Args:
        newest: (n,) up to where the live core had read each of the group's sensors when this began.
        start_us: from when on the past is read.
        heard: what the live core has read of them since.
    """

    def __init__(
        self, past: Past, group: Group, newest: Array, start_us: int, heard: Heard | None
    ) -> None:
        self.heard: Sequence[ReadingBatch] = () if heard is None else heard.parts
        self._past, self._group = past, group
        self._start_us = start_us
        self._end_us = int(newest.max(initial=start_us)) + 1
        self._limits = np.zeros(max(group.numbers, default=0) + 1, np.int64)
        self._limits[list(group.numbers)] = newest
        self._held: list[ReadingBatch] | None = None

    def past(self) -> Iterator[ReadingBatch]:
        """Batches of the past, up to where the live core had read."""
        if self._held is not None:
            yield from self._held
            return
        held: list[ReadingBatch] = []
        readings = 0
        numbers = self._group.numbers
        for stored in self._past(self._group.domain, numbers, self._start_us, self._end_us):
            known = stored.take(stored.observed_us <= self._limits[stored.sensor])
            readings += len(known)
            if readings <= MOST_HELD:
                held.append(known)
            else:
                held.clear()
            yield known
        if readings <= MOST_HELD:
            self._held = held


class Rerun:
    """One run; each of its iterators pauses after every piece.

    Args:
        late: what is taken out of the past; None: nothing.

    Attributes:
        said: what the core said so far. readings: how many it took.
    """

    def __init__(self, core: Detecting, known: Known, late: ReadingBatch | None = None) -> None:
        self.core, self.readings = core, 0
        self.said: list[Condition] = []
        self._known, self._before = known, Before(late)
        self._heard = 0

    def past(self) -> Iterator[None]:
        """Take the past."""
        for batch in self._known.past():
            yield
            yield from self._take(self._before.without(batch))

    @property
    def behind(self) -> int:
        """How many readings the live core has heard more."""
        return sum(map(len, self._known.heard[self._heard :]))

    def hear(self) -> Iterator[None]:
        """Take what the live core has heard by now."""
        until = len(self._known.heard)
        while self._heard < until:
            self._heard += 1
            yield from self._take(self._known.heard[self._heard - 1])

    def _take(self, batch: ReadingBatch) -> Iterator[None]:
        for piece in pieces(batch):
            self.said += self.core.step(piece, int(piece.observed_us[-1]))
            self.readings += len(piece)
            yield


def caught_up(runs: Sequence[Rerun]) -> Iterator[None]:
    """Have all runs take what the live core has heard, and pause no more when they are there.

    Nor when the last stretch was not half as long as the one before: the feed would always be ahead.
    """
    longest = inf
    while (left := sum(run.behind for run in runs)) > 0:
        pauses, longest = left <= longest / 2, left
        for run in runs:
            for _ in run.hear():
                if pauses:
                    yield
