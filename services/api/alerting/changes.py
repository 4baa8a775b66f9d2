"""What people do to an alert: acknowledge, assign, say how far it is, shelve, comment, resolve; each one event.

It refuses to decide what is allowed: the domain's fold does, in the store's transaction.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request
from pydantic import Field

from services.api.access import Principal, operate
from services.api.alerting.alert_lists import alert_document
from services.api.answers import Answer
from services.api.documents import AlertDocument
from services.api.parameters import Body, Instant, LongText, Words
from services.api.places import Places
from services.api.problems import documented
from services.domain.alert import Alert, EventKind, Verdict, Work
from services.domain.alert_event import MACHINES
from services.domain.errors import Conflict, InvalidInput
from services.store.alerting.alerts import AlertRepository
from services.store.connection import Connection

router = APIRouter(tags=["alerts"])
_LOG: Final = logging.getLogger("citygauge.api")
_RESPONSES: Final = {
    200: {
        "model": AlertDocument,
        "description": "The alert after the change; its version is also the ETag",
    },
    **documented(401, 403, 404, 409, 413, 422, 503),
}
Operator = Annotated[Principal, Depends(operate)]
IfMatch = Annotated[
    str | None,
    Header(description='The version that you saw, as an ETag ("3"), instead of expected_version.'),
]


class Change(Body):
    """What every change may say."""

    expected_version: int | None = Field(
        None,
        ge=1,
        le=2**31 - 1,
        description="The version that you saw; if it is another one now, nothing changes and the answer is 409.",
    )


class Acknowledge(Change):
    """I take it."""

    comment: LongText | None = Field(None, description="What you want to add.")


class Resolve(Change):
    """The case is closed."""

    verdict: Verdict = Field(description="How it ended.")
    comment: LongText | None = Field(None, description="What was found.")


class Shelve(Change):
    """Hide it for a while."""

    until: Instant = Field(description="Until when it is hidden; in the future.")
    reason: LongText = Field(description="Why, for colleagues.")


class Assign(Change):
    """Somebody shall deal with it."""

    assignee: Words | None = Field(description="Who; null takes the name away.")
    comment: LongText | None = Field(None, description="What that person should know.")


class Progress(Change):
    """How far the work is."""

    work: Work = Field(description="new, investigating, crew_sent or repaired.")
    comment: LongText | None = Field(None, description="What was found or done.")


class Comment(Change):
    """Say something about it."""

    comment: LongText = Field(description="What you want to say.")


@router.post(
    "/v1/alerts/{alert_id}/acknowledge", summary="Acknowledge an alert", responses=_RESPONSES
)
def acknowledge(
    request: Request,
    who: Operator,
    alert_id: UUID,
    body: Acknowledge | None = None,
    if_match: IfMatch = None,
) -> Answer:
    """Say that you own it. It stays active until the measurement is back to normal."""
    body = body or Acknowledge(expected_version=None, comment=None)
    return _change(request, who, alert_id, EventKind.ACKNOWLEDGED, body=body, if_match=if_match)


@router.post("/v1/alerts/{alert_id}/assign", summary="Assign an alert", responses=_RESPONSES)
def assign(
    request: Request, who: Operator, alert_id: UUID, body: Assign, if_match: IfMatch = None
) -> Answer:
    """Say who shall deal with it. That person need not have an account here."""
    return _change(request, who, alert_id, EventKind.ASSIGNED, body=body, if_match=if_match)


@router.post(
    "/v1/alerts/{alert_id}/progress", summary="Say how far the work is", responses=_RESPONSES
)
def progress(
    request: Request, who: Operator, alert_id: UUID, body: Progress, if_match: IfMatch = None
) -> Answer:
    """Say how far the work in the street is, forward or back. The case stays open until it is resolved."""
    return _change(request, who, alert_id, EventKind.PROGRESSED, body=body, if_match=if_match)


@router.post("/v1/alerts/{alert_id}/resolve", summary="Resolve an alert", responses=_RESPONSES)
def resolve(
    request: Request, who: Operator, alert_id: UUID, body: Resolve, if_match: IfMatch = None
) -> Answer:
    """Close the case with a verdict, which also teaches how good the rules are."""
    return _change(request, who, alert_id, EventKind.RESOLVED, body=body, if_match=if_match)


@router.post("/v1/alerts/{alert_id}/shelve", summary="Hide an alert", responses=_RESPONSES)
def shelve(
    request: Request, who: Operator, alert_id: UUID, body: Shelve, if_match: IfMatch = None
) -> Answer:
    """Hide the alert from the open list until a time, with a reason."""
    return _change(request, who, alert_id, EventKind.SHELVED, body=body, if_match=if_match)


@router.post(
    "/v1/alerts/{alert_id}/unshelve", summary="Show a hidden alert again", responses=_RESPONSES
)
def unshelve(
    request: Request,
    who: Operator,
    alert_id: UUID,
    body: Change | None = None,
    if_match: IfMatch = None,
) -> Answer:
    """Bring a hidden alert back into the open list before its time."""
    body = body or Change(expected_version=None)
    return _change(request, who, alert_id, EventKind.UNSHELVED, body=body, if_match=if_match)


@router.post("/v1/alerts/{alert_id}/comment", summary="Comment an alert", responses=_RESPONSES)
def comment(
    request: Request, who: Operator, alert_id: UUID, body: Comment, if_match: IfMatch = None
) -> Answer:
    """Add a comment to the alert's log; possible in every state."""
    return _change(request, who, alert_id, EventKind.COMMENTED, body=body, if_match=if_match)


def _change(
    request: Request,
    who: Principal,
    alert_id: UUID,
    kind: EventKind,
    *,
    body: Change,
    if_match: str | None,
) -> Answer:
    """Write one event of a person and answer with the alert after it."""
    places: Places = request.app.state.places
    with request.app.state.database.connection() as connection:
        repository = AlertRepository(connection)
        try:
            changed = repository.act(
                alert_id,
                kind,
                actor=actor_of(who),
                at=datetime.now(UTC),
                data=facts_of(body),
                expected_version=_expected(body, if_match),
            )
        except Conflict as conflict:
            raise with_current(conflict, repository.get(alert_id), places, connection) from conflict
        place = places.one(connection, changed.subject)
    _LOG.info("alert changed alert=%s change=%s by=%s", alert_id, kind.value, who.name)
    return Answer(alert_document(changed, place), headers={"ETag": f'"{changed.version}"'})


def actor_of(who: Principal) -> str:
    """The name in the log; a key that is named like a machine does not pass for it."""
    return who.name if who.name not in MACHINES else f"{who.name} (key)"


def facts_of(body: Change) -> dict[str, object]:
    """What the event of a change holds: what was said, the version that was expected left out."""
    said = body.model_dump(mode="json", exclude={"expected_version"}, exclude_unset=True)
    return {name: value for name, value in said.items() if value is not None or name == "assignee"}


def with_current(
    conflict: Conflict, current: Alert, places: Places, connection: Connection
) -> Conflict:
    """The conflict with the alert as it is served now."""
    document = alert_document(current, places.one(connection, current.subject))
    return Conflict(conflict.what, conflict.expected, document)


def _expected(body: Change, if_match: str | None) -> int | None:
    if body.expected_version is not None or if_match is None or if_match.strip() == "*":
        return body.expected_version
    match = re.fullmatch(r'"?([0-9]{1,9})"?', if_match.strip())
    if match is None:
        raise InvalidInput("If-Match", if_match, 'an alert\'s version, such as "3"')
    return int(match[1])
