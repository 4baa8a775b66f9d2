"""What sentences are filled with: where it is, since when, how much. It refuses to know rules."""

from __future__ import annotations

from services.domain.condition import Condition
from services.domain.sensor import Sensor
from services.domain.sentences.said import Phrase, Said, amount, count, moment, phrase

__all__ = [
    "Phrase", "Said", "amount", "count", "first", "here", "length", "litres", "moment", "number", "phrase",
    "rate", "said", "since", "span", "speed", "value",
]  # fmt: skip


def here(sensor: Sensor) -> Phrase:
    """'meter Elm Street 4 (M-17), zone North' or 'station A1-12, A1 northbound at 9.6 km'."""
    site = []
    if sensor.road:
        way = f"{sensor.road} {sensor.direction}" if sensor.direction else sensor.road
        site.append(phrase("where.road", road=way))
        if sensor.position_m is not None:
            site.append(phrase("where.km", km=amount(sensor.position_m / 1000, "km")))
    elif sensor.zone:
        site.append(phrase("where.zone", zone=sensor.zone))
    named = phrase("where.named", name=sensor.name, id=sensor.id) if sensor.name else sensor.id
    return phrase("where", kind=phrase(f"kind.{sensor.kind.value}"), name=named, site=site)


def said(sensor: Sensor, *what: Phrase | None, act: str | None) -> Said:
    """The phrases that there are, and what to do first by the last part of its key."""
    there = tuple(each for each in what if each is not None)
    return Said(there, None if act is None else first(act), sensor.time_zone)


def first(act: str) -> Phrase:
    """What to do first."""
    return phrase(f"first.{act}")


def since(condition: Condition) -> Phrase:
    """When it began in the data."""
    return moment(condition.onset_us)


def span(seconds: float) -> Phrase:
    """A length of time."""
    return amount(seconds, "s")


def length(condition: Condition) -> Phrase:
    """How long the data are that the decision rests on."""
    return span(condition.evidence.window_s)


def litres(value: float) -> Phrase:
    """A volume of water."""
    return amount(value, "L")


def rate(value: float) -> Phrase:
    """A water flow."""
    return amount(value, "L/h")


def speed(value: float | None) -> Phrase:
    """A speed."""
    return amount(value or 0.0, "km/h")


def number(condition: Condition, name: str) -> float:
    """A number of the evidence; 0 where it is not there."""
    return condition.evidence.numbers.get(name, 0.0)


def value(condition: Condition) -> float:
    """What was measured; 0 where nothing was."""
    return condition.evidence.value or 0.0
