"""Finds sensors, places and alerts by a few words or the beginning of an id, the best ones first, a few of each.

The register is read through, and of the alerts the newest ones: an index
of trigrams would need an extension that not every database may have. It refuses to read more than that.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from services.domain.catalogue import SensorKind
from services.domain.sensor import Sensor
from services.store.connection import Connection
from services.store.sensors import COLUMNS
from services.store.text import containing, storable

NEWEST: Final = 20_000
"""Alerts whose words are looked at; by its id any alert is found."""
_ID: Final = re.compile(r"[0-9a-f]{4,32}")

SENSORS: Final[LiteralString] = f"""
    SELECT {COLUMNS} FROM sensor
     WHERE id || ' ' || coalesce(name, '') ILIKE ALL(%(words)s)
     ORDER BY lower(id) = lower(%(text)s) DESC, (id ILIKE %(begin)s OR name ILIKE %(begin)s) DESC, id
     LIMIT %(limit)s
"""
ZONES: Final[LiteralString] = """
    SELECT zone, count(*)::bigint FROM sensor WHERE zone ILIKE ALL(%(words)s)
     GROUP BY zone ORDER BY zone ILIKE %(begin)s DESC, zone LIMIT %(limit)s
"""
ROADS: Final[LiteralString] = """
    SELECT road, direction, count(*)::bigint FROM sensor
     WHERE road IS NOT NULL AND road || ' ' || coalesce(direction, '') ILIKE ALL(%(words)s)
     GROUP BY road, direction ORDER BY road ILIKE %(begin)s DESC, road, direction LIMIT %(limit)s
"""
# The newest by their words, whoever they are about; those by the beginning of the id come first.
ALERTS: Final[LiteralString] = """
    SELECT id FROM (
        (SELECT id, raised_at, true AS by_id FROM alert
          WHERE %(first)s::uuid IS NOT NULL AND id BETWEEN %(first)s::uuid AND %(last)s::uuid
          ORDER BY id LIMIT %(limit)s)
        UNION ALL
        (SELECT id, raised_at, false FROM (
                SELECT id, raised_at, sentence, subject FROM alert
                 ORDER BY raised_at DESC, id DESC LIMIT %(newest)s) AS recent
          WHERE sentence || ' ' || subject ILIKE ALL(%(words)s)
          ORDER BY raised_at DESC, id DESC LIMIT %(limit)s)) AS found
     GROUP BY id, raised_at ORDER BY bool_or(by_id) DESC, raised_at DESC, id DESC LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class ZoneFound:
    """A zone and how many sensors it has."""

    zone: str
    sensors: int


@dataclass(frozen=True, slots=True)
class RoadFound:
    """A road in one direction and how many stations it has."""

    road: str
    direction: str | None
    sensors: int


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, each the best first; alerts by id."""

    sensors: list[Sensor]
    zones: list[ZoneFound]
    roads: list[RoadFound]
    alerts: list[uuid.UUID]


def search(conn: Connection, text: str, *, limit: int) -> Found:
    """What has every word of the text, at most `limit` of each kind; nothing where there is no word."""
    words = text.split()
    if not words:
        return Found([], [], [], [])
    first, last = _ids(text)
    values: dict[str, Any] = {
        "text": storable(text.strip()),
        "words": [containing(word) for word in words],
        "begin": containing(text.strip())[1:],
        "first": first,
        "last": last,
        "newest": NEWEST,
        "limit": limit,
    }
    return Found(
        [_sensor(row) for row in conn.execute(SENSORS, values)],
        [ZoneFound(*row) for row in conn.execute(ZONES, values)],
        [RoadFound(*row) for row in conn.execute(ROADS, values)],
        [row[0] for row in conn.execute(ALERTS, values)],
    )


def _sensor(row: tuple[Any, ...]) -> Sensor:
    id_, kind, *rest = row
    return Sensor(id_, SensorKind(kind), *rest)


def _ids(text: str) -> tuple[uuid.UUID | None, uuid.UUID | None]:
    """The range of ids that begin with the text, where it is the beginning of one."""
    digits = text.strip().lower().replace("-", "")
    if not _ID.fullmatch(digits):
        return None, None
    return uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f"))
