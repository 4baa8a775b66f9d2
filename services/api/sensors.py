"""Sensors: the registry as pages, one by one, as GeoJSON, and those who spoke without being registered."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from services.api.access import read
from services.api.answers import Answer
from services.api.documents import (
    QuarantinePage,
    SensorDocument,
    SensorPage,
)
from services.api.history.forms.negotiation import Form, choose
from services.api.parameters import Cursor, Parameters, SensorId, Words
from services.api.problems import documented
from services.domain.catalogue import Domain, SensorKind
from services.domain.sensor import Sensor
from services.store.page import Page
from services.store.sensors import SensorRepository

GEOJSON: Final = "application/geo+json"
_FEATURES: Final = {"$ref": "#/components/schemas/FeatureCollection"}
_FIELDS: Final = tuple(SensorDocument.model_fields)
router = APIRouter(tags=["sensors"], dependencies=[Depends(read)])


class PageParameters(Parameters):
    """Which page of a list."""

    after: Cursor | None = Field(None, description="The `next` of the page before.")
    limit: int = Field(100, ge=1, le=10_000, description="Most items of a page.")


class SensorParameters(PageParameters):
    """Which sensors."""

    domain: Domain | None = Field(None, description="Only sensors of this domain.")
    kind: SensorKind | None = Field(None, description="Only sensors of this kind.")
    zone: Words | None = Field(None, description="Only sensors of this zone.")
    road: Words | None = Field(None, description="Only sensors of this road.")
    q: Words | None = Field(None, description="Only sensors whose id or name contains this text.")


def _page(request: Request, chosen: SensorParameters) -> Page[Sensor]:
    with request.app.state.database.connection() as connection:
        return SensorRepository(connection).page(
            limit=chosen.limit,
            domain=chosen.domain,
            kind=chosen.kind,
            zone=chosen.zone,
            road=chosen.road,
            text=chosen.q,
            after=chosen.after,
        )


@router.get(
    "/v1/sensors",
    summary="List sensors",
    responses={
        200: {
            "model": SensorPage,
            "description": "One page of sensors",
            "content": {GEOJSON: {"schema": _FEATURES}},
        },
        **documented(401, 403, 406, 422, 503),
    },
)
def sensors(request: Request, chosen: Annotated[SensorParameters, Query()]) -> Answer:
    """List the registered sensors in the order of their ids, filtered, by pages; as GeoJSON if Accept asks for it."""
    offered = (Form.JSON, Form.GEOJSON)
    if choose(None, request.headers.get("accept"), offered) is Form.GEOJSON:
        return geojson(request, chosen)
    page = _page(request, chosen)
    return Answer(
        {
            "items": [sensor_document(sensor) for sensor in page.items],
            "next": page.next,
            "has_more": page.next is not None,
        }
    )


@router.get(
    "/v1/sensors.geojson",
    summary="Sensors as GeoJSON",
    responses={
        200: {
            "description": "A FeatureCollection (RFC 7946)",
            "content": {GEOJSON: {"schema": _FEATURES}},
        },
        **documented(401, 403, 422, 503),
    },
)
def geojson(request: Request, chosen: Annotated[SensorParameters, Query()]) -> Answer:
    """Give the same sensors as points for a map; pages as in the list, `next` is a member of the collection."""
    page = _page(request, chosen)
    return Answer(
        {
            "type": "FeatureCollection",
            "features": [_feature(sensor) for sensor in page.items],
            "next": page.next,
            "has_more": page.next is not None,
        },
        media_type=GEOJSON,
    )


@router.get(
    "/v1/sensors/{sensor_id}",
    summary="One sensor",
    responses={
        200: {"model": SensorDocument, "description": "The sensor"},
        **documented(401, 403, 404, 422, 503),
    },
)
def sensor(request: Request, sensor_id: SensorId) -> Answer:
    """Give one registered sensor."""
    with request.app.state.database.connection() as connection:
        return Answer(sensor_document(SensorRepository(connection).get(sensor_id)))


@router.get(
    "/v1/quarantine/sensors",
    summary="Sensors that nobody registered",
    responses={
        200: {"model": QuarantinePage, "description": "One page of sensors in quarantine"},
        **documented(401, 403, 422, 503),
    },
)
def quarantine(request: Request, chosen: Annotated[PageParameters, Query()]) -> Answer:
    """List who spoke without being registered; register them and replay their rejected messages."""
    with request.app.state.database.connection() as connection:
        page = SensorRepository(connection).quarantined(limit=chosen.limit, after=chosen.after)
    return Answer({"items": page.items, "next": page.next, "has_more": page.next is not None})


def sensor_document(sensor: Sensor) -> dict[str, object]:
    """The sensor as it is served."""
    return {name: getattr(sensor, name) for name in _FIELDS}


def _feature(sensor: Sensor) -> dict[str, object]:
    properties = sensor_document(sensor)
    lon, lat, sensor_id = properties.pop("lon"), properties.pop("lat"), properties.pop("id")
    geometry = None if lon is None else {"type": "Point", "coordinates": [lon, lat]}
    return {"type": "Feature", "id": sensor_id, "geometry": geometry, "properties": properties}
