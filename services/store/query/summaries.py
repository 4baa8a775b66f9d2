"""Summaries of many sensors by buckets of time, block after block: exact, whatever is late, corrected or not rolled up.

A block holds as many rows as memory allows, never the range: each is a question of its own, and sees what was
committed when it was asked. It refuses to fill gaps: that is for the caller, who sees them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, LiteralString

import numpy as np
from numpy.typing import NDArray
from psycopg.pq import TransactionStatus

from services.domain.instant import DAY_US, SECOND_US
from services.domain.statistic import (
    OF_VALUES,
    SHARE_OF,
    Folded,
    Statistic,
    fold,
    needed,
    parts_of,
    percentiles,
    time_weighted,
    together,
)
from services.store.connection import Connection
from services.store.query.columns import Columns, neighbours, spans, values_in
from services.store.query.pieces import Pieces, pieces_of, snapshot
from services.store.query.question import Block, Question
from services.store.rollups.rolled import finest_levels
from services.store.rollups.rollup_level import Level
from services.store.wire import Integers, columnar

MOST_ROWS: Final = 400_000
"""Readings that a block is meant to be made of."""
MOST_CELLS: Final = 400_000
"""Sensors times buckets of a block."""
HOLDS_CADENCES: Final = 2.5
"""For so many cadences a value holds, in a time-weighted mean."""
REACH_US: Final = 31 * DAY_US
"""A value that is older does not hold any more."""
_USUAL_CADENCE_US: Final = 60 * SECOND_US

CADENCES: Final[LiteralString] = """
    SELECT array_agg(coalesce(s.cadence_s, 'NaN') ORDER BY wanted.ordinal)
      FROM unnest(%(sensors)s) WITH ORDINALITY AS wanted (sensor, ordinal) LEFT JOIN sensor AS s ON s.number = sensor
"""


def summaries(
    conn: Connection, question: Question, *, most_rows: int = MOST_ROWS
) -> Iterator[Block]:
    """Answer a question in blocks: some of its sensors in their order, each with all its buckets, before the next ones.

    Where one sensor's buckets are too many for a block, they come in several that follow each other. Together the
    blocks hold each of the question's sensors in each of its buckets once. Nothing is locked or open between two
    blocks; the connection should be in autocommit mode.

    Args:
        most_rows: readings of which a block is made, about: what bounds the memory.

    Raises:
        DatabaseUnavailable: the database is away, or the statement ran into its time limit.
    """
    edges = question.edges_us()
    sensors = np.asarray(question.sensors, np.int32)
    cadence_us, row_us = cadences(conn, sensors), None
    level = level_of(question, edges)
    if level is not None:
        finest = finest_levels(conn, question.domain, sensors, question.start_us)
        row_us = np.where(finest <= level, level.unit_us, 0)
    for place, window in blocks_of(question, edges, cadence_us, most_rows, row_us=row_us):
        yield _block(conn, question, sensors[place], cadence_us[place], edges[window])


def cadences(conn: Connection, sensors: NDArray[np.int32]) -> NDArray[np.float64]:
    """(n,) each sensor's declared cadence, microseconds; NaN where it is not declared."""
    if not len(sensors):
        return np.empty(0)
    with columnar(conn) as cursor:
        row = cursor.execute(CADENCES, {"sensors": Integers(sensors)}).fetchone()
    assert row is not None
    found: NDArray[np.float64] = row[0] * SECOND_US
    return found


