"""Whether a delivery that is due is still wanted: what a person took, what is over and what is hidden is not told.

It decides from what the courier lent and refuses to send or to record anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.domain.alert import Alert
from services.domain.sentences.problem import problem
from services.notify.message import GROWING
from services.notify.routing import hidden
from services.store.connection import Connection
from services.store.telling import outbox
from services.store.telling.delivery import Due, Reason

_OVER: Final = problem("was_over")


@dataclass(frozen=True, slots=True)
class Needless:
    """Nobody needs it any more; `why` is for people. `until`: it may be wanted again then."""

    why: str
    until: datetime | None = None


def needless(
    conn: Connection, item: Due, now: datetime, *, in_hours: bool = False
) -> Needless | None:
    """Why the delivery is not wanted now; None where it is.

    Args:
        in_hours: its route hears at certain times only: it is told of an end whose beginning it was told.
    """
    event, alert = item.event.event, item.alert
    if hidden(event, alert, now):
        until = alert.shelved_until if item.reason is Reason.REPEATED else None
        why = "was_shelved" if alert.hidden(now) else "was_suppressed"
        return Needless(problem(why), until)
    if event.kind not in GROWING:
        asks = in_hours or item.reason is not Reason.ROUTED
        if asks and not outbox.told_before(conn, item):
            return Needless(problem("not_begun"))
        return None
    if item.reason is Reason.ROUTED:
        return None
    taken = _taken(alert)
    if taken is not None and not (taken is _OVER and outbox.group_waits(conn, item)):
        return Needless(taken)
    if item.reason is Reason.REPEATED and outbox.told_worse(conn, item):
        return Needless(problem("told_worse"))
    return None


def _taken(alert: Alert) -> str | None:
    """Why nobody else needs to be called: it is over, closed, or somebody has it."""
    if alert.resolved_at is not None:
        return problem("was_resolved")
    if alert.acknowledged_at is not None:
        return problem("was_acknowledged")
    return None if alert.active else _OVER
