"""Zones: what flows in and out, what their meters say, the balance of the two, and the flow of the night."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response
from numpy.typing import NDArray
from pydantic import Field

from services.api.access import read
from services.api.history.forms.answer import respond
from services.api.history.forms.negotiation import TABLES, choose
from services.api.history.forms.table import Block, Column, ColumnKind, Table
from services.api.history.lengths import Bucket, Length
from services.api.history.reading_buckets import refuse_too_many
from services.api.history.reading_documents import ZoneColumns, ZoneRows
from services.api.history.reading_examples import BALANCE, NIGHT, Example, contents
from services.api.history.reading_parameters import RangeParameters
from services.api.history.reading_question import span
from services.api.history.zone_water import nights, water
from services.api.parameters import Words
from services.api.problems import documented
from services.domain.buckets import Calendar, LocalBuckets
from services.domain.catalogue import Domain, SensorKind
from services.domain.errors import InvalidInput
from services.domain.statistic import Statistic
from services.store.connection import Connection
from services.store.query import sensor_sets
from services.store.query.question import Question as Asked
from services.store.sensors import RegisteredSensor

router = APIRouter(tags=["roads and zones"], dependencies=[Depends(read)])

Floats = NDArray[np.float64]
MOST_MEMBERS: Final = 50_000
MOST_BUCKETS: Final = 10_000
_BALANCE: Final = (
    Column("inflow_litres", ColumnKind.NUMBER, "L"),
    Column("outflow_litres", ColumnKind.NUMBER, "L"),
    Column("storage_litres", ColumnKind.NUMBER, "L"),
    Column("net_inflow_litres", ColumnKind.NUMBER, "L"),
    Column("metered_litres", ColumnKind.NUMBER, "L"),
    Column("balance_litres", ColumnKind.NUMBER, "L"),
    Column("inflow_share", ColumnKind.NUMBER, "1"),
    Column("metered_share", ColumnKind.NUMBER, "1"),
)
_NIGHT: Final = (
    Column("night_flow_litres_per_h", ColumnKind.NUMBER, "L/h"),
    Column("night_mean_litres_per_h", ColumnKind.NUMBER, "L/h"),
    Column("metered_litres_per_h", ColumnKind.NUMBER, "L/h"),
    Column("metered_share", ColumnKind.NUMBER, "1"),
)


class ZoneParameters(RangeParameters):
    """Which zone, when."""

    zone: Words = Field(description="The zone, as its sensors name it.", examples=["Zone 3"])


class BalanceParameters(ZoneParameters):
    """A zone's water by buckets."""

    bucket: Bucket = Field(
        Length(0, 86_400), description="Length of a bucket; P1D by default.", examples=["P1D"]
    )


class NightParameters(ZoneParameters):
    """A zone's nights."""

    first_hour: int = Field(2, ge=0, le=22, description="Local hour at which the night begins.")
    last_hour: int = Field(4, ge=1, le=23, description="Local hour at which it ends.")


def _answers(example: Example) -> dict[int | str, dict[str, Any]]:
    return {
        200: {
            "description": "A row for each bucket or night; JSON by columns unless asked otherwise",
            "content": contents(example, ZoneColumns, ZoneRows),
        },
        304: {"description": "Nothing has changed since the answer that If-None-Match names"},
        **documented(401, 403, 404, 406, 422, 501, 503),
    }


@router.get(
    "/v1/zones/balance",
    summary="Inflow, metered consumption and balance of a zone",
    response_class=Response,
    responses=_answers(BALANCE),
)
def balance(request: Request, chosen: Annotated[BalanceParameters, Query()]) -> Response:
    """Give what flowed in, out and into storage, the sum of the meters, and what of the inflow no meter saw.

    The sum of the meters holds what is known of them; `metered_share` says how much of their time that is.
    """
    with request.app.state.database.connection() as connection:
        members = _members(connection, chosen.zone)
        asked = _question(members, chosen, chosen.bucket)
        found = water(connection, members, asked)
    block: Block = {
        "time": found.edges_us[:-1],
        "inflow_litres": found.inflow,
        "outflow_litres": found.outflow,
        "storage_litres": found.storage,
        "net_inflow_litres": found.net,
        "metered_litres": found.metered,
        "balance_litres": found.net - found.metered,
        "inflow_share": found.flow_share,
        "metered_share": found.metered_share,
    }
    return _answer(request, chosen, (asked, chosen.bucket.text), block, _BALANCE)


@router.get(
    "/v1/zones/night-flow",
    summary="Night flow of a zone",
    response_class=Response,
    responses=_answers(NIGHT),
)
def night_flow(request: Request, chosen: Annotated[NightParameters, Query()]) -> Response:
    """Give, for each local night, the lowest hour of the net inflow, the mean of the hours, and what the meters say.

    Of a zone where people sleep, what flows at night and no meter sees is mostly leakage.
    """
    if chosen.first_hour >= chosen.last_hour:
        raise InvalidInput("last_hour", chosen.last_hour, "an hour after first_hour")
    with request.app.state.database.connection() as connection:
        members = _members(connection, chosen.zone)
        day = _question(members, chosen, Length(0, 86_400))
        zone = chosen.time_zone or _zone(members)
        hours = replace(day, buckets=LocalBuckets(Calendar.HOUR, zone))
        found = water(connection, members, hours)
    edges = day.edges_us()
    block = nights(found, edges, zone, (chosen.first_hour, chosen.last_hour))
    return _answer(request, chosen, (day, "P1D"), block, _NIGHT)


def _members(connection: Connection, zone: str) -> list[RegisteredSensor]:
    found = sensor_sets.of_zone(connection, zone, limit=MOST_MEMBERS + 1)
    members = [each for each in found if each.sensor.domain is Domain.WATER]
    if not any(each.sensor.kind is SensorKind.DMA_INLET for each in members):
        raise InvalidInput("zone", zone, "a zone with an inlet (kind dma_inlet)")
    if len(found) > MOST_MEMBERS:
        raise InvalidInput("zone", zone, f"a zone of at most {MOST_MEMBERS:,} sensors")
    return members


def _zone(members: Sequence[RegisteredSensor]) -> str:
    """The local time of most members."""
    zones = [each.sensor.time_zone for each in members]
    return max(dict.fromkeys(zones), key=zones.count)


def _question(members: Sequence[RegisteredSensor], chosen: ZoneParameters, bucket: Length) -> Asked:
    start, end = span(chosen)
    zone = chosen.time_zone or _zone(members)
    refuse_too_many((start, end), bucket, zone, limit=MOST_BUCKETS, lanes=1)
    return Asked(
        Domain.WATER,
        [members[0].number],
        ["flow_litres_per_h"],
        start,
        end,
        bucket.buckets(zone),
        [Statistic.LAST],
    )


def _answer(
    request: Request,
    chosen: ZoneParameters,
    answered: tuple[Asked, str],
    block: Block,
    columns: Sequence[Column],
) -> Response:
    asked, bucket = answered
    about = {
        "zone": chosen.zone,
        "start": asked.start,
        "end": asked.end,
        "bucket": bucket,
        "metrics": [{"name": each.name, "unit": each.unit} for each in columns],
    }
    form = choose(chosen.format, request.headers.get("accept"), TABLES)
    table = Table((Column("time", ColumnKind.TIME), *columns), iter([block]), about)
    return respond(request, table, form, chosen.times, "zone", whole=True)
