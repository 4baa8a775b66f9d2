"""Live streams: whoever listens, what it wants, and a queue for each that is never waited for.

A tail (a thread that follows a log in the database) hands frames over to the event loop in one call. It refuses to
wait for a slow client: a full queue ends that client's stream, and the client resumes from the last frame that it has.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Generic, NamedTuple, TypeVar

from starlette.concurrency import run_in_threadpool

from services.api.database import Database
from services.api.errors import TooManyStreams
from services.api.metrics import ApiMetrics
from services.api.settings import ApiSettings
from services.domain.errors import Unavailable
from services.store.connection import Connection

LOG: Final = logging.getLogger("citygauge.api")
LONGEST_PAUSE_S: Final = 10.0
_LONGEST_S: Final = 900.0
_PAUSE_S: Final = 1.0
RESET: Final = "reset"
"""The kind of the frame that tells of a gap."""
W = TypeVar("W")
Key = tuple[int, ...]
"""A place in a log; later ones are greater."""


class Gap(StrEnum):
    """Why a stream cannot go on where its client was."""

    PRUNED = "pruned"
    """What came next is kept no longer."""
    RESTORED = "restored"
    """The database is older than that: it was restored from a backup, or is another one."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One event on its way: its place in the log, its id on the wire, its kind, and its JSON."""

    key: Key
    id: str
    event: str
    data: bytes

    @property
    def sse(self) -> bytes:
        """As a server-sent event."""
        return b"id: %s\nevent: %s\ndata: %s\n\n" % (
            self.id.encode(),
            self.event.encode(),
            self.data,
        )

    @property
    def message(self) -> bytes:
        """As a WebSocket's message."""
        head = f'{{"id":"{self.id}","event":"{self.event}","data":'
        return head.encode() + self.data + b"}"


class Missed(NamedTuple):
    """Frames of the past that a client wants, the place up to which the log was read, and whether there may be more."""

    frames: Sequence[Frame]
    key: Key
    more: bool


@dataclass(eq=False, slots=True)
class Listener(Generic[W]):
    """One live stream: what it wants, and its queue; None in it means: end."""

    wants: W
    queue: asyncio.Queue[Frame | None]
    cut: bool = field(default=False)


