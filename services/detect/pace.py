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
_FOUNDED = 3
"""So often must the first sensor of all speak until its clock alone completes bins."""


class Pace:
    """The newest credible time of a feed.

    A time more than an hour ahead is believed when a second sensor says so too (after a pause of the whole feed), or
    when one sensor says so three times on end and no other says anything in between (a feed of one sensor). The first
    reading of all may be the one with the wrong clock: until a second sensor agrees with it, two that speak of an
    hour or more before it are believed against it, and no bin is complete before it has spoken three times.

    Args:
        bin_us: how long a bin is.
    """

    def __init__(self, bin_us: int = BIN_US) -> None:
        self.bin_us = bin_us
        self.clock_us = NEVER
        self.claim_us = NEVER
        self.claimant = -1
        self.claims = 0
        self.founder = -1
        self.founded = 0

    def segments(
        self, at_us: Array, sensor: Rows, cut: bool = True
    ) -> Iterator[tuple[Rows, int | None]]:
        """Parts of the feed (positions) within one bin; the end of the bin in microseconds where it is complete then.

        Args:
            at_us: (n,) times in the order of the feed; sensor: (n,) who says so.
            cut: False takes the feed as one part without an end, where nobody asks for the bins.
        """
        newest, solid = self._newest(at_us, sensor)
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
            ended = bins[b - 1] if b else before
            whole = not last and b >= solid and bins[b] > ended
            yield np.arange(a, b), int(ended + 1) * self.bin_us if whole else None

    def _newest(self, at_us: Array, sensor: Rows) -> tuple[Array, int]:
        """(n,) the clock after each reading, and from which position on it is credible."""
        start = self.clock_us
        if start == NEVER:
            start, self.founder, self.founded = int(at_us[0]), int(sensor[0]), 1
        running = np.maximum(np.maximum.accumulate(at_us), start)
        if running[-1] - start <= HOUR_US and self.claim_us == NEVER and self.founder < 0:
            return running, 0
        out = np.empty(len(at_us), np.int64)
        clock, solid = start, 0
        for i, (at, who) in enumerate(zip(at_us.tolist(), sensor.tolist(), strict=True)):
            ahead, behind = at > clock + HOUR_US, self.founder >= 0 and at < clock - HOUR_US
            if not ahead and not behind:
                self._found(who, at > clock)
                clock = max(clock, at)
                if who != self.claimant:
                    self.claims = 0
            elif self._believed(at, who):
                clock, self.claim_us, self.claimant, self.claims = at, NEVER, -1, 0
                self.founder = -1
            else:
                self.claims = self.claims + 1 if who == self.claimant else 1
                self.claim_us, self.claimant = at, who
            out[i] = clock
            if self.founder >= 0 and self.founded < _FOUNDED:
                solid = i + 1
        return out, solid

    def _found(self, who: int, newer: bool) -> None:
        """A reading near the clock: of the sensor on whose word alone it stands, or of another that agrees."""
        if who != self.founder:
            self.founder = -1
        elif newer and self.founded < _FOUNDED:
            self.founded += 1

    def _believed(self, at_us: int, who: int) -> bool:
        if self.claim_us == NEVER:
            return False
        if who == self.claimant:
            return self.claims >= _INSISTS and at_us > self.claim_us
        return abs(at_us - self.claim_us) <= HOUR_US

    def facts(self) -> list[int]:
        """State as plain numbers."""
        return [
            self.clock_us, self.claim_us, self.claimant, self.claims, self.founder, self.founded
        ]  # fmt: skip

    def restore(self, facts: list[int]) -> None:
        """Take over `facts`, unless the clock is ahead of them already or surer than they are."""
        sure, surer = self.clock_us != NEVER and self.founder < 0, facts[4] < 0
        if (facts[0] >= self.clock_us) if sure == surer else surer:
            self.clock_us, self.claim_us, self.claimant, self.claims = facts[:4]
            self.founder, self.founded = facts[4:]
