"""Alerts: the list, and one case with its log. Changing them is `changes.py`, hearing of them is `stream.py`."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field, StringConstraints

from services.api.access import read
from services.api.answers import Answer
from services.api.documents import AlertDetail, AlertPage
from services.api.history.forms.answer import unchanged
from services.api.parameters import NO_NUL, Cursor, Parameters, Words
from services.api.places import Place
from services.api.problems import documented
from services.domain.alert import Alert, Work
from services.domain.alert_fold import allowed_changes
from services.domain.catalogue import Domain
from services.domain.condition import Rule, Severity
from services.domain.subject import kind_of_subject
from services.store.alerting.alerts import AlertRepository, StoredEvent

router = APIRouter(tags=["alerts"], dependencies=[Depends(read)])

_FIELDS: Final = (
    "id",
    "rule",
    "subject",
    "version",
    "state",
    "active",
    "severity",
    "score",
    "sentence",
    "said",
    "evidence",
    "started_at",
    "raised_at",
    "updated_at",
    "cleared_at",
    "acknowledged_at",
    "acknowledged_by",
    "shelved_until",
    "shelved_reason",
    "resolved_at",
    "resolved_by",
    "verdict",
    "previous_id",
    "group_id",
    "assignee",
    "work",
    "suppressed_by",
    "suppressed_reason",
    "told_at",
    "latched",
)


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


@router.get(
    "/v1/alerts",
    summary="List alerts",
    responses={
        200: {"model": AlertPage, "description": "One page of alerts"},
        304: {"description": "Nothing has changed since the answer that If-None-Match names"},
        **documented(401, 403, 422, 503),
    },
)
def alerts(request: Request, chosen: Annotated[AlertParameters, Query()]) -> Response:
    """List alerts, the newest first, filtered, by pages. Shelved ones are among them and say so."""
    now = datetime.now(UTC)
    with request.app.state.database.connection() as connection:
        repository = AlertRepository(connection)
        # the log's position before the list is read; the minute because places and shelves change without an event
        etag = f'W/"{repository.last_position()}-{int(now.timestamp()) // 60}"'
        headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
        if unchanged(request, etag):
            return Response(status_code=304, headers=headers)
        page = repository.page(
            now=now,
            state=chosen.state.value if chosen.state else None,
            rule=chosen.rule,
            severity=chosen.severity,
            subject=chosen.subject,
            domain=chosen.domain,
            zone=chosen.zone,
            group=chosen.group,
            assignee=chosen.assignee,
            work=chosen.work,
            suppressed=chosen.suppressed,
            shelved=chosen.shelved,
            after=chosen.after,
            limit=chosen.limit,
        )
        places = request.app.state.places.of(connection, [each.subject for each in page.items])
    return Answer(
        {
            "items": [alert_document(each, places[each.subject]) for each in page.items],
            "next": page.next,
            "has_more": page.next is not None,
        },
        headers=headers,
    )


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


def alert_document(alert: Alert, place: Place | None) -> dict[str, object]:
    """The alert as it is served."""
    document: dict[str, object] = {name: getattr(alert, name) for name in _FIELDS}
    document["subject_kind"] = kind_of_subject(alert.subject)
    document["place"] = place
    document["allowed_changes"] = allowed_changes(alert)
    return document


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
