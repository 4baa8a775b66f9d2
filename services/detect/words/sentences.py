"""Puts a condition into words that a person understands at three in the morning: what, where, since when, why, what
to do first. Times are the site's own. It refuses to decide anything and to say more than the evidence holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from services.detect.price import price_words
from services.detect.words.feed_sentences import feed, feed_over
from services.detect.words.meter_words import days_risen, register_begun_anew, unit_fault
from services.detect.words.phrases import litres as _litres
from services.detect.words.phrases import number as _number
from services.detect.words.phrases import rate as _rate
from services.detect.words.phrases import since as _since
from services.detect.words.phrases import span as _span
from services.detect.words.phrases import time as _time
from services.detect.words.phrases import value as _value
from services.detect.words.road_words import congestion, incident
from services.detect.words.zone_words import blind, lowest, sure
from services.domain.catalogue import SensorKind
from services.domain.condition import Change, Condition, Rule
from services.domain.sensor import Sensor


def sentence(condition: Condition, sensor: Sensor) -> str:
    """The condition at its sensor, in plain words of one to four short sentences.

    Args:
        condition: a raise, an update or a clear.
        sensor: its subject; for a feed or a gateway any one of its sensors, which says the local time.
    """
    if condition.change is Change.CLEAR:
        return _CLEARS[condition.rule](condition, sensor)
    said, first, act = _RAISES[condition.rule](condition, sensor).rpartition("First: ")
    return f"{said}{price_words(condition)}{first}{act}"


def _where(sensor: Sensor) -> str:
    """'meter Elm Street 4 (M-17), zone North' or 'station A1-12, A1 northbound at 9.6 km'."""
    kind = _KIND_WORDS.get(sensor.kind.value, sensor.kind.value.replace("_", " "))
    text = f"{kind} {sensor.name} ({sensor.id})" if sensor.name else f"{kind} {sensor.id}"
    if sensor.road:
        text += f", {sensor.road}" + (f" {sensor.direction}" if sensor.direction else "")
        if sensor.position_m is not None:
            text += f" at {sensor.position_m / 1000:.1f} km"
    elif sensor.zone:
        text += f", zone {sensor.zone}"
    return text


def _continuous(c: Condition, s: Sensor) -> str:
    if c.change is Change.WORSEN:
        return (
            f"The leak at {_where(s)}, running since {_since(c, s)}, has grown: never below {_rate(_value(c))} "
            f"in the last half day, {_rate(_number(c, 'told_litres_per_h'))} when it was last told. "
            f"About {_litres(_number(c, 'litres_so_far'))} lost so far, {_litres(_number(c, 'litres_per_day'))} a day. "
            "First: have the stop valve closed today; a leak that grows does not wait."
        )
    return (
        f"Water has been running without a pause at {_where(s)} since {_since(c, s)} "
        f"({_span(c.evidence.window_s)}), never below {_rate(_value(c))}. "
        f"This meter normally pauses: by its own habit a run this long has a chance of "
        f"{_chance(_number(c, 'chance_by_habit_1'))}. "
        f"About {_litres(_number(c, 'litres_so_far'))} lost so far, {_litres(_number(c, 'litres_per_day'))} a day. "
        "First: call the customer and have the stop valve closed for ten minutes; if the meter still turns, "
        "the leak is on the service pipe."
    )


def _chance(value: float) -> str:
    """In round numbers: more digits would claim a knowledge that nobody has."""
    return (
        f"about 1 in {float(f'{1 / value:.1g}'):,.0f}"
        if value > 1e-9
        else "less than 1 in a billion"
    )


def _burst(c: Condition, s: Sensor) -> str:
    if s.kind is SensorKind.DMA_INLET:
        return (
            f"A main has probably burst in the zone fed by {_where(s)}, since {_since(c, s)}: "
            f"{_rate(_value(c))} where {_rate(c.evidence.baseline or 0.0)} is usual, "
            f"{_rate(_number(c, 'leak_litres_per_h'))} too much for {_span(c.evidence.window_s)}, "
            f"{_litres(_number(c, 'litres_so_far'))} so far{sure(c)}. {lowest(c)}"
            "First: rule out fire-fighting and flushing, then send a crew and look where pressure has dropped."
        )
    return (
        f"Far more water than usual is running at {_where(s)} since {_since(c, s)}: {_rate(_value(c))} for "
        f"{_span(c.evidence.window_s)}, where {_rate(c.evidence.threshold or 0.0)} is the most it should be. "
        f"{_litres(_number(c, 'litres_so_far'))} so far. "
        "First: call the customer now (burst pipe, open valve, or a pool being filled?); "
        "close the valve if nobody answers."
    )


def _backflow(c: Condition, s: Sensor) -> str:
    return (
        f"Water is running backwards through {_where(s)} since {_since(c, s)}: the register has fallen by "
        f"{_litres(_number(c, 'litres_back'))} (limit {_litres(-(c.evidence.threshold or 0.0))}). "
        "First: check pressure in the street and the backflow preventer; treat the water there as unsafe until cleared."
    )


def _silent(c: Condition, s: Sensor) -> str:
    limit = _span(c.evidence.threshold or 0.0)
    if _number(c, "never_seen_1"):
        return (
            f"Nothing has ever been received from {_where(s)}, known since {_since(c, s)} "
            f"({_span(_value(c))}; limit {limit}). {blind(s)}"
            "First: check that the device is installed, powered, and sends under this id."
        )
    cadence = _number(c, "cadence_s")
    usual = f"; it usually reports every {_span(cadence)}" if cadence else ""
    return (
        f"No reading from {_where(s)} since {_since(c, s)}: silent for {_span(_value(c))}, limit {limit}{usual}. "
        f"{blind(s)}First: check its gateway and neighbours, then battery or power on site."
    )


def _stuck(c: Condition, s: Sensor) -> str:
    if "unchanged_min" in c.evidence.numbers:
        return (
            f"The sensor repeats itself: {_where(s)} has reported exactly "
            f"{_value(c):g} {c.evidence.unit} "
            f"since {_since(c, s)} ({_span(c.evidence.window_s)}). Its traffic alarms are held back. "
            "First: restart the sensor's controller; then inspect it on site."
        )
    return (
        f"{_where(s)[0].upper()}{_where(s)[1:]} has counted nothing since {_since(c, s)} "
        f"({_span(c.evidence.window_s)}); its longest rest before was "
        f"{_span(3600 * _number(c, 'longest_earlier_pause_h'))}. "
        "The meter may be stuck, or the home empty. "
        "First: ask the customer whether anybody is there, then inspect the meter."
    )


def _night(c: Condition, s: Sensor) -> str:
    if _number(c, "by_day_1"):
        return days_risen(c, s, _where(s))
    baseline = c.evidence.baseline or 0.0
    return (
        f"The least flow of the night at {_where(s)} has risen to {_rate(_value(c))}, usually {_rate(baseline)}, "
        f"night after night since {_since(c, s)}. A leak of about {_rate(_value(c) - baseline)}, "
        f"{_litres(_number(c, 'litres_per_day'))} a day, {_litres(_number(c, 'litres_so_far'))} so far, is likely. "
        "First: compare with the sub-meters or listen at night for running water."
    )


def _intermittent(c: Condition, s: Sensor) -> str:
    return (
        f"Pauses have become rare at {_where(s)} since {_since(c, s)}: little or no use in "
        f"{100 * _number(c, 'pause_share_1'):.0f} % of the hours, "
        f"usually {100 * _number(c, 'usual_pause_share_1'):.0f} %. "
        f"Something lets water go by again and again, {_litres(_number(c, 'litres_per_day'))} a day in all. "
        "First: ask the customer to check toilets, softener and irrigation."
    )


def _congestion(c: Condition, s: Sensor) -> str:
    return congestion(c, s, _where(s))


def _incident(c: Condition, s: Sensor) -> str:
    return incident(c, s, _where(s))


def _fault(c: Condition, s: Sensor) -> str:
    if s.kind is SensorKind.WATER_METER:
        return unit_fault(c, s, _where(s))
    words = _SIGNS[int(_number(c, "sign_1")) % len(_SIGNS)]
    return (
        f"The sensor contradicts itself: {_where(s)} {words} since {_since(c, s)} ({_span(c.evidence.window_s)}). "
        "Its traffic alarms are held back. First: restart the sensor's controller; then inspect it on site."
    )


def _zone(c: Condition, s: Sensor) -> str:
    baseline = c.evidence.baseline or 0.0
    return (
        f"A leak is likely in the zone fed by {_where(s)} since {_since(c, s)}: inflow beyond its habit by "
        f"{_rate(_value(c) - baseline)} ({_litres(_number(c, 'litres_per_day'))} a day, "
        f"{_litres(_number(c, 'litres_so_far'))} so far{sure(c)}). {lowest(c)}"
        "First: check for known use (flushing, fire, works), then step-test the zone at night."
    )


def _over(what: str) -> Callable[[Condition, Sensor], str]:
    def words(c: Condition, s: Sensor) -> str:
        lost = _number(c, "litres_so_far")
        tail = f" About {_litres(lost)} in all." if lost else ""
        hours = _number(c, "delay_vehicle_h")
        tail += f" About {hours:.0f} vehicle-hours were lost in this queue." if hours >= 1 else ""
        return (
            f"Over at {_time(c.at_us, s)}: {what} {_where(s)}, after {_span((c.at_us - c.onset_us) / 1e6)} "
            f"(since {_since(c, s)}).{tail}"
        )

    return words


_KIND_WORDS: Final[Mapping[str, str]] = {
    "water_meter": "meter",
    "dma_inlet": "zone inlet",
    "dma_outlet": "zone outlet",
    "tank_level": "tank",
    "traffic_station": "station",
    "traffic_lane": "lane sensor",
    "pressure": "pressure logger",
}
_SIGNS: Final = (
    "is occupied but counts no vehicle",
    "is occupied all the time",
    "counts nothing where traffic is usual",
    "jumps up and down from reading to reading",
    "reports counts, speed and occupancy that do not fit together",
)
_RAISES: Final[Mapping[Rule, Callable[[Condition, Sensor], str]]] = {
    Rule.CONTINUOUS_FLOW: _continuous,
    Rule.BURST: _burst,
    Rule.BACKFLOW: _backflow,
    Rule.SILENT: _silent,
    Rule.FEED_SILENT: feed,
    Rule.STUCK: _stuck,
    Rule.NIGHT_FLOW: _night,
    Rule.INTERMITTENT_LEAK: _intermittent,
    Rule.CONGESTION: _congestion,
    Rule.INCIDENT: _incident,
    Rule.SENSOR_FAULT: _fault,
    Rule.ZONE_LEAK: _zone,
    Rule.REGISTER: lambda c, s: register_begun_anew(c, s, _where(s)),
}
_CLEARS: Final[Mapping[Rule, Callable[[Condition, Sensor], str]]] = {
    Rule.CONTINUOUS_FLOW: _over("water pauses again at"),
    Rule.BURST: _over("use is back to normal at"),
    Rule.BACKFLOW: _over("water no longer runs backwards through"),
    Rule.SILENT: _over("readings come again from"),
    Rule.FEED_SILENT: feed_over,
    Rule.STUCK: _over("values move again at"),
    Rule.NIGHT_FLOW: _over("the nights are back to normal at"),
    Rule.INTERMITTENT_LEAK: _over("pauses are as frequent as before at"),
    Rule.CONGESTION: _over("traffic flows again at"),
    Rule.INCIDENT: _over("the incident has dissolved near"),
    Rule.SENSOR_FAULT: _over("the readings make sense again at"),
    Rule.ZONE_LEAK: _over("inflow is back to normal at"),
    Rule.REGISTER: _over("the register counts on at"),
}
