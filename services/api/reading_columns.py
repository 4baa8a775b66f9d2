"""Columns of readings for an answer: a page of raw readings, or a range laid out in buckets.

From the store's arrays to JSON column by column; it refuses more buckets than the limit and names one that fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.api.answers import column, times
from services.api.buckets import count, fitting, grid, laid_out
from services.api.parameters import duration
from services.api.reading_parameters import Extra, ReadingParameters, Wanted
from services.domain.errors import InvalidInput
from services.domain.quality import Quality
from services.store.connection import Connection
from services.store.history import Aggregate, History
from services.store.sensors import RegisteredSensor

_DOUBTFUL: Final = Quality.IMPLAUSIBLE | Quality.ESTIMATED | Quality.SUSPECT_CLOCK


def raw(
    connection: Connection,
    sensors: Sequence[RegisteredSensor],
    chosen: ReadingParameters,
    between: tuple[datetime, datetime],
    names: Sequence[str],
) -> tuple[dict[str, msgspec.Raw], str | None]:
    """One page of readings as they are, and the cursor of the next; `sensor_id` is always among the columns.

    Raises:
        InvalidInput: a parameter that only buckets have, or one that the store refuses.
    """
    if chosen.aggregate is not None:
        raise InvalidInput("aggregate", chosen.aggregate.value, "only together with bucket")
    numbers = [each.number for each in sensors]
    page = History(connection).raw(
        sensors[0].sensor.domain,
        numbers,
        *between,
        limit=chosen.limit,
        metrics=names,
        after=chosen.after,
    )
    batch, stored_us = page.batch, page.stored_us
    if chosen.quality is Wanted.GOOD:
        good = (batch.quality & int(_DOUBTFUL)) == 0
        batch, stored_us = batch.take(good), stored_us[good]
    columns = {
        "time": times(batch.observed_us),
        "sensor_id": _ids(sensors, batch.sensor),
        **{name: column(batch.metrics[name]) for name in names},
        "quality": column(batch.quality),
    }
    if Extra.RECEIVED_AT in chosen.include:
        columns["received_at"] = times(batch.received_us)
    if Extra.STORED_AT in chosen.include:
        columns["stored_at"] = times(stored_us)
    return columns, page.next


def bucketed(
    connection: Connection,
    sensors: Sequence[RegisteredSensor],
    chosen: ReadingParameters,
    between: tuple[datetime, datetime],
    names: Sequence[str],
) -> dict[str, msgspec.Raw]:
    """All buckets of the range, empty ones as null, in the order of (bucket, sensor number).

    Raises:
        InvalidInput: more buckets than the limit, or a parameter that only raw readings have.
    """
    assert chosen.bucket is not None
    for field in ("after", "include"):
        if getattr(chosen, field):
            raise InvalidInput(field, str(getattr(chosen, field)), "only without bucket")
    if chosen.quality is not Wanted.ANY:
        raise InvalidInput("quality", chosen.quality.value, "any, or no bucket")
    lanes = len(sensors)
    aggregate = chosen.aggregate or Aggregate.AVG
    zones = {each.sensor.time_zone for each in sensors}
    zone = zones.pop() if len(zones) == 1 else "UTC"
    edges = _edges(chosen, between, lanes, zone)
    order = np.argsort([each.number for each in sensors])
    numbers = np.array([sensors[at].number for at in order], np.int32)
    found_us: list[NDArray[np.int64]] = []
    found_lane: list[NDArray[np.intp]] = []
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in names}
    after: str | None = None
    while True:
        page = History(connection).bucketed(
            sensors[0].sensor.domain,
            numbers.tolist(),
            names,
            *between,
            bucket_s=chosen.bucket,
            aggregates=[aggregate],
            limit=max(chosen.limit + lanes, 2 * lanes),
            time_zone=zone,
            after=after,
        )
        found_us.append(page.bucket_us)
        found_lane.append(np.searchsorted(numbers, page.sensor))
        for name in names:
            found[name].append(page.values[name][aggregate])
        after = page.next
        if after is None:
            break
    bucket_us, lane = np.concatenate(found_us), np.concatenate(found_lane)
    edges = np.union1d(edges, bucket_us)
    columns = {
        "time": times(np.repeat(edges, lanes)),
        "sensor_id": _ids(sensors, np.tile(numbers, len(edges))),
    }
    for name in names:
        whole = laid_out(edges, bucket_us, lane, lanes, np.concatenate(found[name]))
        if aggregate is Aggregate.COUNT:
            whole[whole == 0] = np.nan
        columns[name] = column(whole)
    return columns


def _edges(
    chosen: ReadingParameters, between: tuple[datetime, datetime], lanes: int, zone: str
) -> NDArray[np.int64]:
    assert chosen.bucket is not None
    if (count(*between, chosen.bucket) - 2) * lanes <= chosen.limit:
        edges = grid(*between, chosen.bucket, zone)
        if len(edges) * lanes <= chosen.limit:
            return edges
    fits = duration(fitting(*between, max(chosen.limit // lanes, 3)))
    raise InvalidInput(
        "bucket",
        duration(chosen.bucket),
        f"at most {chosen.limit} buckets in one answer: {fits} or longer fits this range; "
        "or ask for a shorter range or fewer sensors",
    )


def _ids(sensors: Sequence[RegisteredSensor], numbers: NDArray[np.int32]) -> msgspec.Raw:
    ids = {each.number: each.sensor.id for each in sensors}
    return msgspec.Raw(msgspec.json.encode([ids[number] for number in numbers.tolist()]))
