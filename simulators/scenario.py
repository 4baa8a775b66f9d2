"""Scenarios: which devices stand where, what goes wrong with them and when, read from TOML.

It refuses what it does not know, by name, before anything is simulated.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from services.domain.errors import InvalidInput
from services.domain.instant import HOUR_US

SHIPPED: Final = Path(__file__).parent / "scenarios"
Share = Annotated[float, Field(ge=0, le=0.5)]


class FaultKind(StrEnum):
    """What can go wrong with a device, a pipe or a road."""

    LEAK = "leak"
    BURST = "burst"
    BACKFLOW = "backflow"
    STUCK = "stuck"
    SILENT = "silent"
    ROLLOVER = "rollover"
    MAIN_LEAK = "main_leak"
    INCIDENT = "incident"
    DEAD = "dead"


WATER_FAULTS: Final = frozenset(FaultKind) - {FaultKind.INCIDENT, FaultKind.DEAD}
TRAFFIC_FAULTS: Final = frozenset(
    {FaultKind.INCIDENT, FaultKind.DEAD, FaultKind.STUCK, FaultKind.SILENT}
)


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Fault(_Table):
    """One fault. Hours count from the start of the live part; a negative start lies in the history."""

    kind: FaultKind
    sensor: int | str = Field(default=0, description="number of the device, from 0, or its id")
    start_h: float
    duration_h: float = Field(gt=0)
    size: float = Field(
        default=0.0,
        ge=0,
        description="L/h of a leak, burst, backflow or main leak; share of capacity lost of an incident",
    )
    repeat_h: float = Field(default=0.0, ge=0, description="it comes again every so many hours")

    def windows(self, live_us: int, start_us: int, end_us: int) -> Iterator[tuple[int, int]]:
        """Its [start, end) in microseconds that touch [start_us, end_us)."""
        begin = live_us + round(self.start_h * HOUR_US)
        length, period = round(self.duration_h * HOUR_US), round(self.repeat_h * HOUR_US)
        while begin < end_us:
            if begin + length > start_us:
                yield begin, begin + length
            if not period:
                return
            begin += period


class WaterScenario(_Table):
    """Homes with a meter each, one district metered area."""

    homes: int = Field(default=40, ge=0, le=1_000_000)
    cadence_s: int = Field(default=3600, ge=60, le=86400, multiple_of=60)
    spread_s: int = Field(
        default=600,
        ge=2,
        le=900,
        description="meters that are due together speak within so many seconds",
    )
    zone: str = "DMA-1"
    time_zone: str = "Europe/Madrid"
    litres_a_person_a_day: float = Field(default=120.0, gt=0)
    register_step_litres: float = Field(default=1.0, gt=0)
    rollover_litres: float = Field(default=1e8, gt=0)
    background_litres_per_h_a_home: float = Field(default=1.0, ge=0)
    holidays: bool = Field(
        default=False,
        description="public and school holidays, vacations, guests and festival nights; the truth tells who was away "
        "or had guests as `benign`",
    )
    inlet: bool = True
    pressure: bool = True
    tank: bool = False
    fault: tuple[Fault, ...] = ()

    @field_validator("fault")
    @classmethod
    def _of_water(cls, faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
        return _only(WATER_FAULTS, faults)


class TrafficScenario(_Table):
    """Motorways with a station every so many metres."""

    stations: int = Field(default=12, ge=0, le=100_000)
    stations_a_road: int = Field(default=12, ge=3, le=200)
    cadence_s: int = Field(default=60, ge=20, le=3600, multiple_of=10)
    lanes: int = Field(default=3, ge=1, le=8)
    each_lane: bool = Field(default=False, description="one sensor for each lane, not each station")
    spacing_m: float = Field(default=1000.0, ge=300)
    bottleneck: int = Field(default=8, ge=0, description="station at which capacity is lower")
    bottleneck_share: float = Field(default=0.82, gt=0, le=1, description="1: no recurrent queue")
    time_zone: str = "Europe/Madrid"
    fault: tuple[Fault, ...] = ()

    @field_validator("fault")
    @classmethod
    def _of_traffic(cls, faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
        return _only(TRAFFIC_FAULTS, faults)


class DeliveryScenario(_Table):
    """What happens to messages on their way, as shares of the messages of the live part."""

    duplicate_share: Share = 0.0
    malformed_share: Share = 0.0
    late_share: Share = 0.0
    late_h: float = Field(default=6.0, gt=0)


def _only(kinds: frozenset[FaultKind], faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    for fault in faults:
        if fault.kind not in kinds:
            raise ValueError(f"{fault.kind} is no fault of this field: {', '.join(sorted(kinds))}")
    return faults


class Scenario(_Table):
    """A whole scenario."""

    seed: int = 1
    start: AwareDatetime | None = Field(default=None, description="start of the live part")
    history_h: float = Field(default=0.0, ge=0, description="hours before it, published at once")
    duration_h: float = Field(default=0.0, ge=0, description="hours of the live part; 0: endless")
    water: WaterScenario | None = None
    traffic: TrafficScenario | None = None
    delivery: DeliveryScenario = DeliveryScenario()

    def sized(self, sensors: int) -> Scenario:
        """The scenario with `sensors` meters and stations in all, three meters to one station in a city.

        Faults of devices by number stay within the devices: they wrap around.
        """
        stations = sensors if self.water is None else sensors // 4 if self.traffic else 0
        homes = sensors - stations
        return self.model_copy(
            update={
                "water": self.water
                and self.water.model_copy(
                    update={"homes": homes, "fault": _within(homes, self.water.fault)}
                ),
                "traffic": self.traffic
                and self.traffic.model_copy(
                    update={"stations": stations, "fault": _within(stations, self.traffic.fault)}
                ),
            }
        )


def _within(devices: int, faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    return tuple(
        each.model_copy(update={"sensor": each.sensor % max(devices, 1)})
        if isinstance(each.sensor, int)
        else each
        for each in faults
    )


def load_scenario(name: str) -> Scenario:
    """The scenario in a TOML file, or a shipped one by its name ("city").

    Raises:
        InvalidInput: no such file, no TOML, or a word or value that a scenario does not have.
    """
    path = Path(name)
    if not path.is_file() and (SHIPPED / f"{name}.toml").is_file():
        path = SHIPPED / f"{name}.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        shipped = ", ".join(sorted(each.stem for each in SHIPPED.glob("*.toml")))
        allowed = f"a TOML file, or one of {shipped}"
        raise InvalidInput("scenario", name, allowed) from error
    return parse_scenario(text, str(path))


def parse_scenario(text: str, name: str = "scenario") -> Scenario:
    """The scenario that a TOML text describes; errors as in `load_scenario`."""
    try:
        return Scenario.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput("scenario", name, f"not readable as TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"{name}: {place}", first["input"], first["msg"]) from error
