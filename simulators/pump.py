"""Sends a stream of messages at its pace, and reports how it goes. It neither makes readings nor connects."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from services.domain.instant import isoformat
from simulators.messages import Message
from simulators.pace import Pace, wall_us
from simulators.publish import Publisher

_REPORT_S: Final = 0.5
_MARK_EVERY: Final = 20


class Progress:
    """Appends a JSON line to a file twice a second: what is published, how far virtual time is, and marks.

    A mark is [sensor id, observed microseconds, published microseconds] of one message in twenty. The first line says
    that the live part can begin.
    """

    def __init__(self, path: Path | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = None if path is None else path.open("a", encoding="utf-8")
        self._clock, self._due, self._seen, self._last_us = clock, 0.0, 0, 0
        self._live = False
        self._marks: list[tuple[str, int, int]] = []

    def note(self, message: Message, publisher: Publisher) -> None:
        """One message was handed to the broker's connection just now."""
        if self._file is None:
            return
        self._seen += 1
        self._last_us = message.due_us
        on_time = message.due_us == message.observed_us
        if message.sound and on_time and self._seen % _MARK_EVERY == 0:
            self._marks.append((message.sensor_id, message.observed_us, wall_us()))
        if self._clock() >= self._due:
            self._write(publisher)

    def begin_live(self, publisher: Publisher, begin_us: int) -> None:
        """Write that what comes before `begin_us` is published."""
        self._live, self._last_us = True, begin_us
        if self._file is not None:
            self._write(publisher)

    def close(self, publisher: Publisher) -> None:
        """Write a last line and close the file."""
        if self._file is not None:
            self._write(publisher, done=True)
            self._file.close()
            self._file = None

    def _write(self, publisher: Publisher, *, done: bool = False) -> None:
        assert self._file is not None
        self._due = self._clock() + _REPORT_S
        line = {
            **asdict(publisher.published),
            "virtual_time": isoformat(self._last_us),
            "marks": self._marks,
            "live": self._live,
            "done": done,
        }
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        self._marks = []


def pump(
    messages: Iterable[Message],
    publisher: Publisher,
    pace: Pace,
    *,
    stop: threading.Event,
    seconds: float | None = None,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Send messages when they are due, until they end, `seconds` have passed or `stop` is set.

    Returns:
        How many messages were sent; `publisher.flush` tells how many arrived.
    """
    deadline = float("inf") if seconds is None else clock() + seconds
    sent = 0

    def over() -> bool:
        return stop.is_set() or clock() >= deadline

    for message in messages:
        wait = pace.wait_s(message.due_us)
        left = deadline - clock()
        if wait > 0 and stop.wait(min(wait, max(left, 0.0))):
            break
        if wait > left or left <= 0 or stop.is_set():
            break
        if not publisher.publish(message.topic, message.payload, message.readings, give_up=over):
            break
        sent += 1
        if progress is not None:
            progress.note(message, publisher)
    return sent
