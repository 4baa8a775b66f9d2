"""What a detector says: a condition at a subject began, changed or ended, with the numbers that prove it.

A condition is the measurement's side of an alert. It knows nothing of people; `alert.py` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Rule(StrEnum):
    """Which question a detector answers. At most one open alert exists for each (rule, subject)."""

    CONTINUOUS_FLOW = "continuous_flow"
    BURST = "burst"
    NIGHT_FLOW = "night_flow"
    INTERMITTENT_LEAK = "intermittent_leak"
    BACKFLOW = "backflow"
    SILENT = "silent"
    FEED_SILENT = "feed_silent"
    STUCK = "stuck"
    CONGESTION = "congestion"
    INCIDENT = "incident"
    SENSOR_FAULT = "sensor_fault"
    REGISTER = "register"
    ZONE_LEAK = "zone_leak"
    ALERT_FLOOD = "alert_flood"
    """Too many alerts at once: said by the alarm system of its own alerts, by no detector."""


NOTES: Final = frozenset({Rule.REGISTER})
"""What is kept in a sensor's history and asks nobody to act: it is no alarm, and nobody is told of it."""


class Severity(StrEnum):
    """How soon a person must look: critical now, warning this shift, info when there is time."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for critical."""
        return ("info", "warning", "critical").index(self.value)


class Change(StrEnum):
    """What happened to the condition."""

    RAISE = "raise"
    UPDATE = "update"
    WORSEN = "worsen"
    """Far worse than when it was last told, though its severity is the same: to be told again."""
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The numbers with which the decision can be redrawn.

    Attributes:
        metric: column name of the series ("flow_litres_per_h").
        unit: UCUM code of value, threshold and baseline.
        value: what was measured (over the window).
        threshold: the limit that it crossed; None where the rule has none.
        baseline: what is usual here at this hour, where the rule knows it.
        window_s: seconds of data that the decision rests on.
        readings: how many readings the window held.
        missing_share: 0..1, the share of expected readings that the window lacked.
        numbers: further figures by name, each name ending in its unit (litres_so_far, fixed_limit_km_per_h).
    """

    metric: str
    unit: str
    value: float | None
    threshold: float | None
    baseline: float | None
    window_s: float
    readings: int
    missing_share: float
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Condition:
    """One change of one condition, as a detector's step returns it.

    Attributes:
        rule: which question.
        subject: id of the sensor; or a feed or a gateway, as `subject.py` writes them.
        change: began, changed or ended.
        onset_us: when the event began in the data (device time): with rule and subject it identifies the episode.
        at_us: stream time at which the decision was reached.
        severity: as of now.
        score: 0..1, how sure.
        evidence: the numbers.
    """

    rule: Rule
    subject: str
    change: Change
    onset_us: int
    at_us: int
    severity: Severity
    score: float
    evidence: Evidence
