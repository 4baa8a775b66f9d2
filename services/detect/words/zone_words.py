"""What sentences say of zones beyond a rate: how sure, where the pressure lies lowest, and that a silent pipe blinds.

It refuses to decide anything and to say more than the evidence holds.
"""

from __future__ import annotations

from typing import Final

from services.detect.words.phrases import Phrase, amount, phrase
from services.domain.catalogue import SensorKind
from services.domain.condition import Condition
from services.domain.sensor import Sensor

PRESSURE_SUFFIX: Final = "_beyond_model_kpa"
"""Ending of the evidence's numbers that are a pressure logger's mean residual; the logger's id stands before it."""
_TELLING_KPA: Final = 0.05
"""Less than this (half a centimetre of water) points nowhere."""
_PIPES: Final = (SensorKind.DMA_INLET, SensorKind.DMA_OUTLET)


def sure(condition: Condition) -> list[Phrase]:
    """', 80 % sure', where the evidence says so."""
    share = condition.evidence.numbers.get("confidence_1")
    return [] if share is None else [phrase("zone.sure", share=amount(100 * share, "%"))]


def lowest(condition: Condition) -> Phrase | None:
    """Where the pressure lies lowest under what the inflow explains, if the pressures have anything to say."""
    found = {
        name.removesuffix(PRESSURE_SUFFIX): kpa
        for name, kpa in condition.evidence.numbers.items()
        if name.endswith(PRESSURE_SUFFIX) and kpa <= -_TELLING_KPA
    }
    if not found:
        return None
    name = min(found, key=lambda each: found[each])
    return phrase("zone.pressure", name=name, drop=amount(-found[name], "kPa"))


def blind(sensor: Sensor) -> Phrase | None:
    """That a zone is not judged while one of its pipes or tanks says nothing."""
    tank = sensor.kind is SensorKind.TANK_LEVEL and sensor.area_m2 is not None
    bounds = sensor.kind is SensorKind.DMA_INLET or (
        sensor.zone is not None and (tank or sensor.kind in _PIPES)
    )
    return phrase("zone.blind") if bounds else None
