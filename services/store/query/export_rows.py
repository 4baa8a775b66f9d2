"""Stored readings in the order of time, for files: as many as there are, in pieces of bounded size.

Each piece is what one window of time holds; the window follows the rate that the piece before showed, and is cut at a
moment where it would hold too much. Each connection reads a piece of its own ahead of the one that is being written.
Nothing is open between two pieces. Pieces come from the table as it lies and are sorted here, where it costs next to
nothing: what was stored as it was observed is in order already. It refuses to hold more than a piece a connection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, LiteralString

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from services.domain.catalogue import CATALOGUE, Domain
from services.domain.instant import DAY_US, SECOND_US, from_us, to_us
from services.store.connection import Connection, transaction
from services.store.wire import Integers, columnar

PIECE_ROWS: Final = 65_536
"""Readings that a piece is meant to hold; the database encodes 100,000 at once a fifth more slowly a row."""
READERS: Final = 2
"""Connections worth lending: encoding the columns costs the database three times what writing the file costs us."""
_FASTEST: Final = 8
"""By how much a window may become longer or shorter at once."""
_LONGEST_US: Final = 7 * DAY_US
_SHORTEST_US: Final = SECOND_US

PIECE: Final = sql.SQL("""
    SELECT array_agg(sensor), array_agg(time), array_agg(quality), {aggregates}
      FROM (SELECT r.sensor, r.time, r.quality, {values} FROM {table} AS r
             WHERE r.time >= %(start)s AND r.time < %(end)s AND ({present}) {sound} {only}
             {order} LIMIT %(most)s) AS found
""")
ORDER: Final = sql.SQL("ORDER BY r.time, r.sensor")
"""Only where a window holds too much: so that it can be cut at a moment."""
ALONE: Final[LiteralString] = "SET LOCAL max_parallel_workers_per_gather = 0"
"""Rows that travel from worker to worker cost more than reading them; there is a file to write meanwhile."""
STAMPS: Final = ("received_at", "stored_at")
SOUND: Final = sql.SQL("AND (r.quality & %(exclude)s) = 0")
ONLY: Final = sql.SQL("AND r.sensor = ANY(%(sensors)s)")
BOUNDS: Final = sql.SQL(
    "SELECT min(time), max(time) FROM {table} WHERE time >= %(start)s AND time < %(end)s"
)
_VALUE: Final = sql.SQL("coalesce(r.{0}, 'NaN') AS {0}")
_MAYBE: Final = sql.SQL("r.{0}")
_ARRAY: Final = sql.SQL("array_agg({})")
_ANY: Final = sql.SQL("array_agg({0}) FILTER (WHERE {0} IS NOT NULL)")
_COMMA: Final = sql.SQL(", ")
_OR: Final = sql.SQL(" OR ")


@dataclass(frozen=True, slots=True)
class Piece:
    """Readings of [start_us, end_us), n rows, in the order of (time, sensor).

    Attributes:
        sensor: (n,) int32 numbers; at_us: (n,) int64, observed; quality: (n,) int16.
        values: metric column -> (n,) float64; NaN is missing.
        stamps: received_at, stored_at, as far as they were asked for -> (n,) int64, microseconds since 1970.
    """

    start_us: int
    end_us: int
    sensor: NDArray[np.int32]
    at_us: NDArray[np.int64]
    quality: NDArray[np.int16]
    values: dict[str, NDArray[np.float64]]
    stamps: dict[str, NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.sensor)

    def take(self, rows: NDArray[Any]) -> Piece:
        """Some of the rows."""
        return replace(
            self,
            sensor=self.sensor[rows],
            at_us=self.at_us[rows],
            quality=self.quality[rows],
            values={name: each[rows] for name, each in self.values.items()},
            stamps={name: each[rows] for name, each in self.stamps.items()},
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What of the readings: columns, the quality bits that keep one out, and the metrics that have had no value yet."""

    domain: Domain
    metrics: tuple[str, ...]
    exclude: int = 0
    stamps: tuple[str, ...] = ()
    empty: frozenset[str] = frozenset()


def pieces(
    connections: Sequence[Connection],
    asked: Asked,
    sensors: NDArray[np.int32] | None,
    start_us: int,
    end_us: int,
    *,
    most_rows: int = PIECE_ROWS,
) -> Generator[Piece]:
    """Readings observed in [start_us, end_us) that have any of the metrics and none of the quality bits.

    Args:
        connections: each reads a piece at a time, in a thread; close the generator before them.
        sensors: numbers; None for all of the domain.
        most_rows: how many a piece is meant to hold; at most twice as many, unless one moment alone has more.
    """
    window = _SHORTEST_US * 60
    found: set[str] = set()
    ahead = deque([_Window(start_us, end_us)] if start_us < end_us else [])
    free = list(connections)
    with ThreadPoolExecutor(len(free), thread_name_prefix="export-reader") as threads:

        def ask() -> None:
            """Let every free connection read the first window that none reads yet, no longer than windows now are."""
            at = 0
            while free and at < len(ahead):
                if (wanted := ahead[at]).reading is None:
                    end = min(wanted.start_us + window, wanted.end_us)
                    if end < wanted.end_us:
                        ahead.insert(at + 1, _Window(end, wanted.end_us))
                    between, most = (wanted.start_us, end), 2 * most_rows
                    by = free.pop()
                    reading = threads.submit(_cut_piece, by, asked, sensors, between, most)
                    ahead[at] = _Window(*between, by, reading)
                at += 1

        ask()
        while ahead:
            first = ahead.popleft()
            assert first.by is not None
            assert first.reading is not None
            piece = first.reading.result()
            free.append(first.by)
            if piece.end_us < first.end_us:
                ahead.appendleft(_Window(piece.end_us, first.end_us))
            window = _following_us(piece, most_rows, window)
            if len(piece):
                found |= {name for name, each in piece.values.items() if not np.isnan(each).all()}
                asked = replace(asked, empty=frozenset(asked.metrics) - found)
            ask()
            yield piece


