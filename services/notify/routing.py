"""Decides which routes hear of an alert event, once for each event, and writes that down with nothing sent yet.

Nobody hears of a shelved alert, except that it was shelved. It refuses to look at time of day or place; that comes
with more kinds of routes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.domain.alert import Alert, AlertEvent, EventKind
from services.notify.message import severity_of
from services.notify.metrics import NotifyMetrics
from services.notify.settings import Route
from services.store import outbox
from services.store.connection import Connection, transaction

BATCH: Final = 200


def hidden(event: AlertEvent, alert: Alert, now: datetime) -> bool:
    """Whether nobody is told, because a person has shelved the alert."""
    return event.kind is not EventKind.SHELVED and alert.hidden(now)


def routes_of(event: AlertEvent, alert: Alert, routes: Sequence[Route], now: datetime) -> list[str]:
    """Names of the routes that hear of the event."""
    if hidden(event, alert, now):
        return []
    rank = severity_of(event, alert).rank
    return [
        route.name
        for route in routes
        if event.kind in route.events and rank >= route.minimal_severity.rank
    ]


def route_waiting(
    conn: Connection, routes: Sequence[Route], now: datetime, metrics: NotifyMetrics
) -> int:
    """Route the events that wait, at most `BATCH`, in one transaction; returns how many there were."""
    with transaction(conn):
        found = outbox.waiting(conn, BATCH)
        for item in found:
            names = routes_of(item.event.event, item.alert, routes, now)
            outbox.route(conn, item.event.event.id, names, at=now)
    metrics.routed.inc(len(found))
    metrics.hidden.inc(sum(hidden(item.event.event, item.alert, now) for item in found))
    return len(found)
