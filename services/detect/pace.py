"""The pace of a feed: bins (half a minute of traffic, an hour of water) of its newest time, found in the order of the
feed, so that neighbours can be compared at the same moments however it is cut. It refuses to be led astray by wrong
clocks while most sensors have the right one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

import numpy as np

from services.detect.table import NEVER, Array, Rows, Table
from services.detect.voices import FORGOTTEN_US, Moment, Voices, said
from services.domain.instant import HOUR_US, SECOND_US

BIN_US: Final = 30 * SECOND_US
_FOUNDED: Final = 3
"""So often must the first sensor of all speak until its clock alone completes bins."""
_ENDED_US: Final = 2 * HOUR_US
_LONGEST_US: Final = 30 * HOUR_US
"""A feed that has not moved its clock while others went on for so long has ended there, were they ever so few."""
_LEAP_US: Final = 10 * HOUR_US
"""A leap counts for so much at most of the time after which a sensor has no voice."""


def words(observed_us: Array, received_us: Array) -> tuple[Array, Array]:
    """What readings say of the time: (n,) microseconds since 1970, and (n,) bool, whether their receipt vouches for it.

    Nobody can speak of what has not happened: a reading says its own time, but none after it was received. Where both
    are within an hour, two clocks agree. A receipt that equals the reading's time was made from it and says nothing.
    """
    said_us = np.minimum(observed_us, received_us)
    return said_us, (received_us != observed_us) & (received_us - said_us <= HOUR_US)


class Pace:
    """The newest credible time of a feed; it is decided reading by reading, so that no cut of the feed matters.

    A word up to an hour ahead moves the clock, and so does any that its receipt vouches for. Another one is a claim: it
    is believed when more sensors are ahead of the clock than are not, at the earliest of their times, or when the one
    that makes it went on for hours while nobody moved the clock, for longer where few are ahead. In the same way a
    clock turns back to a time before its present run (it began with the last leap) when more speak of it than keep to
    the clock, unless a receipt has vouched for it since; a sensor that has kept to it and then speaks of what is over
    by less than a week is merely late.

    The first reading of all may be the one with the wrong clock: until a second sensor agrees with it no bin is
    complete before it has spoken three times.

    Args:
        bin_us: how long a bin is.
        table: what sensors said, as `voices.said` makes it.
    """

    def __init__(self, bin_us: int = BIN_US, table: Table | None = None) -> None:
        self.bin_us = bin_us
        self.voices = Voices(said() if table is None else table)
        self.clock_us = self._base_us = NEVER
        self._shift_us = self._base_passed_us = 0
        self._vouched = False
        self._founder, self._founded = -1, 0

    def segments(
        self, words_us: Array, vouched: Array, sensor: Rows, cut: bool = True
    ) -> Iterator[tuple[Rows, int | None]]:
        """Parts of the feed (positions) within one bin; the end of the bin in microseconds where it is complete then.

        Args:
            words_us, vouched: (n,) as `words` tells, in the order of the feed; sensor: (n,) who says so.
            cut: False takes the feed as one part without an end, where nobody asks for the bins.
        """
        before_us = self.clock_us
        newest, solid = self._newest(words_us, vouched, sensor)
        if not cut:
            yield np.arange(len(words_us)), None
            return
        bins = newest // self.bin_us
        before = before_us // self.bin_us if before_us != NEVER else bins[0]
        cuts = np.flatnonzero(np.diff(bins, prepend=before))
        edges = [0, *cuts.tolist(), len(words_us)]
        for i, (a, b) in enumerate(pairwise(edges)):
            last = i == len(edges) - 2
            ended = bins[b - 1] if b else before
            whole = not last and b >= solid and bins[b] > ended
            yield np.arange(a, b), int(ended + 1) * self.bin_us if whole else None

    def _newest(self, words_us: Array, vouched: Array, sensor: Rows) -> tuple[Array, int]:
        """(n,) the clock after each reading, and from which position on it is credible."""
        clock = self.clock_us
        if clock != NEVER and self._founder < 0:
            running = np.maximum(np.maximum.accumulate(words_us), clock)
            steady = int(np.diff(running, prepend=clock).max()) <= HOUR_US
            if steady and self._consents(words_us, running) and not self.voices.any_ahead(clock):
                near = words_us >= running - HOUR_US
                if not near.all():
                    words_us, vouched, sensor = words_us[near], vouched[near], sensor[near]
                self.voices.agree_all(sensor, words_us, running[near] + self._shift_us)
                self._vouched = self._vouched or bool(vouched.any())
                self.clock_us = int(running[-1])
                return running, 0
        out, solid = np.empty(len(words_us), np.int64), 0
        readings = zip(words_us.tolist(), vouched.tolist(), sensor.tolist(), strict=True)
        for i, (word_us, sure, who) in enumerate(readings):
            self._hear(word_us, sure, who)
            out[i] = self.clock_us
            if self._founder >= 0:
                solid = i + 1
        return out, solid

    def _consents(self, words_us: Array, running_us: Array) -> bool:
        """Whether nobody speaks of a time before the clock's run, or a receipt has vouched for the clock."""
        if self._vouched or int(words_us.min()) >= self._oldest_us(int(running_us[-1])):
            return True
        oldest_us = np.maximum(self._base_us - HOUR_US, running_us - FORGOTTEN_US)
        return bool((words_us >= oldest_us).all())

    def _oldest_us(self, clock_us: int) -> int:
        """What is said of a time before is no late word of the clock's present run."""
        return max(self._base_us - HOUR_US, clock_us - FORGOTTEN_US)

    def _now(self) -> Moment:
        passed_us = self.clock_us + self._shift_us
        return Moment(self.clock_us, self._base_us, passed_us, self._base_passed_us)

    def _hear(self, word_us: int, vouched: bool, who: int) -> None:
        if self.clock_us == NEVER:
            self.clock_us = self._base_us = self._base_passed_us = word_us
            self._founder, self._founded = (-1 if vouched else who), 1
        if word_us > self.clock_us + HOUR_US:
            if not vouched:
                self._claimed(word_us, who)
                return
            self._begin(word_us)
        if word_us >= self.clock_us - HOUR_US:
            self._found(who, word_us > self.clock_us)
            self.clock_us = max(self.clock_us, word_us)
            self._vouched = self._vouched or vouched
            self.voices.agree(who, word_us, self.clock_us + self._shift_us)
        elif self._vouched or word_us >= self._oldest_us(self.clock_us):
            self.voices.late(who, self.clock_us)
        else:
            self._contradicted(word_us, who)

    def _found(self, who: int, newer: bool) -> None:
        """A reading near the clock: of the sensor on whose word alone it stands, or of another that agrees."""
        if self._founder < 0:
            return
        self._founded += newer
        if who != self._founder or self._founded >= _FOUNDED:
            self._founder = -1

    def _claimed(self, word_us: int, who: int) -> None:
        """A sensor is ahead of the clock: believe those that are, or not."""
        went_on_us = self.voices.differ(who, word_us, self._now())
        believed = self._believed(went_on_us, ahead=True)
        while believed:
            self._begin(self.voices.next_ahead(self._now()))
            while (newest := self.voices.newest_near(self._now())) > self.clock_us:
                self.clock_us = newest
            count = self.voices.count(self._now())
            believed = count.ahead > count.not_ahead

    def _contradicted(self, word_us: int, who: int) -> None:
        """A sensor speaks of a time before the clock's run: turn back to where those are that do, or not."""
        if self.voices.keeps(who, self._now()) and word_us >= self.clock_us - FORGOTTEN_US:
            return
        went_on_us = self.voices.differ(who, word_us, self._now())
        if self._believed(went_on_us, ahead=False):
            self._begin(self.voices.newest_before(self._now()))

    def _believed(self, went_on_us: int, ahead: bool) -> bool:
        """Whether enough sensors, or few for long enough, speak of a time ahead of the clock, or before its run."""
        for count in (self.voices.bounds, self.voices.count):
            found = count(self._now())
            those, others = found.ahead, found.not_ahead
            if not ahead:
                those, others = found.before, found.near
            patience_us = min(_ENDED_US * max(1.0, others / those), _LONGEST_US)
            if those <= others and went_on_us < patience_us:
                return False
        return True

    def _begin(self, at_us: int) -> None:
        """The clock leaps, or turns back; what passes is counted on, and voices say what they said."""
        leap_us = min(max(at_us - self.clock_us, 0), _LEAP_US)
        self._base_passed_us = self.clock_us + self._shift_us + leap_us + 1
        self._shift_us = self._base_passed_us - at_us
        self.clock_us = self._base_us = at_us
        self._vouched, self._founder = False, -1

    def facts(self) -> list[Any]:
        """State as plain numbers, without the sensors' words."""
        passed_us = self.clock_us + self._shift_us if self.clock_us != NEVER else NEVER
        return [
            passed_us, self._founder < 0, self._vouched, self.clock_us, self._base_us,
            self._base_passed_us, self._founder, self._founded,
        ]  # fmt: skip

    def restore(self, facts: list[Any]) -> None:
        """Take over `facts`, unless they are older than what is known; the sensors' words are others by now."""
        self.voices.forget_bounds()
        if facts[:3] > self.facts()[:3]:
            passed_us, _, self._vouched, self.clock_us, self._base_us = facts[:5]
            self._base_passed_us, self._founder, self._founded = facts[5:]
            self._shift_us = passed_us - self.clock_us if passed_us != NEVER else 0
