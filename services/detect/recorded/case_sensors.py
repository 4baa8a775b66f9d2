"""The sensors of a recorded case: what sensors.json says of them, and what kind and metric tell where it is silent.

It refuses to know truth; facts that it does not know are not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from services.domain.catalogue import DOMAIN_OF_KIND, Domain, Metric, SensorKind
from services.domain.errors import InvalidInput
from services.domain.recording import RECORDED_KINDS, recorded_metric
from services.domain.sensor import Sensor
from services.domain.units import Conversion, conversion

_MILE_M: Final = 1609.344
_APART_M: Final = 1000.0
"""Assumed between neighbours of which only the order is known."""
_GUESSED: Final[Mapping[str, SensorKind]] = {
    "register_l": SensorKind.WATER_METER,
    "register_m3": SensorKind.WATER_METER,
    "consumption_l": SensorKind.WATER_METER,
    "volume_l": SensorKind.WATER_METER,
    "flow_m3h": SensorKind.DMA_INLET,
    "flow_lps": SensorKind.DMA_INLET,
    "pressure_m": SensorKind.PRESSURE,
    "pressure_bar": SensorKind.PRESSURE,
    "level_m": SensorKind.TANK_LEVEL,
    "volume_veh": SensorKind.TRAFFIC_STATION,
    "speed_kmh": SensorKind.TRAFFIC_STATION,
    "speed_mph": SensorKind.TRAFFIC_STATION,
    "occupancy_pct": SensorKind.TRAFFIC_STATION,
}
"""Metric -> what a sensor is of which nobody says its kind."""
_OF_ZONE: Final = frozenset(
    {
        SensorKind.DMA_INLET,
        SensorKind.DMA_OUTLET,
        SensorKind.PRESSURE,
        SensorKind.TANK_LEVEL,
        SensorKind.PUMP,
    }
)


def kind_of(kind: str, metric: str) -> SensorKind | None:
    """What a sensor is by the words of its first line; None for a kind that the catalogue does not know."""
    return RECORDED_KINDS.get(kind) if kind else _GUESSED.get(metric)


def meaning(kind: SensorKind, metric: str) -> tuple[Metric, Conversion] | None:
    """The catalogue's metric in the kind's domain, and the way to its canonical unit; None where it has none."""
    found = recorded_metric(DOMAIN_OF_KIND[kind], metric)
    return None if found is None else (found[0], conversion(found[0].quantity, found[1]))


class CaseSensors:
    """What is said of a case's sensors.

    Args:
        path: its sensors.json, which need not exist.
        case: name of the case; the road of stations of which only places are told.

    Raises:
        InvalidInput: the file is no JSON of the known form.
    """

    def __init__(self, path: Path, case: str) -> None:
        self._case = case
        found: Any = {}
        if path.is_file():
            try:
                found = json.loads(path.read_text(encoding="utf-8-sig"))
            except (OSError, ValueError) as error:
                raise InvalidInput(path.name, str(path), f"a JSON document ({error})") from error
        if isinstance(found, list):
            found = {"sensors": found}
        listed = found.get("sensors") if isinstance(found, dict) else None
        if isinstance(listed, dict):
            listed = [{"sensor_id": name, **facts} for name, facts in listed.items()]
        if not isinstance(found, dict) or not all(isinstance(s, dict) for s in listed or ()):
            raise InvalidInput(path.name, str(path), 'a JSON object with a list "sensors"')
        self._whole: Mapping[str, Any] = found
        self._facts: dict[str, Mapping[str, Any]] = {
            str(facts.get("sensor_id", facts.get("id"))): facts for facts in listed or ()
        }
        self.names = frozenset(self._facts)
        """The sensors that it describes."""
        try:
            self._positions = _positions(list(self._facts.values()))
        except (TypeError, ValueError) as error:
            raise InvalidInput(path.name, str(path), f"positions as numbers ({error})") from error

    def sensor(self, sensor_id: str, kind: SensorKind) -> Sensor:
        """The sensor as it would be registered.

        Raises:
            InvalidInput: the file says something of it that no sensor can be.
        """
        facts = self._facts.get(sensor_id, {})
        traffic = DOMAIN_OF_KIND[kind] is Domain.TRAFFIC
        if kind is SensorKind.DMA_INLET and facts.get("role") == "outlet":
            kind = SensorKind.DMA_OUTLET
        position = self._positions.get(sensor_id)
        try:
            return Sensor(
                id=sensor_id,
                kind=kind,
                zone=facts.get("zone") or facts.get("dma") or self._zone_of(sensor_id, traffic),
                road=facts.get("road")
                or (self._case if traffic and position is not None else None),
                direction=facts.get("direction") or None,
                position_m=position,
                lanes=facts.get("lanes"),
                cadence_s=facts.get("cadence_s"),
                area_m2=facts.get("area_m2"),
                time_zone=facts.get("time_zone") or self._whole.get("time_zone") or "UTC",
            )
        except (TypeError, AttributeError) as error:
            raise InvalidInput(
                f"sensors.json: {sensor_id}", dict(facts), f"facts of the known form ({error})"
            ) from error

    def _zone_of(self, sensor_id: str, traffic: bool) -> str | None:
        """The zone whose pattern of customers ("DMA1_M*") or list of inlets names the sensor."""
        zones = self._whole.get("dma") or self._whole.get("zones")
        if traffic or not isinstance(zones, dict):
            return None
        for zone, facts in zones.items():
            if not isinstance(facts, dict):
                continue
            customers = facts.get("customers", "")
            pattern = customers if isinstance(customers, str) else ""
            members = [*facts.get("inlets", ()), *facts.get("outlets", ())]
            if not isinstance(customers, str):
                members += customers
            if sensor_id in members or (
                pattern.endswith("*") and sensor_id.startswith(pattern[:-1])
            ):
                return str(zone)
        return None


def as_one_zone(sensors: Sequence[Sensor], case: str) -> tuple[Sensor, ...]:
    """The sensors, those of one zone put into it where a case has a single inlet and says nothing of zones.

    Customer meters stay as they are: whether they cover the zone only its description can tell.
    """
    inlets = [sensor for sensor in sensors if sensor.kind is SensorKind.DMA_INLET]
    if len(inlets) != 1 or any(sensor.zone for sensor in sensors):
        return tuple(sensors)
    return tuple(replace(s, zone=case) if s.kind in _OF_ZONE else s for s in sensors)


def _positions(sensors: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Metres along the road by sensor: as told, from miles, else from the order, else from who is downstream."""
    first_mile = next(
        (s["position_mile"] for s in sensors if s.get("order") == 0 and "position_mile" in s), 0.0
    )
    found: dict[str, float] = {}
    for facts in sensors:
        position = facts.get("position_m")
        if position is None and facts.get("position_mile") is not None:
            position = abs(facts["position_mile"] - (first_mile or 0.0)) * _MILE_M
        if position is None and facts.get("order") is not None:
            position = _APART_M * facts["order"]
        if position is not None:
            found[str(facts.get("sensor_id", facts.get("id")))] = float(position)
    return found or _chained(sensors)


def _chained(sensors: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Places of sensors of which only the next one up- or downstream is told."""
    after: dict[str, str] = {}
    for facts in sensors:
        name = str(facts.get("sensor_id", facts.get("id")))
        if facts.get("downstream"):
            after[name] = str(facts["downstream"])
        if facts.get("upstream"):
            after.setdefault(str(facts["upstream"]), name)
    found: dict[str, float] = {}
    for begin in sorted(set(after) - set(after.values())):
        at, place = begin, 0.0
        while at not in found:
            found[at] = place
            if at not in after:
                break
            at, place = after[at], place + _APART_M
    return found
