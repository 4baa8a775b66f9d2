"""Who is judged together: a road or a zone as a whole, customers' meters by themselves.

It refuses to know why they are judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from services.detect.late.marks import Marks
from services.domain.catalogue import Domain, SensorKind
from services.domain.sensor import Sensor

_Key: TypeAlias = tuple[Domain, str, str]


@dataclass(frozen=True, slots=True)
class Group:
    """Sensors that are judged together.

    Attributes:
        domain: of all of them.
        numbers: all; marked: those whose data or description changed.
    """

    domain: Domain
    numbers: tuple[int, ...]
    marked: tuple[int, ...]


class Places:
    """The roads and zones of a registry.

    Args:
        sensors: every registered sensor by number. alone: kinds that are judged by themselves.
    """

    def __init__(self, sensors: Mapping[int, Sensor], alone: frozenset[SensorKind]) -> None:
        self.sensors, self._alone = sensors, alone
        self._inlets = {s.zone for s in sensors.values() if s.kind not in alone and s.zone}
        self._members: dict[_Key, list[int]] = {}
        for number, sensor in sensors.items():
            key = _key(sensor)
            if key is not None:
                self._members.setdefault(key, []).append(number)

    def of(self, sensor: Sensor) -> _Key | None:
        """With whose neighbours it is judged; None by itself. A zone without an inlet hears no meter."""
        if sensor.kind in self._alone and sensor.zone not in self._inlets:
            return None
        return _key(sensor)

    def members(self, key: _Key) -> tuple[int, ...]:
        """The numbers of its sensors."""
        return tuple(sorted(self._members.get(key, ())))


def groups(marks: Marks, places: Places, most: int) -> list[Group]:
    """What must be judged: a road or a zone as a whole, customers' meters by themselves.

    A late meter is also heard by its zone, where that has an inlet. At most `most` single sensors go together.
    """
    singles: dict[Domain, set[int]] = {}
    shared: dict[_Key, set[int]] = {}
    for number in sorted(marks.numbers()):
        for sensor in (places.sensors.get(number), marks.changed.get(number)):
            if sensor is None:
                continue
            key = places.of(sensor)
            if key is None:
                singles.setdefault(sensor.domain, set()).add(number)
            else:
                shared.setdefault(key, set()).add(number)
    found = []
    for domain, numbers in singles.items():
        ordered = sorted(numbers & places.sensors.keys())
        for i in range(0, len(ordered), most):
            part = tuple(ordered[i : i + most])
            found.append(Group(domain, part, part))
    for key, marked in shared.items():
        found.append(Group(key[0], places.members(key), tuple(sorted(marked))))
    return found


def _key(sensor: Sensor) -> _Key | None:
    """The road or zone whose sensors see each other."""
    if sensor.road:
        return sensor.domain, "road", sensor.road
    return (sensor.domain, "zone", sensor.zone) if sensor.zone else None
