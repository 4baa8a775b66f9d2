"""The messages that the load generator publishes: packets of one size, with places for sensor, value and time.

A value is the run's first one plus the reading's number, so that a table shows what is missing or there twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.mqtt_wire import PUBLISH_QOS_0, PUBLISH_QOS_1, varint

WARM_VALUE: Final = 1_000_000
"""First value of the readings that warm a pipeline up; its sensors are known to it afterwards."""
FIRST_VALUE: Final = 5_000_000
"""First value of the readings that count. Values have seven digits."""
TIME_WIDTH: Final = 27
PROBE: Final = "probe0"
"""The sensor of the one reading that is sent before the others to see a pipeline work; its value is 1."""
TOPICS: Final = "citygauge/v1/water/#"
MANY: Final = 100
_TIME: Final = b"2026-01-01T00:00:00.000000Z"
_SENSOR: Final = b"m00000"
_VALUE: Final = b"0000000"


class Form(StrEnum):
    """How readings are put into a message."""

    NATIVE = "native"
    FLAT = "flat"
    ARRAY = "array"
    COLUMNS = "columns"


def sensor_id(number: int) -> str:
    """The id of the sensor with a number from 0 to 99,999."""
    return f"m{number:05d}"


def topic_of(sensor: str) -> str:
    """The topic on which a sensor speaks."""
    return f"citygauge/v1/water/{sensor}/reading"


def probe(form: Form, time: str) -> bytes:
    """A message of one reading of the sensor PROBE."""
    if form is Form.FLAT:
        return f'{{"sensor":"{PROBE}","time":"{time}","value":1.0}}'.encode()
    return f'{{"time":"{time}","values":{{"register":1.0}},"units":{{"register":"L"}}}}'.encode()


@dataclass(slots=True)
class _Template:
    """Bytes put together piece by piece, and where the pieces to fill in begin."""

    data: bytearray = field(default_factory=bytearray)
    times: list[int] = field(default_factory=list)
    sensors: list[int] = field(default_factory=list)
    values: list[int] = field(default_factory=list)

    def add(self, *pieces: bytes) -> None:
        for piece in pieces:
            for place, kind in (
                (self.times, _TIME),
                (self.sensors, _SENSOR),
                (self.values, _VALUE),
            ):
                if piece is kind:
                    place.append(len(self.data))
            self.data += piece


class Frame:
    """All packets of one form: `readings` of them in a message, times at `time_columns`."""

    def __init__(self, qos: int, readings: int, body: Callable[[_Template], None]) -> None:
        self.readings = readings
        self._qos = qos
        payload = _Template()
        body(payload)
        topic = topic_of(_SENSOR.decode()).encode()
        size = 2 + len(topic) + (2 if qos else 0) + len(payload.data)
        whole = _Template()
        whole.add(bytes([PUBLISH_QOS_1 if qos else PUBLISH_QOS_0]), varint(size))
        whole.add(len(topic).to_bytes(2, "big"))
        before, _, after = topic.partition(_SENSOR)
        whole.add(before, _SENSOR, after)
        self._identifier = len(whole.data)
        whole.add(b"\0\0" if qos else b"")
        start = len(whole.data)
        whole.data += payload.data
        self._template = np.frombuffer(bytes(whole.data), np.uint8)
        self._topic_sensor = whole.sensors[0]
        self._sensors = [start + place for place in payload.sensors]
        self._values = [start + place for place in payload.values]
        self.time_columns = [start + place for place in payload.times]

    def packets(self, messages: int, sensors: int, first_value: int) -> NDArray[np.uint8]:
        """Every packet of a run, (messages, bytes) uint8, the times still to be written.

        The sensors speak in turn, so two readings of one sensor never have the same time while fewer than `sensors`
        readings are published in one microsecond.
        """
        out = np.tile(self._template, (messages, 1))
        number = np.arange(messages, dtype=np.int64)
        if self._qos:
            identifier = number % 65_535 + 1
            out[:, self._identifier] = identifier >> 8
            out[:, self._identifier + 1] = identifier & 255
        first = number * self.readings
        _digits(out, self._topic_sensor + 1, 5, first % sensors)
        for place, column in enumerate(self._sensors):
            _digits(out, column + 1, 5, (first + place) % sensors)
        for place, column in enumerate(self._values):
            _digits(out, column, 7, first_value + first + place)
        return out


def _digits(out: NDArray[np.uint8], column: int, width: int, numbers: NDArray[np.int64]) -> None:
    for place in range(width):
        out[:, column + place] = 48 + numbers // 10 ** (width - 1 - place) % 10


def _native(template: _Template) -> None:
    template.add(b'{"time":"', _TIME, b'","values":{"register":', _VALUE, b".0},")
    template.add(b'"units":{"register":"L"}}')


def _flat(template: _Template) -> None:
    template.add(b'{"sensor":"', _SENSOR, b'","time":"', _TIME, b'","value":', _VALUE, b".0}")


def _array(template: _Template) -> None:
    for place in range(MANY):
        template.add(b"," if place else b"[", b'{"sensor_id":"', _SENSOR, b'","time":"', _TIME)
        template.add(b'","values":{"register":', _VALUE, b'.0},"units":{"register":"L"}}')
    template.add(b"]")


def _columns(template: _Template) -> None:
    template.add(b'{"units":{"register":"L"},"columns":{"time":[')
    for place in range(MANY):
        template.add(b',"' if place else b'"', _TIME, b'"')
    template.add(b'],"sensor_id":[')
    for place in range(MANY):
        template.add(b',"' if place else b'"', _SENSOR, b'"')
    template.add(b'],"register":[')
    for place in range(MANY):
        template.add(b"," if place else b"", _VALUE, b".0")
    template.add(b"]}}")


FORMS: Final[Mapping[Form, Callable[[int], Frame]]] = {
    Form.NATIVE: lambda qos: Frame(qos, 1, _native),
    Form.FLAT: lambda qos: Frame(qos, 1, _flat),
    Form.ARRAY: lambda qos: Frame(qos, MANY, _array),
    Form.COLUMNS: lambda qos: Frame(qos, MANY, _columns),
}
