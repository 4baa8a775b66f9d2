"""Words for meters that need more than a line: a register in another unit, uses that are a power of ten too large, days
that no longer fall as low as they did, a register that begins anew.
"""

from __future__ import annotations

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
from services.domain.condition import Condition
from services.domain.instant import SECOND_US
from services.domain.sensor import Sensor


def unit_fault(c: Condition, s: Sensor) -> Said:
    """A meter that speaks in another unit, by its register or by its uses."""
    baseline = c.evidence.baseline or 0.0
    factor = c.evidence.numbers.get("unit_factor_1")
    if factor is not None:
        register = phrase(
            "unit.register",
            where=here(s),
            since=since(c),
            value=count(value(c)),
            next=amount(baseline, "L", 0),
            times=count(factor if factor > 1 else 1 / max(factor, 1e-9)),
            size=phrase("unit.small" if factor > 1 else "unit.large"),
        )
        return said(s, register, act="unit_register")
    times = number(c, "times_usual_1")
    uses = phrase(
        "unit.uses",
        where=here(s),
        times=count(float(f"{times if times > 1 else 1 / max(times, 1e-9):.1g}")),
        size=phrase("unit.large" if times > 1 else "unit.small"),
        since=since(c),
        length=length(c),
        flow=rate(value(c)),
        usual=rate(baseline),
    )
    return said(s, uses, act="unit_uses")


def days_risen(c: Condition, s: Sensor) -> Said:
    """A meter that is read once or a few times a day: its days no longer fall as low as they did."""
    usual = c.evidence.baseline or 0.0
    days = phrase(
        "night.days", where=here(s), since=since(c), flow=rate(value(c)), usual=rate(usual)
    )
    return said(s, days, likely_leak(c), _told_late(c), act="stop_valve")


def _told_late(c: Condition) -> Phrase | None:
    """Why nobody could know sooner: how often the meter is read."""
    every_h = number(c, "read_every_h")
    if not every_h:
        return None
    after = span(3600 * number(c, "looks_1") * max(every_h, 24.0))
    if round(every_h) == 24:
        return phrase("night.once_a_day", after=after)
    return phrase("night.read_every", every=span(3600 * every_h), after=after)


def likely_leak(c: Condition) -> Phrase:
    """How large the leak must be that raised the least flow."""
    return phrase(
        "night.leak",
        leak=rate(value(c) - (c.evidence.baseline or 0.0)),
        daily=litres(number(c, "litres_per_day")),
        lost=litres(number(c, "litres_so_far")),
    )


def register_begun_anew(c: Condition, s: Sensor) -> Said:
    """A register that passed its end, or was reset or exchanged: what it read before and after."""
    read = {
        "where": here(s),
        "before": amount(c.evidence.baseline or 0.0, "L", 0),
        "then": moment(c.onset_us - int(c.evidence.window_s * SECOND_US)),
        "after": amount(value(c), "L", 0),
        "since": since(c),
    }
    if number(c, "rollover_1"):
        between = litres(number(c, "between_litres"))
        return said(s, phrase("register.rollover", between=between, **read), act=None)
    return said(s, phrase("register.exchanged", **read), act="exchanged")
