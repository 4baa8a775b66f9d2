"""Alerts: the list, and one case with its log. Changing them is `changes.py`, hearing of them is `stream.py`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from services.api.access import read
from services.api.answers import Answer
from services.api.documents import AlertDetail, AlertPage
from services.api.parameters import Cursor, Parameters, Words
from services.api.places import Place
from services.api.problems import documented
from services.domain.alert import Alert, allowed_changes
from services.domain.catalogue import Domain
from services.domain.condition import Rule, Severity
from services.domain.subject import kind_of_subject
from services.store.alerts import AlertRepository, StoredEvent
from services.store.alerts import State as Word

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
)


class State(StrEnum):
    """Which alerts: by their one word, or every one that is open."""

    OPEN = "open"
    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"
    CLEARED = "cleared"
    RESOLVED = "resolved"


_WORDS: Final[Mapping[State, Word]] = {
    State.ACTIVE: "active",
    State.ACKNOWLEDGED: "acknowledged",
    State.CLEARED: "cleared",
    State.RESOLVED: "resolved",
}


class AlertParameters(Parameters):
    """Which alerts."""

    state: State | None = Field(
        None,
        description="active (nobody has it), acknowledged, cleared, resolved, or open (active or acknowledged; "
        "such a page may hold fewer alerts than `limit` and still have a next one).",
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
    group: UUID | None = Field(None, description="Only alerts of this event: a `group_id`.")
    after: Cursor | None = Field(None, description="The `next` of the page before.")
    limit: int = Field(50, ge=1, le=1000, description="Most alerts of a page.")


@router.get(
    "/v1/alerts",
    summary="List alerts",
    responses={
        200: {"model": AlertPage, "description": "One page of alerts"},
        **documented(401, 403, 422, 503),
    },
)
def alerts(request: Request, chosen: Annotated[AlertParameters, Query()]) -> Answer:
    """List alerts, the newest first, filtered, by pages. Shelved ones are among them and say so."""
    with request.app.state.database.connection() as connection:
        page = AlertRepository(connection).page(
            now=datetime.now(UTC),
            state=_WORDS.get(chosen.state) if chosen.state else None,
            open=True if chosen.state is State.OPEN else None,
            rule=chosen.rule,
            severity=chosen.severity,
            subject=chosen.subject,
            domain=chosen.domain,
            zone=chosen.zone,
            group=chosen.group,
            after=chosen.after,
            limit=chosen.limit,
        )
        items = page.items
        if (
            chosen.state is State.OPEN
        ):  # a case that a person closed is not open, whatever is measured
            items = [each for each in items if each.resolved_at is None]
        places = request.app.state.places.of(connection, [each.subject for each in items])
    return Answer(
        {
            "items": [alert_document(each, places[each.subject]) for each in items],
            "next": page.next,
            "has_more": page.next is not None,
        }
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
