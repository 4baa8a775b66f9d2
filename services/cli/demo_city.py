"""The demo's city: its devices, and when its live part begins. Nothing is simulated here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from services.domain.sensor import Sensor

_BACK: Final = timedelta(days=60)
_START_HOUR: Final = 4
_WEDNESDAY: Final = 2


@dataclass(frozen=True, slots=True)
class City:
    """The demo's city.

    Attributes:
        live: when its live part begins, RFC 3339.
        sensors: its devices.
    """

    live: str
    sensors: list[Sensor]

    @classmethod
    def of(cls, sensors: int, live: str) -> City:
        from services.cli.simulate import Field, scenario_of
        from services.domain.instant import parse_time
        from simulators.city.models import City as Devices

        city = Devices(scenario_of(Field.CITY, "city", sensors, None), parse_time(live))
        return cls(live, list(city.sensors))


def begin_of(file: Path) -> str:
    """When the city's live part begins: as the file of an earlier demo says, or some weeks ago."""
    if not file.exists():
        begin = (datetime.now(UTC) - _BACK).replace(
            hour=_START_HOUR, minute=0, second=0, microsecond=0
        )
        file.write_text(begin.isoformat().replace("+00:00", "Z"))
    return file.read_text()


def shared_begin() -> str:
    """A Wednesday some weeks ago, the same for a month: so long a city's past may be kept."""
    month = datetime.now(UTC).replace(day=1, hour=_START_HOUR, minute=0, second=0, microsecond=0)
    begin = month - _BACK
    begin -= timedelta(days=(begin.weekday() - _WEDNESDAY) % 7)
    return begin.isoformat().replace("+00:00", "Z")
