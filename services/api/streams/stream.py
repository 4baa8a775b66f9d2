"""Live streams over HTTP: alerts and readings as they happen, as server-sent events that resume where a client was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from services.api.access import read
from services.api.problems import documented
from services.api.streams.live import Key, Tail, frames
from services.api.streams.live_parameters import (
    AlertStreamParameters,
    ReadingStreamParameters,
    alert_position,
    alert_wants,
    newest_alert,
    newest_reading,
    reading_position,
    reading_wants,
)

router = APIRouter(tags=["live"], dependencies=[Depends(read)])

MEDIA_TYPE: Final = "text/event-stream"
_ALERTS: Final = (
    "retry: 1000\n\nid: 41\nevent: ready\ndata: {}\n\nid: 42\nevent: alert\n"
    'data: {"event": {"position": 42, "kind": "raised"}, "alert": {"sentence": "…"}}\n\n: still here\n\n'
)
_READINGS: Final = (
    "retry: 1000\n\nid: 7.811.90\nevent: ready\ndata: {}\n\nid: 7.812.91\nevent: readings\n"
    'data: {"domain": "water", "columns": {"time": ["2026-01-01T00:00:00Z"], "sensor_id": ["M-17"], '
    '"flow_litres_per_h": [12.5], "quality": [0]}}\n\n: still here\n\n'
)
_LastEventId = Annotated[
    str | None, Header(description="The id of the last event that you have; browsers send it.")
]


def _answers(description: str, example: str) -> dict[int | str, dict[str, Any]]:
    return {
        200: {
            "description": f"Server-sent events: `ready` once, then {description}. Comments keep the connection alive. "
            "A stream ends after a quarter of an hour, or when its client is too slow; clients resume by themselves. "
            "`reset` tells a client that something after its place is gone for good: ask for the list or for history "
            "anew. Its data: `reason`, pruned or restored (the database, from a backup), and `kept_since`, when the "
            "oldest that is kept was written, or null.",
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": example}},
        },
        **documented(401, 403, 404, 422, 503),
    }


@router.get(
    "/v1/alerts/stream",
    summary="Alerts as they happen",
    response_class=StreamingResponse,
    responses=_answers(
        "`alert` with the entry of the log and the alert as it is now; the event's id is the position in the log",
        _ALERTS,
    ),
)
async def alerts(
    request: Request,
    chosen: Annotated[AlertStreamParameters, Query()],
    last_event_id: _LastEventId = None,
) -> StreamingResponse:
    """Send every change of every alert that is wanted, at once, from the position that the client names."""
    state = request.app.state
    after = alert_position(last_event_id) if last_event_id else chosen.position
    state.tail.refuse_when_full()
    resumed = after is not None
    if after is None:
        after = await run_in_threadpool(newest_alert, state.database)
    return _stream(request, state.tail, alert_wants(chosen), after, resumed=resumed)


@router.get(
    "/v1/readings/stream",
    summary="Readings as they are stored",
    response_class=StreamingResponse,
    responses=_answers(
        "`readings` with what was stored together, by columns, late and corrected readings included; the event's id "
        "is a place in the feed, which keeps some hours",
        _READINGS,
    ),
)
async def readings(
    request: Request,
    chosen: Annotated[ReadingStreamParameters, Query()],
    last_event_id: _LastEventId = None,
) -> StreamingResponse:
    """Send every reading that is wanted as soon as it is stored, from the place that the client names."""
    state = request.app.state
    after = None
    if last_event_id:
        after = reading_position(last_event_id)
    elif chosen.after:
        after = reading_position(chosen.after, "after")
    state.reading_tail.refuse_when_full()
    wants = await run_in_threadpool(reading_wants, state.database, chosen)
    resumed = after is not None
    if after is None:
        after = await run_in_threadpool(newest_reading, state.database)
    return _stream(request, state.reading_tail, wants, after, resumed=resumed)


def _stream(
    request: Request, tail: Tail[Any], wants: object, after: Key, *, resumed: bool
) -> StreamingResponse:
    return StreamingResponse(
        _events(request, tail, wants, after, resumed=resumed),
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(
    request: Request, tail: Tail[Any], wants: object, after: Key, *, resumed: bool
) -> AsyncIterator[bytes]:
    place = ".".join(map(str, after)).encode()
    yield b"retry: 1000\n\nid: %s\nevent: ready\ndata: {}\n\n" % place
    async for frame in frames(tail, request.app.state.database, wants, after, resumed=resumed):
        yield b": still here\n\n" if frame is None else frame.sse
