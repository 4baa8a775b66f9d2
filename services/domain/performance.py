"""How well the alarm system and the people behind it do, by week: what is counted, and what good is.

Targets are those of ISA-18.2 and EEMUA 191 for one operator. It refuses to mix both sides: what the system does to
people (`AlarmWeek`) is one thing, what came of it in the street (`WorkWeek`) another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class AlarmWeek:
    """What the alarm system did to people in one week. None where there is nothing to divide by.

    Attributes:
        hours: of the week, as far as it has passed.
        told: messages that people had to read: alerts that began, grew worse or came back.
        raised: alerts that began, told or not; held: by a rule or a fault; folded: into a flood.
        per_operator_hour: told messages for each operator and hour.
        peak_10_min: most alerts in ten minutes (by the clock), folded ones among them.
        flood_share: 0..1, the share of all ten minutes with more than ten.
        chattering: (rule, subject) pairs that were raised three times within an hour.
        stale: told alerts that had been on for more than 24 hours at some time in the week.
        standing: told alerts that were on, and nobody had closed, at its end.
        critical, warning, info: told messages by severity.
        frequent_share: 0..1, the share of the ten most frequent (rule, subject) among the told messages.
    """

    hours: float
    told: int
    raised: int
    held: int
    folded: int
    per_operator_hour: float | None
    peak_10_min: int
    flood_share: float | None
    chattering: int
    stale: int
    standing: int
    critical: int
    warning: int
    info: int
    frequent_share: float | None


@dataclass(frozen=True, slots=True)
class WorkWeek:
    """What came of the alerts that were raised in one week. None where there is none to measure by.

    Attributes:
        real .. unknown: verdicts; open: cases that nobody has closed.
        precision: 0..1, the share that were right among those judged right or wrong (a faulty sensor is what a rule
            about sensors looks for); duplicates and unknown ones do not count.
        awareness_h: from the beginning in the data to when people could hear of it, median, hours.
        acknowledgement_min: from then to the first acknowledgement, median, minutes.
        repair_h: from then to "repaired", or, of real cases without that step, to normal measurements; median, hours.
        litres_lost: of events not judged wrong, each counted once though several rules saw it.
        litres_saved: of events judged real and over: what they would have lost in the days that such a thing usually
            goes unnoticed, less what they lost.
        vehicle_hours: delay in jams not judged wrong.
    """

    real: int
    sensor_fault: int
    legitimate_use: int
    duplicate: int
    unknown: int
    open: int
    precision: float | None
    awareness_h: float | None
    acknowledgement_min: float | None
    repair_h: float | None
    litres_lost: float
    litres_saved: float
    vehicle_hours: float


@dataclass(frozen=True, slots=True)
class Week:
    """One week, from Monday 00:00 local time, and what happened in it."""

    week: date
    starts_at: datetime
    ends_at: datetime
    alarms: AlarmWeek
    work: WorkWeek


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """What people made of one rule's alerts: right and wrong by their verdicts, and how many were told."""

    rule: str
    raised: int
    told: int
    right: int
    wrong: int
    precision: float | None


@dataclass(frozen=True, slots=True)
class Frequent:
    """A rule at a subject that spoke often: what to look at first. name: what people call the subject."""

    rule: str
    subject: str
    name: str | None
    told: int


@dataclass(frozen=True, slots=True)
class Performance:
    """Weeks in order, rules by name, the most frequent first; with what they were worked out by."""

    time_zone: str
    operators: float
    unnoticed_days: float
    weeks: tuple[Week, ...]
    rules: tuple[RuleRecord, ...]
    frequent: tuple[Frequent, ...]


TARGETS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "per_operator_hour": 6.0,
        "per_operator_hour_at_most": 12.0,
        "peak_10_min": 10.0,
        "flood_share": 0.01,
        "chattering": 0.0,
        "stale": 5.0,
        "frequent_share": 0.05,
        "critical_share": 0.05,
        "warning_share": 0.15,
        "info_share": 0.80,
    }
)
"""What is good for one operator (ISA-18.2, EEMUA 191): at most these; shares are of the told messages."""
