"""Readings of a range in buckets, as a table: statistics, gaps as the caller wants them, and what to compare with.

Documents hold all buckets of all sensors at once and are bounded; the other forms give one group of sensors after
another. It refuses more buckets than an answer holds, and names a length that fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.api.database import Database
from services.api.history import earlier
from services.api.history.forms.table import Block, Column, ColumnKind, Values
from services.api.history.gaps import Gaps, filled
from services.api.history.lengths import Length
from services.api.history.reading_question import Question
from services.api.parameters import duration
from services.domain.buckets import MOST_BUCKETS
from services.domain.errors import InvalidInput
from services.domain.instant import SECOND_US, to_us
from services.domain.quality import Quality
from services.domain.statistic import Statistic
from services.store.connection import Connection
from services.store.query.question import Question as Asked
from services.store.query.summaries import summaries

Floats = NDArray[np.float64]
STEPS: Final = (
    *(1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 10_800, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800),
)
"""Seconds of lengths that a person would choose."""
_LONGER: Final = (Length(1, 0), Length(3, 0), Length(12, 0))
_UNITLESS: Final = frozenset({Statistic.COUNT})
_NEVER_FILLED: Final = frozenset({Statistic.COUNT})
MOST_CELLS: Final = 200_000
"""Sensors times buckets of a group."""
SUFFIXES: Final = ("usual_low", "usual", "usual_high")


@dataclass(frozen=True, slots=True)
class Layout:
    """What is asked of the buckets.

    Attributes:
        asked: sensors, metrics and range.
        bucket: their length.
        statistics: one column for each of each metric.
        exclude: readings with any of these bits of quality are left out.
        gaps, longest_gap: how missing values are shown, and the longest gap that is filled.
        share: whether a column says which share of the expected readings is there.
        baseline: whether the usual band stands beside the data.
        compare: an earlier period beside it.
        with_ids: whether the column `sensor_id` is there.
    """

    asked: Question
    bucket: Length
    statistics: tuple[Statistic, ...]
    exclude: Quality
    gaps: Gaps
    longest_gap: Length | None
    share: bool
    baseline: bool
    compare: Length | None
    with_ids: bool

    def pairs(self) -> list[tuple[str, Statistic, str]]:
        """Metric, statistic and the name of their column; one statistic leaves the metric's own name."""
        one = len(self.statistics) == 1
        return [
            (name, each, name if one else f"{name}_{each}")
            for name in self.asked.names
            for each in self.statistics
        ]

    def columns(self) -> list[Column]:
        """What every block holds."""
        units = {each.name: each.unit for each in self.asked.metric_columns()}
        found = [Column("time", ColumnKind.TIME)]
        if self.with_ids:
            found.append(Column("sensor_id", ColumnKind.WORD))
        for metric, statistic, name in self.pairs():
            unit = "1" if statistic in _UNITLESS else units[metric]
            found.append(Column(name, ColumnKind.NUMBER, unit))
            if self.gaps is not Gaps.NULL and statistic not in _NEVER_FILLED:
                found.append(Column(f"{name}_imputed", ColumnKind.FLAG))
            if self.baseline:
                found += [Column(f"{name}_{each}", ColumnKind.NUMBER, unit) for each in SUFFIXES]
            if self.compare is not None:
                found.append(Column(f"{name}_before", ColumnKind.NUMBER, unit))
        if self.share:
            found += [Column(f"{name}_share", ColumnKind.NUMBER, "1") for name in self.asked.names]
        return found

    def document(self, database: Database, limit: int) -> Block:
        """All buckets of all sensors at once, in the order of (bucket, sensor number).

        Raises:
            InvalidInput: more buckets than the limit.
        """
        self.refuse_too_many(limit)
        blocks = list(self._groups(database))
        values = {
            name: np.concatenate([block[name] for _, _, block in blocks], axis=0).T.ravel()
            for name in blocks[0][2]
        }
        sensors = np.concatenate([each for each, _, _ in blocks])
        return self._flat(values, np.repeat(blocks[0][1][:-1], len(sensors)), sensors, tiled=True)

    def refuse_too_many(self, limit: int) -> None:
        """Raise InvalidInput when the range has more buckets of all sensors than `limit`."""
        asked = self.asked
        lanes = len(asked.sensors)
        refuse_too_many((asked.start, asked.end), self.bucket, asked.zone, limit=limit, lanes=lanes)

    def cells(self) -> int:
        """Sensors times buckets."""
        between = (to_us(self.asked.start), to_us(self.asked.end))
        edges = self.bucket.buckets(self.asked.zone).edges_us(*between)
        return (len(edges) - 1) * len(self.asked.sensors)

    def blocks(self, database: Database) -> Iterator[Block]:
        """Group after group of sensors, one sensor after the other, each with all its buckets."""
        for sensors, edges, block in self._groups(database):
            values = {name: column.ravel() for name, column in block.items()}
            yield self._flat(values, np.tile(edges[:-1], len(sensors)), sensors, tiled=False)

    def _flat(
        self,
        values: Mapping[str, NDArray[np.generic]],
        time: NDArray[np.int64],
        sensors: NDArray[np.int32],
        *,
        tiled: bool,
    ) -> Block:
        block: dict[str, Values] = {"time": time}
        if self.with_ids:
            buckets = len(time) // max(len(sensors), 1)
            repeated = np.tile(sensors, buckets) if tiled else np.repeat(sensors, buckets)
            block["sensor_id"] = self.asked.ids(repeated)
        return {**block, **values}

    def _groups(
        self, database: Database
    ) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64], dict[str, NDArray[np.generic]]]]:
        """Sensors, edges and columns (k, m) of groups of sensors, each with the whole range."""
        whole = self._question(self.asked.numbers.tolist())
        edges = whole.edges_us()
        at_once = max(1, min(len(whole.sensors), MOST_CELLS // max(len(edges) - 1, 1)))
        for first in range(0, len(whole.sensors), at_once):
            numbers = self.asked.numbers[first : first + at_once]
            with database.connection() as connection:
                block = self._group(connection, self._question(numbers.tolist()), edges)
            yield numbers, edges, block

    def _question(self, numbers: list[int]) -> Asked:
        return Asked(
            self.asked.domain,
            numbers,
            self.asked.names,
            self.asked.start,
            self.asked.end,
            self.bucket.buckets(self.asked.zone),
            self.statistics,
            self.exclude,
        )

    def _group(
        self, connection: Connection, asked: Asked, edges: NDArray[np.int64]
    ) -> dict[str, NDArray[np.generic]]:
        ask = partial(answered, connection)
        values, shares = _whole(connection, asked)
        zone = self.asked.zone
        before = None
        if self.compare is not None:
            before = earlier.shifted(ask, asked, edges, self.compare, zone)
        band = earlier.usual(ask, asked, edges, zone) if self.baseline else None
        longest = None if self.longest_gap is None else self.longest_gap.longest_us
        found: dict[str, NDArray[np.generic]] = {}
        for i, (_, statistic, name) in enumerate(self.pairs()):
            column = values[i]
            if statistic is Statistic.COUNT:
                column = np.where(column == 0, np.nan, column)
            elif self.gaps is not Gaps.NULL:
                column, found_imputed = filled(column, edges[:-1], self.gaps, longest)
                found[f"{name}_imputed"] = found_imputed
            found[name] = column
            if band is not None:
                found |= {f"{name}_{each}": band[j][i] for j, each in enumerate(SUFFIXES)}
            if before is not None:
                found[f"{name}_before"] = before[i]
        if self.share:
            found |= {f"{name}_share": shares[name] for name in asked.metrics}
        return found


def answered(connection: Connection, asked: Asked) -> tuple[NDArray[np.int64], Floats]:
    """Edges, and (c, k, m) values: a column for each statistic of each metric."""
    return asked.edges_us(), _whole(connection, asked)[0]


def _whole(connection: Connection, asked: Asked) -> tuple[Floats, dict[str, Floats]]:
    """(c, k, m) values of all buckets, and the share of data present of each metric, (k, m)."""
    edges = asked.edges_us()
    pairs = [(name, each) for name in asked.metrics for each in asked.statistics]
    shape = (len(asked.sensors), len(edges) - 1)
    values = np.full((len(pairs), *shape), np.nan)
    shares = {name: np.full(shape, np.nan) for name in asked.metrics}
    place = {number: at for at, number in enumerate(asked.sensors)}
    for block in summaries(connection, asked):
        rows = np.array([place[number] for number in block.sensor.tolist()], np.intp)
        first = int(np.searchsorted(edges, block.edges_us[0]))
        columns = slice(first, first + len(block.edges_us) - 1)
        for i, (name, statistic) in enumerate(pairs):
            values[i, rows, columns] = block.values[name][statistic]
        for name in asked.metrics:
            shares[name][rows, columns] = block.coverage[name]
    return values, shares


def refuse_too_many(
    between: tuple[datetime, datetime], bucket: Length, zone: str, *, limit: int, lanes: int
) -> None:
    """Raise InvalidInput when a range has more buckets of `lanes` sensors than `limit`; it names a length that fits."""
    start_us, end_us = to_us(between[0]), to_us(between[1])
    buckets = bucket.buckets(zone)
    about = (end_us - start_us) // buckets.shortest_us
    few = (about - 1) * lanes <= limit and about <= MOST_BUCKETS
    if few and (len(buckets.edges_us(start_us, end_us)) - 1) * lanes <= limit:
        return
    most = min(limit // lanes, MOST_BUCKETS)
    raise InvalidInput(
        "bucket",
        bucket.text,
        f"at most {limit} buckets in one answer: {_fitting(start_us, end_us, zone, most)} or longer fits this "
        "range; or ask for a shorter range or fewer sensors",
    )


def _fitting(start_us: int, end_us: int, zone: str, most: int) -> str:
    for seconds in STEPS:
        if (end_us - start_us) // (seconds * SECOND_US) + 2 <= most:
            return duration(seconds)
    for length in _LONGER:
        if len(length.buckets(zone).edges_us(start_us, end_us)) <= most:
            return length.text
    return "P1Y"
