"""A device at full speed that knows what the broker has acknowledged, and sends again what it has not.

Numbered messages over MQTT 5 at QoS 1: number n is a reading of sensor n % SENSORS, every `bad_every`-th is a message
that nobody can decode. It is a test's own small client, because a general one costs more than the broker. It speaks to
this machine alone.

Two things that a careful publisher does are settings here, so that tests can do without them: it takes "no matching
subscribers" (0x10) for "not delivered" and sends such a message again; and with `repeat_s` it keeps what was
acknowledged for so long and sends it again after a broken connection (see docs/decisions/0016-broker-kill.md).
"""

from __future__ import annotations

import bisect
import contextlib
import socket
import struct
import threading
import time
from collections import deque
from types import TracebackType
from typing import Final, Self

from benchmarks import mqtt_wire
from tests.waiting import PATIENCE_S, wait_until

SENSORS: Final = 1_000
_CHUNK: Final = 100
_PUBACK: Final = 0x40
_DUP: Final = 0x08
_SILENCE_S: Final = 600.0
_PAUSE_S: Final = 0.05
_HISTORY_S: Final = 0.02


class Stream:
    """Publishes in a thread of its own from `start` to `stop`.

    Attributes:
        started_at: second since 1970 of the first readings.
        sent: how many different messages were handed to a connection, numbered from 0.
        again: how many were sent once more because their acknowledgement was missing.
        unheard: how many acknowledgements said that there was no subscriber.
        repeated: how many were sent once more although they were acknowledged.
    """

    def __init__(
        self,
        url: str,
        *,
        rate: float | None = None,
        window: int = 2_000,
        bad_every: int = 500,
        repeat_s: float = 0.0,
        name: str = "stream",
    ) -> None:
        self._url, self._rate, self._window, self._name = url, rate, window, name
        self._bad_every, self._repeat_s = bad_every, repeat_s
        self.started_at = int(time.time()) - 7_200
        self.sent = self.again = self.unheard = self.repeated = 0
        self._acknowledged = bytearray()
        self._count = 0
        self._waiting: dict[int, int] = {}
        self._due: deque[int] = deque()
        self._recent: deque[tuple[float, int]] = deque()
        self._next_id = 0
        self._history: list[tuple[float, int]] = []
        self._link: socket.socket | None = None
        self._stop, self._leave = threading.Event(), threading.Event()
        self._topics = [
            mqtt_wire.text(f"citygauge/v1/water/m{place}/reading") for place in range(SENSORS)
        ]
        self._thread = threading.Thread(target=self._work, daemon=True)

    @property
    def acknowledged(self) -> int:
        """How many different messages the broker has acknowledged, and had a subscriber for."""
        return self._count

    def bad(self, below: int | None = None) -> int:
        """How many of the messages numbered below `below` (all that were sent) cannot be decoded."""
        return (self.sent if below is None else below) // self._bad_every

    def good(self, below: int | None = None) -> int:
        """How many of them are readings."""
        return (self.sent if below is None else below) - self.bad(below)

    def acknowledged_below(self) -> int:
        """Every message numbered below this is acknowledged."""
        place = self._acknowledged.find(0)
        return len(self._acknowledged) if place < 0 else place

    def acknowledged_by(self, moment: float) -> int:
        """Of how many messages the acknowledgement had come by a moment of time.monotonic()."""
        place = bisect.bisect_right(self._history, moment, key=lambda each: each[0])
        return self._history[place - 1][1] if place else 0

    def break_off(self) -> None:
        """Cut the connection off; what is on its way is sent again on the next one."""
        link = self._link
        if link is not None:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def cease(self) -> None:
        """Make no more new messages."""
        self._stop.set()

    def settle(self, timeout: float = PATIENCE_S) -> None:
        """Make no more new messages and wait until all are acknowledged."""
        self.cease()
        wait_until(
            lambda: self._count == self.sent and not self._due and not self._waiting,
            timeout,
            f"the broker's acknowledgements, {self._count} of {self.sent}",
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._leave.set()
        self._thread.join(PATIENCE_S)

    def _work(self) -> None:
        while not self._leave.is_set():
            with contextlib.suppress(OSError):
                link = mqtt_wire.connect(self._url, self._name, version=5)
                self._link = link
                try:
                    self._take_up_again()
                    self._converse(link)
                finally:
                    link.close()
            self._leave.wait(_PAUSE_S)

    def _take_up_again(self) -> None:
        """After a broken connection: what may be lost comes first, in the old order."""
        since = time.monotonic() - self._repeat_s
        while self._recent and self._recent[0][0] < since:
            self._recent.popleft()
        repeated = [number for _, number in self._recent]
        self.repeated += len(repeated)
        self.again += len(self._waiting)
        self._due = deque(sorted({*repeated, *self._waiting.values(), *self._due}))
        self._waiting.clear()
        self._recent.clear()

    def _converse(self, link: socket.socket) -> None:
        link.settimeout(_SILENCE_S)
        rest = b""
        began, base = time.monotonic(), self.sent
        while not self._leave.is_set():
            room = self._window - len(self._waiting)
            allowed = _CHUNK
            if self._rate is not None:
                allowed = int((time.monotonic() - began) * self._rate) - (self.sent - base)
            out = self._chunk(min(_CHUNK, room), allowed)
            if out:
                link.sendall(out)
            blocked = room < _CHUNK or not out
            if blocked and not self._waiting:
                self._leave.wait(0.002)
                continue
            link.settimeout(0.02 if blocked else 0.0)
            try:
                data = link.recv(65_536)
            except (BlockingIOError, TimeoutError):
                continue
            finally:
                link.settimeout(_SILENCE_S)
            if not data:
                return
            rest = self._hear(rest + data)

    def _chunk(self, most: int, new: int) -> bytes:
        parts = []
        for _ in range(most):
            if self._due:
                number = self._due.popleft()
                parts.append(self._packet(number, _DUP))
            elif new > 0 and not self._stop.is_set():
                new -= 1
                number = self.sent
                self._acknowledged.append(0)
                parts.append(self._packet(number, 0))
                self.sent += 1
            else:
                break
        return b"".join(parts)

    def _packet(self, number: int, again: int) -> bytes:
        self._next_id = self._next_id % 65_535 + 1
        while self._next_id in self._waiting:
            self._next_id = self._next_id % 65_535 + 1
        self._waiting[self._next_id] = number
        second, sensor = divmod(number, SENSORS)
        if number % self._bad_every == self._bad_every - 1:
            payload = b"bad %d" % number
        else:
            payload = b'{"time":%d,"values":{"register":%d},"units":{"register":"L"}}' % (
                self.started_at + second,
                number,
            )
        body = self._topics[sensor] + struct.pack(">HB", self._next_id, 0) + payload
        return mqtt_wire.packet(mqtt_wire.PUBLISH_QOS_1 | again, body)

    def _hear(self, data: bytes) -> bytes:
        """Takes acknowledgements; returns the bytes of an incomplete one."""
        at, now = 0, time.monotonic()
        while len(data) - at >= 2 and len(data) - at >= 2 + data[at + 1]:
            length = data[at + 1]
            if data[at] == _PUBACK:
                number = self._waiting.pop(data[at + 2] << 8 | data[at + 3])
                if length > 2 and data[at + 4]:
                    self.unheard += 1
                    self._due.append(number)
                else:
                    self._count += not self._acknowledged[number]
                    self._acknowledged[number] = 1
                    if self._repeat_s:
                        self._recent.append((now, number))
            at += 2 + length
        if not self._history or now - self._history[-1][0] > _HISTORY_S:
            self._history.append((now, self._count))
        if self._repeat_s:
            while self._recent and self._recent[0][0] < now - self._repeat_s:
                self._recent.popleft()
        return data[at:]
