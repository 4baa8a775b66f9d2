"""The floors: what receiving and acknowledging costs in Python at least, and the same with parsing and COPY.

No reconnecting, no validation, no duplicates, no accounts: nothing that a product needs. `receive N` ends after N
messages; `store` writes them under a unique index, by integer sensor, and runs until it is killed.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Any, Final

import msgspec
import numpy as np
import psycopg
from numpy.typing import NDArray

from benchmarks import mqtt_wire
from benchmarks.payloads import TOPICS

_READ_BYTES: Final = 65_536
_COPY: Final = "COPY numbered_reading (time, sensor, value) FROM STDIN (FORMAT binary)"
_COPY_HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_POSTGRES_EPOCH_US: Final = 946_684_800_000_000
_BIG_ENDIAN: Final = [
    (name, kind)
    for field, kind in (("time", ">i8"), ("sensor", ">i4"), ("value", ">f8"))
    for name, kind in ((f"{field}_size", ">i4"), (field, kind))
]
_ROW: Final = np.dtype([("fields", ">i2"), *_BIG_ENDIAN])
_PUBACK: Final = np.dtype([("head", ">u2"), ("identifier", ">u2")])
_KIND: Final = mqtt_wire.PUBLISH_QOS_0


class _Reading(msgspec.Struct, gc=False):
    sensor: str
    time: str
    value: float


class Receiver:
    """A connection from which runs of messages are taken; a message without acknowledgement is kept by the broker."""

    def __init__(self, url: str) -> None:
        self._link = mqtt_wire.connect(url, f"floor-{os.getpid()}")
        mqtt_wire.subscribe(self._link, TOPICS, 1)
        self._link.settimeout(None)
        self._rest = b""

    def take(self) -> tuple[list[bytes], list[int]]:
        """Wait for messages; their payloads and their packet identifiers."""
        self._wait()
        data = self._rest + self._link.recv(_READ_BYTES, socket.MSG_DONTWAIT)
        if len(data) == len(self._rest):
            raise ConnectionError("the broker closed the connection")
        payloads: list[bytes] = []
        identifiers: list[int] = []
        place, end = 0, len(data)
        while place + 4 < end:
            size, head = data[place + 1], 2
            if size > 127:
                size, head = (size & 127) | data[place + 2] << 7, 3
            after = place + head + size
            if after > end:
                break
            if data[place] & 0xF0 == _KIND:
                body = place + head + 2 + (data[place + head] << 8 | data[place + head + 1])
                identifiers.append(data[body] << 8 | data[body + 1])
                payloads.append(data[body + 2 : after])
            place = after
        self._rest = data[place:]
        return payloads, identifiers

    def _wait(self) -> None:
        """Until 64 KiB are there, or 5 ms have passed since something came."""
        self._link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        self._link.recv(1, socket.MSG_PEEK)
        self._link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, _READ_BYTES)
        self._link.settimeout(0.005)
        try:
            self._link.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            pass
        finally:
            self._link.settimeout(None)

    def acknowledge(self, identifiers: list[int]) -> None:
        """All PUBACKs in one write."""
        acknowledgements = np.empty(len(identifiers), _PUBACK)
        acknowledgements["head"] = 0x4002
        acknowledgements["identifier"] = identifiers
        self._link.sendall(acknowledgements.tobytes())


def receive(messages: int) -> None:
    """Receive and acknowledge so many messages."""
    receiver = Receiver(os.environ["MQTT_URL"])
    while messages > 0:
        _, identifiers = receiver.take()
        receiver.acknowledge(identifiers)
        messages -= len(identifiers)


def store() -> None:
    """Receive, parse, COPY, commit, acknowledge."""
    database = psycopg.connect(os.environ["DATABASE_URL"])
    receiver = Receiver(os.environ["MQTT_URL"])
    decoder = msgspec.json.Decoder(list[_Reading])
    while True:
        payloads, identifiers = receiver.take()
        if not payloads:
            continue
        readings = decoder.decode(b"[" + b",".join(payloads) + b"]")
        with database.cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.write(_copied(readings))
        database.commit()
        receiver.acknowledge(identifiers)


def _copied(readings: list[_Reading]) -> bytes:
    rows: NDArray[Any] = np.empty(len(readings), _ROW)
    rows["fields"] = 3
    rows["time_size"], rows["sensor_size"], rows["value_size"] = 8, 4, 8
    times = np.array([reading.time[:26] for reading in readings], "M8[us]").astype(np.int64)
    rows["time"] = times - _POSTGRES_EPOCH_US
    rows["sensor"] = [int(reading.sensor[1:], 36) for reading in readings]
    rows["value"] = [reading.value for reading in readings]
    return b"".join((_COPY_HEADER, rows.tobytes(), b"\xff\xff"))


if __name__ == "__main__":
    if sys.argv[1] == "receive":
        receive(int(sys.argv[2]))
    else:
        store()
