"""Whether a delivery that is due is still wanted: what a person took, what is over and what is hidden is not told.

It decides from what the courier lent and refuses to send or to record anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.domain.alert import Alert
from services.notify.message import GROWING
from services.notify.routing import hidden
from services.store import outbox
from services.store.connection import Connection
from services.store.delivery import Due, Reason


@dataclass(frozen=True, slots=True)
class Needless:
    """Nobody needs it any more; `why` is for people. `until`: it may be wanted again then."""

    why: str
    until: datetime | None = None


def needless(conn: Connection, item: Due, now: datetime) -> Needless | None:
    """Why the delivery is not wanted now; None where it is."""
    event, alert = item.event.event, item.alert
    if hidden(event, alert, now):
        until = alert.shelved_until if item.reason is Reason.REPEATED else None
        why = "shelved" if alert.hidden(now) else "suppressed"
        return Needless(f"{why} before it was told", until)
    if item.reason is Reason.ROUTED:
        return None
    if event.kind not in GROWING:
        told = outbox.told_before(conn, item)
        return None if told else Needless("the route was not told of its beginning")
    taken = _taken(alert)
    if taken is not None:
        return Needless(taken)
    if item.reason is Reason.REPEATED and outbox.told_worse(conn, item):
        return Needless("a worse turn of the alert was told since")
    return None


def _taken(alert: Alert) -> str | None:
    """Why nobody else needs to be called: it is over, closed, or somebody has it."""
    if alert.resolved_at is not None:
        return "resolved before it was due"
    if alert.cleared_at is not None:
        return "over before it was due"
    if alert.acknowledged_at is not None:
        return "acknowledged before it was due"
    return None
