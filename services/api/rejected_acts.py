"""What people do about messages that could not be stored: have them read again after a fix, or give them up.

It refuses to read them itself: ingest's own way does, handed in by the command line.
"""

from __future__ import annotations

import logging
from typing import Annotated, Final, Self

from fastapi import APIRouter, Depends, Request
from pydantic import Field, model_validator

from services.api.access import Principal, operate
from services.api.answers import Answer
from services.api.documents import Document
from services.api.errors import NeighbourMissing
from services.api.parameters import Body
from services.api.problems import documented
from services.domain.rejection import RejectReason
from services.store import rejected
from services.store.writing.seen import new_messages

router = APIRouter(tags=["ingest"])
_LOG: Final = logging.getLogger("citygauge.api")
_AT_ONCE: Final = 500
_LAST: Final = 2**63 - 1
Operator = Annotated[Principal, Depends(operate)]
MessageId = Annotated[int, Field(ge=1, le=_LAST)]


class Chosen(Body):
    """Which of the waiting messages."""

    ids: list[MessageId] | None = Field(
        None, min_length=1, max_length=_AT_ONCE, description="These messages; or `reason`."
    )
    reason: RejectReason | None = Field(
        None, description="All that wait with this reason; or `ids`."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.ids is None) == (self.reason is None):
            raise ValueError("give either `ids` (1 to 500 of them) or `reason`")
        return self


class Replay(Chosen):
    """Which of the waiting messages are read again."""

    after: int = Field(
        0, ge=0, le=_LAST, description="With `reason`: the `next` of the answer before; 0 to begin."
    )


class ReplayedDocument(Document):
    """What came of it."""

    replayed: int = Field(description="Messages that are done.")
    stored: int = Field(description="Their readings that brought something new.")
    duplicate: int = Field(description="Their readings that were there already.")
    stay: int = Field(description="Messages that are rejected still.")
    reasons: dict[RejectReason, int] = Field(description="Those by today's reason.")
    cut: int = Field(description="Messages that were not kept whole and so cannot be read again.")
    next: int | None = Field(
        description="More are waiting: send it back as `after`. null: that was all."
    )


class DiscardedDocument(Document):
    """What came of it."""

    discarded: int = Field(
        description="Messages that are given up; those that no longer waited do not count."
    )


@router.post(
    "/v1/rejected/replay",
    summary="Read rejected messages again",
    responses={
        200: {"model": ReplayedDocument, "description": "What came of it"},
        **documented(401, 403, 404, 413, 422, 501, 503),
    },
)
def replay(request: Request, body: Replay, who: Operator) -> Answer:
    """Read waiting messages again with today's sensors and decoders, and store what can be stored now, once.

    At most 500 messages a call, each in a transaction of its own. What is still wrong stays, with today's reason.
    """
    again = request.app.state.neighbours.replay
    if again is None:
        raise NeighbourMissing("read messages again")
    following: int | None = None
    with request.app.state.database.connection() as connection:
        ids = body.ids or []
        if body.reason is not None:
            waiting = new_messages(
                connection, reason=body.reason, after=body.after, limit=_AT_ONCE + 1
            )
            ids = list(waiting[:_AT_ONCE])
            following = ids[-1] if len(waiting) > _AT_ONCE else None
        done = again(connection, ids, who.name)
    _LOG.info(
        "rejected messages read again messages=%d done=%d reason=%s by=%s",
        len(ids),
        done["replayed"],
        body.reason,
        who.name,
    )
    return Answer({**done, "next": following})


@router.post(
    "/v1/rejected/discard",
    summary="Give rejected messages up",
    responses={
        200: {"model": DiscardedDocument, "description": "What came of it"},
        **documented(401, 403, 413, 422, 503),
    },
)
def discard(request: Request, body: Chosen, who: Operator) -> Answer:
    """Put waiting messages aside: nobody reads them again, their readings stay counted as rejected.

    Maintenance removes them some day.
    """
    with request.app.state.database.connection() as connection:
        count = rejected.discard(connection, who.name, ids=body.ids, reason=body.reason)
    _LOG.info(
        "rejected messages discarded messages=%d reason=%s by=%s", count, body.reason, who.name
    )
    return Answer({"discarded": count})
