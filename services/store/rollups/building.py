"""What was stored before the keeper began, cut into pieces to be rolled up: all sensors, week by week, backwards.

Who is next is asked for thousands of sensors at once, because that costs as much as rolling up a piece. A piece takes
a fifth of a second, on a slow machine too: the readers of the feed wait for whoever writes. It refuses to roll up:
`rollup.py` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.domain.catalogue import Domain
from services.domain.instant import DAY_US, OLDEST_US, SECOND_US
from services.store.connection import Connection
from services.store.query.columns import Spans
from services.store.rollups import rollup_statements as statements
from services.store.rollups.marks import Marks
from services.store.rollups.pace import Pace
from services.store.wire import Integers, Times, columnar

_PLANNED: Final = 20_000
"""Sensors of one plan."""
_FIRST, _LEAST, MOST = 30_000, 5_000, 5_000_000
"""Readings of a piece, at first and within which bounds."""
_MOST_DAYS: Final = 7
_TOGETHER: Final = 100
"""Sensors of a piece, if so many wait: readings lie by time, so one page holds some of many sensors."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one transaction rolls up.

    Attributes:
        spans: (n,) whole days of sensors; finest: (n,) the finest `Level` of each; expected: (n,) about how many
            readings each holds.
    """

    domain: Domain
    spans: Spans
    finest: NDArray[np.int16]
    expected: NDArray[np.float64]

    def split(self, readings: float) -> tuple[Piece, Piece | None]:
        """Its first sensors, one at least, that hold no more than so many readings; and the others."""
        n = max(1, int(np.searchsorted(np.cumsum(self.expected), readings, side="right")))
        return self._part(slice(n)), self._part(slice(n, None)) if n < len(self.finest) else None

    def _part(self, part: slice) -> Piece:
        spans = Spans(self.spans.sensor[part], self.spans.start_us[part], self.spans.end_us[part])
        return Piece(self.domain, spans, self.finest[part], self.expected[part])


class Building:
    """The pieces that are planned, and how large they are cut."""

    def __init__(self, conn: Connection, marks: Marks, most: int) -> None:
        self._conn = conn
        self._marks = marks
        self._planned: list[Piece] = []
        self._pace = Pace(min(_FIRST, most), min(_LEAST, most), most)

    def forget(self) -> None:
        """Sensors began anew: what is planned may not be what waits."""
        self._planned = []

    def next(self) -> Piece | None:
        """What is to be rolled up now; None: everything is."""
        while not self._planned:
            if not self._plan():
                return None
        piece, rest = self._planned.pop().split(self._pace.amount)
        if rest is not None:
            self._planned.append(rest)
        return piece

    def built(self, piece: Piece) -> None:
        """It is rolled up; in the transaction that does it."""
        values = {"sensors": Integers(piece.spans.sensor), "since": Times(piece.spans.start_us)}
        with columnar(self._conn) as cursor:
            cursor.execute(statements.BUILT, {"domain": piece.domain.value, **values})

    def took(self, piece: Piece, seconds: float) -> None:
        """That transaction is over and took so long."""
        self._marks.forget(piece.domain, piece.spans.sensor)
        self._pace.took(float(piece.expected.sum()), seconds)

    def _plan(self) -> bool:
        """The next days of those who are not built to their beginning, the newest first; False: there are none."""
        with columnar(self._conn) as cursor:
            waiting = cursor.execute(statements.TO_BUILD, {"limit": _PLANNED}).fetchall()
        for name, sensors, finest, since, cadence_s in waiting:
            domain = Domain(name)
            values = {"sensors": Integers(sensors), "since": Times(since)}
            with columnar(self._conn) as cursor:
                row = cursor.execute(statements.before(domain), values).fetchone()
            assert row is not None
            (newest,) = row
            over = newest < OLDEST_US
            self._complete(domain, sensors[over])
            left = ~over
            if left.any():
                expected = DAY_US / SECOND_US / cadence_s[left]
                days = _days(expected, self._pace.amount)
                start = (newest[left] // DAY_US + 1 - days) * DAY_US
                # not only to the newest reading: others may come before the piece's turn, and are not marked
                spans = Spans(sensors[left], start, -(-since[left] // DAY_US) * DAY_US)
                self._planned.append(Piece(domain, spans, finest[left], expected * days))
        return bool(waiting)

    def _complete(self, domain: Domain, sensors: NDArray[np.int32]) -> None:
        """These have no readings that are older."""
        if len(sensors):
            values = {"domain": domain.value, "sensors": Integers(sensors)}
            with columnar(self._conn) as cursor:
                cursor.execute(statements.COMPLETE, values)
            self._marks.forget(domain, sensors)


def _days(expected: NDArray[np.float64], readings: float) -> int:
    """How many days a piece spans, if sensors expect so many readings a day and it may hold so many."""
    together = expected.mean() * min(len(expected), _TOGETHER)
    return int(np.clip(readings / together, 1, _MOST_DAYS))