@dataclass(frozen=True, slots=True)
class _Window:
    """A part of the range, and who reads it, if somebody does."""

    start_us: int
    end_us: int
    by: Connection | None = None
    reading: Future[Piece] | None = None


def _following_us(piece: Piece, most_rows: int, window_us: int) -> int:
    """How long a window would hold `most_rows` at the rate of the piece's second half, which may be denser."""
    length_us, half = piece.end_us - piece.start_us, len(piece) // 2
    following_us = max(length_us * _FASTEST, window_us)
    if len(piece):
        half_us = piece.end_us - int(piece.at_us[half])
        wanted_us = most_rows * half_us // (len(piece) - half)
        following_us = min(following_us, max(wanted_us, length_us // _FASTEST))
    return min(max(following_us, _SHORTEST_US), _LONGEST_US)


def bounds_us(conn: Connection, domain: Domain, start_us: int, end_us: int) -> tuple[int, int]:
    """The part of a range in which there are readings at all; an empty one where there are none."""
    query = BOUNDS.format(table=sql.Identifier(CATALOGUE[domain].table))
    row = conn.execute(query, {"start": from_us(start_us), "end": from_us(end_us)}).fetchone()
    assert row is not None
    if row[0] is None:
        return start_us, start_us
    first, last = (to_us(each) for each in row)
    return max(start_us, first), min(end_us, last + 1)


def _cut_piece(
    conn: Connection,
    asked: Asked,
    sensors: NDArray[np.int32] | None,
    between: tuple[int, int],
    most: int,
) -> Piece:
    """The piece; where it has more than `most` rows a shorter one, or what comes before the last moment of so many.

    What lies in the order of time is cut in the middle of the rows that came; else the window is halved about. Columns
    in which nothing has been found yet are looked at and not sent: sensors of one kind leave most of them empty.
    """
    start_us, end_us = between
    while True:
        ordered = end_us - start_us <= _SHORTEST_US
        piece = _piece(conn, asked, sensors, (start_us, end_us), most + 1, ordered=ordered)
        if piece is None:
            asked = replace(asked, empty=frozenset())
            continue
        if len(piece) <= most:
            return piece
        if not ordered:
            end_us = max(int(piece.at_us[len(piece) // 2]), start_us + _SHORTEST_US)
            continue
        last = int(piece.at_us[-1])
        if last > piece.at_us[0]:
            kept = piece.take(np.arange(np.searchsorted(piece.at_us, last)))
            return replace(kept, end_us=last)
        most *= 4


def _piece(
    conn: Connection,
    asked: Asked,
    sensors: NDArray[np.int32] | None,
    between: tuple[int, int],
    most: int,
    *,
    ordered: bool,
) -> Piece | None:
    """At most so many rows; None where one of the empty metrics has a value after all."""
    parameters: dict[str, Any] = {
        "start": from_us(between[0]),
        "end": from_us(between[1]),
        "exclude": asked.exclude,
        "most": most,
    }
    if sensors is not None:
        parameters["sensors"] = Integers(sensors)
    statement = query(asked, some=sensors is not None, ordered=ordered)
    with transaction(conn), columnar(conn) as cursor:
        cursor.execute(ALONE)
        row = cursor.execute(statement, parameters).fetchone()
    assert row is not None, "an aggregate without GROUP BY always returns a row"
    sensor, time, quality, *rest = row
    numbers = dict(zip(asked.metrics, rest, strict=False))
    if any(numbers[name] is not None for name in asked.empty):
        return None
    missing = np.full(0 if sensor is None else len(sensor), np.nan)
    piece = Piece(
        *between,
        _column(sensor, np.int32),
        _column(time, np.int64),
        _column(quality, np.int16),
        {name: missing if each is None else each for name, each in numbers.items()},
        {
            name: _column(each, np.int64)
            for name, each in zip(asked.stamps, rest[len(numbers) :], strict=True)
        },
    )
    step = np.diff(piece.at_us)
    if (step < 0).any() or (np.diff(piece.sensor)[step == 0] < 0).any():
        return piece.take(np.lexsort((piece.sensor, piece.at_us)))
    return piece


@lru_cache(maxsize=64)
def query(asked: Asked, *, some: bool, ordered: bool = False) -> sql.Composed:
    """The statement of one piece; some: of some sensors only; ordered: the first ones by time."""
    metrics = [sql.Identifier(name) for name in asked.metrics]
    stamps = [sql.Identifier(name) for name in asked.stamps]
    values = [
        (_MAYBE if m in asked.empty else _VALUE).format(sql.Identifier(m)) for m in asked.metrics
    ]
    arrays = [
        (_ANY if m in asked.empty else _ARRAY).format(sql.Identifier(m))
        for m in (*asked.metrics, *asked.stamps)
    ]
    return PIECE.format(
        table=sql.Identifier(CATALOGUE[asked.domain].table),
        aggregates=_COMMA.join(arrays),
        values=_COMMA.join(values + [sql.SQL("r.{}").format(each) for each in stamps]),
        present=_OR.join(sql.SQL("r.{} IS NOT NULL").format(each) for each in metrics),
        sound=SOUND if asked.exclude else sql.SQL(""),
        only=ONLY if some else sql.SQL(""),
        order=ORDER if ordered else sql.SQL(""),
    )


def _column(values: NDArray[Any] | None, kind: type[np.generic]) -> NDArray[Any]:
    return np.empty(0, kind) if values is None else values
