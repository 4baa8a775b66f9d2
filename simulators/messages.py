"""Readings as MQTT messages of the native payload: one reading a message, or columns of many.

It writes what `docs/` describes as the native payload; units are explicit. It sends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from services.domain.catalogue import CATALOGUE, Domain
from services.domain.instant import isoformat
from simulators.reading import Reading

UNITS: Final[Mapping[Domain, Mapping[str, str]]] = {
    domain: {metric.name: metric.unit for metric in table.metrics}
    for domain, table in CATALOGUE.items()
}
"""Domain -> metric name -> UCUM code of the canonical unit."""

_encode: Final = msgspec.json.Encoder().encode


class Message(NamedTuple):
    """One MQTT message.

    Attributes:
        due_us: when the device sends it, in virtual microseconds since 1970 UTC.
        topic, payload: as on the wire.
        readings: how many readings the accounting will count for it.
        sensor_id, observed_us: of its first reading.
        sound: whether it holds a reading that can be stored.
    """

    due_us: int
    topic: str
    payload: bytes
    readings: int
    sensor_id: str
    observed_us: int
    sound: bool = True


def topic_of(domain: Domain, sensor_id: str) -> str:
    """The topic on which a sensor speaks."""
    return f"citygauge/v1/{domain}/{sensor_id}/reading"


def single(reading: Reading, units: Mapping[str, str] | None = None) -> Message:
    """A message of one reading; `units` are those of its values, canonical when not given."""
    known = units or UNITS[reading.domain]
    body = {
        "time": isoformat(reading.observed_us),
        "values": reading.values,
        "units": {name: known[name] for name in reading.values},
    }
    return Message(
        reading.observed_us,
        topic_of(reading.domain, reading.sensor_id),
        _encode(body),
        1,
        reading.sensor_id,
        reading.observed_us,
    )


def columns(readings: Sequence[Reading], sender: str) -> Message:
    """A message of many readings of one domain, as a concentrator of the name `sender` sends them."""
    domain = readings[0].domain
    names = [n for n in UNITS[domain] if any(n in reading.values for reading in readings)]
    body = {
        "units": {name: UNITS[domain][name] for name in names},
        "columns": {
            "time": [isoformat(reading.observed_us) for reading in readings],
            "sensor_id": [reading.sensor_id for reading in readings],
            **{name: [reading.values.get(name) for reading in readings] for name in names},
        },
    }
    return Message(
        readings[-1].observed_us,
        topic_of(domain, sender),
        _encode(body),
        len(readings),
        readings[0].sensor_id,
        readings[0].observed_us,
    )


def in_columns(readings: Iterable[Reading], size: int) -> Iterator[Message]:
    """The readings as messages of up to `size`, one sender for each domain."""
    waiting: dict[Domain, list[Reading]] = {domain: [] for domain in Domain}
    for reading in readings:
        batch = waiting[reading.domain]
        batch.append(reading)
        if len(batch) >= size:
            yield columns(batch, f"concentrator-{reading.domain}")
            batch.clear()
    for domain, batch in waiting.items():
        if batch:
            yield columns(batch, f"concentrator-{domain}")
