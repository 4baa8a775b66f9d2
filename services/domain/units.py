"""Units of measurement by their UCUM codes, and the one conversion that each value goes through at the edge.

It refuses to guess: a unit that is not in the table of its quantity is an error that lists the codes which are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.domain.errors import InvalidInput


class Quantity(StrEnum):
    """What is measured; each has one canonical unit in which it is stored."""

    VOLUME = "volume"
    WATER_FLOW = "water flow"
    PRESSURE = "pressure"
    LENGTH = "length"
    TEMPERATURE = "temperature"
    SHARE = "share"
    VEHICLES = "vehicles"
    VEHICLE_FLOW = "vehicle flow"
    SPEED = "speed"


@dataclass(frozen=True, slots=True)
class Conversion:
    """canonical = value * factor + offset."""

    factor: float
    offset: float = 0.0

    def __call__(self, value: float) -> float:
        return value * self.factor + self.offset


CANONICAL: Final[Mapping[Quantity, str]] = {
    Quantity.VOLUME: "L",
    Quantity.WATER_FLOW: "L/h",
    Quantity.PRESSURE: "kPa",
    Quantity.LENGTH: "m",
    Quantity.TEMPERATURE: "Cel",
    Quantity.SHARE: "%",
    Quantity.VEHICLES: "{veh}",
    Quantity.VEHICLE_FLOW: "{veh}/h",
    Quantity.SPEED: "km/h",
}

_US_GALLON = 3.785411784
_UK_GALLON = 4.54609
_CUBIC_FOOT = 28.316846592

CONVERSIONS: Final[Mapping[Quantity, Mapping[str, Conversion]]] = {
    Quantity.VOLUME: {
        "L": Conversion(1.0),
        "mL": Conversion(1e-3),
        "dL": Conversion(0.1),
        "hL": Conversion(100.0),
        "m3": Conversion(1000.0),
        "[gal_us]": Conversion(_US_GALLON),
        "[gal_br]": Conversion(_UK_GALLON),
        "[cft_i]": Conversion(_CUBIC_FOOT),
        "100.[cft_i]": Conversion(100 * _CUBIC_FOOT),
    },
    Quantity.WATER_FLOW: {
        "L/h": Conversion(1.0),
        "L/min": Conversion(60.0),
        "L/s": Conversion(3600.0),
        "m3/h": Conversion(1000.0),
        "m3/s": Conversion(3.6e6),
        "m3/d": Conversion(1000.0 / 24),
        "[gal_us]/h": Conversion(_US_GALLON),
        "[gal_us]/min": Conversion(60 * _US_GALLON),
    },
    Quantity.PRESSURE: {
        "kPa": Conversion(1.0),
        "Pa": Conversion(1e-3),
        "MPa": Conversion(1000.0),
        "bar": Conversion(100.0),
        "mbar": Conversion(0.1),
        "m[H2O]": Conversion(9.80665),
        "[psi]": Conversion(6.894757293168361),
    },
    Quantity.LENGTH: {
        "m": Conversion(1.0),
        "cm": Conversion(0.01),
        "mm": Conversion(1e-3),
        "[ft_i]": Conversion(0.3048),
    },
    Quantity.TEMPERATURE: {
        "Cel": Conversion(1.0),
        "K": Conversion(1.0, -273.15),
        "[degF]": Conversion(5 / 9, -160 / 9),
    },
    Quantity.SHARE: {"%": Conversion(1.0), "1": Conversion(100.0)},
    Quantity.VEHICLES: {"{veh}": Conversion(1.0), "1": Conversion(1.0)},
    Quantity.VEHICLE_FLOW: {
        "{veh}/h": Conversion(1.0),
        "{veh}/min": Conversion(60.0),
        "{veh}/s": Conversion(3600.0),
    },
    Quantity.SPEED: {
        "km/h": Conversion(1.0),
        "m/s": Conversion(3.6),
        "[mi_i]/h": Conversion(1.609344),
    },
}


def conversion(quantity: Quantity, unit: str) -> Conversion:
    """Return how to convert `unit` (a UCUM code) into the canonical unit of `quantity`.

    Raises:
        InvalidInput: the code is not known for this quantity; the message lists those that are.
    """
    known = CONVERSIONS[quantity]
    try:
        return known[unit]
    except (KeyError, TypeError):
        raise InvalidInput("unit", unit, f"{quantity} takes one of {', '.join(known)}") from None
