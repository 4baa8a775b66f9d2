"""Publishes readings as fast as the broker takes them, or at a rate, at next to no cost of its own.

`python -m benchmarks.load '<plans as JSON>'` with MQTT_URL: prints "ready" when all packets are built; for each plan it
waits for a line on standard input, publishes, and prints what it did as JSON. Only the time of publishing is written
into the packets on their way out. It is bounded in count and time and speaks to this machine alone.
"""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks import mqtt_wire
from benchmarks.payloads import FIRST_VALUE, FORMS, TIME_WIDTH, Form, Frame

_CHUNK_READINGS: Final = 128
_PUBACK_BYTES: Final = 4
_TICK_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class Plan:
    """What to publish.

    Attributes:
        messages: how many.
        form: the payload's form; it says how many readings are in a message.
        qos: of the publishing.
        rate: messages a second; None: as fast as the broker acknowledges.
        window: messages on their way without acknowledgement, at most.
        sensors: how many sensors speak in turn.
        first_value: value of the first reading; each next one has one more.
        longest_s: it gives up after so many seconds; silence_s: and when the broker says nothing for so long.
        distinct: packets that are built, a multiple of 65,535; a longer run sends them again with new times. None: all.
    """

    messages: int
    form: Form = Form.NATIVE
    qos: int = 1
    rate: float | None = None
    window: int = 2_000
    sensors: int = 10_000
    first_value: int = FIRST_VALUE
    longest_s: float = 300.0
    silence_s: float = 20.0
    distinct: int | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """What was published.

    Attributes:
        messages, readings: handed to the broker.
        acknowledged: messages that the broker acknowledged (QoS 0: that it has read).
        first_us, last_us: times written into the first and the last reading, microseconds since 1970.
        seconds: from the first byte to the last acknowledgement.
        cpu_us: cost of this process for it.
        message_bytes: size of one packet.
    """

    messages: int
    readings: int
    acknowledged: int
    first_us: int
    last_us: int
    seconds: float
    cpu_us: float
    message_bytes: int


class Publisher:
    """The packets of a plan and their way to the broker."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._frame: Frame = FORMS[plan.form](plan.qos)
        built = min(plan.messages, plan.distinct or plan.messages)
        self._packets: NDArray[np.uint8] = self._frame.packets(
            built, plan.sensors, plan.first_value
        )

    def run(self, url: str) -> Published:
        """Publish everything, or what the time allows."""
        plan, frame, packets = self._plan, self._frame, self._packets
        link = mqtt_wire.connect(url, f"load-{os.getpid()}")
        link.settimeout(plan.silence_s)
        built, size = packets.shape
        wire = packets.data.cast("B")
        chunk_most = max(1, _CHUNK_READINGS // frame.readings)
        sent = acknowledged = 0
        first_us = last_us = 0
        started, cpu_started = time.monotonic(), time.process_time()
        while sent < plan.messages and (elapsed := time.monotonic() - started) < plan.longest_s:
            chunk = min(chunk_most, plan.messages - sent)
            if plan.rate is not None:
                chunk = min(chunk, int(elapsed * plan.rate) + 1 - sent)
                if chunk <= 0:
                    time.sleep(max(_TICK_S, sent / plan.rate - elapsed))
                    continue
            if plan.qos and sent - acknowledged + chunk > plan.window:
                acknowledged += self._take(link, plan.window // 2)
                continue
            place = sent % built
            chunk = min(chunk, built - place)
            last_us = time.time_ns() // 1000
            first_us = first_us or last_us
            stamp = np.frombuffer(_written(last_us), np.uint8)
            for column in frame.time_columns:
                packets[place : place + chunk, column : column + TIME_WIDTH] = stamp
            link.sendall(wire[place * size : (place + chunk) * size])
            sent += chunk
        if plan.qos:
            while acknowledged < sent:
                acknowledged += self._take(link, sent - acknowledged)
        else:
            mqtt_wire.ping(link)
            acknowledged = sent
        seconds = time.monotonic() - started
        cpu_us = (time.process_time() - cpu_started) * 1e6
        link.close()
        return Published(
            sent, sent * frame.readings, acknowledged, first_us, last_us, seconds, cpu_us, size
        )

    @staticmethod
    def _take(link: socket.socket, wanted: int) -> int:
        """Wait for so many acknowledgements, in one wake-up of this process where the kernel can."""
        data = bytearray()
        while (missing := wanted * _PUBACK_BYTES - len(data)) > 0 or (missing := missing % 4):
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, missing)
            part = link.recv(65_536)
            if not part:
                raise ConnectionError("the broker closed the connection")
            data += part
        return len(data) // _PUBACK_BYTES


def _written(us: int) -> bytes:
    """RFC 3339 in UTC with microseconds, always `TIME_WIDTH` characters."""
    seconds, rest = divmod(us, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:06d}Z".encode()


def main(arguments: list[str]) -> int:
    """The command: see the module's first lines."""
    plans: list[dict[str, Any]] = json.loads(arguments[0])
    publishers = [Publisher(Plan(**{**plan, "form": Form(plan["form"])})) for plan in plans]
    print("ready", flush=True)
    for publisher in publishers:
        if not sys.stdin.readline():
            break
        print(json.dumps(dataclasses.asdict(publisher.run(os.environ["MQTT_URL"]))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
