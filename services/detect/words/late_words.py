"""What is said of an alert that late data told, and how its numbers stay with it. It refuses to judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from services.detect.words.phrases import Phrase, moment, phrase
from services.domain.alert import Alert
from services.domain.condition import Change, Condition
from services.domain.instant import SECOND_US, from_us

ARRIVED: Final = "late_data_arrived_unix_s"
IN_TIME: Final = "in_time_told_unix_s"
ENDED: Final = "ended_unix_s"
"""Numbers of an alert's evidence: when late data came, when they would have told it in time, and when what they show to
be over was over."""


def ended_us(condition: Condition) -> int:
    """When what a clear tells of was over: when it is told, or before, as late data show."""
    ended = condition.evidence.numbers.get(ENDED)
    return condition.at_us if ended is None else round(ended * SECOND_US)


def ended_at(alert: Alert) -> datetime | None:
    """When what a cleared alert tells of was over, though it was told later; None while it goes on."""
    numbers = alert.evidence.get("numbers")
    if alert.cleared_at is None or not isinstance(numbers, Mapping) or ENDED not in numbers:
        return alert.cleared_at
    return from_us(round(numbers[ENDED] * SECOND_US))


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


def late_words(condition: Condition) -> Phrase | None:
    """A sentence to be added to the condition's own; nothing where no late data are behind it."""
    arrived = condition.evidence.numbers.get(ARRIVED)
    if arrived is None:
        return None
    came = _moment(arrived)
    in_time = condition.evidence.numbers.get(IN_TIME)
    if condition.change is not Change.CLEAR:
        if in_time is None:
            return phrase("late.told", came=came)
        return phrase("late.told_in_time", came=came, then=_moment(in_time))
    return phrase("late.disproved" if in_time is None else "late.over", came=came)


def _moment(unix_s: float) -> Phrase:
    return moment(round(unix_s * SECOND_US))
