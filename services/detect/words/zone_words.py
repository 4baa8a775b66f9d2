"""What sentences say of zones beyond a rate: how sure, where the pressure lies lowest, and that a silent pipe blinds.

It refuses to decide anything and to say more than the evidence holds.
"""

from __future__ import annotations

from typing import Final

from services.domain.catalogue import SensorKind
from services.domain.condition import Condition
from services.domain.sensor import Sensor

PRESSURE_SUFFIX: Final = "_beyond_model_kpa"
"""Ending of the evidence's numbers that are a pressure logger's mean residual; the logger's id stands before it."""
_TELLING_KPA: Final = 0.05
"""Less than this (half a centimetre of water) points nowhere."""
_PIPES: Final = (SensorKind.DMA_INLET, SensorKind.DMA_OUTLET)


def sure(condition: Condition) -> str:
    """', 80 % sure', where the evidence says so."""
    share = condition.evidence.numbers.get("confidence_1")
    return "" if share is None else f", {100 * share:.0f} % sure"


def lowest(condition: Condition) -> str:
    """Where the pressure lies lowest under what the inflow explains, if the pressures have anything to say."""
    found = {
        name.removesuffix(PRESSURE_SUFFIX): kpa
        for name, kpa in condition.evidence.numbers.items()
        if name.endswith(PRESSURE_SUFFIX) and kpa <= -_TELLING_KPA
    }
    if not found:
        return ""
    name = min(found, key=lambda each: found[each])
    return (
        f"The pressures agree: the inflow explains them least at pressure logger {name} "
        f"({-found[name]:.2f} kPa too low); look near there first. "
    )


def blind(sensor: Sensor) -> str:
    """That a zone is not judged while one of its pipes or tanks says nothing."""
    tank = sensor.kind is SensorKind.TANK_LEVEL and sensor.area_m2 is not None
    bounds = sensor.kind is SensorKind.DMA_INLET or (
        sensor.zone is not None and (tank or sensor.kind in _PIPES)
    )
    return "Until it speaks again its zone is not watched for leaks. " if bounds else ""
