"""A sensor: what it is, where it stands, how often it speaks, and in which local time its days are counted."""

from __future__ import annotations

import math
import re
import zlib
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.domain.catalogue import CATALOGUE, DOMAIN_OF_KIND, Domain, SensorKind
from services.domain.errors import InvalidInput
from services.domain.units import CONVERSIONS

SHARDS: Final = 256
"""Sensors hash onto this many shards; a detector's state is dumped and loaded by shard."""

_SENSOR_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}")
_WORDS: Final = ("name", "zone", "road", "direction", "gateway")
_LONGEST_WORDS: Final = 200


@dataclass(frozen=True, slots=True)
class Sensor:
    """One piece of field hardware.

    Attributes:
        id: its name in topics, files and the API: 1 to 128 of A-Z a-z 0-9 . _ : @ -
        kind: what it is.
        name: what people call it, if anything. Like every text here: 1 to 200 printable characters.
        lon, lat: WGS 84 degrees; both or neither.
        zone: the DMA or district that it belongs to.
        road, direction: the road and the direction of travel that it watches.
        position_m: metres along the road in the direction of travel, or along the main.
        lanes: lanes that a traffic station adds up.
        unit: UCUM code that a payload without units is in (meters whose telegrams carry none).
        cadence_s: seconds between two of its readings, where known; learned otherwise.
        time_zone: IANA name; local days and hours of the week are counted in it.
        gateway: the gateway or concentrator through which it speaks.
        area_m2: square metres of the water's surface in a tank; with it a level is a volume.
    """

    id: str
    kind: SensorKind
    name: str | None = None
    lon: float | None = None
    lat: float | None = None
    zone: str | None = None
    road: str | None = None
    direction: str | None = None
    position_m: float | None = None
    lanes: int | None = None
    unit: str | None = None
    cadence_s: float | None = None
    time_zone: str = "UTC"
    gateway: str | None = None
    area_m2: float | None = None

    def __post_init__(self) -> None:
        check_sensor_id(self.id)
        if self.kind not in DOMAIN_OF_KIND:
            raise InvalidInput("kind", self.kind, f"one of {', '.join(DOMAIN_OF_KIND)}")
        for word in _WORDS:
            text = getattr(self, word)
            if text is not None and not (
                0 < len(text) <= _LONGEST_WORDS and text.isprintable() and text == text.strip()
            ):
                allowed = f"1 to {_LONGEST_WORDS} printable characters, no space at either end"
                raise InvalidInput(word, text, allowed)
        if (self.lon is None) != (self.lat is None):
            raise InvalidInput("lon, lat", (self.lon, self.lat), "give both or neither")
        if self.lon is not None and not -180 <= self.lon <= 180:
            raise InvalidInput("lon", self.lon, "degrees from -180 to 180")
        if self.lat is not None and not -90 <= self.lat <= 90:
            raise InvalidInput("lat", self.lat, "degrees from -90 to 90")
        if self.position_m is not None and not math.isfinite(self.position_m):
            raise InvalidInput("position_m", self.position_m, "a finite number of metres")
        if self.cadence_s is not None and not 0 < self.cadence_s <= 31 * 86400:
            raise InvalidInput("cadence_s", self.cadence_s, "seconds, above 0 and at most 31 days")
        if self.area_m2 is not None and not 0 < self.area_m2 <= 1e6:
            raise InvalidInput(
                "area_m2", self.area_m2, "square metres, above 0 and at most 1,000,000"
            )
        if self.lanes is not None and not 0 < self.lanes <= 20:
            raise InvalidInput("lanes", self.lanes, "a number from 1 to 20")
        if self.unit is not None and self.unit not in (known := units_of(self.domain)):
            raise InvalidInput("unit", self.unit, f"one of {', '.join(known)}")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InvalidInput(
                "time_zone", self.time_zone, "an IANA name such as Europe/Madrid"
            ) from None

    @property
    def domain(self) -> Domain:
        """The domain whose table holds its readings."""
        return DOMAIN_OF_KIND[self.kind]

    @property
    def shard(self) -> int:
        """Its shard, 0 to SHARDS - 1: sensors of one road or zone share one, so that neighbours meet."""
        return shard_of(self.road or self.zone or self.id)


def units_of(domain: Domain) -> tuple[str, ...]:
    """UCUM codes in which payloads of a domain's sensors may be, in the order of its metrics."""
    quantities = dict.fromkeys(metric.quantity for metric in CATALOGUE[domain].metrics)
    return tuple(dict.fromkeys(unit for each in quantities for unit in CONVERSIONS[each]))


def check_sensor_id(sensor_id: str) -> str:
    """Return `sensor_id` when it is a valid name.

    Raises:
        InvalidInput: it is empty, too long, or holds a character that a topic or a file name cannot carry.
    """
    if not isinstance(sensor_id, str) or _SENSOR_ID.fullmatch(sensor_id) is None:
        raise InvalidInput(
            "sensor_id",
            sensor_id,
            "1 to 128 letters, digits, or . _ : @ - and a letter or digit first",
        )
    return sensor_id


def shard_of(key: str) -> int:
    """Stable shard of a key (CRC-32, ISO 3309), the same on every machine and version."""
    return zlib.crc32(key.encode()) % SHARDS
