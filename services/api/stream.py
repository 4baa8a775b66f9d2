"""GET /v1/alerts/stream: alerts as they happen, as server-sent events that resume where a client was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from services.api.access import read
from services.api.database import Database
from services.api.parameters import Parameters
from services.api.problems import documented
from services.api.settings import ApiSettings
from services.api.tail import AlertTail, Frame
from services.domain.errors import InvalidInput, Unavailable
from services.store.alerts import AlertRepository

router = APIRouter(tags=["alerts"], dependencies=[Depends(read)])

MEDIA_TYPE: Final = "text/event-stream"
_LARGEST: Final = 2**63 - 1
_LONGEST_S: Final = 900.0
_PAUSE_S: Final = 1.0
_EXAMPLE: Final = (
    "retry: 1000\n\nid: 41\nevent: ready\ndata: {}\n\nid: 42\nevent: alert\n"
    'data: {"event": {"position": 42, "kind": "raised"}, "alert": {"sentence": "…"}}\n\n: still here\n\n'
)


class StreamParameters(Parameters):
    """Where to begin."""

    after: int | None = Field(
        None,
        ge=0,
        le=_LARGEST,
        description="Position in the log after which to begin; the header Last-Event-ID goes before it. "
        "Without both, only what happens from now on is sent.",
    )


@router.get(
    "/v1/alerts/stream",
    summary="Alerts as they happen",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events: `ready` once, then `alert` with the entry of the log and the alert "
            "as it is now; the event's id is the position in the log. Comments keep the connection alive. "
            "A stream ends after a quarter of an hour, or when its client is too slow; clients resume by themselves.",
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": _EXAMPLE}},
        },
        **documented(401, 403, 422, 503),
    },
)
async def stream(
    request: Request,
    chosen: Annotated[StreamParameters, Query()],
    last_event_id: Annotated[
        str | None, Header(description="The id of the last event that you have; browsers send it.")
    ] = None,
) -> StreamingResponse:
    """Send every change of every alert, at once, from the position that the client names."""
    after = chosen.after if last_event_id in {None, ""} else _position(last_event_id)
    tail: AlertTail = request.app.state.tail
    tail.refuse_when_full()
    if after is None:
        after = await run_in_threadpool(_last_position, request.app.state.database)
    return StreamingResponse(
        _events(request, tail, after),
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(request: Request, tail: AlertTail, sent: int) -> AsyncIterator[bytes]:
    """The bytes of one stream: first what its client missed, then what happens. Its place is given back at the end."""
    settings: ApiSettings = request.app.state.settings
    clock = asyncio.get_running_loop().time
    listener = tail.subscribe()
    try:
        yield b"retry: 1000\n\nid: %d\nevent: ready\ndata: {}\n\n" % sent
        ends = clock() + _LONGEST_S
        behind = True
        while behind and clock() < ends:
            try:
                missed = await run_in_threadpool(_missed, request.app.state.database, tail, sent)
            except (
                Unavailable
            ):  # the answer has begun, so no problem can be told: wait with the client
                yield b": still here\n\n"
                await asyncio.sleep(_PAUSE_S)
                continue
            behind = bool(missed)
            for frame in missed:
                yield frame.data
                sent = frame.position
        while clock() < ends:
            try:
                async with asyncio.timeout(settings.stream_heartbeat_s):
                    upcoming = await listener.queue.get()
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if upcoming is None:
                return
            if upcoming.position > sent:
                yield upcoming.data
                sent = upcoming.position
    finally:
        tail.unsubscribe(listener)


def _missed(database: Database, tail: AlertTail, sent: int) -> list[Frame]:
    with database.connection() as connection:
        return tail.frames_after(connection, sent)


def _last_position(database: Database) -> int:
    with database.connection() as connection:
        return AlertRepository(connection).last_position()


def _position(text: str | None) -> int:
    if text is None or not text.isascii() or not text.isdigit() or int(text[:20]) > _LARGEST:
        raise InvalidInput("Last-Event-ID", text, "the id of an event that this stream sent")
    return int(text)
