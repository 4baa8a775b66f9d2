"""What every simulated device yields, and what every model of devices can do. No clock, no network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from services.domain.catalogue import Domain
from services.domain.sensor import Sensor


class Reading(NamedTuple):
    """One reading of one device.

    Attributes:
        domain, sensor_id: whose it is.
        observed_us: device time, microseconds since 1970 UTC.
        values: metric name of the catalogue -> value in the canonical unit; a missing metric is absent.
    """

    domain: Domain
    sensor_id: str
    observed_us: int
    values: Mapping[str, float]


class Model(Protocol):
    """Devices in virtual time. Whoever calls `step` decides how fast that time passes.

    Attributes:
        sensors: the devices.
        clock_us: everything before this time has been yielded.
    """

    sensors: tuple[Sensor, ...]
    clock_us: int

    def step(self) -> list[Reading]:
        """The readings of the next interval [clock_us, clock_us + step), in any order; the clock moves on."""

    def truth(self) -> dict[str, object]:
        """What really happened up to the clock, as plain data in the form of the practice set's truth.json."""
