"""Readings: a range of one or many sensors, raw or in buckets, in the form that the client takes; and the newest.

It refuses to hold a range in memory: documents come in pages, the other forms in blocks, too many buckets are answered
with the bucket that would do.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response

from services.api import reading_buckets
from services.api.access import read
from services.api.answers import Answer
from services.api.documents import LatestDocument
from services.api.examples import CSV
from services.api.forms.answer import respond
from services.api.forms.negotiation import STREAMED, TABLES, choose
from services.api.forms.table import Table
from services.api.forms.writers import contents
from services.api.parameters import SensorId, duration
from services.api.problems import documented
from services.api.reading_parameters import (
    USUAL_PAGE,
    ManyParameters,
    ReadingParameters,
    Wanted,
)
from services.api.reading_question import Question, question, sensors_of
from services.api.reading_raw import RawTable, refuse_too_many
from services.domain.catalogue import CATALOGUE
from services.domain.errors import InvalidInput
from services.domain.instant import from_us
from services.store.history import Aggregate, History
from services.store.sensors import SensorRepository

router = APIRouter(tags=["readings"], dependencies=[Depends(read)])

_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Readings in the form asked for; JSON by columns otherwise",
        "content": contents(
            {
                "anyOf": [
                    {"$ref": "#/components/schemas/ReadingColumns"},
                    {"$ref": "#/components/schemas/ReadingRows"},
                ]
            },
            example=CSV,
        ),
    },
    304: {"description": "Nothing has changed since the answer that If-None-Match names"},
    **documented(401, 403, 404, 406, 422, 501, 503),
}


@router.get(
    "/v1/sensors/{sensor_id}/readings",
    summary="Readings of one sensor",
    response_class=Response,
    responses=_ANSWERS,
)
def of_one(
    request: Request, sensor_id: SensorId, chosen: Annotated[ReadingParameters, Query()]
) -> Response:
    """Give the readings of a range, oldest first, by columns. Missing values and empty buckets are null."""
    with request.app.state.database.connection() as connection:
        sensor = SensorRepository(connection).registered(sensor_id)
    asked = question([sensor], chosen.metrics, chosen)
    return _readings(request, asked, chosen, {"sensor_id": sensor_id}, many=False)


@router.get(
    "/v1/readings",
    summary="Readings of many sensors",
    response_class=Response,
    responses=_ANSWERS,
)
def of_many(request: Request, chosen: Annotated[ManyParameters, Query()]) -> Response:
    """Give the readings of several sensors of one domain, by their ids or all of a zone or a road.

    They come in the order of time, with a column `sensor_id`.
    """
    with request.app.state.database.connection() as connection:
        found = sensors_of(connection, chosen)
    asked = question(found, chosen.metrics, chosen)
    about: dict[str, object] = {"sensor_id": [each.sensor.id for each in found]}
    return _readings(request, asked, chosen, about, many=True)


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
    request: Request,
    asked: Question,
    chosen: ReadingParameters,
    about: dict[str, object],
    *,
    many: bool,
) -> Response:
    form = choose(chosen.format, request.headers.get("accept"), TABLES)
    about = about | _about(asked, chosen)
    database = request.app.state.database
    limit = chosen.limit or USUAL_PAGE
    name = "readings" if many else asked.sensors[0].sensor.id
    if chosen.bucket is not None:
        _refuse(chosen, ("after", "include"), "only without bucket")
        if chosen.quality is not Wanted.ANY:
            raise InvalidInput("quality", chosen.quality.value, "any, or no bucket")
        aggregate = chosen.aggregate or Aggregate.AVG
        with database.connection() as connection:
            block = reading_buckets.block(
                connection, asked, chosen.bucket, aggregate, limit, with_ids=many
            )
        columns = reading_buckets.columns(asked, aggregate, with_ids=many)
        table = Table(columns, iter([block]), about)
        return respond(request, table, form, chosen.times, name, whole=True)
    if chosen.aggregate is not None:
        raise InvalidInput("aggregate", chosen.aggregate.value, "only together with bucket")
    raw = RawTable(asked, chosen.quality, frozenset(chosen.include), many)
    if form in STREAMED and chosen.limit is None and chosen.after is None:
        with database.connection() as connection:
            refuse_too_many(connection, asked, request.app.state.settings.direct_readings)
        table = Table(raw.columns(), raw.blocks(database), about)
        return respond(request, table, form, chosen.times, name)
    with database.connection() as connection:
        block, following = raw.page(connection, limit, chosen.after)
    table = Table(raw.columns(), iter([block]), about, following)
    return respond(request, table, form, chosen.times, name, whole=True)


def _about(asked: Question, chosen: ReadingParameters) -> dict[str, object]:
    aggregate = (chosen.aggregate or Aggregate.AVG) if chosen.bucket else None
    units = CATALOGUE[asked.domain].by_column
    return {
        "start": asked.start,
        "end": asked.end,
        "bucket": duration(chosen.bucket) if chosen.bucket else None,
        "aggregate": aggregate,
        "metrics": [
            {"name": name, "unit": "1" if aggregate is Aggregate.COUNT else units[name].unit}
            for name in asked.names
        ],
    }


def _refuse(chosen: ReadingParameters, fields: Sequence[str], rule: str) -> None:
    for field in fields:
        if getattr(chosen, field):
            raise InvalidInput(field, str(getattr(chosen, field)), rule)
