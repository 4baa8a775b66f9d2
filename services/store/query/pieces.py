"""A range of many sensors put together from what is quickest and exact: rollups, and readings where these are not.

Each moment of each sensor comes from one of them. It refuses to mix two states of the database: all is asked in one
snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, LiteralString

import numpy as np
from numpy.typing import NDArray

from services.domain.buckets import FixedBuckets
from services.domain.instant import HOUR_US
from services.domain.statistic import Part, needed
from services.store.connection import Connection, transaction
from services.store.query.columns import Columns, Spans, values_in
from services.store.query.question import Question
from services.store.rollups.rolled import RolledRows, Trust, key_of, rolled_in, trust
from services.store.rollups.rollup_level import Level

SNAPSHOT: Final[LiteralString] = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a range is made of; series are places in the question's sensors, all sorted by (series, time)."""

    readings: Columns
    rolled: tuple[RolledRows, ...]


@contextmanager
def snapshot(conn: Connection) -> Iterator[None]:
    """One state of the database for several statements; the connection must be in no transaction."""
    with transaction(conn):
        conn.execute(SNAPSHOT)
        yield


def pieces_of(
    conn: Connection,
    question: Question,
    sensors: NDArray[np.int32],
    *,
    start_us: int,
    end_us: int,
    level: Level,
) -> Pieces:
    """Rollups of the level for [start, end), and of the level below or readings where they are not to be trusted."""
    return _Gathering(conn, question, sensors, start_us, end_us).gathered(level)


