"""Puts a condition into words that a person understands at three in the morning: what, where, since when, why, what
to do first. Times are the site's own. It refuses to decide anything and to say more than the evidence holds.

Here is which template is filled with what; the templates are in `domain/sentences`, a file for each language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from services.detect.detectors.flow_ratio import SIGN as MISCOUNT
from services.detect.price import price_words
from services.detect.words.feed_sentences import feed, feed_over
from services.detect.words.late_words import ended_us
from services.detect.words.meter_words import (
    days_risen,
    likely_leak,
    register_begun_anew,
    unit_fault,
)
from services.detect.words.phrases import (
    Phrase,
    Said,
    amount,
    count,
    here,
    length,
    litres,
    moment,
    number,
    phrase,
    rate,
    said,
    since,
    span,
    value,
)
from services.detect.words.road_words import congestion, incident, miscount
from services.detect.words.zone_words import blind, lowest, sure
from services.domain.catalogue import SensorKind
from services.domain.condition import Change, Condition, Rule
from services.domain.sensor import Sensor
from services.domain.sentences.language import in_english

Words: TypeAlias = Callable[[Condition, Sensor], Said]


def say(condition: Condition, sensor: Sensor) -> Said:
    """The condition at its sensor, in plain words of one to four short sentences, for any language.

    Args:
        condition: a raise, an update or a clear.
        sensor: its subject; for a feed or a gateway any one of its sensors, which says the local time.
    """
    if condition.change is Change.CLEAR:
        return _CLEARS[condition.rule](condition, sensor)
    costs = price_words(condition)
    told = _RAISES[condition.rule](condition, sensor)
    return told if costs is None else told.and_also(costs)


def sentence(condition: Condition, sensor: Sensor) -> str:
    """The same in English, as it is stored."""
    return in_english(say(condition, sensor))


def _lost(c: Condition) -> Phrase:
    return phrase(
        "lost.rate",
        lost=litres(number(c, "litres_so_far")),
        daily=litres(number(c, "litres_per_day")),
    )


def _continuous(c: Condition, s: Sensor) -> Said:
    facts = {"where": here(s), "since": since(c), "least": rate(value(c))}
    if c.change is Change.WORSEN:
        before = rate(number(c, "told_litres_per_h"))
        return said(s, phrase("continuous.grown", before=before, **facts), _lost(c), act="grown")
    habit = phrase("continuous.habit", chance=_chance(number(c, "chance_by_habit_1")))
    running = phrase("continuous.running", length=length(c), **facts)
    return said(s, running, habit, _lost(c), act="stop_valve")


def _chance(value: float) -> Phrase:
    """In round numbers: more digits would claim a knowledge that nobody has."""
    if value <= 1e-9:
        return phrase("chance.tiny")
    return phrase("chance.one_in", count=count(float(f"{1 / value:.1g}")))


def _burst(c: Condition, s: Sensor) -> Said:
    facts = {"where": here(s), "since": since(c), "flow": rate(value(c)), "length": length(c)}
    lost = litres(number(c, "litres_so_far"))
    if s.kind is SensorKind.DMA_INLET:
        main = phrase(
            "burst.main",
            usual=rate(c.evidence.baseline or 0.0),
            extra=rate(number(c, "leak_litres_per_h")),
            lost=lost,
            sure=sure(c),
            **facts,
        )
        return said(s, main, lowest(c), act="burst_main")
    meter = phrase("burst.meter", limit=rate(c.evidence.threshold or 0.0), **facts)
    return said(s, meter, phrase("lost.so_far", lost=lost), act="burst_meter")


def _backflow(c: Condition, s: Sensor) -> Said:
    back = phrase(
        "backflow",
        where=here(s),
        since=since(c),
        back=litres(number(c, "litres_back")),
        limit=litres(-(c.evidence.threshold or 0.0)),
    )
    return said(s, back, act="backflow")


def _silent(c: Condition, s: Sensor) -> Said:
    facts = {
        "where": here(s),
        "since": since(c),
        "length": span(value(c)),
        "limit": span(c.evidence.threshold or 0.0),
    }
    if number(c, "never_seen_1"):
        return said(s, phrase("silent.never", **facts), blind(s), act="never")
    cadence = number(c, "cadence_s")
    usual = [phrase("silent.usual", cadence=span(cadence))] if cadence else []
    return said(s, phrase("silent.now", usual=usual, **facts), blind(s), act="silent")


def _stuck(c: Condition, s: Sensor) -> Said:
    facts = {"where": here(s), "since": since(c), "length": length(c)}
    if "unchanged_min" in c.evidence.numbers:
        digits = len(f"{value(c):.6g}".partition(".")[2])
        exactly = amount(value(c), c.evidence.unit, digits)
        return said(s, phrase("stuck.station", value=exactly, **facts), act="controller")
    rest_h = number(c, "longest_earlier_pause_h")
    if rest_h > 0:
        rested = phrase("stuck.meter", rest=span(3600 * rest_h), **facts)
    else:
        before = "watched_before_h" in c.evidence.numbers and number(c, "watched_before_h") < 1
        rested = phrase("stuck.from_the_first" if before else "stuck.never_rested", **facts)
    return said(s, rested, act="stuck_meter")


def _night(c: Condition, s: Sensor) -> Said:
    if number(c, "by_day_1"):
        return days_risen(c, s)
    usual = rate(c.evidence.baseline or 0.0)
    rise = phrase("night.rise", where=here(s), since=since(c), flow=rate(value(c)), usual=usual)
    return said(s, rise, likely_leak(c), act="night")


def _intermittent(c: Condition, s: Sensor) -> Said:
    rare = phrase(
        "intermittent",
        where=here(s),
        since=since(c),
        share=amount(100 * number(c, "pause_share_1"), "%"),
        usual=amount(100 * number(c, "usual_pause_share_1"), "%"),
        daily=litres(number(c, "litres_per_day")),
    )
    return said(s, rare, act="intermittent")


def _fault(c: Condition, s: Sensor) -> Said:
    if s.kind is SensorKind.WATER_METER:
        return unit_fault(c, s)
    if number(c, "sign_1") == MISCOUNT:
        return miscount(c, s)
    sign = _SIGNS[int(number(c, "sign_1")) % len(_SIGNS)]
    fault = phrase(f"fault.{sign}", where=here(s), since=since(c), length=length(c))
    return said(s, fault, act="controller")


def _zone(c: Condition, s: Sensor) -> Said:
    facts = {
        "where": here(s),
        "since": since(c),
        "extra": rate(value(c) - (c.evidence.baseline or 0.0)),
        "daily": litres(number(c, "litres_per_day")),
        "lost": litres(number(c, "litres_so_far")),
    }
    if c.change is Change.WORSEN:
        further = rate(number(c, "further_litres_per_h"))
        return said(s, phrase("zone.further", further=further, **facts), lowest(c), act="zone_leak")
    return said(s, phrase("zone.leak", sure=sure(c), **facts), lowest(c), act="zone_leak")


def _over(c: Condition, s: Sensor) -> Said:
    lost, hours = number(c, "litres_so_far"), number(c, "delay_vehicle_h")
    ended = ended_us(c)
    over = phrase(
        "over",
        at=moment(ended),
        what=phrase(f"over.{c.rule.value}", where=here(s)),
        length=span(max(0, ended - c.onset_us) / 1e6),
        since=since(c),
    )
    return said(
        s,
        over,
        phrase("over.lost", lost=litres(lost)) if lost else None,
        phrase("over.delay", hours=count(hours)) if hours >= 1 else None,
        act=None,
    )


_SIGNS: Final = ("occupied_uncounted", "occupied", "counts_nothing", "jumps", "mismatch")
"""What a detector's `sign_1` counts through."""
_RAISES: Final[Mapping[Rule, Words]] = {
    Rule.CONTINUOUS_FLOW: _continuous,
    Rule.BURST: _burst,
    Rule.BACKFLOW: _backflow,
    Rule.SILENT: _silent,
    Rule.FEED_SILENT: feed,
    Rule.STUCK: _stuck,
    Rule.NIGHT_FLOW: _night,
    Rule.INTERMITTENT_LEAK: _intermittent,
    Rule.CONGESTION: congestion,
    Rule.INCIDENT: incident,
    Rule.SENSOR_FAULT: _fault,
    Rule.ZONE_LEAK: _zone,
    Rule.REGISTER: register_begun_anew,
}
_CLEARS: Final[Mapping[Rule, Words]] = {
    **dict.fromkeys(_RAISES, _over),
    Rule.FEED_SILENT: feed_over,
}
