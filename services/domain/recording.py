"""Recorded readings (CSV columns time, sensor_id, kind, metric, value): what their words mean in the catalogue.

One table for everything that reads recordings (replay over MQTT, backtest). It refuses to read files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.domain.catalogue import CATALOGUE, Domain, Metric, SensorKind
from services.domain.units import CONVERSIONS

RECORDING_COLUMNS: Final = ("time", "sensor_id", "kind", "metric", "value")
"""Header of a recording; the order is free, further columns are an error of the reader."""

RECORDED_METRICS: Final[Mapping[str, tuple[str, str]]] = {
    "register_l": ("register", "L"),
    "register_m3": ("register", "m3"),
    "consumption_l": ("consumption", "L"),
    "volume_l": ("consumption", "L"),
    "flow_m3h": ("flow", "m3/h"),
    "flow_lps": ("flow", "L/s"),
    "pressure_m": ("pressure", "m[H2O]"),
    "pressure_bar": ("pressure", "bar"),
    "level_m": ("level", "m"),
    "volume_veh": ("count", "{veh}"),
    "speed_kmh": ("speed", "km/h"),
    "speed_mph": ("speed", "[mi_i]/h"),
    "occupancy_pct": ("occupancy", "%"),
}
"""Recorded metric -> (the catalogue's metric name in the sensor's domain, UCUM code of the recorded values)."""

RECORDED_KINDS: Final[Mapping[str, SensorKind]] = {
    "customer_meter": SensorKind.WATER_METER,
    "dma_inflow": SensorKind.DMA_INLET,
    "dma_outflow": SensorKind.DMA_OUTLET,
    "pump": SensorKind.PUMP,
    "pressure": SensorKind.PRESSURE,
    "tank": SensorKind.TANK_LEVEL,
    "tank_level": SensorKind.TANK_LEVEL,
    "loop_detector": SensorKind.TRAFFIC_STATION,
    "station": SensorKind.TRAFFIC_STATION,
    "lane": SensorKind.TRAFFIC_LANE,
} | {kind.value: kind for kind in SensorKind}
"""Recorded kind -> kind of sensor; the catalogue's own words are understood as well."""


def recorded_metric(domain: Domain, word: str) -> tuple[Metric, str] | None:
    """The catalogue's metric of a recorded one and the UCUM code of its values; None where the domain has none.

    The catalogue's own columns (`speed_km_per_h`) are understood as well.
    """
    table = CATALOGUE[domain]
    own = table.by_column.get(word)
    if own is not None:
        return own, own.unit
    name, unit = RECORDED_METRICS.get(word, ("", ""))
    found = table.by_name.get(name)
    if found is None or unit not in CONVERSIONS[found.quantity]:
        return None
    return found, unit


def metric_words(domain: Domain) -> str:
    """The recorded metrics of a domain, for a sentence."""
    known = [word for word in RECORDED_METRICS if recorded_metric(domain, word)]
    return f"{', '.join(known)}, or a column of an export ({CATALOGUE[domain].metrics[0].column})"
