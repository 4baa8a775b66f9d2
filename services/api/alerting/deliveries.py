"""What was told to whom: deliveries of alert events by routes, with every failed attempt. It tells nobody anything."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from services.api.access import read
from services.api.answers import Answer
from services.api.documents import SAME_AS_DATA, Document, Page, SaidDocument
from services.api.parameters import Cursor, Parameters, Words
from services.api.problems import documented
from services.domain.alert import EventKind
from services.domain.condition import Rule
from services.domain.sentences.problem import said_of
from services.store.telling.delivery import Reason
from services.store.telling.delivery_page import DeliveryRecord, DeliveryState, delivery_page

router = APIRouter(tags=["alerts"], dependencies=[Depends(read)])


class FailureDocument(Document):
    """One attempt that the other side did not take."""

    attempt: int = Field(description="Which one it was, from 1.")
    at: datetime = Field(description="When.")
    problem: str = Field(description="What went wrong.")
    problem_said: SaidDocument | None = Field(description=SAME_AS_DATA)


class DeliveryDocument(Document):
    """One alert event on its way to one route."""

    event_id: UUID = Field(description="The alert's event that is told.")
    alert_id: UUID = Field(description="The alert.")
    event: EventKind = Field(description="What happened.")
    rule: Rule = Field(description="The alert's rule.")
    subject: str = Field(description="What the alert is about.")
    route: str = Field(description="The route, by its name in the settings.")
    round: int = Field(description="0 for the first telling, 1 and more for repetitions.")
    reason: Reason = Field(
        description="routed: the route fits; escalated: nobody took it in time; repeated: nobody took it yet."
    )
    state: DeliveryState = Field(
        description="waiting, sent, given_up (all attempts failed, or the route is gone) or needless (acknowledged, "
        "over or shelved before it was due)."
    )
    attempts: int = Field(description="Attempts so far.")
    created_at: datetime = Field(description="When it was planned.")
    held_until: datetime | None = Field(description="Held back by quiet hours or for a digest.")
    next_attempt_at: datetime | None = Field(description="When it is tried next, while it waits.")
    sent_at: datetime | None = Field(description="When the other side had taken it.")
    given_up_at: datetime | None = Field(description="When it was given up.")
    problem: str | None = Field(description="What went wrong last, or why nobody needed it.")
    problem_said: SaidDocument | None = Field(description=SAME_AS_DATA)
    receipt: str | None = Field(
        description="What the other side answered: the number of a service request, say."
    )
    receipt_said: SaidDocument | None = Field(description=SAME_AS_DATA)
    digest_id: UUID | None = Field(description="The digest that told it.")
    failures: list[FailureDocument] = Field(
        description="The failed attempts, the newest first, at most 20."
    )


class DeliveryPage(Page):
    """Deliveries, the newest first."""

    items: list[DeliveryDocument] = Field(description="The deliveries of this page.")


class DeliveryParameters(Parameters):
    """Which deliveries."""

    alert: UUID | None = Field(None, description="Only of this alert.")
    event: UUID | None = Field(None, description="Only of this event.")
    route: Words | None = Field(None, description="Only by this route.")
    state: DeliveryState | None = Field(None, description="Only in this state.")
    after: Cursor | None = Field(None, description="The `next` of the page before.")
    limit: int = Field(50, ge=1, le=1000, description="Most deliveries of a page.")


@router.get(
    "/v1/deliveries",
    summary="List deliveries",
    responses={
        200: {"model": DeliveryPage, "description": "One page of deliveries"},
        **documented(401, 403, 422, 503),
    },
)
def deliveries(request: Request, chosen: Annotated[DeliveryParameters, Query()]) -> Answer:
    """List what was or is to be told to whom, the newest first, by pages, with every failed attempt."""
    with request.app.state.database.connection() as connection:
        page = delivery_page(
            connection,
            limit=chosen.limit,
            alert=chosen.alert,
            event=chosen.event,
            route=chosen.route,
            state=chosen.state,
            after=chosen.after,
        )
    items = [_document(each) for each in page.items]
    return Answer({"items": items, "next": page.next, "has_more": page.next is not None})


_FIELDS: Final = tuple(name for name in DeliveryRecord.__dataclass_fields__ if name != "failures")


def _document(delivery: DeliveryRecord) -> dict[str, object]:
    failures = [
        {
            "attempt": each.attempt,
            "at": each.at,
            "problem": each.problem,
            "problem_said": said_of(each.problem),
        }
        for each in delivery.failures
    ]
    return {
        **{name: getattr(delivery, name) for name in _FIELDS},
        "problem_said": said_of(delivery.problem),
        "receipt_said": said_of(delivery.receipt),
        "failures": failures,
    }
