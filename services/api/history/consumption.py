"""Litres that went through meters by buckets of time: rollovers and exchanges understood, the unknown left unknown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from services.api.access import read
from services.api.database import Database
from services.api.history.forms.answer import respond
from services.api.history.forms.negotiation import STREAMED, TABLES, choose
from services.api.history.forms.table import Block, Column, ColumnKind, Table, Words
from services.api.history.lengths import Bucket, Length
from services.api.history.reading_buckets import MOST_CELLS, refuse_too_many
from services.api.history.reading_documents import ConsumptionColumns, ConsumptionRows
from services.api.history.reading_examples import CONSUMPTION, contents
from services.api.history.reading_parameters import (
    LARGEST_PAGE,
    USUAL_PAGE,
    RangeParameters,
    Selection,
    Wanted,
)
from services.api.history.reading_question import Question, question, sensors_of
from services.api.parameters import SensorId
from services.api.problems import documented
from services.domain.catalogue import Domain
from services.domain.errors import InvalidInput
from services.domain.register import MeterEvent
from services.domain.statistic import Statistic
from services.store.query.consumption import consumption
from services.store.query.question import ConsumptionBlock
from services.store.query.question import Question as Asked
from services.store.sensors import SensorRepository

router = APIRouter(tags=["readings"], dependencies=[Depends(read)])

LITRES: Final = "consumption_litres"
_COLUMNS: Final = (
    Column(LITRES, ColumnKind.NUMBER, "L"),
    Column("known_share", ColumnKind.NUMBER, "1"),
    Column("share", ColumnKind.NUMBER, "1"),
    Column("events", ColumnKind.WORD),
)
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Litres by buckets; JSON by columns unless asked otherwise",
        "content": contents(CONSUMPTION, ConsumptionColumns, ConsumptionRows),
    },
    304: {"description": "Nothing has changed since the answer that If-None-Match names"},
    **documented(401, 403, 404, 406, 422, 501, 503),
}


class ConsumptionParameters(RangeParameters):
    """Consumption of which range, by which buckets."""

    bucket: Bucket = Field(
        Length(0, 86_400),
        description="Length of a bucket, as for readings; P1D, local days, by default.",
        examples=["P1D"],
    )
    quality: Wanted = Field(
        Wanted.ANY,
        description="good leaves out readings that are implausible, estimated or of a suspect clock.",
    )
    limit: int | None = Field(
        None,
        ge=1,
        le=LARGEST_PAGE,
        description=f"Most buckets of all sensors; {USUAL_PAGE} by default in JSON, no limit of its own in the others.",
    )


class ManyConsumptionParameters(ConsumptionParameters, Selection):
    """Consumption of which sensors."""


@router.get(
    "/v1/sensors/{sensor_id}/consumption",
    summary="Litres through one meter",
    response_class=Response,
    responses=_ANSWERS,
)
def of_one(
    request: Request, sensor_id: SensorId, chosen: Annotated[ConsumptionParameters, Query()]
) -> Response:
    """Give the litres of each bucket, from its register where it has one, else from reported volumes or flow.

    `known_share` is the share of the bucket's time for which litres are known, `share` that of the expected readings.
    """
    with request.app.state.database.connection() as connection:
        sensor = SensorRepository(connection).registered(sensor_id)
    asked = question([sensor], [LITRES], chosen) if sensor.sensor.domain is Domain.WATER else None
    if asked is None:
        raise InvalidInput("sensor_id", sensor_id, "a sensor of water: only those have consumption")
    return _answer(request, asked, chosen, many=False)


@router.get(
    "/v1/consumption",
    summary="Litres through many meters",
    response_class=Response,
    responses=_ANSWERS,
)
def of_many(request: Request, chosen: Annotated[ManyConsumptionParameters, Query()]) -> Response:
    """Give the litres of each bucket of several meters, by their ids or all of a zone."""
    with request.app.state.database.connection() as connection:
        found = sensors_of(connection, chosen)
    if any(each.sensor.domain is not Domain.WATER for each in found):
        raise InvalidInput("sensor_id", "traffic", "sensors of water: only those have consumption")
    return _answer(request, question(found, [LITRES], chosen), chosen, many=True)


def _answer(
    request: Request, asked: Question, chosen: ConsumptionParameters, *, many: bool
) -> Response:
    form = choose(chosen.format, request.headers.get("accept"), TABLES)
    streamed = form in STREAMED and chosen.limit is None
    most = request.app.state.settings.direct_readings if streamed else chosen.limit or USUAL_PAGE
    lanes = len(asked.sensors)
    refuse_too_many((asked.start, asked.end), chosen.bucket, asked.zone, limit=most, lanes=lanes)
    blocks = _blocks(request.app.state.database, asked, chosen)
    columns = [Column("time", ColumnKind.TIME), *_COLUMNS]
    if many:
        columns.insert(1, Column("sensor_id", ColumnKind.WORD))
    if not streamed:
        blocks = iter([joined(list(blocks), [each.name for each in columns])])
    about = {
        "sensor_id": [s.sensor.id for s in asked.sensors] if many else asked.sensors[0].sensor.id,
        "start": asked.start,
        "end": asked.end,
        "bucket": chosen.bucket.text,
        "metrics": [{"name": each.name, "unit": each.unit} for each in _COLUMNS if each.unit],
    }
    table = Table(columns, blocks, about)
    return respond(request, table, form, chosen.times, "consumption", whole=not streamed)


def _blocks(database: Database, asked: Question, chosen: ConsumptionParameters) -> Iterator[Block]:
    """Group after group of sensors, one sensor after the other; no connection is held in between."""
    whole = store_question(asked, chosen.bucket, chosen.quality)
    at_once = max(1, MOST_CELLS // len(whole.edges_us()))
    for first in range(0, len(whole.sensors), at_once):
        group = replace(whole, sensors=whole.sensors[first : first + at_once])
        with database.connection() as connection:
            found = [_flat(asked, block) for block in consumption(connection, group)]
        yield from found


def store_question(asked: Question, bucket: Length, quality: Wanted) -> Asked:
    """The store's question about all sensors; metrics and statistics are not looked at."""
    return Asked(
        asked.domain,
        asked.numbers.tolist(),
        asked.names,
        asked.start,
        asked.end,
        bucket.buckets(asked.zone),
        [Statistic.SUM],
        quality.excluded,
    )


