"""What the outbox plans, lends and remembers: who shall hear of an event, why, and what became of it. No SQL here."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.domain.alert import Alert
from services.store.alerting.alert_statements import StoredEvent
from services.store.telling.sites import NOWHERE, Site


class Reason(StrEnum):
    """Why a channel shall hear of an event."""

    ROUTED = "routed"
    """Its route fits."""
    ESCALATED = "escalated"
    """Those who were told first may not answer."""
    REPEATED = "repeated"
    """It was told before and nobody has taken it."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A channel that shall hear of an event, due at `at` (None: at once), held back until `held_until`."""

    channel: str
    at: datetime | None = None
    reason: Reason = Reason.ROUTED
    held_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that nobody has routed yet, its alert as it stands now, and where that is."""

    created_at: datetime
    event: StoredEvent
    alert: Alert
    site: Site


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that is lent to the caller.

    Attributes:
        event, alert, site: what is told, the alert as it stands now, and where it is.
        channel: to whom; attempts: how many with this one (1..).
        round: 0 for the first telling, 1.. for its repetitions; reason: why.
        created_at: when it was planned; held_until: until when it was held back.
    """

    event: StoredEvent
    alert: Alert
    channel: str
    attempts: int
    round: int = 0
    reason: Reason = Reason.ROUTED
    created_at: datetime | None = None
    held_until: datetime | None = None
    site: Site = NOWHERE

    @property
    def message_id(self) -> uuid.UUID:
        """Stable over attempts: the event's id, and another one for each repetition."""
        if self.round == 0:
            return self.event.event.id
        return uuid.uuid5(self.event.event.id, f"repeated {self.round}")


@dataclass(frozen=True, slots=True)
class Gathered:
    """Deliveries that one digest tells; its id stays the same over attempts."""

    id: uuid.UUID
    items: Sequence[Due]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one event on one channel."""

    event_id: uuid.UUID
    channel: str
    attempts: int
    next_attempt_at: datetime
    sent_at: datetime | None
    given_up_at: datetime | None
    last_error: str | None
    round: int = 0
    reason: Reason = Reason.ROUTED
    needless: bool = False
    receipt: str | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """Events that are not routed, and deliveries that are due and not made."""

    waiting: int
    undelivered: int
