"""GET /v1/map: where every sensor stands, in one answer that a map can draw a hundred thousand of.

Columns instead of objects, and words that repeat (kinds, zones, roads) as indexes. It refuses to say how a sensor is:
that changes by the second and comes with the alerts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from services.api.access import read
from services.api.answers import Answer
from services.api.documents import Document
from services.api.history.forms.answer import unchanged
from services.api.problems import documented
from services.store.query import sensor_map

router = APIRouter(tags=["sensors"], dependencies=[Depends(read)])
_DIGITS: Final = 6
"""Decimals of a degree: a tenth of a metre."""


class MapDocument(Document):
    """Every sensor as columns of one length, in the order of ids."""

    id: list[str] = Field(description="Ids.")
    name: list[str | None] = Field(description="Names.")
    lon: list[float | None] = Field(description="Degrees east, WGS 84.")
    lat: list[float | None] = Field(description="Degrees north, WGS 84.")
    kind: list[int] = Field(description="Index into `kinds`.")
    zone: list[int | None] = Field(description="Index into `zones`.")
    road: list[int | None] = Field(description="Index into `roads`.")
    position_m: list[float | None] = Field(description="Metres along the road.")
    kinds: list[str] = Field(description="Kinds of sensors.")
    zones: list[str] = Field(description="Zones, by name.")
    roads: list[list[str | None]] = Field(
        description="Roads with their direction: two entries each."
    )


@router.get(
    "/v1/map",
    summary="Every sensor for a map",
    responses={
        200: {"model": MapDocument, "description": "The register as columns; its ETag changes with the register"},
        304: {"description": "The register is as the If-None-Match says"},
        **documented(401, 403, 503),
    },
)  # fmt: skip
def whole_map(request: Request) -> Response:
    """Give every registered sensor with its place, as columns."""
    with request.app.state.database.connection() as connection:
        tag = f'"{sensor_map.revision(connection)}"'
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if unchanged(request, tag):
            return Response(status_code=304, headers=headers)
        found = sensor_map.columns(connection)
    kinds, kind = _indexed(found.kind)
    zones, zone = _indexed(found.zone)
    pairs = [
        None if road is None else (road, direction)
        for road, direction in zip(found.road, found.direction, strict=True)
    ]
    roads, road_at = _indexed(pairs)
    return Answer(
        {
            "id": found.id,
            "name": found.name,
            "lon": _rounded(found.lon),
            "lat": _rounded(found.lat),
            "kind": kind,
            "zone": zone,
            "road": road_at,
            "position_m": found.position_m,
            "kinds": kinds,
            "zones": zones,
            "roads": roads,
        },
        headers=headers,
    )


def _indexed(values: Sequence[Any]) -> tuple[list[Any], list[int | None]]:
    """The distinct values in order, and each value as an index into them; None stays None."""
    known = sorted({value for value in values if value is not None}, key=repr)
    at = {value: index for index, value in enumerate(known)}
    return known, [None if value is None else at[value] for value in values]


def _rounded(degrees: Sequence[float | None]) -> list[float | None]:
    return [None if each is None else round(each, _DIGITS) for each in degrees]


class TilesDocument(Document):
    """What lies beneath the map."""

    url: str | None = Field(description="Address with {z}, {x} and {y}; null: nothing.")
    attribution: str | None = Field(description="Whom the tiles are from, to be shown with them.")


@router.get(
    "/v1/map/tiles",
    summary="Tiles beneath the map",
    responses={
        200: {"model": TilesDocument, "description": "The tiles of the settings, if any"},
        **documented(401, 403, 503),
    },
)
def tiles(request: Request) -> Answer:
    """Tell where this city's map takes its tiles from, if from anywhere."""
    settings = request.app.state.settings
    return Answer(
        {"url": settings.map_tiles or None, "attribution": settings.map_attribution or None}
    )