def _flat(asked: Question, block: ConsumptionBlock) -> Block:
    buckets = len(block.edges_us) - 1
    return {
        "time": np.tile(block.edges_us[:-1], len(block.sensor)),
        "sensor_id": asked.ids(np.repeat(block.sensor, buckets)),
        LITRES: block.litres.ravel(),
        "known_share": block.known.ravel(),
        "share": block.coverage.ravel(),
        "events": _events(block),
    }


def _events(block: ConsumptionBlock) -> Words:
    """What the register did in each bucket, in words; missing where it only counted up."""
    masks, codes = np.unique(block.events.ravel(), return_inverse=True)
    texts = [
        ",".join(event.name.lower() for event in MeterEvent if event and mask >> event & 1)
        for mask in masks.tolist()
    ]
    quiet = np.array([not text for text in texts])
    return Words(np.where(quiet[codes], -1, codes).astype(np.int32), texts)


def joined(blocks: Sequence[Block], names: Sequence[str]) -> Block:
    """Blocks one after the other as one; words must come from one list or are listed anew."""
    whole: dict[str, Any] = {}
    for name in names:
        parts = [block[name] for block in blocks]
        if isinstance(parts[0], Words):
            whole[name] = _joined_words([part for part in parts if isinstance(part, Words)])
        else:
            whole[name] = np.concatenate(parts)  # type: ignore[arg-type]
    return whole


def _joined_words(parts: Sequence[Words]) -> Words:
    texts = list(dict.fromkeys(text for part in parts for text in part.texts))
    place = {text: at for at, text in enumerate(texts)}
    codes = []
    for part in parts:
        anew = np.array([*(place[text] for text in part.texts), -1], np.int32)
        codes.append(anew[part.codes])
    return Words(np.concatenate(codes), texts)