def blocks_of(
    question: Question,
    edges: NDArray[np.int64],
    cadence_us: NDArray[np.float64],
    most_rows: int,
    *,
    row_us: NDArray[np.int64] | None = None,
) -> Iterator[tuple[slice, slice]]:
    """Sensors and edges (one more than buckets) of each block.

    Args:
        row_us: (k,) for how long one row stands, where that is longer than the cadence.
    """
    every = np.where(np.isnan(cadence_us), _USUAL_CADENCE_US, cadence_us)
    every = every if row_us is None else np.maximum(every, row_us)
    rows = (question.end_us - question.start_us) / every
    buckets = len(edges) - 1
    most_sensors = max(1, MOST_CELLS // buckets)
    first, n = 0, len(cadence_us)
    while first < n:
        fits = int(
            np.searchsorted(np.cumsum(rows[first : first + most_sensors]), most_rows, "right")
        )
        last = first + max(1, fits)
        need = float(rows[first:last].sum())
        share = min(1.0, most_rows / max(need, 1.0), MOST_CELLS / ((last - first) * buckets))
        step = max(1, int(buckets * share))
        for begin in range(0, buckets, step):
            yield slice(first, last), slice(begin, min(begin + step, buckets) + 1)
        first = last


@dataclass(frozen=True, slots=True)
class Window:
    """What a block covers: the buckets' bounds, and what of them lies inside the range."""

    edges_us: NDArray[np.int64]
    start_us: int
    end_us: int

    @property
    def buckets(self) -> int:
        """How many."""
        return len(self.edges_us) - 1

    def cell(self, series: NDArray[np.int64], at_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) series * buckets + the bucket in which a moment of the window lies."""
        return series * self.buckets + np.searchsorted(self.edges_us, at_us, side="right") - 1

    def inside_us(self) -> NDArray[np.float64]:
        """(m,) how much of each bucket lies inside the range."""
        low = np.maximum(self.edges_us[:-1], self.start_us)
        return (np.minimum(self.edges_us[1:], self.end_us) - low).astype(np.float64)


def window_of(question: Question, edges_us: NDArray[np.int64]) -> Window:
    """The part of a question that these buckets cover."""
    return Window(
        edges_us,
        max(question.start_us, int(edges_us[0])),
        min(question.end_us, int(edges_us[-1])),
    )


def covered(
    count: NDArray[np.float64], cadence_us: NDArray[np.float64], window: Window
) -> NDArray[np.float64]:
    """(k, m) share of the expected values that are there; NaN where no cadence (k,) is known."""
    expected = window.inside_us()[None, :] / cadence_us[:, None]
    return np.minimum(1.0, count / np.maximum(expected, 1.0))


def _block(
    conn: Connection,
    question: Question,
    sensors: NDArray[np.int32],
    cadence_us: NDArray[np.float64],
    edges_us: NDArray[np.int64],
) -> Block:
    window = window_of(question, edges_us)
    level = level_of(question, edges_us)
    if level is None or conn.info.transaction_status is not TransactionStatus.IDLE:
        wanted = spans(sensors, window.start_us, window.end_us)
        found = values_in(conn, question.domain, question.metrics, wanted, int(question.exclude))
        columns = {
            metric: of_values(
                conn, question, metric, found, sensors=sensors, cadence_us=cadence_us, window=window
            )
            for metric in question.metrics
        }
    else:
        with snapshot(conn):
            pieces = pieces_of(
                conn,
                question,
                sensors,
                start_us=window.start_us,
                end_us=window.end_us,
                level=level,
            )
        columns = of_pieces(question, pieces, window, len(sensors))
    shape = (len(sensors), window.buckets)
    values, coverage = {}, {}
    for metric, flat in columns.items():
        coverage[metric] = covered(flat[Statistic.COUNT].reshape(shape), cadence_us, window)
        values[metric] = {each: flat[each].reshape(shape) for each in question.statistics}
    return Block(sensors, edges_us, values, coverage)


def level_of(question: Question, edges_us: NDArray[np.int64]) -> Level | None:
    """The coarsest level of rollups from which these buckets follow exactly; None: from the readings only."""
    if OF_VALUES & set(question.statistics):
        return None
    fitting = [level for level in Level if not (edges_us % level.unit_us).any()]
    return fitting[-1] if fitting else None


def of_pieces(
    question: Question, pieces: Pieces, window: Window, number: int
) -> dict[str, dict[Statistic, NDArray[np.float64]]]:
    """As `of_values`, of every metric, from rollups and from the readings that stand in for others."""
    wanted, cells = needed(question.statistics), number * window.buckets
    answer: dict[str, dict[Statistic, NDArray[np.float64]]] = {}
    for metric in question.metrics:
        series, at_us, numbers = pieces.readings.of(metric)
        folded: Folded | None = None
        if len(series):
            cell = window.cell(series, at_us)
            folded = fold(parts_of(numbers, wanted), at_us, cell, cells)
        for rows in pieces.rolled:
            known = rows.of(metric)
            other = fold(
                known.parts[metric], known.at_us, window.cell(known.series, known.at_us), cells
            )
            folded = other if folded is None else together(folded, other)
        folded = folded or fold(parts_of(np.empty(0), wanted), at_us, series, cells)
        answer[metric] = {
            each: folded.statistic(each) for each in {*question.statistics, Statistic.COUNT}
        }
    return answer


def of_values(
    conn: Connection,
    question: Question,
    metric: str,
    found: Columns,
    *,
    sensors: NDArray[np.int32],
    cadence_us: NDArray[np.float64],
    window: Window,
) -> dict[Statistic, NDArray[np.float64]]:
    """Each asked statistic, and the count, of one metric in each cell, from the values themselves."""
    series, at_us, numbers = found.of(metric)
    cell = window.cell(series, at_us)
    cells = len(sensors) * window.buckets
    folded = fold(parts_of(numbers, needed(question.statistics)), at_us, cell, cells)
    flat = {
        each: folded.statistic(each) for each in {*question.statistics, Statistic.COUNT} - OF_VALUES
    }
    shares = {each: SHARE_OF[each] for each in question.statistics if each in SHARE_OF}
    if shares:
        columns = percentiles(numbers, cell, cells, list(shares.values()))
        flat.update(zip(shares, columns, strict=True))
    if Statistic.TIME_WEIGHTED in question.statistics:
        series, at_us, numbers = _with_before(
            conn, question, metric, found, sensors=sensors, window=window
        )
        flat[Statistic.TIME_WEIGHTED] = time_weighted(
            at_us,
            numbers,
            series,
            hold_us=np.where(np.isnan(cadence_us), REACH_US, HOLDS_CADENCES * cadence_us),
            edges_us=window.edges_us,
            start_us=window.start_us,
            end_us=window.end_us,
            number=len(sensors),
        )
    return flat


def _with_before(
    conn: Connection,
    question: Question,
    metric: str,
    found: Columns,
    *,
    sensors: NDArray[np.int32],
    window: Window,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """The metric's values with the one before the window, which holds into it."""
    before = neighbours(
        conn,
        question.domain,
        [metric],
        sensors,
        start_us=window.start_us - REACH_US,
        end_us=window.start_us,
        exclude=int(question.exclude),
        latest=True,
    )
    series, at_us, numbers = found.of(metric)
    series = np.concatenate([before.series, series])
    at_us = np.concatenate([before.at_us, at_us])
    numbers = np.concatenate([before.values[metric], numbers])
    order = np.lexsort((at_us, series))
    return series[order], at_us[order], numbers[order]
