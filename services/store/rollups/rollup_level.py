"""The levels of rollups: which there are, what each is called, and from which on a kind of sensor is rolled up."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from services.domain.catalogue import Domain, SensorKind
from services.domain.instant import DAY_US, HOUR_US

CONSUMER: Final = "rollup"
"""Who follows the feed for the rollups."""


class Level(IntEnum):
    """Lengths of UTC of which rollups are kept, the finest first; the numbers are stored."""

    FIVE_MINUTES = 0
    HOUR = 1
    DAY = 2

    @property
    def unit_us(self) -> int:
        """Its length, microseconds; each divides the next."""
        return _UNIT_US[self]


_UNIT_US: Final[Mapping[Level, int]] = {
    Level.FIVE_MINUTES: HOUR_US // 12,
    Level.HOUR: HOUR_US,
    Level.DAY: DAY_US,
}
SUFFIX: Final[Mapping[Level, str]] = {
    Level.FIVE_MINUTES: "5min",
    Level.HOUR: "hour",
    Level.DAY: "day",
}
"""Level -> end of the relation's name: water_hour."""
FINEST_OF_KIND: Final[Mapping[SensorKind, Level]] = {
    SensorKind.WATER_METER: Level.DAY,
    SensorKind.DMA_INLET: Level.HOUR,
    SensorKind.DMA_OUTLET: Level.HOUR,
    SensorKind.PUMP: Level.HOUR,
    SensorKind.PRESSURE: Level.HOUR,
    SensorKind.TANK_LEVEL: Level.HOUR,
    SensorKind.TRAFFIC_STATION: Level.FIVE_MINUTES,
    SensorKind.TRAFFIC_LANE: Level.FIVE_MINUTES,
}
"""Where a rollup would hold about as many rows as there are readings, it is not kept: the readings are as quick."""


def relation(domain: Domain, level: Level) -> str:
    """Name of the table (or continuous aggregate) that holds a domain's rollups."""
    return f"{domain.value}_{SUFFIX[level]}"


def finest_of(kind: str | None) -> Level:
    """From which level on a sensor of this kind is rolled up; a sensor that nobody described: from the finest."""
    return FINEST_OF_KIND[SensorKind(kind)] if kind else Level.FIVE_MINUTES
