"""Alerts: the list, and one case with its log. Changing them is `changes.py`, hearing of them is `stream.py`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import Field, StringConstraints, ValidationError

from services.api.access import may_at_once, read
from services.api.alerting.alert_lists import AlertList, AlertLists, alert_document
from services.api.answers import JSON, Answer
from services.api.documents import AlertDetail, AlertPage
from services.api.history.forms.answer import unchanged
from services.api.parameters import NO_NUL, Cursor, Parameters, Words
from services.api.problems import documented
from services.domain.access import Scope
from services.domain.alert import Work
from services.domain.catalogue import Domain
from services.domain.condition import Rule, Severity
from services.store.alerting.alert_pages import AlertChoice
from services.store.alerting.alerts import AlertRepository, StoredEvent

router = APIRouter(tags=["alerts"], dependencies=[Depends(read)])


class State(StrEnum):
    """Which alerts: by their one word, or every one that is open, or that nobody looked at, or both."""

    OPEN = "open"
    LATCHED = "latched"
    CURRENT = "current"
    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"
    CLEARED = "cleared"
    RESOLVED = "resolved"


class AlertParameters(Parameters):
    """Which alerts."""

    state: State | None = Field(
        None,
        description="active (nobody has it), acknowledged, cleared, resolved; or open (active or acknowledged), "
        "latched (told, and over before anyone acknowledged it), current (open or latched: what waits for people).",
    )
    rule: Rule | None = Field(None, description="Only alerts of this rule.")
    severity: Severity | None = Field(None, description="Only alerts of this severity.")
    subject: Words | None = Field(None, description="A sensor's id, feed/water, or gateway/GW-7.")
    domain: Domain | None = Field(
        None, description="Only of this domain's sensors, gateways and feed."
    )
    zone: Words | None = Field(
        None,
        description="Only of this zone, its sensors, and what carries their readings.",
    )
    road: Words | None = Field(None, description="Only of this road's sensors.")
    direction: Words | None = Field(
        None, description="With `road`: only in this direction of travel."
    )
    assignee: Annotated[str, StringConstraints(max_length=200, pattern=NO_NUL)] | None = Field(
        None, description="Only alerts that this person shall deal with; empty: nobody."
    )
    work: Work | None = Field(None, description="Only alerts whose work is so far.")
    suppressed: bool | None = Field(
        None, description="Only alerts that a rule keeps from being told, or (false) none of them."
    )
    shelved: bool | None = Field(
        None, description="Only alerts that a person hides now, or (false) none of them."
    )
    group: UUID | None = Field(None, description="Only alerts of this event: a `group_id`.")
    after: Cursor | None = Field(None, description="The `next` of the page before.")
    limit: int = Field(50, ge=1, le=1000, description="Most alerts of a page.")


class QuickList(APIRoute):
    """Answers who is known to be allowed without the framework's way, which costs more than the list itself.

    Whatever is wrong with a request is left to the usual way.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler around the usual one."""
        usual = super().get_route_handler()

        async def handler(request: Request) -> Response:
            if not may_at_once(request, Scope.READ):
                return await usual(request)
            known = await request.app.state.alert_lists.known(request.scope["query_string"])
            if known is not None:
                return _answer(request, known)
            given = request.query_params
            try:
                chosen = AlertParameters.model_validate(dict(given))
            except ValidationError:
                return await usual(request)
            if len(given) < len(given.multi_items()):
                return await usual(request)
            return await _list(request, chosen)

        return handler


lists = APIRouter(tags=["alerts"], dependencies=[Depends(read)], route_class=QuickList)


@lists.get(
    "/v1/alerts",
    summary="List alerts",
    responses={
        200: {"model": AlertPage, "description": "One page of alerts"},
        304: {"description": "Nothing has changed since the answer that If-None-Match names"},
        **documented(401, 403, 422, 503),
    },
)
async def alerts(request: Request, chosen: Annotated[AlertParameters, Query()]) -> Response:
    """List alerts, the newest first, filtered, by pages. Shelved ones are among them and say so.

    A list holds every change that was answered before it was asked for, by this process or another; the places of
    sensors may be a minute old.
    """
    return await _list(request, chosen)


async def _list(request: Request, chosen: AlertParameters) -> Response:
    choice = AlertChoice(
        limit=chosen.limit,
        now=datetime.now(UTC),
        state=chosen.state.value if chosen.state else None,
        rule=chosen.rule,
        severity=chosen.severity,
        subject=chosen.subject,
        domain=chosen.domain,
        zone=chosen.zone,
        road=chosen.road,
        direction=chosen.direction,
        group=chosen.group,
        assignee=chosen.assignee,
        work=chosen.work,
        suppressed=chosen.suppressed,
        shelved=chosen.shelved,
        after=chosen.after,
    )
    lists: AlertLists = request.app.state.alert_lists
    return _answer(request, await lists.made(request.scope["query_string"], choice))


def _answer(request: Request, found: AlertList) -> Response:
    headers = {"ETag": found.tag, "Cache-Control": "private, no-cache"}
    if unchanged(request, found.tag):
        return Response(status_code=304, headers=headers)
    return Response(found.json, headers=headers, media_type=JSON)


@router.get(
    "/v1/alerts/{alert_id}",
    summary="One alert with its log",
    responses={
        200: {
            "model": AlertDetail,
            "description": "The alert and what happened to it; its version is also the ETag",
        },
        **documented(401, 403, 404, 422, 503),
    },
)
def alert(request: Request, alert_id: UUID) -> Answer:
    """Give one alert, every entry of its log, and what a person may do to it now."""
    with request.app.state.database.connection() as connection:
        repository = AlertRepository(connection)
        found = repository.get(alert_id)
        events = repository.events(alert_id)
        place = request.app.state.places.one(connection, found.subject)
    document = alert_document(found, place)
    document["events"] = [event_document(event) for event in events]
    return Answer(document, headers={"ETag": f'"{found.version}"'})


def event_document(stored: StoredEvent) -> dict[str, object]:
    """An entry of the log as it is served."""
    event = stored.event
    return {
        "position": stored.position,
        "id": event.id,
        "alert_id": event.alert_id,
        "version": stored.version,
        "kind": event.kind,
        "at": event.at,
        "actor": event.actor,
        "data": event.data,
    }
