"""Every sensor as columns for a map: who, what, where. It refuses to give more than the map and its lists draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString

from services.store.connection import Connection

STATE: Final[LiteralString] = "SELECT count(*), coalesce(max(revision), 0)::bigint FROM sensor"
COLUMNS: Final[LiteralString] = """
    SELECT id, name, kind, lon, lat, zone, road, direction, position_m FROM sensor ORDER BY id
"""
_FIELDS: Final = 9


@dataclass(frozen=True, slots=True)
class SensorColumns:
    """The register, one entry a sensor in each column, in the order of ids.

    Attributes:
        lon, lat: WGS 84 degrees; position_m: metres along the road. None where unknown.
    """

    id: Sequence[str]
    name: Sequence[str | None]
    kind: Sequence[str]
    lon: Sequence[float | None]
    lat: Sequence[float | None]
    zone: Sequence[str | None]
    road: Sequence[str | None]
    direction: Sequence[str | None]
    position_m: Sequence[float | None]


def revision(conn: Connection) -> str:
    """Changes whenever the register does: its number of sensors and its newest revision."""
    row = conn.execute(STATE).fetchone()
    assert row is not None
    return f"{row[0]}.{row[1]}"


def columns(conn: Connection) -> SensorColumns:
    """Every registered sensor; a hundred thousand take about half a second."""
    rows = conn.execute(COLUMNS).fetchall()
    return SensorColumns(*(zip(*rows, strict=True) if rows else ((),) * _FIELDS))
