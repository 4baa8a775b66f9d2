"""The pace of a feed: bins (half a minute of traffic, an hour of water) of its newest time, found in the order of the
feed, so that neighbours can be compared at the same moments however it is cut. It refuses to be led astray by one
sensor's wrong clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from services.detect.table import NEVER, Array, Rows
from services.domain.instant import HOUR_US, SECOND_US

BIN_US = 30 * SECOND_US
_INSISTS = 2
"""After so many claims of one sensor alone, its next one is believed."""


class Pace:
    """The newest credible time of a feed.

    A time more than an hour ahead is believed when a second sensor says so too (after a pause of the whole feed), or
    when one sensor says so three times on end and no other says anything in between (a feed of one sensor).

    Args:
        bin_us: how long a bin is.
    """

    def __init__(self, bin_us: int = BIN_US) -> None:
        self.bin_us = bin_us
        self.clock_us = NEVER
        self.claim_us = NEVER
        self.claimant = -1
        self.claims = 0

    def segments(
        self, at_us: Array, sensor: Rows, cut: bool = True
    ) -> Iterator[tuple[Rows, int | None]]:
        """Parts of the feed (positions) within one bin; the end of the bin in microseconds where it is complete then.

        Args:
            at_us: (n,) times in the order of the feed; sensor: (n,) who says so.
            cut: False takes the feed as one part without an end, where nobody asks for the bins.
        """
        newest = self._newest(at_us, sensor)
        if not cut:
            self.clock_us = int(newest[-1])
            yield np.arange(len(at_us)), None
            return
        bins = newest // self.bin_us
        before = self.clock_us // self.bin_us if self.clock_us != NEVER else bins[0]
        cuts = np.flatnonzero(np.diff(bins, prepend=before))
        edges = [0, *cuts.tolist(), len(at_us)]
        self.clock_us = int(newest[-1])
        for i, (a, b) in enumerate(pairwise(edges)):
            last = i == len(edges) - 2
            done = None if last else int((bins[b - 1] if b else before) + 1) * self.bin_us
            yield np.arange(a, b), done

    def _newest(self, at_us: Array, sensor: Rows) -> Array:
        start = self.clock_us
        if start == NEVER:
            start = int(at_us[0])
        running = np.maximum(np.maximum.accumulate(at_us), start)
        if running[-1] - start <= HOUR_US and self.claim_us == NEVER:
            return running
        out = np.empty(len(at_us), np.int64)
        clock = start
        for i, (at, who) in enumerate(zip(at_us.tolist(), sensor.tolist(), strict=True)):
            if at <= clock + HOUR_US:
                clock = max(clock, at)
                if who != self.claimant:
                    self.claims = 0
            elif self._believed(at, who):
                clock, self.claim_us, self.claimant, self.claims = at, NEVER, -1, 0
            else:
                self.claims = self.claims + 1 if who == self.claimant else 1
                self.claim_us, self.claimant = at, who
            out[i] = clock
        return out

    def _believed(self, at_us: int, who: int) -> bool:
        if self.claim_us == NEVER:
            return False
        if who == self.claimant:
            return self.claims >= _INSISTS and at_us > self.claim_us
        return abs(at_us - self.claim_us) <= HOUR_US

    def facts(self) -> list[int]:
        """State as plain numbers."""
        return [self.clock_us, self.claim_us, self.claimant, self.claims]

    def restore(self, facts: list[int]) -> None:
        """Take over `facts`, unless the clock is ahead of them already."""
        if facts[0] >= self.clock_us:
            self.clock_us, self.claim_us, self.claimant, self.claims = facts