class _Gathering:
    """The spans of readings that are still to be read, and the rollups that were found so far."""

    def __init__(
        self,
        conn: Connection,
        question: Question,
        sensors: NDArray[np.int32],
        start_us: int,
        end_us: int,
    ) -> None:
        self._conn, self._question, self._sensors = conn, question, sensors
        self._start_us, self._end_us = start_us, end_us
        self._parts: tuple[Part, ...] = needed(question.statistics)
        self._trust: Trust = trust(conn, question.domain, sensors, start_us, end_us)
        self._place: list[NDArray[np.int64]] = []
        self._from: list[NDArray[np.int64]] = []
        self._until: list[NDArray[np.int64]] = []
        self._rolled: list[RolledRows] = []
        self._inside = (start_us, end_us)

    def gathered(self, level: Level) -> Pieces:
        """All of the range."""
        unit = level.unit_us
        first, last = -(-self._start_us // unit) * unit, self._end_us // unit * unit
        use = (self._trust.finest <= level) & (first < last)
        every = np.arange(len(self._sensors))
        self._read(every[~use], self._start_us, self._end_us)
        if use.any():
            self._inside = (first, last)
            places = every[use]
            self._read(places, self._start_us, first)
            self._read(places, last, self._end_us)
            self._roll(level, places, np.full(len(places), first), np.full(len(places), last))
        return Pieces(self._readings(), tuple(self._rolled))

    def _read(
        self,
        places: NDArray[np.int64],
        start_us: int | NDArray[np.int64],
        end_us: int | NDArray[np.int64],
    ) -> None:
        start, end = np.broadcast_to(start_us, places.shape), np.broadcast_to(end_us, places.shape)
        some = start < end
        if some.any():
            self._place.append(places[some])
            self._from.append(start[some].astype(np.int64))
            self._until.append(end[some].astype(np.int64))

    def _roll(
        self,
        level: Level,
        places: NDArray[np.int64],
        start_us: NDArray[np.int64],
        end_us: NDArray[np.int64],
    ) -> None:
        """Take the rollups of these spans, except of the units that cannot be trusted: those from below."""
        q, unit = self._question, max(level.unit_us, HOUR_US)
        bad = self._dirty(places, start_us, end_us, unit)
        clean, start_us, end_us = self._without(bad, unit, places, start_us, end_us)
        rows = rolled_in(
            self._conn,
            q.domain,
            level,
            Spans(self._sensors[clean], start_us, end_us),
            metrics=q.metrics,
            parts=self._parts,
            width_us=self._width_us(level),
            quality=bool(q.exclude),
        )
        series = clean[rows.series]
        kept = np.ones(len(series), np.bool_)
        if q.exclude:
            keys = key_of(self._sensors[series], rows.at_us // unit)
            doubtful = np.unique(keys[(rows.quality & int(q.exclude)) != 0])
            kept = ~np.isin(keys, doubtful)
            bad = np.union1d(bad, doubtful)
        self._rolled.append(rows.take(kept, series).sorted())
        if len(bad):
            self._below(level, bad, unit)

    def _width_us(self, level: Level) -> int:
        """How long the buckets are in which the database may add rollups up; 0: not at all."""
        buckets = self._question.buckets
        if self._question.exclude or not isinstance(buckets, FixedBuckets):
            return 0
        width = buckets.shortest_us
        return width if width > level.unit_us and width % level.unit_us == 0 else 0

    def _without(
        self,
        bad: NDArray[np.int64],
        unit: int,
        places: NDArray[np.int64],
        start_us: NDArray[np.int64],
        end_us: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The spans with the bad units cut out of them."""
        if not len(bad):
            return places, start_us, end_us
        hole_us = (bad & (2**32 - 1)) * unit
        hole = self._places(bad >> 32)
        place = np.concatenate([places, hole])
        starts = np.concatenate([start_us, hole_us + unit])
        ends = np.concatenate([end_us, hole_us])
        by_start, by_end = np.lexsort((starts, place)), np.lexsort((ends, place))
        starts, ends = starts[by_start], ends[by_end]
        some = starts < ends
        return place[by_start][some], starts[some], ends[some]

    def _places(self, number: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) the places of sensors that are in the question."""
        order = np.argsort(self._sensors, kind="stable")
        found: NDArray[np.int64] = order[np.searchsorted(self._sensors[order], number)]
        return found

    def _dirty(
        self,
        places: NDArray[np.int64],
        start_us: NDArray[np.int64],
        end_us: NDArray[np.int64],
        unit: int,
    ) -> NDArray[np.int64]:
        """Keys (sensor number, unit) of the untrusted units inside the spans; spans of one sensor do not overlap."""
        dirty = self._trust.dirty
        if not len(dirty):
            return dirty
        number, at = dirty >> 32, (dirty & (2**32 - 1)) * HOUR_US
        order = np.lexsort((start_us, self._sensors[places]))
        begin = key_of(self._sensors[places][order], start_us[order] // HOUR_US)
        at_span = np.searchsorted(begin, dirty, side="right") - 1
        span = order[np.maximum(at_span, 0)]
        inside = (at_span >= 0) & (self._sensors[places][span] == number) & (at < end_us[span])
        return np.unique(key_of(number[inside], at[inside] // unit))

    def _below(self, level: Level, bad: NDArray[np.int64], unit: int) -> None:
        """The untrusted units: of a day its hours, where they are kept; else the readings."""
        number, start = bad >> 32, (bad & (2**32 - 1)) * unit
        places = self._places(number)
        start, end = np.maximum(start, self._inside[0]), np.minimum(start + unit, self._inside[1])
        finer = (self._trust.finest[places] <= Level.HOUR) & (level is Level.DAY)
        self._read(places[~finer], start[~finer], end[~finer])
        if finer.any():
            self._roll(Level.HOUR, places[finer], start[finer], end[finer])

    def _readings(self) -> Columns:
        """The readings of all spans that were noted."""
        q = self._question
        if not self._place:
            none = np.empty(0, np.int64)
            return Columns(none, none, {metric: np.empty(0) for metric in q.metrics})
        place = np.concatenate(self._place)
        start, end = np.concatenate(self._from), np.concatenate(self._until)
        order = np.lexsort((start, place))
        place = place[order]
        wanted = Spans(self._sensors[place], start[order], end[order])
        found = values_in(self._conn, q.domain, q.metrics, wanted, int(q.exclude))
        return Columns(place[found.series], found.at_us, found.values)
