"""Which watch looks after a kind of sensor, and which kinds are judged each by itself. One registry, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from services.detect.detector_settings import DetectorSettings
from services.detect.watches.meter_watch import MeterWatch
from services.detect.watches.road_watch import RoadWatch
from services.detect.watches.watch import Watch
from services.detect.watches.zone_flows import ZoneFlows, ZoneTanks
from services.detect.watches.zone_pressures import ZonePressures
from services.detect.watches.zone_watch import ZoneWatch
from services.domain.catalogue import SensorKind

WATCHES: Final[Mapping[SensorKind, Callable[[DetectorSettings], Watch]]] = {
    SensorKind.WATER_METER: MeterWatch,
    SensorKind.DMA_INLET: ZoneWatch,
    SensorKind.DMA_OUTLET: ZoneFlows,
    SensorKind.TANK_LEVEL: ZoneTanks,
    SensorKind.PRESSURE: ZonePressures,
    SensorKind.TRAFFIC_STATION: RoadWatch,
    SensorKind.TRAFFIC_LANE: RoadWatch,
}
"""Which watch looks after a kind; kinds without one are watched for silence alone. One watch object a kind."""
ALONE: Final = frozenset({SensorKind.WATER_METER})
"""Kinds whose sensors are judged each by itself: for them alone the feed is not cut at the pace of its time."""
