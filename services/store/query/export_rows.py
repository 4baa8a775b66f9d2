"""Stored readings in the order of time, for files: as many as there are, in pieces of bounded size.

Each piece is what one window of time holds; the window follows the rate that the piece before showed, and is cut at a
moment where it would hold too much. Nothing is open between two pieces. It refuses to hold more than a piece, and to
sort what the index has sorted already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from services.domain.batch import ReadingBatch
from services.domain.catalogue import CATALOGUE, Domain
from services.domain.instant import DAY_US, SECOND_US, from_us, to_us
from services.store.connection import Connection
from services.store.wire import Integers, columnar

PIECE_ROWS: Final = 100_000
"""Readings that a piece is meant to hold."""
_LONGEST_US: Final = 7 * DAY_US
_SHORTEST_US: Final = SECOND_US

PIECE: Final = sql.SQL("""
    SELECT array_agg(sensor), array_agg(time), array_agg(received_at), array_agg(quality), array_agg(stored_at),
           {aggregates}
      FROM (SELECT r.sensor, r.time, r.received_at, r.quality, r.stored_at, {values} FROM {table} AS r
             WHERE r.time >= %(start)s AND r.time < %(end)s AND (r.quality & %(exclude)s) = 0 AND ({present}) {only}
             ORDER BY r.time, r.sensor LIMIT %(most)s) AS found
""")
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
        stored_us: (n,) int64, when the transaction that stored them began.
    """

    start_us: int
    end_us: int
    batch: ReadingBatch
    stored_us: NDArray[np.int64]


def pieces(
    conn: Connection,
    domain: Domain,
    sensors: NDArray[np.int32] | None,
    start_us: int,
    end_us: int,
    *,
    metrics: Sequence[str],
    exclude: int = 0,
    most_rows: int = PIECE_ROWS,
) -> Iterator[Piece]:
    """Readings observed in [start_us, end_us) that have any of the metrics and none of the quality bits.

    Args:
        sensors: numbers; None for all of the domain.
        most_rows: how many a piece is meant to hold; at most twice as many, unless one moment alone has more.
    """
    window = _SHORTEST_US * 60
    at = start_us
    asked = (domain, tuple(metrics), exclude)
    while at < end_us:
        piece = _cut_piece(conn, asked, sensors, (at, min(at + window, end_us)), 2 * most_rows)
        yield piece
        rows = len(piece.batch)
        growth = 8.0 if rows == 0 else min(8.0, max(0.1, most_rows / rows))
        window = int(min(max(window * growth, _SHORTEST_US), _LONGEST_US))
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
    asked: tuple[Domain, tuple[str, ...], int],
    sensors: NDArray[np.int32] | None,
    between: tuple[int, int],
    most: int,
) -> Piece:
    """The piece, or where it has more than `most` rows what comes before the last moment that was read."""
    while True:
        piece = _piece(conn, asked, sensors, between, most + 1)
        if len(piece.batch) <= most:
            return piece
        at_us = piece.batch.observed_us
        last = int(at_us[-1])
        if last > at_us[0]:
            rows = np.arange(np.searchsorted(at_us, last))
            return Piece(between[0], last, piece.batch.take(rows), piece.stored_us[rows])
        most *= 4


def _piece(
    conn: Connection,
    asked: tuple[Domain, tuple[str, ...], int],
    sensors: NDArray[np.int32] | None,
    between: tuple[int, int],
    most: int,
) -> Piece:
    domain, names, exclude = asked
    parameters: dict[str, Any] = {
        "start": from_us(between[0]),
        "end": from_us(between[1]),
        "exclude": exclude,
        "most": most,
    }
    if sensors is not None:
        parameters["sensors"] = Integers(sensors)
    with columnar(conn) as cursor:
        row = cursor.execute(query(domain, names, some=sensors is not None), parameters).fetchone()
    assert row is not None, "an aggregate without GROUP BY always returns a row"
    sensor, time, received, quality, stored, *values = row
    batch = ReadingBatch(
        domain,
        _column(sensor, np.int32),
        _column(time, np.int64),
        _column(received, np.int64),
        _column(quality, np.int16),
        {name: _column(column, np.float64) for name, column in zip(names, values, strict=True)},
    )
    return Piece(*between, batch, _column(stored, np.int64))


@lru_cache(maxsize=64)
def query(domain: Domain, names: tuple[str, ...], *, some: bool) -> sql.Composed:
    """The statement of one piece; some: of some sensors only."""
    identifiers = [sql.Identifier(name) for name in names]
    return PIECE.format(
        table=sql.Identifier(CATALOGUE[domain].table),
        aggregates=_COMMA.join(sql.SQL("array_agg({})").format(each) for each in identifiers),
        values=_COMMA.join(
            sql.SQL("coalesce(r.{0}, 'NaN') AS {0}").format(each) for each in identifiers
        ),
        present=_OR.join(sql.SQL("r.{} IS NOT NULL").format(each) for each in identifiers),
        only=ONLY if some else sql.SQL(""),
    )


def _column(values: NDArray[Any] | None, kind: type[np.generic]) -> NDArray[Any]:
    return np.empty(0, kind) if values is None else values
