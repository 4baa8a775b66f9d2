"""Words for meters that need more than a line: a register in another unit, uses that are a power of ten too large, days
that no longer fall as low as they did, a register that begins anew. It refuses to find the sensor's name: the caller
has it.
"""

from __future__ import annotations

from services.detect.words.phrases import litres, number, rate, since, span, time, value
from services.domain.condition import Condition
from services.domain.instant import SECOND_US
from services.domain.sensor import Sensor


def unit_fault(c: Condition, s: Sensor, where: str) -> str:
    """A meter that speaks in another unit, by its register or by its uses."""
    factor = c.evidence.numbers.get("unit_factor_1")
    if factor is not None:
        times = factor if factor > 1 else 1 / max(factor, 1e-9)
        size = "small" if factor > 1 else "large"
        return (
            f"The register of {where} has changed its unit since {since(c, s)}: it reads {value(c):,.0f} where "
            f"{c.evidence.baseline or 0.0:,.0f} L was next, {times:,.0f} times too {size}. "
            "Its other alarms are held back until it is right again. "
            "First: set the unit of its readings right (L or m3?), or the weight of its pulses."
        )
    times = number(c, "times_usual_1")
    size = "large" if times > 1 else "small"
    times = times if times > 1 else 1 / max(times, 1e-9)
    return (
        f"Every use at {where} is about {float(f'{times:.1g}'):,.0f} times too {size} since {since(c, s)} "
        f"({span(c.evidence.window_s)}): {rate(value(c))} in an hour of use, "
        f"usually {rate(c.evidence.baseline or 0.0)}, with pauses as before. "
        "That is no leak but a wrong unit or pulse weight; bursts are not told there meanwhile. "
        "First: set the unit of its readings right, or the weight of its pulses."
    )


def days_risen(c: Condition, s: Sensor, where: str) -> str:
    """A meter that is read once or a few times a day: its days no longer fall as low as they did."""
    usual = c.evidence.baseline or 0.0
    return (
        f"Use at {where} has not fallen back to its usual days since {since(c, s)}: "
        f"{rate(value(c))} on average, usually {rate(usual)}. "
        f"A leak of about {rate(value(c) - usual)}, {litres(number(c, 'litres_per_day'))} a day, "
        f"{litres(number(c, 'litres_so_far'))} so far, is likely. "
        "First: call the customer and have the stop valve closed for ten minutes; if the meter still turns, "
        "the leak is on the service pipe."
    )


def register_begun_anew(c: Condition, s: Sensor, where: str) -> str:
    """A register that passed its end, or was reset or exchanged: what it read before and after."""
    before = time(c.onset_us - int(c.evidence.window_s * SECOND_US), s)
    read = f"{c.evidence.baseline or 0.0:,.0f} L on {before}, {value(c):,.0f} L on {since(c, s)}"
    if number(c, "rollover_1"):
        return (
            f"The register of {where} has passed its end and begun again: {read}. "
            f"The {litres(number(c, 'between_litres'))} between them are counted as use; nothing is lost."
        )
    return (
        f"The register of {where} was exchanged or reset: {read}, and it counts on from there. "
        "That is taken for neither use nor backflow; what ran between the two readings is not known. "
        "First: note the work order; where nobody has changed the meter, have it looked at."
    )
