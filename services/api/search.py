"""GET /v1/search: sensors, zones, roads and alerts by a few words, for a person who types."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from services.api.access import read
from services.api.answers import Answer
from services.api.documents import Document
from services.api.parameters import Parameters, Words
from services.api.places import Place
from services.api.problems import documented
from services.domain.alert import Alert
from services.domain.catalogue import SensorKind
from services.domain.condition import Rule, Severity
from services.domain.subject import SubjectKind, kind_of_subject
from services.store.alerting.alerts import AlertRepository
from services.store.query.search import search as find

router = APIRouter(tags=["sensors"], dependencies=[Depends(read)])


class SensorFound(Document):
    """A sensor whose id or name has the words."""

    id: str = Field(description="Its id.")
    name: str | None = Field(description="What people call it.")
    kind: SensorKind = Field(description="What it is.")
    zone: str | None = Field(description="Its zone.")
    road: str | None = Field(description="Its road.")
    direction: str | None = Field(description="The direction of travel that it watches.")


class ZoneFound(Document):
    """A zone whose name has the words."""

    zone: str = Field(description="The zone.")
    sensors: int = Field(description="How many sensors it has.")


class RoadFound(Document):
    """A road in one direction whose name has the words."""

    road: str = Field(description="The road.")
    direction: str | None = Field(description="The direction of travel.")
    sensors: int = Field(description="How many sensors it has.")


class AlertFound(Document):
    """An alert whose id begins with the text, or whose sentence or subject has the words."""

    id: UUID = Field(description="Its id.")
    rule: Rule = Field(description="Its rule.")
    subject: str = Field(description="What it is about, as in /v1/alerts.")
    subject_kind: SubjectKind = Field(description="Whether a sensor, a gateway, a feed or a flood.")
    name: str | None = Field(description="What people call the sensor.")
    severity: Severity = Field(description="How urgent it is, or was.")
    state: str = Field(description="active, acknowledged, cleared or resolved.")
    raised_at: datetime = Field(description="When it was told.")
    time_zone: str | None = Field(description="IANA zone of local times; null without a place.")


class FoundDocument(Document):
    """What was found, the best first."""

    sensors: list[SensorFound] = Field(description="Sensors.")
    zones: list[ZoneFound] = Field(description="Zones.")
    roads: list[RoadFound] = Field(description="Roads, each direction by itself.")
    alerts: list[AlertFound] = Field(description="Alerts, by id or the newest.")


class SearchParameters(Parameters):
    """What to look for."""

    q: Words = Field(
        description="One or more words, each of which has to be there in any case (Mill or mill); or the first four "
        "or more digits of an alert's id."
    )
    limit: int = Field(6, ge=1, le=50, description="Most of each kind.")


@router.get(
    "/v1/search",
    summary="Find sensors, places and alerts",
    responses={
        200: {"model": FoundDocument, "description": "A few of each kind"},
        **documented(401, 403, 422, 503),
    },
)
def search(request: Request, chosen: Annotated[SearchParameters, Query()]) -> Answer:
    """Find sensors by id and name, zones and roads by name, alerts by id, subject and (English) sentence.

    Of alerts the words of the newest 20,000 are looked at. It has no pages: say more words.
    """
    with request.app.state.database.connection() as connection:
        found = find(connection, chosen.q, limit=chosen.limit)
        alerts = AlertRepository(connection).many(found.alerts)
        known = [alerts[each] for each in found.alerts if each in alerts]
        places = request.app.state.places.of(connection, [alert.subject for alert in known])
    return Answer(
        {
            "sensors": [
                {name: getattr(each, name) for name in SensorFound.model_fields}
                for each in found.sensors
            ],
            "zones": found.zones,
            "roads": found.roads,
            "alerts": [_alert(each, places[each.subject]) for each in known],
        }
    )


def _alert(alert: Alert, place: Place | None) -> dict[str, object]:
    return {
        "id": alert.id,
        "rule": alert.rule,
        "subject": alert.subject,
        "subject_kind": kind_of_subject(alert.subject),
        "name": None if place is None else place["name"],
        "severity": alert.severity,
        "state": alert.state,
        "raised_at": alert.raised_at,
        "time_zone": None if place is None else place["time_zone"],
    }
