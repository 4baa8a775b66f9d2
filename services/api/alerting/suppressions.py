"""Exemptions and maintenance windows over HTTP: make one, end one, list them; what they hold is told when they end.

It refuses to change one: end it and make another. Both kinds are one thing with two addresses.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field

from services.api.access import Principal, operate, read
from services.api.alerting.changes import actor_of
from services.api.alerting.suppression_models import (
    End,
    NewSuppression,
    SuppressionDetail,
    SuppressionDocument,
    SuppressionPage,
)
from services.api.answers import Answer
from services.api.parameters import Cursor, Parameters
from services.api.problems import documented
from services.domain.suppression import Suppression, SuppressionKind, WeeklyHours
from services.store.alerting.expectations import Expectation, end, expect
from services.store.alerting.suppressions import SuppressionRepository

router = APIRouter(tags=["alerts"], dependencies=[Depends(read)])
Operator = Annotated[Principal, Depends(operate)]


class SuppressionParameters(Parameters):
    """Which of them."""

    current: bool = Field(True, description="Only those that are not over; false: all there were.")
    after: Cursor | None = Field(None, description="The `next` of the page before.")
    limit: int = Field(100, ge=1, le=1000, description="Most of a page.")


def _page(request: Request, kind: SuppressionKind, chosen: SuppressionParameters) -> Answer:
    now = datetime.now(UTC)
    with request.app.state.database.connection() as connection:
        repository = SuppressionRepository(connection)
        page = repository.page(
            kind, limit=chosen.limit, live_at=now if chosen.current else None, after=chosen.after
        )
        items = _documents(repository, page.items, now)
    return Answer({"items": items, "next": page.next, "has_more": page.next is not None})


def _create(
    request: Request, who: Principal, kind: SuppressionKind, body: NewSuppression
) -> Answer:
    now = datetime.now(UTC)
    asked = Expectation(
        subjects=body.subjects,
        rules=body.rules,
        domain=body.domain,
        zone=body.zone,
        road=body.road,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
        hours=[WeeklyHours(tuple(sorted(set(h.days))), h.start, h.end) for h in body.hours],
        time_zone=body.time_zone,
        reason=body.reason,
    )
    with request.app.state.database.connection() as connection:
        made = expect(connection, kind, asked, actor_of(who), now)
        [document] = _documents(SuppressionRepository(connection), [made], now)
    return Answer(document, status_code=201, headers={"Location": _address(kind, made.id)})


def _end(
    request: Request, who: Principal, kind: SuppressionKind, id_: uuid.UUID, body: End | None
) -> Answer:
    now = datetime.now(UTC)
    comment = None if body is None else body.comment
    with request.app.state.database.connection() as connection:
        ended = end(connection, kind, id_, actor_of(who), now, comment=comment)
        [document] = _documents(SuppressionRepository(connection), [ended], now)
    return Answer(document)


def _one(request: Request, kind: SuppressionKind, id_: uuid.UUID) -> Answer:
    with request.app.state.database.connection() as connection:
        repository = SuppressionRepository(connection)
        found = repository.get(kind, id_)
        [document] = _documents(repository, [found], datetime.now(UTC))
        events = repository.events(id_)
    return Answer({**document, "events": events})


def _documents(
    repository: SuppressionRepository, found: Sequence[Suppression], now: datetime
) -> list[dict[str, Any]]:
    held = repository.held(found)
    return [
        {
            **{name: getattr(each, name) for name in Suppression.__dataclass_fields__},
            "name": each.name,
            "hours": [
                {"days": hours.days, "start": f"{hours.start:%H:%M}", "end": f"{hours.end:%H:%M}"}
                for hours in each.hours
            ],
            "live": each.live(now),
            "held": held[each.id],
        }
        for each in found
    ]


def _address(kind: SuppressionKind, id_: uuid.UUID) -> str:
    return f"/v1/{_PLACES[kind]}/{id_}"


_PLACES: Final = {
    SuppressionKind.EXEMPTION: "exemptions",
    SuppressionKind.MAINTENANCE: "maintenance",
}
_LISTED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": SuppressionPage, "description": "One page, the newest first"},
    **documented(401, 403, 422, 503),
}
_MADE: Final[dict[int | str, dict[str, Any]]] = {
    201: {"model": SuppressionDocument, "description": "It is made, and holds from now on"},
    **documented(401, 403, 413, 422, 503),
}
_FOUND: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": SuppressionDetail, "description": "It and its log"},
    **documented(401, 403, 404, 422, 503),
}
_ENDED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": SuppressionDocument, "description": "It is over; what it held is told now"},
    **documented(401, 403, 404, 413, 422, 503),
}
Chosen = Annotated[SuppressionParameters, Query()]
Id = Annotated[uuid.UUID, Path(description="Its id.")]


@router.get("/v1/exemptions", summary="List exemptions", responses=_LISTED)
def exemptions(request: Request, chosen: Chosen) -> Answer:
    """List what is known to be harmless, with how many open alerts each holds back."""
    return _page(request, SuppressionKind.EXEMPTION, chosen)


@router.post("/v1/exemptions", summary="Make an exemption", status_code=201, responses=_MADE)
def exempt(request: Request, who: Operator, body: NewSuppression) -> Answer:
    """Say that something is known and harmless: its alerts are kept and shown, and nobody is told of them."""
    return _create(request, who, SuppressionKind.EXEMPTION, body)


@router.get("/v1/exemptions/{id}", summary="One exemption with its log", responses=_FOUND)
def exemption(request: Request, id: Id) -> Answer:  # noqa: A002
    """Give one exemption and its log."""
    return _one(request, SuppressionKind.EXEMPTION, id)


@router.post("/v1/exemptions/{id}/end", summary="End an exemption", responses=_ENDED)
def end_exemption(
    request: Request,
    who: Operator,
    id: Id,  # noqa: A002
    body: End | None = None,
) -> Answer:
    """End an exemption before its time. What it held back and is still there is told."""
    return _end(request, who, SuppressionKind.EXEMPTION, id, body)


@router.get("/v1/maintenance", summary="List maintenance windows", responses=_LISTED)
def windows(request: Request, chosen: Chosen) -> Answer:
    """List planned and present works, with how many open alerts each holds back."""
    return _page(request, SuppressionKind.MAINTENANCE, chosen)


@router.post(
    "/v1/maintenance", summary="Plan a maintenance window", status_code=201, responses=_MADE
)
def plan(request: Request, who: Operator, body: NewSuppression) -> Answer:
    """Say where and when people work: alerts that are raised there meanwhile are shown, and told only after it."""
    return _create(request, who, SuppressionKind.MAINTENANCE, body)


@router.get("/v1/maintenance/{id}", summary="One maintenance window with its log", responses=_FOUND)
def window(request: Request, id: Id) -> Answer:  # noqa: A002
    """Give one maintenance window and its log."""
    return _one(request, SuppressionKind.MAINTENANCE, id)


@router.post("/v1/maintenance/{id}/end", summary="End a maintenance window", responses=_ENDED)
def end_window(
    request: Request,
    who: Operator,
    id: Id,  # noqa: A002
    body: End | None = None,
) -> Answer:
    """End a maintenance window before its time. What it held back and is still there is told."""
    return _end(request, who, SuppressionKind.MAINTENANCE, id, body)
