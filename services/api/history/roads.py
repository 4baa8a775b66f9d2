"""Roads: speed by time and distance, travel time and delay, from the stations along a direction of travel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response
from numpy.typing import NDArray
from pydantic import Field

from services.api.access import read
from services.api.encoding import column, encoded
from services.api.history import corridor
from services.api.history.forms.answer import respond, whole_answer
from services.api.history.forms.negotiation import TABLES, Form, choose
from services.api.history.forms.table import Block, Column, ColumnKind, Table, Words
from services.api.history.forms.text import array
from services.api.history.lengths import Bucket, Length
from services.api.history.reading_buckets import answered, refuse_too_many
from services.api.history.reading_documents import Contour, TravelTimeColumns, TravelTimeRows
from services.api.history.reading_examples import CONTOUR_ROWS, TRAVEL_TIME, contents
from services.api.history.reading_parameters import RangeParameters, Wanted
from services.api.history.reading_question import Question, question
from services.api.parameters import Words as Text
from services.api.problems import documented
from services.domain.catalogue import SensorKind
from services.domain.errors import InvalidInput
from services.domain.statistic import Statistic
from services.store.connection import Connection
from services.store.query import sensor_sets
from services.store.query.question import Question as Asked
from services.store.sensors import RegisteredSensor

router = APIRouter(tags=["roads and zones"], dependencies=[Depends(read)])

SPEED: Final = "speed_km_per_h"
MOST_CELLS: Final = 200_000
_MOST_STATIONS: Final = 1000
_FREE_DAYS: Final = timedelta(days=7)
_QUARTER: Final = Length(0, 900)
_TRAVEL: Final = (
    Column("travel_time_s", ColumnKind.NUMBER, "s"),
    Column("free_travel_time_s", ColumnKind.NUMBER, "s"),
    Column("delay_s", ColumnKind.NUMBER, "s"),
    Column("measured_share", ColumnKind.NUMBER, "1"),
)


class RoadParameters(RangeParameters):
    """Which road, when, in which steps."""

    road: Text = Field(description="The road, as its stations name it.", examples=["M-30"])
    direction: Text | None = Field(
        None,
        description="The direction of travel; needed where the road has several.",
        examples=["north"],
    )
    bucket: Bucket = Field(
        Length(0, 300), description="Step of time; PT5M by default.", examples=["PT5M"]
    )
    quality: Wanted = Field(
        Wanted.ANY,
        description="good leaves out readings that are implausible, estimated or of a suspect clock.",
    )


class TravelTimeParameters(RoadParameters):
    """How long the road takes."""

    free_speed_km_per_h: float | None = Field(
        None,
        gt=0,
        le=250,
        description="Speed without traffic; by default each station's own: the 85th percentile of its quarters of an "
        "hour over the week before `end`.",
    )


def _answers(content: dict[str, Any], description: str) -> dict[int | str, dict[str, Any]]:
    return {
        200: {"description": description, "content": content},
        304: {"description": "Nothing has changed since the answer that If-None-Match names"},
        **documented(401, 403, 404, 406, 422, 501, 503),
    }


@router.get(
    "/v1/roads/contour",
    summary="Speed by time and distance",
    response_class=Response,
    responses=_answers(
        contents(CONTOUR_ROWS, Contour),
        "Speeds as a matrix; other forms: a row for each cell",
    ),
)
def contour(request: Request, chosen: Annotated[RoadParameters, Query()]) -> Response:
    """Give the mean speed of every station of a road in every step of time, in the order of travel."""
    form = choose(chosen.format, request.headers.get("accept"), TABLES)
    with request.app.state.database.connection() as connection:
        stations, position_m = _stations(connection, chosen)
        asked = _question(stations, chosen)
        edges, speed = _speeds(connection, asked, stations, chosen.bucket, chosen.quality)
    about = _about(asked, stations, chosen) | {"unit": "km/h"}
    if form is Form.JSON:
        document = about | {
            "times": array(ColumnKind.TIME, edges[:-1], chosen.times),
            "positions_m": column(position_m),
            "speed_km_per_h": [column(row) for row in speed],
        }
        return whole_answer(request, encoded(document), form)
    buckets = len(edges) - 1
    ids = [each.sensor.id for each in stations]
    codes = np.tile(np.arange(len(ids), dtype=np.int32), buckets)
    block: Block = {
        "time": np.repeat(edges[:-1], len(ids)),
        "sensor_id": Words(codes, ids),
        "position_m": np.tile(position_m, buckets),
        SPEED: speed.T.ravel(),
    }
    columns = (
        Column("time", ColumnKind.TIME),
        Column("sensor_id", ColumnKind.WORD),
        Column("position_m", ColumnKind.NUMBER, "m"),
        Column(SPEED, ColumnKind.NUMBER, "km/h"),
    )
    table = Table(columns, iter([block]), about)
    return respond(request, table, form, chosen.times, "contour", whole=True)


@router.get(
    "/v1/roads/travel-time",
    summary="Travel time and delay of a road",
    response_class=Response,
    responses=_answers(
        contents(TRAVEL_TIME, TravelTimeColumns, TravelTimeRows), "A row for each step of time"
    ),
)
def travel_time(request: Request, chosen: Annotated[TravelTimeParameters, Query()]) -> Response:
    """Give the time from the first to the last station at the speeds of each step, without traffic, and the delay.

    Unknown (null) where less than half of the length is measured; `measured_share` says how much is.
    """
    form = choose(chosen.format, request.headers.get("accept"), TABLES)
    with request.app.state.database.connection() as connection:
        stations, position_m = _stations(connection, chosen)
        asked = _question(stations, chosen)
        edges, speed = _speeds(connection, asked, stations, chosen.bucket, chosen.quality)
        free = _free_speeds(connection, asked, stations, chosen)
    seconds, share = corridor.travel_time_s(speed, position_m)
    unhindered, _ = corridor.travel_time_s(free[:, None], position_m)
    without = np.full(len(seconds), unhindered[0])
    block: Block = {
        "time": edges[:-1],
        "travel_time_s": seconds,
        "free_travel_time_s": without,
        "delay_s": np.maximum(seconds - without, 0.0),
        "measured_share": share,
    }
    about = _about(asked, stations, chosen) | {
        "length_m": float(position_m[-1] - position_m[0]),
        "metrics": [{"name": each.name, "unit": each.unit} for each in _TRAVEL],
    }
    table = Table((Column("time", ColumnKind.TIME), *_TRAVEL), iter([block]), about)
    return respond(request, table, form, chosen.times, "travel-time", whole=True)


def _stations(
    connection: Connection, chosen: RoadParameters
) -> tuple[list[RegisteredSensor], NDArray[np.float64]]:
    """The stations of one direction of travel in their order, and their (s,) places; two at least."""
    found = sensor_sets.of_road(
        connection,
        chosen.road,
        limit=_MOST_STATIONS,
        direction=chosen.direction,
        kinds=[SensorKind.TRAFFIC_STATION],
    )
    directions = sorted({each.sensor.direction or "" for each in found})
    if len(directions) > 1:
        raise InvalidInput("direction", None, f"one of {', '.join(filter(None, directions))}")
    placed = [each for each in found if each.sensor.position_m is not None]
    placed.sort(key=lambda each: (each.sensor.position_m or 0.0, each.sensor.id))
    if len(placed) < 2:
        raise InvalidInput(
            "road", chosen.road, "a road with at least two stations whose position_m is known"
        )
    return placed, np.array([each.sensor.position_m for each in placed], np.float64)


def _question(stations: Sequence[RegisteredSensor], chosen: RoadParameters) -> Question:
    asked = question(stations, [SPEED], chosen)
    between, lanes = (asked.start, asked.end), len(stations)
    refuse_too_many(between, chosen.bucket, asked.zone, limit=MOST_CELLS, lanes=lanes)
    return asked


def _speeds(
    connection: Connection,
    asked: Question,
    stations: Sequence[RegisteredSensor],
    bucket: Length,
    quality: Wanted,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(m + 1,) edges, and (s, m) mean speeds in the order of the stations."""
    edges, values = answered(
        connection,
        Asked(
            asked.domain,
            [each.number for each in stations],
            [SPEED],
            asked.start,
            asked.end,
            bucket.buckets(asked.zone),
            [Statistic.AVG],
            quality.excluded,
        ),
    )
    return edges, values[0]


def _free_speeds(
    connection: Connection,
    asked: Question,
    stations: Sequence[RegisteredSensor],
    chosen: TravelTimeParameters,
) -> NDArray[np.float64]:
    """(s,) km/h of each station without traffic."""
    if chosen.free_speed_km_per_h is not None:
        return np.full(len(stations), chosen.free_speed_km_per_h)
    start: datetime = asked.end - _FREE_DAYS
    week = replace(asked, start=start)
    _, speed = _speeds(connection, week, stations, _QUARTER, chosen.quality)
    return corridor.free_speed(speed)


def _about(
    asked: Question, stations: Sequence[RegisteredSensor], chosen: RoadParameters
) -> dict[str, object]:
    return {
        "road": chosen.road,
        "direction": stations[0].sensor.direction,
        "sensor_id": [each.sensor.id for each in stations],
        "start": asked.start,
        "end": asked.end,
        "bucket": chosen.bucket.text,
    }
