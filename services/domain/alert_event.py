"""What can happen to an alert: the kinds of events, the words they use, and one entry of the append-only log.

It refuses to know what an event does to an alert; `alert_fold.py` does.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

DETECTOR: Final = "detector"
"""Actor of events that measurements cause; people's events carry the name of their API key or account."""
SYSTEM: Final = "citygauge"
"""Actor of what the alarm system does by itself: what a rule holds back or lets go, a shelf whose time is over."""
MACHINES: Final = frozenset({DETECTOR, SYSTEM})


class EventKind(StrEnum):
    """What happened to an alert."""

    RAISED = "raised"
    UPDATED = "updated"
    ESCALATED = "escalated"
    CLEARED = "cleared"
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    PROGRESSED = "progressed"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    SUPPRESSED = "suppressed"
    UNSUPPRESSED = "unsuppressed"
    COMMENTED = "commented"
    RESOLVED = "resolved"


class Verdict(StrEnum):
    """How a case ended, in the judgement of a person."""

    REAL = "real"
    SENSOR_FAULT = "sensor_fault"
    LEGITIMATE_USE = "legitimate_use"
    DUPLICATE = "duplicate"
    UNKNOWN = "unknown"


class Work(StrEnum):
    """How far the work in the street is. People set it, forward or back; measurements never do."""

    NEW = "new"
    INVESTIGATING = "investigating"
    CREW_SENT = "crew_sent"
    REPAIRED = "repaired"


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One immutable entry of the log.

    Attributes:
        id: deterministic for what detectors say (a replay writes the same id), random for people's acts.
        alert_id: the case.
        kind: what happened.
        at: when, aware UTC; stream time for a detector's event, wall time for a person's.
        actor: who ("detector", "citygauge" for the alarm system itself, or a person's name).
        data: what the kind needs: severity, score, evidence, sentence, verdict, comment, reason, until, assignee,
            work, suppressed_by, group_id; told: False where nobody is told of it; past: True where what is raised was
            over before another alert of its rule and subject began, which is open.
    """

    id: uuid.UUID
    alert_id: uuid.UUID
    kind: EventKind
    at: datetime
    actor: str
    data: Mapping[str, object]

    @property
    def of_the_past(self) -> bool:
        """Whether it raises what was over before the open alert of its rule and subject began."""
        return self.kind is EventKind.RAISED and self.data.get("past") is True

    @property
    def told(self) -> bool:
        """Whether people may hear of it; the store says no for what a group, a rule or a flood tells instead."""
        return bool(self.data.get("told", True))
