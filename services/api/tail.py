"""Follows the log of alerts in one thread and hands each event, encoded once, to every live stream.

The hand-over from the thread to the event loop is one call (`call_soon_threadsafe`). It refuses to wait for a slow
client: a full queue ends that client's stream, and the client resumes from the last event that it has.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import dataclass, field
from typing import Final

from services.api.alerts import alert_document, event_document
from services.api.answers import encoded
from services.api.errors import TooManyStreams
from services.api.metrics import ApiMetrics
from services.api.places import Places
from services.api.settings import ApiSettings
from services.domain.errors import Unavailable
from services.store.alerts import CHANNEL, AlertRepository
from services.store.connection import Connection, connect, listen, wait

_LOG: Final = logging.getLogger("citygauge.api")
_READ_AT_ONCE: Final = 500
_LONGEST_PAUSE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Frame:
    """One event as it goes over the wire, and its position in the log."""

    position: int
    data: bytes


@dataclass(eq=False, slots=True)
class Listener:
    """One live stream's queue; None in it means: end."""

    queue: asyncio.Queue[Frame | None]
    cut: bool = field(default=False)


class AlertTail:
    """The thread, its listeners, and how an event looks on the wire."""

    def __init__(
        self, url: str, settings: ApiSettings, metrics: ApiMetrics, places: Places
    ) -> None:
        self._url, self._settings, self._metrics, self._places = url, settings, metrics, places
        self._listeners: set[Listener] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="alert-tail", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to follow; call it in the event loop that serves the streams."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(5.0)

    def end_streams(self) -> None:
        """End every live stream, from any thread, so that the server can stop."""
        self._stop.set()
        self._hand_over(None)

    def refuse_when_full(self) -> None:
        """Raise TooManyStreams when every place for a live stream is taken."""
        if len(self._listeners) >= self._settings.stream_clients:
            raise TooManyStreams(self._settings.stream_clients)

    def subscribe(self) -> Listener:
        """A queue that gets every event from now on; call it in the event loop."""
        listener = Listener(asyncio.Queue(self._settings.stream_queue_events))
        self._listeners.add(listener)
        self._metrics.streams.set(len(self._listeners))
        if self._stop.is_set():
            listener.queue.put_nowait(None)
        return listener

    def unsubscribe(self, listener: Listener) -> None:
        """Forget the queue."""
        self._listeners.discard(listener)
        self._metrics.streams.set(len(self._listeners))

    def frames_after(self, connection: Connection, position: int) -> list[Frame]:
        """The next events of the log, encoded; at most some hundreds."""
        repository = AlertRepository(connection)
        events = repository.events_after(position, limit=_READ_AT_ONCE)
        alerts = repository.many(list({stored.event.alert_id for stored in events}))
        places = self._places.of(connection, [alert.subject for alert in alerts.values()])
        frames = []
        for stored in events:
            alert = alerts[stored.event.alert_id]
            document = {
                "event": event_document(stored),
                "alert": alert_document(alert, places[alert.subject]),
            }
            data = b"id: %d\nevent: alert\ndata: %s\n\n" % (stored.position, encoded(document))
            frames.append(Frame(stored.position, data))
        return frames

    def _follow(self) -> None:
        pause = 0.5
        position: int | None = None
        while not self._stop.is_set():
            try:
                with connect(
                    self._url,
                    "citygauge-api-stream",
                    autocommit=True,
                    statement_timeout_s=self._settings.statement_timeout_s,
                ) as connection:
                    listen(connection, CHANNEL)
                    if position is None:
                        position = AlertRepository(connection).last_position()
                    pause = 0.5
                    while not self._stop.is_set():
                        position = self._pass_on(connection, position)
                        wait(connection, CHANNEL, self._settings.stream_poll_s, self._stop)
            except Unavailable as error:
                _LOG.warning(
                    "live stream waits for the database retry_s=%.1f cause=%s", pause, error
                )
            except Exception:
                _LOG.exception("live stream failed and starts again retry_s=%.1f", pause)
            self._stop.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def _pass_on(self, connection: Connection, position: int) -> int:
        while not self._stop.is_set():
            frames = self.frames_after(connection, position)
            if not frames:
                break
            self._hand_over(frames)
            position = frames[-1].position
        return position

    def _hand_over(self, frames: list[Frame] | None) -> None:
        if self._loop is None or self._loop.is_closed():
            return
        try:
            self._loop.call_soon_threadsafe(self._deliver, frames)
        except RuntimeError:  # the loop closed in between: nobody listens any more
            return

    def _deliver(self, frames: list[Frame] | None) -> None:
        for listener in tuple(self._listeners):
            try:
                for frame in frames if frames is not None else [None]:
                    listener.queue.put_nowait(frame)
                self._metrics.events.inc(len(frames or ()))
            except asyncio.QueueFull:
                self._cut(listener)

    def _cut(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        listener.cut = True
        self._metrics.streams_cut.inc()
        self._metrics.streams.set(len(self._listeners))
        while not listener.queue.empty():
            listener.queue.get_nowait()
        listener.queue.put_nowait(None)
