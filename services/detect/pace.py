"""The pace of a feed: bins (half a minute of traffic, an hour of water) of its newest time, found in the order of the
feed, so that neighbours can be compared at the same moments however it is cut. It refuses to be led astray by wrong
clocks while most sensors have the right one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from services.detect.rivals import Rival, Rivals
from services.detect.table import NEVER, Array, Rows
from services.domain.instant import HOUR_US, SECOND_US

BIN_US = 30 * SECOND_US
_INSISTS = 3
"""So often must one sensor alone say the same until it is believed."""
_FOUNDED = 3
"""So often must the first sensor of all speak until its clock alone completes bins."""
_ENDED_US = 2 * HOUR_US
"""A feed that has not moved its clock while a claim went on for so long has ended there."""


class Pace:
    """The newest credible time of a feed.

    A time more than an hour ahead is a claim. It is believed when more sensors make it than keep to the clock (those
    of its last day that do not say otherwise now; one sensor alone must say so three times on end), or when the claim
    has gone on for two hours in which nobody moved the clock; for longer, where few make it. In the latter case those
    that do not make it may still turn the clock back, by going on where it stood, until they are fewer than those that
    keep to the new one.

    The first reading of all may be the one with the wrong clock: until a second sensor agrees with it, two that speak
    of an hour or more before it are believed against it, and no bin is complete before it has spoken three times.

    Args:
        bin_us: how long a bin is.
    """

    def __init__(self, bin_us: int = BIN_US) -> None:
        self.bin_us = bin_us
        self.clock_us = NEVER
        self.founder = -1
        self.founded = 0
        self.back_us = NEVER
        self.left = 0
        self.rivals = Rivals()

    def segments(
        self, at_us: Array, sensor: Rows, cut: bool = True
    ) -> Iterator[tuple[Rows, int | None]]:
        """Parts of the feed (positions) within one bin; the end of the bin in microseconds where it is complete then.

        Args:
            at_us: (n,) times in the order of the feed; sensor: (n,) who says so.
            cut: False takes the feed as one part without an end, where nobody asks for the bins.
        """
        self.rivals.reserve(int(sensor.max()) + 1)
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
        leaps = (np.diff(running, prepend=start) > HOUR_US).any()
        if not leaps and not self.rivals and self.founder < 0 and self.back_us == NEVER:
            near = at_us >= running - HOUR_US
            self.rivals.near_all(sensor[near], running[near])
            self.rivals.changes += int(np.count_nonzero(np.diff(running, prepend=start)))
            return running, 0
        out = np.empty(len(at_us), np.int64)
        clock, solid = start, 0
        for i, (at, who) in enumerate(zip(at_us.tolist(), sensor.tolist(), strict=True)):
            out[i] = clock = self._heard(at, who, clock)
            if self.founder >= 0 and self.founded < _FOUNDED:
                solid = i + 1
        return out, solid

    def _heard(self, at_us: int, who: int, clock_us: int) -> int:
        """The clock after a reading."""
        ahead, behind = at_us > clock_us + HOUR_US, at_us < clock_us - HOUR_US
        if behind and not self._may_turn(at_us, who):
            return clock_us
        if not ahead and not behind:
            self._found(who, at_us > clock_us)
            newest = max(clock_us, at_us)
            self.rivals.changes += newest > clock_us
            self.rivals.near(who, newest, newest > clock_us)
            if self.back_us != NEVER and self.rivals.heads > self.left:
                self.back_us = NEVER
                self.rivals.changes += 1
            return newest
        claim = self.rivals.against(who, at_us)
        most = self._believed(claim)
        if not most and not (ahead and self._ended(claim)):
            return clock_us
        self.back_us, self.left = (NEVER, 0) if most else (clock_us, self.rivals.heads)
        self.rivals.crown(at_us)
        self.founder = -1
        return at_us

    def _may_turn(self, at_us: int, who: int) -> bool:
        """Whether a reading from before the clock is a claim against it, and not just late."""
        if self.founder >= 0:
            return True
        return (
            self.back_us != NEVER and at_us >= self.back_us - HOUR_US and not self.rivals.keeps(who)
        )

    def _found(self, who: int, newer: bool) -> None:
        """A reading near the clock: of the sensor on whose word alone it stands, or of another that agrees."""
        if who != self.founder:
            self.rivals.changes += self.founder >= 0
            self.founder = -1
        elif newer and self.founded < _FOUNDED:
            self.founded += 1

    def _believed(self, claim: Rival) -> bool:
        if claim.voices > 1:
            return claim.voices > self.rivals.heads
        return claim.insists >= _INSISTS and self.rivals.heads <= (self.founder >= 0)

    def _ended(self, claim: Rival) -> bool:
        """Whether the claim has gone on for long while the clock stood, the longer the fewer make it."""
        patience = max(1.0, self.rivals.heads / claim.voices)
        return claim.at_us - claim.since_us >= _ENDED_US * patience

    def facts(self) -> list[Any]:
        """State as plain numbers, without what is known of each sensor (the rivals' table)."""
        return [
            self.rivals.facts(), self.clock_us, self.founder, self.founded, self.back_us, self.left
        ]  # fmt: skip

    def restore(self, facts: list[Any]) -> None:
        """Take over `facts`, unless they are older than what is known."""
        if self.clock_us == NEVER or facts[0][0] >= self.rivals.changes:
            self.rivals.restore(facts[0])
            self.clock_us, self.founder, self.founded, self.back_us, self.left = facts[1:]
