"""Stops the database's work for a client that has gone away, so that nobody's question holds a connection for nothing.

It refuses to touch a connection that was given back: cancelling and giving back take turns.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Final

import psycopg
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive

from services.api.errors import ClientGone
from services.store.asking import Asking
from services.store.connection import Connection

_LOG: Final = logging.getLogger("citygauge.api")
_WATCH_AFTER_S: Final = 0.1
"""Most answers are out by then, and cost no watching."""
_CANCEL_WAIT_S: Final = 5.0


class Departure:
    """One request's borrowed connections, and whether its client has gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._borrowed: set[Connection | Asking] = set()
        self._gone = False

    @contextmanager
    def watching(self, connection: Connection | Asking) -> Iterator[None]:
        """While inside, the connection's statement is cancelled when the client goes.

        Raises:
            ClientGone: it has gone, before or meanwhile.
        """
        with self._lock:
            if self._gone:
                raise ClientGone
            self._borrowed.add(connection)
        try:
            yield
        except psycopg.Error as error:
            if self._gone:
                raise ClientGone from error
            raise
        finally:
            with self._lock:
                self._borrowed.discard(connection)

    def cancel(self) -> None:
        """The client has gone: end its statements, and refuse it further ones."""
        with self._lock:
            self._gone = True
            for connection in self._borrowed:
                with suppress(psycopg.Error):
                    if isinstance(connection, psycopg.AsyncConnection):
                        connection.cancel()
                    else:
                        connection.cancel_safe(timeout=_CANCEL_WAIT_S)
            if self._borrowed:
                _LOG.info("query stopped: its client has gone")


CURRENT: ContextVar[Departure | None] = ContextVar("citygauge_departure", default=None)
"""The departure of the request that this code answers; threads of handlers inherit it."""


@contextmanager
def watched(receive: Receive) -> Iterator[None]:
    """Answer a request without a body inside; call it in the event loop."""
    departure = Departure()
    token = CURRENT.set(departure)
    task: asyncio.Task[None] | None = None

    def begin() -> None:
        nonlocal task
        task = asyncio.get_running_loop().create_task(_wait(receive, departure))

    handle = asyncio.get_running_loop().call_later(_WATCH_AFTER_S, begin)
    try:
        yield
    finally:
        CURRENT.reset(token)
        handle.cancel()
        if task is not None:
            task.cancel()


async def _wait(receive: Receive, departure: Departure) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    await run_in_threadpool(departure.cancel)
