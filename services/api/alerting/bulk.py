"""One change for many alerts at once: each alert's outcome is told singly, and one that refuses keeps no other back.

It refuses to decide what is allowed: the domain's fold does, in the store's one transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Self
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError, model_validator

from services.api.alerting.alert_lists import alert_document
from services.api.alerting.changes import (
    Acknowledge,
    Assign,
    Change,
    Comment,
    Operator,
    Progress,
    Resolve,
    Shelve,
    actor_of,
    facts_of,
    with_current,
)
from services.api.answers import Answer
from services.api.documents import BulkOutcome
from services.api.parameters import Body, Instant, LongText, Words
from services.api.places import Places
from services.api.problems import documented, of_error
from services.domain.alert import Alert, EventKind, Verdict, Work
from services.domain.errors import Conflict
from services.store.alerting.alerts import AlertRepository, Target

router = APIRouter(tags=["alerts"])
_LOG: Final = logging.getLogger("citygauge.api")
_LARGEST: Final = 1_000


class BulkChange(StrEnum):
    """What is done to each of the alerts; the words of the log."""

    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    PROGRESSED = "progressed"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    COMMENTED = "commented"
    RESOLVED = "resolved"


_BODIES: Final[Mapping[BulkChange, type[Change]]] = {
    BulkChange.ACKNOWLEDGED: Acknowledge,
    BulkChange.ASSIGNED: Assign,
    BulkChange.PROGRESSED: Progress,
    BulkChange.SHELVED: Shelve,
    BulkChange.UNSHELVED: Change,
    BulkChange.COMMENTED: Comment,
    BulkChange.RESOLVED: Resolve,
}
"""What each change takes, as in its own call."""


class Chosen(Body):
    """One of the alerts."""

    id: UUID = Field(description="The alert.")
    expected_version: int | None = Field(
        None, ge=1, le=2**31 - 1, description="The version that you saw; another one is a conflict."
    )


class Bulk(Body):
    """A change, and the alerts that it is for."""

    change: BulkChange = Field(description="What is done to each.")
    alerts: list[Chosen] = Field([], max_length=_LARGEST, description="Which alerts; or `group`.")
    group: UUID | None = Field(
        None, description="Instead of `alerts`: every alert of this event that nobody has closed."
    )
    comment: LongText | None = Field(None, description="What you want to add.")
    assignee: Words | None = Field(None, description="With assigned: who; null for nobody.")
    work: Work | None = Field(None, description="With progressed: how far it is.")
    until: Instant | None = Field(None, description="With shelved: until when.")
    reason: LongText | None = Field(None, description="With shelved: why.")
    verdict: Verdict | None = Field(None, description="With resolved: how it ended.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.alerts) == (self.group is not None):
            raise ValueError("give either `alerts` (1 to 1,000 of them) or `group`")
        return self


@router.post(
    "/v1/alerts/changes",
    summary="Change many alerts at once",
    responses={
        200: {"model": BulkOutcome, "description": "What became of each alert, in your order"},
        **documented(401, 403, 413, 422, 503),
    },
)
def changes(request: Request, who: Operator, body: Bulk) -> Answer:
    """Do the same to many alerts. Each is one event of its log, or one problem (404, 409, 422) in the answer."""
    kind = EventKind(body.change.value)
    facts = facts_of(_single(body))
    places: Places = request.app.state.places
    path = request.url.path
    with request.app.state.database.connection() as connection:
        repository = AlertRepository(connection)
        targets = [Target(each.id, each.expected_version) for each in body.alerts]
        if body.group is not None:
            members = repository.page(limit=_LARGEST, now=datetime.now(UTC), group=body.group).items
            targets = [Target(each.id) for each in members if each.resolved_at is None]
        outcomes = repository.act_on(targets, kind, actor_of(who), datetime.now(UTC), facts)
        items: list[dict[str, Any]] = []
        for target, outcome in zip(targets, outcomes, strict=True):
            if isinstance(outcome, Alert):
                alert = alert_document(outcome, places.one(connection, outcome.subject))
                items.append(
                    {"id": target.alert_id, "status": 200, "alert": alert, "problem": None}
                )
                continue
            why = outcome
            if isinstance(outcome, Conflict):
                current = repository.get(target.alert_id)
                why = with_current(outcome, current, places, connection)
            refusal: Response = of_error(why, path)
            problem = msgspec.Raw(bytes(refusal.body))
            status = refusal.status_code
            items.append(
                {"id": target.alert_id, "status": status, "alert": None, "problem": problem}
            )
    done = sum(item["status"] == 200 for item in items)
    _LOG.info(
        "alerts changed change=%s alerts=%d refused=%d by=%s",
        kind.value, done, len(items) - done, who.name,
    )  # fmt: skip
    return Answer({"items": items, "changed": done, "refused": len(items) - done})


def _single(body: Bulk) -> Change:
    """The change as each alert's own call would take it; what is missing or too much is named as there."""
    told = body.model_dump(mode="json", exclude={"change", "alerts", "group"}, exclude_unset=True)
    try:
        return _BODIES[body.change].model_validate(told)
    except ValidationError as error:
        found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(found) from None
