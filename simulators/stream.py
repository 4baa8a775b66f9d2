"""From a city to the messages of its devices: history in columns, then the live part with its faults of delivery."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from services.domain.instant import HOUR_US
from simulators.city.models import City
from simulators.faults.delivery import disturb
from simulators.messages import Message, in_columns, single
from simulators.scenario import Scenario

_HISTORY_ROWS: Final = 500


def history(city: City) -> Iterator[Message]:
    """What was observed before the live part, in columns, undisturbed."""
    return in_columns(city.readings(city.live_us), _HISTORY_ROWS)


def live(city: City, scenario: Scenario) -> Iterator[Message]:
    """The live part, one reading a message, with the scenario's faults of delivery; endless if the scenario is."""
    end_us = city.live_us + round(scenario.duration_h * HOUR_US) if scenario.duration_h else None
    singles: Iterable[Message] = (single(reading) for reading in city.readings(end_us))
    return disturb(singles, scenario.delivery, scenario.seed)
