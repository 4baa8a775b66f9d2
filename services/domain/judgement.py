"""What a verdict says of the rule that raised the alert: that it was right, that it was wrong, or nothing.

A rule about sensors is right when the sensor was faulty; every other rule is wrong then. It refuses to make anything of
duplicates and of cases that ended without a finding.
"""

from __future__ import annotations

from typing import Final

from services.domain.alert_event import Verdict
from services.domain.condition import Rule

OF_SENSORS: Final = frozenset({Rule.STUCK, Rule.SENSOR_FAULT, Rule.SILENT, Rule.FEED_SILENT})
"""Rules that are right when the sensor was faulty."""


def was_right(rule: Rule, verdict: Verdict | None) -> bool | None:
    """Whether the rule was right; None where the verdict says nothing of that, or nobody has given one."""
    match verdict:
        case Verdict.REAL:
            return True
        case Verdict.SENSOR_FAULT:
            return rule in OF_SENSORS
        case Verdict.LEGITIMATE_USE:
            return False
    return None
