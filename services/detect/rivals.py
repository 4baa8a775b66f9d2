"""Who keeps to the clock of a feed, and which other clocks are claimed beside it, by how many sensors.

A sensor has one voice: what it said last. It refuses to decide; `pace.py` does.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from itertools import pairwise

import numpy as np

from services.detect.table import NEVER, Array, Field, Rows, Table
from services.domain.instant import HOUR_US

_RECENT_H = 24
"""A sensor keeps to the clock so many of its hours after it was last near it."""
_MOST = 4
"""So many claims are remembered; the one that was not made for longest is forgotten."""


@dataclass(slots=True)
class Rival:
    """Another clock.

    Attributes:
        serial: its number; the voices name it.
        at_us: its newest time.
        since_us: what it was when the feed's clock last moved.
        voices: how many sensors say so.
        insists: how often it was said on end, with nobody near the feed's clock in between.
    """

    serial: int
    at_us: int
    since_us: int
    voices: int = 0
    insists: int = 0


class Rivals:
    """The voices of all sensors.

    Attributes:
        table: by sensor, the hour since 1970 that it was in when it last spoke, and the claim that it made then.
        heads: how many sensors kept to the clock in its last day, without those that say otherwise now.
        changes: how many readings have changed anything; of two states of one feed, the one with more is the later.
    """

    def __init__(self) -> None:
        self.table = Table({"hour": Field("i4", -1), "claim": Field("i4")})
        self.heads = 0
        self.changes = 0
        self._hour = -1
        self._serial = 0
        self._known: list[Rival] = []

    def __bool__(self) -> bool:
        return bool(self._known)

    def reserve(self, size: int) -> None:
        """Rows for so many sensors."""
        if size > self.table.n:
            self.table.add(size - self.table.n)

    def near_all(self, rows: Rows, clock_us: Array) -> None:
        """Sensors that kept to the clock, in the order of the feed, while nobody claims anything else."""
        hours, of = clock_us // HOUR_US, self.table["hour"]
        for a, b in pairwise([0, *(np.flatnonzero(np.diff(hours)) + 1).tolist(), len(rows)]):
            if a == b:
                continue
            hour, mine = int(hours[a]), rows[a:b]
            self._turn(hour)
            fresh = mine[(of[mine] < hour - _RECENT_H) | (of[mine] > hour)]
            if fresh.size:
                joined = len(np.unique(fresh))
                self.heads, self.changes = self.heads + joined, self.changes + joined
            of[mine] = hour

    def near(self, who: int, clock_us: int, moved: bool) -> None:
        """A sensor keeps to the clock, which has moved with it or not."""
        hour = clock_us // HOUR_US
        self._turn(hour)
        joins = not self.keeps(who)
        self.heads, self.changes = self.heads + joins, self.changes + joins
        self._withdraw(who)
        self.table["hour"][who] = hour
        for rival in self._known:
            self.changes += rival.insists > 0
            rival.insists = 0
            if moved:
                rival.since_us = NEVER

    def against(self, who: int, at_us: int) -> Rival:
        """A sensor claims another time; the claim with its voice."""
        self.heads -= self.keeps(who)
        own = self._claim(who)
        self._withdraw(who)
        rival = next((r for r in self._known if abs(at_us - r.at_us) <= HOUR_US), None)
        if rival is None and own is not None and own.voices == 0 and at_us > own.at_us:
            rival = own  # it speaks less often than hourly
        if rival is None:
            self._serial += 1
            rival = Rival(self._serial, at_us, at_us)
        else:
            self._known.remove(rival)
        self.changes += rival is not own or at_us > rival.at_us or rival.since_us == NEVER
        self._known = [*self._known[1 - _MOST :], rival]
        rival.insists += rival.insists == 0 or at_us > rival.at_us
        rival.at_us = max(rival.at_us, at_us)
        rival.since_us = at_us if rival.since_us == NEVER else rival.since_us
        rival.voices += 1
        self.table["hour"][who], self.table["claim"][who] = at_us // HOUR_US, rival.serial
        return rival

    def crown(self, clock_us: int) -> None:
        """A claim has become the clock: all begin anew."""
        self._known = []
        self._hour = -1
        self._turn(clock_us // HOUR_US)

    def keeps(self, who: int) -> bool:
        """Whether the sensor is among the heads."""
        hour = self.table["hour"][who]
        return bool(self._hour - _RECENT_H <= hour <= self._hour) and self._claim(who) is None

    def _claim(self, who: int) -> Rival | None:
        serial = self.table["claim"][who]
        return next((r for r in self._known if r.serial == serial), None)

    def _withdraw(self, who: int) -> None:
        claim = self._claim(who)
        if claim is not None:
            claim.voices -= 1
        self.table["claim"][who] = 0

    def _turn(self, hour: int) -> None:
        if hour == self._hour:
            return
        self._hour = hour
        said = self.table["hour"][: self.table.n]
        near = (said >= hour - _RECENT_H) & (said <= hour)
        if self._known:
            claim = self.table["claim"][: self.table.n]
            near &= ~np.isin(claim, [r.serial for r in self._known])
        self.heads = int(np.count_nonzero(near))

    def facts(self) -> list[object]:
        """What is not of one sensor, as plain numbers."""
        return [
            self.changes,
            self.heads,
            self._hour,
            self._serial,
            [list(astuple(r)) for r in self._known],
        ]

    def restore(self, facts: list[object]) -> None:
        """Take over `facts`."""
        self.changes, self.heads, self._hour, self._serial, known = facts  # type: ignore[assignment]
        self._known = [Rival(*one) for one in known]  # type: ignore[attr-defined]
