"""The declared tables: which metrics a domain has, in which unit, and what is plausible.

Adding a domain is one entry here, its migration and (for foreign payloads) its decoder; nothing else lists metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from services.domain.units import CANONICAL, Quantity


class Domain(StrEnum):
    """A field of sensing; also the topic level and the name of the readings' table."""

    WATER = "water"
    TRAFFIC = "traffic"


class SensorKind(StrEnum):
    """What a sensor is; decides which detectors watch it."""

    WATER_METER = "water_meter"
    DMA_INLET = "dma_inlet"
    DMA_OUTLET = "dma_outlet"
    PUMP = "pump"
    PRESSURE = "pressure"
    TANK_LEVEL = "tank_level"
    TRAFFIC_STATION = "traffic_station"
    TRAFFIC_LANE = "traffic_lane"


@dataclass(frozen=True, slots=True)
class Metric:
    """One measured thing of a domain.

    Attributes:
        name: short name in payloads ("register").
        column: name in the database, the API and exports; ends in the canonical unit ("register_litres").
        quantity: decides the canonical unit and the units that a payload may use.
        low, high: plausible range in the canonical unit; a value outside is stored and flagged, never deleted.
        description: one sentence for documentation.
    """

    name: str
    column: str
    quantity: Quantity
    low: float
    high: float
    description: str

    @property
    def unit(self) -> str:
        """UCUM code of the canonical unit."""
        return CANONICAL[self.quantity]


@dataclass(frozen=True, slots=True)
class DomainTable:
    """One domain's readings: the table's name and its metrics, in column order."""

    domain: Domain
    table: str
    metrics: tuple[Metric, ...]
    kinds: tuple[SensorKind, ...]
    by_name: Mapping[str, Metric] = field(init=False, repr=False)
    by_column: Mapping[str, Metric] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {m.name: m for m in self.metrics})
        object.__setattr__(self, "by_column", {m.column: m for m in self.metrics})


CATALOGUE: Final[Mapping[Domain, DomainTable]] = {
    Domain.WATER: DomainTable(
        domain=Domain.WATER,
        table="water_reading",
        metrics=(
            Metric(
                "register",
                "register_litres",
                Quantity.VOLUME,
                0.0,
                1e11,
                "cumulative meter total at an instant; rolls over, resets, is exchanged",
            ),
            Metric(
                "consumption",
                "consumption_litres",
                Quantity.VOLUME,
                -1e4,
                1e7,
                "volume that passed in the reporting interval which ends at the reading's time",
            ),
            Metric(
                "flow", "flow_litres_per_h", Quantity.WATER_FLOW, -1e7, 1e8, "rate of water flow"
            ),
            Metric("pressure", "pressure_kpa", Quantity.PRESSURE, -100.0, 4000.0, "gauge pressure"),
            Metric(
                "level", "level_m", Quantity.LENGTH, -10.0, 200.0, "level of the water in a tank"
            ),
            Metric(
                "temperature",
                "temperature_celsius",
                Quantity.TEMPERATURE,
                -40.0,
                90.0,
                "temperature of the water or the device",
            ),
            Metric(
                "battery",
                "battery_pct",
                Quantity.SHARE,
                0.0,
                100.0,
                "charge left in the device's battery",
            ),
        ),
        kinds=(
            SensorKind.WATER_METER,
            SensorKind.DMA_INLET,
            SensorKind.DMA_OUTLET,
            SensorKind.PUMP,
            SensorKind.PRESSURE,
            SensorKind.TANK_LEVEL,
        ),
    ),
    Domain.TRAFFIC: DomainTable(
        domain=Domain.TRAFFIC,
        table="traffic_reading",
        metrics=(
            Metric(
                "count",
                "count_veh",
                Quantity.VEHICLES,
                0.0,
                2000.0,
                "vehicles in the reporting interval which ends at the reading's time",
            ),
            Metric(
                "flow",
                "flow_veh_per_h",
                Quantity.VEHICLE_FLOW,
                0.0,
                30000.0,
                "vehicles scaled to an hour",
            ),
            Metric("speed", "speed_km_per_h", Quantity.SPEED, 0.0, 250.0, "time-mean speed"),
            Metric(
                "occupancy",
                "occupancy_pct",
                Quantity.SHARE,
                0.0,
                100.0,
                "share of time that the sensor is covered",
            ),
        ),
        kinds=(SensorKind.TRAFFIC_STATION, SensorKind.TRAFFIC_LANE),
    ),
}

DOMAIN_OF_KIND: Final[Mapping[SensorKind, Domain]] = {
    kind: table.domain for table in CATALOGUE.values() for kind in table.kinds
}
