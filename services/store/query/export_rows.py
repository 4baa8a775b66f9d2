"""Stored readings in the order of time, for files: as many as there are, in pieces of bounded size.

Each piece is what one window of time holds; the window follows the rate that the piece before showed, and is cut at a
moment where it would hold too much. Nothing is open between two pieces. Pieces come from the table as it lies and are
sorted here, where it costs next to nothing: what was stored as it was observed is in order already. It refuses to hold
more than a piece.
"""

from __future__ import annotations

from collections.abc import Iterator
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

PIECE_ROWS: Final = 100_000
"""Readings that a piece is meant to hold."""
_LONGEST_US: Final = 7 * DAY_US
_SHORTEST_US: Final = SECOND_US

PIECE: Final = sql.SQL("""
    SELECT array_agg(sensor), array_agg(time), array_agg(quality), {aggregates}
      FROM (SELECT r.sensor, r.time, r.quality, {values} FROM {table} AS r
             WHERE r.time >= %(start)s AND r.time < %(end)s AND (r.quality & %(exclude)s) = 0 AND ({present}) {only}
             {order} LIMIT %(most)s) AS found
""")
ORDER: Final = sql.SQL("ORDER BY r.time, r.sensor")
"""Only where a window holds too much: so that it can be cut at a moment."""
ALONE: Final[LiteralString] = "SET LOCAL max_parallel_workers_per_gather = 0"
"""Rows that travel from worker to worker cost more than reading them; there is a file to write meanwhile."""
STAMPS: Final = ("received_at", "stored_at")
ONLY: Final = sql.SQL("AND r.sensor = ANY(%(sensors)s)")
BOUNDS: Final = sql.SQL(
    "SELECT min(time), max(time) FROM {table} WHERE time >= %(start)s AND time < %(end)s"
)
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
    """What of the readings: columns, and the quality bits that keep one out."""

    domain: Domain
    metrics: tuple[str, ...]
    exclude: int = 0
    stamps: tuple[str, ...] = ()


def pieces(
    conn: Connection,
    asked: Asked,
    sensors: NDArray[np.int32] | None,
    start_us: int,
    end_us: int,
    *,
    most_rows: int = PIECE_ROWS,
) -> Iterator[Piece]:
    """Readings observed in [start_us, end_us) that have any of the metrics and none of the quality bits.

    Args:
        sensors: numbers; None for all of the domain.
        most_rows: how many a piece is meant to hold; at most twice as many, unless one moment alone has more.
    """
    window = _SHORTEST_US * 60
    at = start_us
    while at < end_us:
        piece = _cut_piece(conn, asked, sensors, (at, min(at + window, end_us)), 2 * most_rows)
        yield piece
        rows = len(piece)
        growth = 8.0 if rows == 0 else min(8.0, max(0.1, most_rows / rows))
        window = int(min(max((piece.end_us - at) * growth, _SHORTEST_US), _LONGEST_US))
        at = piece.end_us


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
    """The piece; where it has more than `most` rows a shorter one, or what comes before the last moment of so many."""
    start_us, end_us = between
    while True:
        ordered = end_us - start_us <= _SHORTEST_US
        piece = _piece(conn, asked, sensors, (start_us, end_us), most + 1, ordered=ordered)
        if len(piece) <= most:
            return piece
        if not ordered:
            end_us = start_us + max((end_us - start_us) // 8, _SHORTEST_US)
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
) -> Piece:
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
    numbers = rest[: len(asked.metrics)]
    piece = Piece(
        *between,
        _column(sensor, np.int32),
        _column(time, np.int64),
        _column(quality, np.int16),
        {
            name: _column(each, np.float64)
            for name, each in zip(asked.metrics, numbers, strict=True)
        },
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
    values = [sql.SQL("coalesce(r.{0}, 'NaN') AS {0}").format(each) for each in metrics]
    return PIECE.format(
        table=sql.Identifier(CATALOGUE[asked.domain].table),
        aggregates=_COMMA.join(sql.SQL("array_agg({})").format(each) for each in metrics + stamps),
        values=_COMMA.join(values + [sql.SQL("r.{}").format(each) for each in stamps]),
        present=_OR.join(sql.SQL("r.{} IS NOT NULL").format(each) for each in metrics),
        only=ONLY if some else sql.SQL(""),
        order=ORDER if ordered else sql.SQL(""),
    )


def _column(values: NDArray[Any] | None, kind: type[np.generic]) -> NDArray[Any]:
    return np.empty(0, kind) if values is None else values
