"""Readings of a range laid out in buckets, empty ones as missing; it refuses more buckets than the limit.

The refusal names a bucket that fits.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.api.buckets import count, fitting, grid, laid_out
from services.api.forms.table import Block, Column, ColumnKind
from services.api.parameters import duration
from services.api.reading_question import Question
from services.domain.errors import InvalidInput
from services.store.connection import Connection
from services.store.history import Aggregate, History

_UNITLESS: Final = frozenset({Aggregate.COUNT})


def columns(asked: Question, aggregate: Aggregate, *, with_ids: bool) -> list[Column]:
    """What a block of buckets holds."""
    found = [Column("time", ColumnKind.TIME)]
    if with_ids:
        found.append(Column("sensor_id", ColumnKind.WORD))
    for column in asked.metric_columns():
        unit = "1" if aggregate in _UNITLESS else column.unit
        found.append(Column(column.name, ColumnKind.NUMBER, unit))
    return found


def block(
    connection: Connection,
    asked: Question,
    bucket_s: int,
    aggregate: Aggregate,
    limit: int,
    *,
    with_ids: bool,
) -> Block:
    """All buckets of the range, in the order of (bucket, sensor number).

    Raises:
        InvalidInput: more buckets than the limit.
    """
    lanes = len(asked.sensors)
    edges = _edges(asked, bucket_s, limit)
    numbers = asked.numbers
    found_us: list[NDArray[np.int64]] = []
    found_lane: list[NDArray[np.intp]] = []
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in asked.names}
    after: str | None = None
    while True:
        page = History(connection).bucketed(
            asked.domain,
            numbers.tolist(),
            asked.names,
            asked.start,
            asked.end,
            bucket_s=bucket_s,
            aggregates=[aggregate],
            limit=max(limit + lanes, 2 * lanes),
            time_zone=asked.zone,
            after=after,
        )
        found_us.append(page.bucket_us)
        found_lane.append(np.searchsorted(numbers, page.sensor))
        for name in asked.names:
            found[name].append(page.values[name][aggregate])
        after = page.next
        if after is None:
            break
    bucket_us, lane = np.concatenate(found_us), np.concatenate(found_lane)
    edges = np.union1d(edges, bucket_us)
    whole: dict[str, object] = {"time": np.repeat(edges, lanes)}
    if with_ids:
        whole["sensor_id"] = asked.ids(np.tile(numbers, len(edges)))
    for name in asked.names:
        values = laid_out(edges, bucket_us, lane, lanes, np.concatenate(found[name]))
        if aggregate is Aggregate.COUNT:
            values[values == 0] = np.nan
        whole[name] = values
    return whole  # type: ignore[return-value]


def _edges(asked: Question, bucket_s: int, limit: int) -> NDArray[np.int64]:
    between, lanes = (asked.start, asked.end), len(asked.sensors)
    if (count(*between, bucket_s) - 2) * lanes <= limit:
        edges = grid(*between, bucket_s, asked.zone)
        if len(edges) * lanes <= limit:
            return edges
    fits = duration(fitting(*between, max(limit // lanes, 3)))
    raise InvalidInput(
        "bucket",
        duration(bucket_s),
        f"at most {limit} buckets in one answer: {fits} or longer fits this range; "
        "or ask for a shorter range or fewer sensors",
    )
