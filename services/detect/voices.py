"""What each sensor of a feed said last of the time, and how many of them keep to its clock or speak of another.

A sensor has one voice. It counts until the feed's clock has gone on for thirty hours of readings since, in all:
those that stopped speaking have no part in it. It refuses to decide; `pace.py` does.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from services.detect.table import NEVER, Array, Field, Rows, Table
from services.domain.instant import DAY_US, HOUR_US

COUNTS_H: Final = 30
"""Meters that are read once a day have a voice until their next reading."""
FORGOTTEN_US: Final = 7 * DAY_US
"""So far behind is nobody who is merely late."""


class Moment(NamedTuple):
    """Where a feed is.

    Attributes:
        clock_us: its clock; base_us: where the clock began its present run, without leaps, microseconds since 1970.
        passed_us: a count of all that it went on by, never less than it was; base_passed_us: the same at `base_us`.
    """

    clock_us: int
    base_us: int
    passed_us: int
    base_passed_us: int


class Count(NamedTuple):
    """How many voices say what.

    Attributes:
        not_ahead: all but those that are ahead; those that were last heard before the clock leapt are among them.
        near: those that keep to the clock.
        ahead: by more than an hour.
        before: of the clock's run, and said within it.
    """

    not_ahead: int
    near: int
    ahead: int
    before: int


def said() -> Table:
    """One row a sensor: its last word of the time, `passed_us` at it, and the word with which it left the clock."""
    return Table(
        {"word": Field("i8", NEVER), "heard": Field("i8", NEVER), "since": Field("i8", NEVER)}
    )


class Voices:
    """The voices of one feed.

    Args:
        table: as `said` makes it, of the sensors of all feeds.

    Attributes:
        left: whether any voice may be ahead of the clock.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.rows = np.empty(0, np.intp)
        self.left = True
        self._bounds = Count(0, 0, 0, 0)
        self._bounds_of: tuple[int, int] | None = None

    def join(self, rows: Rows) -> None:
        """These sensors belong to the feed."""
        self.rows = np.concatenate([self.rows, rows])

    def forget_bounds(self) -> None:
        """The table is another one than it was."""
        self.left, self._bounds_of = True, None

    def any_ahead(self, clock_us: int) -> bool:
        """Whether any voice, one that counts no more included, is more than an hour ahead of the clock."""
        self.left = self.left and bool((self.table["word"][self.rows] > clock_us + HOUR_US).any())
        return self.left

    def agree_all(self, rows: Rows, words_us: Array, passed_us: Array) -> None:
        """(n,) sensors that kept to the clock, in the order of the feed."""
        self.table["word"][rows] = words_us  # of a sensor that occurs twice the last one stays
        self.table["heard"][rows] = passed_us

    def agree(self, who: int, word_us: int, passed_us: int) -> None:
        """A sensor keeps to the clock."""
        self.table["word"][who], self.table["heard"][who] = word_us, passed_us

    def late(self, who: int, clock_us: int) -> None:
        """A sensor speaks of what is over: no voice, but if it was ahead it is no more."""
        if self.table["word"][who] > clock_us + HOUR_US:
            self.table["word"][who] = self.table["heard"][who] = NEVER

    def keeps(self, who: int, now: Moment) -> bool:
        """Whether what the sensor said last was near the clock, in its present run."""
        return bool(now.base_us - HOUR_US <= self.table["word"][who] <= now.clock_us + HOUR_US)

    def differ(self, who: int, word_us: int, now: Moment) -> int:
        """A sensor speaks of another time than the clock; how far it went on so while the clock stood, microseconds."""
        t = self.table
        before = int(t["word"][who])
        same = (
            int(t["heard"][who]) == now.passed_us
            and not self.keeps(who, now)
            and (before > now.clock_us) == (word_us > now.clock_us)
        )
        if not same:
            t["since"][who] = word_us
            ahead, bounds = word_us > now.clock_us, self._bounds
            self._bounds = Count(
                bounds.not_ahead - ahead, bounds.near - 1, bounds.ahead + ahead, bounds.before + (not ahead)
            )  # fmt: skip
        self.left = True
        self.agree(who, word_us, now.passed_us)
        return word_us - int(t["since"][who])

    def count(self, now: Moment) -> Count:
        """How many voices say what."""
        kinds = self._kinds(now)[:4]
        self._bounds = Count(*(int(np.count_nonzero(each)) for each in kinds))
        self._bounds_of = self._key(now)
        return self._bounds

    def bounds(self, now: Moment) -> Count:
        """At most so many are ahead and before, and at least so many are not and are near; cheaper than `count`."""
        return self._bounds if self._bounds_of == self._key(now) else self.count(now)

    def next_ahead(self, now: Moment) -> int:
        """The earliest of the times ahead of the clock, or the clock where there is none."""
        _, _, ahead, _, word = self._kinds(now)
        return int(word[ahead].min()) if ahead.any() else now.clock_us

    def newest_near(self, now: Moment) -> int:
        """The newest time that is not more than an hour ahead of the clock."""
        _, near, _, _, word = self._kinds(now)
        return max(int(word[near].max()), now.clock_us) if near.any() else now.clock_us

    def newest_before(self, now: Moment) -> int:
        """The newest of the times before the clock's run."""
        _, _, _, before, word = self._kinds(now)
        return int(word[before].max())

    def _kinds(self, now: Moment) -> tuple[Array, Array, Array, Array, Array]:
        word, heard = self.table["word"][self.rows], self.table["heard"][self.rows]
        counts = heard // HOUR_US >= now.passed_us // HOUR_US - COUNTS_H
        ahead = counts & (word > now.clock_us + HOUR_US)
        old = word < max(now.base_us - HOUR_US, now.clock_us - FORGOTTEN_US)
        before = counts & old & (heard >= now.base_passed_us)
        return counts & ~ahead, counts & ~ahead & ~old, ahead, before, word

    def _key(self, now: Moment) -> tuple[int, int]:
        """While it is the same no voice ceases to count, and none that is near is left behind."""
        return now.base_passed_us, now.passed_us // HOUR_US
