"""Readings: a range of one or many sensors as columns, raw by pages or in buckets, and the newest of one sensor.

It refuses ranges that do not fit into memory: raw readings come in pages, too many buckets are answered with the
bucket that would do.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import numpy as np
from fastapi import APIRouter, Depends, Query, Request

from services.api.access import read
from services.api.answers import Answer
from services.api.documents import LatestDocument, ReadingColumns
from services.api.parameters import SensorId, duration
from services.api.problems import documented
from services.api.reading_columns import bucketed, raw
from services.api.reading_parameters import ManyParameters, ReadingParameters
from services.domain.catalogue import CATALOGUE, Domain
from services.domain.errors import InvalidInput
from services.domain.instant import from_us
from services.store.connection import Connection
from services.store.history import Aggregate, History
from services.store.sensors import RegisteredSensor, SensorRepository

router = APIRouter(tags=["readings"], dependencies=[Depends(read)])

_DEFAULT_RANGE: Final = timedelta(days=1)


_ANSWERS: Final = {
    200: {"model": ReadingColumns, "description": "Readings by columns"},
    **documented(401, 403, 404, 422, 503),
}


@router.get(
    "/v1/sensors/{sensor_id}/readings",
    summary="Readings of one sensor",
    responses=_ANSWERS,
)
def of_one(
    request: Request, sensor_id: SensorId, chosen: Annotated[ReadingParameters, Query()]
) -> Answer:
    """Give the readings of a range, oldest first, by columns. Missing values and empty buckets are null."""
    with request.app.state.database.connection() as connection:
        sensor = SensorRepository(connection).registered(sensor_id)
        return _readings(connection, [sensor], chosen, {"sensor_id": sensor_id}, many=False)


@router.get("/v1/readings", summary="Readings of many sensors", responses=_ANSWERS)
def of_many(request: Request, chosen: Annotated[ManyParameters, Query()]) -> Answer:
    """Give the readings of several sensors of one domain, in the order of time, with a column `sensor_id`."""
    with request.app.state.database.connection() as connection:
        repository = SensorRepository(connection)
        ids = list(dict.fromkeys(chosen.sensor_id))
        found = [repository.registered(sensor_id) for sensor_id in ids]
        return _readings(connection, found, chosen, {"sensor_id": ids}, many=True)


@router.get(
    "/v1/sensors/{sensor_id}/latest",
    summary="The newest reading of one sensor",
    responses={
        200: {"model": LatestDocument, "description": "The newest values"},
        **documented(401, 403, 404, 422, 503),
    },
)
def latest(request: Request, sensor_id: SensorId) -> Answer:
    """Give the reading with the newest observed time, and its age."""
    with request.app.state.database.connection() as connection:
        found = SensorRepository(connection).registered(sensor_id)
        batch = History(connection).latest(found.sensor.domain, [found.number]).batch
    if not len(batch):
        return Answer({"sensor_id": sensor_id, "time": None, "age_s": None, "values": {}})
    time = from_us(int(batch.observed_us[0]))
    units = CATALOGUE[found.sensor.domain].by_column
    return Answer(
        {
            "sensor_id": sensor_id,
            "time": time,
            "age_s": (datetime.now(UTC) - time).total_seconds(),
            "values": {
                name: {"time": time, "value": float(values[0]), "unit": units[name].unit}
                for name, values in batch.metrics.items()
                if not np.isnan(values[0])
            },
        }
    )


def _readings(
    connection: Connection,
    sensors: Sequence[RegisteredSensor],
    chosen: ReadingParameters,
    about: dict[str, object],
    *,
    many: bool,
) -> Answer:
    domain = _one_domain(sensors)
    names = _names(domain, chosen.metrics)
    end = chosen.end or datetime.now(UTC)
    start = chosen.start or end - _DEFAULT_RANGE
    if start >= end:
        field = "start" if chosen.end is None else "end"
        rule = "a time before end" if field == "start" else "a time after start"
        raise InvalidInput(field, getattr(chosen, field).isoformat(), rule)
    if chosen.bucket is None:
        columns, following = raw(connection, sensors, chosen, (start, end), names)
    else:
        columns, following = bucketed(connection, sensors, chosen, (start, end), names), None
    if not many:
        columns.pop("sensor_id")
    by_column = CATALOGUE[domain].by_column
    aggregate = (chosen.aggregate or Aggregate.AVG) if chosen.bucket else None
    return Answer(
        about
        | {
            "start": start,
            "end": end,
            "bucket": duration(chosen.bucket) if chosen.bucket else None,
            "aggregate": aggregate,
            "metrics": [
                {
                    "name": name,
                    "unit": "1" if aggregate is Aggregate.COUNT else by_column[name].unit,
                }
                for name in names
            ],
            "columns": columns,
            "next": following,
            "has_more": following is not None,
        }
    )


def _one_domain(sensors: Sequence[RegisteredSensor]) -> Domain:
    domains = {each.sensor.domain for each in sensors}
    if len(domains) > 1:
        raise InvalidInput(
            "sensor_id",
            ", ".join(sorted(domains)),
            "sensors of one domain; ask for each domain by itself",
        )
    return domains.pop()


def _names(domain: Domain, asked: Sequence[str]) -> list[str]:
    table = CATALOGUE[domain]
    words = [word for part in asked for word in part.split(",") if word]
    names = []
    for word in words or table.by_column:
        metric = table.by_column.get(word) or table.by_name.get(word)
        if metric is None:
            raise InvalidInput("metrics", word, f"{domain} has {', '.join(table.by_column)}")
        names.append(metric.column)
    return list(dict.fromkeys(names))
