"""What became of everything that arrived: the accounting, and the messages that could not be stored."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field

from services.api.access import read
from services.api.answers import Answer
from services.api.documents import Document, Page, SaidDocument
from services.api.parameters import Instant, Parameters, SensorId
from services.api.problems import documented
from services.api.sensors import PageParameters
from services.domain.rejection import WHAT_TO_DO, RejectReason
from services.domain.sentences.rejected import said_of
from services.store import accounting, rejected
from services.store.rejected import MessageState, RejectedMessage

router = APIRouter(tags=["ingest"], dependencies=[Depends(read)])


class AccountDocument(Document):
    """Counts of readings: received = stored + duplicate + rejected + in_flight."""

    received: int = Field(description="Readings that ingest took from the broker.")
    messages: int = Field(description="MQTT messages that were dealt with.")
    stored: int = Field(description="Readings that brought something new.")
    merged: int = Field(description="Of the stored, those that completed a reading already there.")
    revised: int = Field(description="Of the stored, those that replaced a stored value.")
    duplicate: int = Field(description="Readings that were there already.")
    conflicting: int = Field(description="Readings with another value than the stored one.")
    rejected: int = Field(description="Readings that could not be stored; they are kept.")
    late: int = Field(description="Of the stored, those that came late or out of order.")
    in_flight: int = Field(description="Readings that a worker holds and has not yet committed.")


class WorkerDocument(Document):
    """One ingest worker that has not left."""

    name: str = Field(description="Its name.")
    started_at: datetime = Field(description="When it first reported.")
    seen_at: datetime = Field(description="When it last reported.")
    in_flight: int = Field(description="Readings that it held then.")
    silent_s: float = Field(description="Seconds since then.")


class AccountingDocument(Document):
    """The account of all readings and the workers that keep it."""

    total: AccountDocument = Field(description="All workers together.")
    workers: list[WorkerDocument] = Field(description="The workers, by name.")


class AccountingParameters(Parameters):
    """Which account."""

    since: Instant | None = Field(
        None, description="Count from the hour of this time on; without it, from the beginning."
    )


@router.get(
    "/v1/ingest/accounting",
    summary="What became of every reading",
    responses={
        200: {"model": AccountingDocument, "description": "The account"},
        **documented(401, 403, 422, 503),
    },
)
def account(request: Request, chosen: Annotated[AccountingParameters, Query()]) -> Answer:
    """Show received = stored + duplicate + rejected + in flight, and the workers with what each holds."""
    with request.app.state.database.connection() as connection:
        total = accounting.totals(connection, chosen.since)
        workers = accounting.workers(connection)
    return Answer({"total": total, "workers": workers})


class RejectedDocument(Document):
    """A message that could not be stored."""

    id: int = Field(description="Its id.")
    received_at: datetime = Field(description="When it came.")
    topic: str = Field(description="Its MQTT topic.")
    reason: RejectReason = Field(description="Why, in one word.")
    detail: str = Field(description="Why, in a sentence with the facts.")
    what_to_do: str = Field(description="What can be done about this reason.")
    said: SaidDocument | None = Field(
        description="Both as data, to be filled into GET /v1/sentences; null where the words are not ours."
    )
    sensor_id: str | None = Field(description="Whose it is, where that is known.")
    readings: int = Field(description="Readings that it counts for.")
    payload_bytes: int = Field(description="Bytes of the message.")
    whole: bool = Field(description="Whether all of it was kept, so that it can be replayed.")
    state: MessageState = Field(description="new, replayed or discarded.")
    changed_at: datetime = Field(description="When the state was set.")
    changed_by: str | None = Field(description="Who set it.")


class RejectedPage(Page):
    """Rejected messages, the newest first."""

    items: list[RejectedDocument] = Field(description="The messages of this page, without body.")


class RejectedDetail(RejectedDocument):
    """A rejected message with its body."""

    payload_base64: str = Field(description="The kept bytes, base64 (RFC 4648).")
    payload_text: str | None = Field(description="The same as text, where they are UTF-8.")


class RejectedParameters(PageParameters):
    """Which messages."""

    limit: int = Field(100, ge=1, le=1000, description="Most items of a page.")
    state: MessageState | None = Field(None, description="Only messages in this state.")
    reason: RejectReason | None = Field(None, description="Only messages with this reason.")
    sensor_id: SensorId | None = Field(None, description="Only messages of this sensor.")


@router.get(
    "/v1/rejected",
    summary="Messages that could not be stored",
    responses={
        200: {"model": RejectedPage, "description": "One page of rejected messages"},
        **documented(401, 403, 422, 503),
    },
)
def rejected_messages(request: Request, chosen: Annotated[RejectedParameters, Query()]) -> Answer:
    """List the rejected messages with their reasons, the newest first; their bodies are one by one."""
    with request.app.state.database.connection() as connection:
        page = rejected.page(
            connection,
            limit=chosen.limit,
            state=chosen.state,
            reason=chosen.reason,
            sensor_id=chosen.sensor_id,
            after=chosen.after,
        )
    return Answer(
        {
            "items": [_document(message) for message in page.items],
            "next": page.next,
            "has_more": page.next is not None,
        }
    )


@router.get(
    "/v1/rejected/{message_id}",
    summary="One rejected message with its bytes",
    responses={
        200: {"model": RejectedDetail, "description": "The message"},
        **documented(401, 403, 404, 422, 503),
    },
)
def rejected_message(
    request: Request,
    message_id: Annotated[int, Path(ge=1, le=2**63 - 1, description="The message's id.")],
) -> Answer:
    """Give one rejected message with its bytes, as base64 and as text where they are text."""
    with request.app.state.database.connection() as connection:
        message = rejected.get(connection, message_id)
    return Answer(
        _document(message)
        | {
            "payload_base64": base64.b64encode(message.payload).decode(),
            "payload_text": _text(message.payload),
        }
    )


_FIELDS: Final = tuple(
    name for name in RejectedDocument.model_fields if name not in {"what_to_do", "said"}
)


def _document(message: RejectedMessage) -> dict[str, object]:
    document: dict[str, object] = {name: getattr(message, name) for name in _FIELDS}
    document["what_to_do"] = WHAT_TO_DO[message.reason]
    said = said_of(message.reason, message.detail)
    document["said"] = None if said is None else said.as_dict()
    return document


def _text(payload: bytes) -> str | None:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None
