"""/v1/live: alerts and readings over one WebSocket, filtered and resumable as the streams are.

It refuses a browser's page of another host, and what a client sends: everything is said in the address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, get_origin

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from services.api.access import Doorkeeper, Principal
from services.api.errors import ForeignRequest, NotSignedIn, ScopeMissing
from services.api.problems import FieldProblem, of_error, of_fields
from services.api.sessions import COOKIE
from services.api.streams.live import Key, Tail, frames
from services.api.streams.live_parameters import (
    LiveParameters,
    Topic,
    alert_position,
    alert_wants,
    newest_alert,
    newest_reading,
    reading_position,
    reading_wants,
)
from services.domain.access import Scope, grants
from services.domain.errors import CitygaugeError

router = APIRouter()
PATH: Final = "/v1/live"
_END: Final = 1000


@router.websocket(PATH)
async def live(websocket: WebSocket) -> None:
    """Send messages {"id", "event", "data"}: `ready` for each topic, then `alert` and `readings`, and `beat`.

    `reset` says that something after the place where the client was is gone for good.
    """
    try:
        await run_in_threadpool(_may_read, websocket)
        chosen = LiveParameters.model_validate(_asked(websocket))
        topics = await _topics(websocket, chosen)
    except ValidationError as error:
        wrong = [
            FieldProblem(
                field=".".join(map(str, each["loc"])),
                value=str(each["input"])[:200],
                allowed=each["msg"],
            )
            for each in error.errors()
        ]
        await websocket.send_denial_response(of_fields(wrong, PATH))
        return
    except CitygaugeError as error:
        await websocket.send_denial_response(of_error(error, PATH))
        return
    await websocket.accept()
    tasks = [asyncio.create_task(_send(websocket, *topic)) for topic in topics]
    tasks.append(asyncio.create_task(_until_gone(websocket)))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    with suppress(RuntimeError, WebSocketDisconnect):
        await websocket.close(_END)


async def _topics(
    websocket: WebSocket, chosen: LiveParameters
) -> list[tuple[Tail[Any], object, Key, bool]]:
    state = websocket.app.state
    found: list[tuple[Tail[Any], object, Key, bool]] = []
    if Topic.ALERTS in chosen.topics:
        state.tail.refuse_when_full()
        after = alert_position(chosen.alerts_after, "alerts_after") if chosen.alerts_after else None
        resumed = after is not None
        if after is None:
            after = await run_in_threadpool(newest_alert, state.database)
        found.append((state.tail, alert_wants(chosen), after, resumed))
    if Topic.READINGS in chosen.topics:
        state.reading_tail.refuse_when_full()
        wants = await run_in_threadpool(reading_wants, state.database, chosen)
        after = (
            reading_position(chosen.readings_after, "readings_after")
            if chosen.readings_after
            else None
        )
        resumed = after is not None
        if after is None:
            after = await run_in_threadpool(newest_reading, state.database)
        found.append((state.reading_tail, wants, after, resumed))
    return found


async def _send(
    websocket: WebSocket, tail: Tail[Any], wants: object, after: Key, resumed: bool
) -> None:
    place = ".".join(map(str, after))
    topic = "readings" if len(after) > 1 else "alerts"
    await websocket.send_text(f'{{"id":"{place}","event":"ready","data":{{"topic":"{topic}"}}}}')
    async for frame in frames(tail, websocket.app.state.database, wants, after, resumed=resumed):
        text = '{"id":null,"event":"beat","data":{}}' if frame is None else frame.message.decode()
        await websocket.send_text(text)


async def _until_gone(websocket: WebSocket) -> None:
    with suppress(WebSocketDisconnect):
        while True:
            if (await websocket.receive())["type"] == "websocket.disconnect":
                return


def _asked(websocket: WebSocket) -> Mapping[str, object]:
    """The parameters of the address; those that may be repeated as lists."""
    query = websocket.query_params
    lists = {
        name
        for name, each in LiveParameters.model_fields.items()
        if get_origin(each.annotation) is list
    }
    return {name: query.getlist(name) if name in lists else query[name] for name in query}


def _may_read(websocket: WebSocket) -> None:
    """Raise unless a valid key or session with the scope `read` came with the handshake."""
    doorkeeper: Doorkeeper = websocket.app.state.doorkeeper
    scheme, _, bearer = websocket.headers.get("authorization", "").partition(" ")
    secret = bearer if scheme.lower() == "bearer" else websocket.headers.get("x-api-key")
    cookie = websocket.cookies.get(COOKIE)
    principal: Principal | None = None
    if secret:
        principal = doorkeeper.of_key(secret)
    elif cookie:
        origin = websocket.headers.get("origin", "")
        if origin.partition("://")[2] != websocket.headers.get("host"):
            raise ForeignRequest
        principal = doorkeeper.of_cookie(cookie)
    if principal is None:
        raise NotSignedIn(
            "send a valid API key: the header Authorization: Bearer cg_..., or X-API-Key"
        )
    if not grants(principal.scopes, Scope.READ):
        raise ScopeMissing(Scope.READ)
