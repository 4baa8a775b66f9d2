"""What is said of an alert that late data told, and how its numbers stay with it. It refuses to judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

from services.domain.alert import Alert
from services.domain.condition import Change, Condition
from services.domain.instant import SECOND_US, from_us
from services.domain.sensor import Sensor

ARRIVED: Final = "late_data_arrived_unix_s"
IN_TIME: Final = "in_time_told_unix_s"
"""Numbers of an alert's evidence: when late data came, and when they would have told it in time."""


def still_late(condition: Condition, alert: Alert | None) -> Condition:
    """The condition with what its open alert holds of late data, so that the next update does not forget it."""
    if alert is None or condition.change is Change.CLEAR or ARRIVED in condition.evidence.numbers:
        return condition
    numbers = alert.evidence.get("numbers")
    if not isinstance(numbers, Mapping) or ARRIVED not in numbers:
        return condition
    kept = {name: float(numbers[name]) for name in (ARRIVED, IN_TIME) if name in numbers}
    evidence = condition.evidence
    return replace(condition, evidence=replace(evidence, numbers={**evidence.numbers, **kept}))


def late_words(condition: Condition, sensor: Sensor) -> str:
    """A sentence to be added to the condition's own; empty where no late data are behind it."""
    arrived = condition.evidence.numbers.get(ARRIVED)
    if arrived is None:
        return ""
    came = _time(arrived, sensor)
    in_time = condition.evidence.numbers.get(IN_TIME)
    if condition.change is not Change.CLEAR:
        would = (
            ""
            if in_time is None
            else f"; in time they would have told it at {_time(in_time, sensor)}"
        )
        return f" Known late: it rests on data that arrived at {came}{would}."
    if in_time is None:
        return f" Data that arrived late, at {came}, disprove it."
    return f" Known late: the data that say so arrived at {came}."


def _time(unix_s: float, sensor: Sensor) -> str:
    local = from_us(round(unix_s * SECOND_US)).astimezone(ZoneInfo(sensor.time_zone))
    return f"{local:%a} {local.day} {local:%b} {local:%H:%M}"
