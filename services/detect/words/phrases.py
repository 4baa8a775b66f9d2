"""The small words of sentences: a moment in the site's own time, a span, an amount of water, a number of the evidence.

It refuses to know rules and subjects.
"""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from services.domain.condition import Condition
from services.domain.instant import from_us
from services.domain.sensor import Sensor

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)


def time(us: int, sensor: Sensor) -> str:
    """'Mon 14 Sep 12:30' in the site's zone."""
    local = from_us(us).astimezone(ZoneInfo(sensor.time_zone))
    return f"{_DAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]} {local:%H:%M}"


def since(condition: Condition, sensor: Sensor) -> str:
    return time(condition.onset_us, sensor)


def span(seconds: float) -> str:
    """'30 seconds', '45 minutes', '26 hours', '12 days'."""
    minutes = seconds / 60
    if seconds < 59.5:
        return f"{max(1, round(seconds))} second{'' if round(seconds) <= 1 else 's'}"
    if minutes < 119.5:
        return f"{round(minutes)} minute{'' if round(minutes) == 1 else 's'}"
    if minutes < 71.5 * 60:
        return f"{round(minutes / 60)} hours"
    return f"{round(minutes / 1440)} days"


def litres(value: float) -> str:
    """'950 L', '12.3 m3'."""
    return f"{value:.0f} L" if abs(value) < 10_000 else f"{value / 1000:.1f} m3"


def rate(value: float) -> str:
    """'3.5 L/h', '120 L/h', '12.4 m3/h'."""
    if abs(value) >= 10_000:
        return f"{value / 1000:.1f} m3/h"
    return f"{value:.1f} L/h" if abs(value) < 10 else f"{value:.0f} L/h"


def number(condition: Condition, name: str) -> float:
    return condition.evidence.numbers.get(name, 0.0)


def value(condition: Condition) -> float:
    return condition.evidence.value or 0.0