class Tail(ABC, Generic[W]):
    """A thread that follows a log, and those who listen to it."""

    name: str

    def __init__(self, url: str, settings: ApiSettings, metrics: ApiMetrics) -> None:
        self.url, self.settings, self.metrics = url, settings, metrics
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._listeners: set[Listener[W]] = set()
        self._thread = threading.Thread(target=self._follow, name=self.name, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    @abstractmethod
    def follow(self) -> None:
        """Follow the log until the service stops or the database is away; called again after a pause."""

    @abstractmethod
    def missed(self, connection: Connection, after: Key, wants: W) -> Missed:
        """What of the log after a place a listener wants, encoded; a bounded piece of it."""

    @abstractmethod
    def gap(self, connection: Connection, after: Key) -> Frame | None:
        """What a client that resumes after a place is told where it has missed something for good; None: it has not.

        The frame's key is the place from which the stream goes on.
        """

    async def ready(self) -> None:
        """Return when everything after now reaches the listeners."""

    def start(self) -> None:
        """Begin to follow; call it in the event loop that serves the streams."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self.stopping.set()
        self.woken()
        self._thread.join(5.0)

    def woken(self) -> None:
        """Called when somebody begins to listen, and at the end."""

    def end_streams(self) -> None:
        """End every live stream, from any thread, so that the server can stop."""
        self.stopping.set()
        self.woken()
        self.hand_over([(listener, None) for listener in self.listeners()])

    def refuse_when_full(self) -> None:
        """Raise TooManyStreams when every place for a live stream is taken."""
        if len(self._listeners) >= self.settings.stream_clients:
            raise TooManyStreams(self.settings.stream_clients)

    def listeners(self) -> Sequence[Listener[W]]:
        """Who listens now; safe in any thread."""
        with self._lock:
            return tuple(self._listeners)

    def subscribe(self, wants: W) -> Listener[W]:
        """A listener that gets what it wants from now on; call it in the event loop."""
        listener: Listener[W] = Listener(wants, asyncio.Queue(self.settings.stream_queue_events))
        with self._lock:
            self._listeners.add(listener)
        self.metrics.streams.inc()
        if self.stopping.is_set():
            listener.queue.put_nowait(None)
        self.woken()
        return listener

    def unsubscribe(self, listener: Listener[W]) -> None:
        """Forget the listener."""
        with self._lock:
            there = listener in self._listeners
            self._listeners.discard(listener)
        if there:
            self.metrics.streams.dec()

    def hand_over(self, frames: Sequence[tuple[Listener[W], Sequence[Frame] | None]]) -> None:
        """Give each listener its frames (None: the end), from any thread."""
        if self._loop is None or self._loop.is_closed():
            return
        try:
            self._loop.call_soon_threadsafe(self._deliver, frames)
        except RuntimeError:  # the loop closed in between: nobody listens any more
            return

    def _deliver(self, given: Sequence[tuple[Listener[W], Sequence[Frame] | None]]) -> None:
        for listener, frames in given:
            if listener.cut:
                continue
            try:
                for frame in frames if frames is not None else [None]:
                    listener.queue.put_nowait(frame)
                self.metrics.events.inc(len(frames or ()))
            except asyncio.QueueFull:
                self._cut(listener)

    def _cut(self, listener: Listener[W]) -> None:
        listener.cut = True
        self.metrics.streams_cut.inc()
        self.unsubscribe(listener)
        while not listener.queue.empty():
            listener.queue.get_nowait()
        listener.queue.put_nowait(None)

    def _follow(self) -> None:
        pause = 0.5
        while not self.stopping.is_set():
            try:
                self.follow()
                pause = 0.5
            except Unavailable as error:
                LOG.warning(
                    "%s waits for the database retry_s=%.1f cause=%s", self.name, pause, error
                )
            except Exception:
                LOG.exception("%s failed and starts again retry_s=%.1f", self.name, pause)
            self.stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)


async def frames(
    tail: Tail[Any], database: Database, wants: object, sent: Key, *, resumed: bool
) -> AsyncIterator[Frame | None]:
    """One stream's frames: first what its client missed, then what happens; None is a heartbeat.

    A client that resumed where something after it is gone is told so first (`reset`). It ends after a quarter of an
    hour, or when the client is too slow. Its place is given back at the end.
    """
    clock = asyncio.get_running_loop().time
    listener = tail.subscribe(wants)
    try:
        await tail.ready()
        ends = clock() + _LONGEST_S
        behind = True
        while behind and clock() < ends:
            try:
                if resumed:
                    gap = await run_in_threadpool(_gap, database, tail, sent)
                    resumed = False
                    if gap is not None:
                        yield gap
                        sent = gap.key
                missed = await run_in_threadpool(_missed, database, tail, sent, wants)
            except (
                Unavailable
            ):  # the answer has begun: no problem can be told, wait with the client
                yield None
                await asyncio.sleep(_PAUSE_S)
                continue
            for frame in missed.frames:
                yield frame
            sent, behind = max(sent, missed.key), missed.more
        while clock() < ends:
            try:
                async with asyncio.timeout(tail.settings.stream_heartbeat_s):
                    upcoming = await listener.queue.get()
            except TimeoutError:
                yield None
                continue
            if upcoming is None:
                return
            if upcoming.key > sent:
                yield upcoming
                sent = upcoming.key
    finally:
        tail.unsubscribe(listener)


def _missed(database: Database, tail: Tail[Any], sent: Key, wants: object) -> Missed:
    with database.connection() as connection:
        return tail.missed(connection, sent, wants)


def _gap(database: Database, tail: Tail[Any], sent: Key) -> Frame | None:
    with database.connection() as connection:
        return tail.gap(connection, sent)
