"""Decides who hears of an alert event, when and why, once for each event, and writes that down with nothing sent yet.

Nobody hears of a shelved or suppressed alert, except that it was shelved. A place that the registry does not know
fits every domain and zone: a route that is too narrow must not be the reason that nobody hears of an alert.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.domain.alert import Alert, AlertEvent, EventKind
from services.domain.condition import Severity
from services.notify.hours import Day, next_digest, next_time, span_of, time_of, zone_of
from services.notify.message import GROWING, severity_of
from services.notify.metrics import NotifyMetrics
from services.notify.settings import Route
from services.store.connection import Connection, transaction
from services.store.telling import outbox
from services.store.telling.delivery import Planned, Reason
from services.store.telling.sites import Site

BATCH: Final = 200


def hidden(event: AlertEvent, alert: Alert, now: datetime) -> bool:
    """Whether nobody is told, because a person has shelved the alert or a rule suppresses it."""
    if alert.suppressed_by is not None and event.kind in GROWING:
        return True
    return event.kind is not EventKind.SHELVED and alert.hidden(now)


def plan_of(
    event: AlertEvent, alert: Alert, site: Site, routes: Sequence[Route], now: datetime
) -> list[Planned]:
    """Who hears of the event: the routes that fit, and after them those to which they escalate."""
    if hidden(event, alert, now):
        return []
    severity = severity_of(event, alert)
    by_name = {route.name: route for route in routes}
    fitting = [route for route in routes if route.direct and fits(route, event, alert, site, now)]
    found = {each.name: _planned(each, severity, site, now, Reason.ROUTED) for each in fitting}
    for route in fitting:
        for later, after in _escalations(route, by_name):
            if later.name in found:
                continue
            if event.kind in GROWING:
                planned = _planned(later, severity, site, now + after, Reason.ESCALATED)
            elif event.kind in later.events:
                planned = _planned(later, severity, site, now, Reason.ESCALATED)
            else:
                continue
            found[later.name] = planned
    return list(found.values())


def fits(route: Route, event: AlertEvent, alert: Alert, site: Site, now: datetime) -> bool:
    """Whether the event is one that the route asked for, now."""
    if event.kind not in route.events:
        return False
    if severity_of(event, alert).rank < route.minimal_severity.rank:
        return False
    if route.rules and alert.rule not in route.rules:
        return False
    known = bool(site.domains)
    if route.domains and known and not site.domains & set(route.domains):
        return False
    if route.zones and known and not site.zones & set(route.zones):
        return False
    follows = event.kind not in GROWING and bool(GROWING.intersection(route.events))
    return follows or _open(
        route, site, now
    )  # who was told of a beginning hears of its end, whenever


def held_until(route: Route, severity: Severity, site: Site, at: datetime) -> datetime | None:
    """Until when the route holds back what would be told at `at`; None where it does not."""
    if severity.rank >= route.urgent_severity.rank:
        return None
    zone, held = _zone(route, site), None
    if route.quiet_hours is not None:
        quiet = span_of(route.quiet_hours)
        if quiet.holds(at.astimezone(zone)):
            held = next_time(at, quiet.end, zone)
    if route.digest is not None:
        held = next_digest(held or at, route.digest, time_of(route.digest_at), zone)
    return held


def route_waiting(
    conn: Connection, routes: Sequence[Route], now: datetime, metrics: NotifyMetrics
) -> int:
    """Route the events that wait, at most `BATCH`, in one transaction; returns how many there were."""
    with transaction(conn):
        found = outbox.waiting(conn, BATCH)
        decisions = [
            (item.event.event.id, plan_of(item.event.event, item.alert, item.site, routes, now))
            for item in found
        ]
        outbox.plan(conn, decisions)
    metrics.routed.inc(len(found))
    metrics.hidden.inc(sum(hidden(item.event.event, item.alert, now) for item in found))
    return len(found)


def _planned(route: Route, severity: Severity, site: Site, at: datetime, reason: Reason) -> Planned:
    held = held_until(route, severity, site, at)
    return Planned(route.name, held or at, reason, held)


def _escalations(route: Route, by_name: Mapping[str, Route]) -> Iterator[tuple[Route, timedelta]]:
    """The routes to which this one escalates, one after the other, and how long after the event."""
    after = timedelta()
    while route.escalate_to is not None:
        after += timedelta(minutes=route.escalate_after_minutes)
        route = by_name[route.escalate_to]
        yield route, after


def _open(route: Route, site: Site, now: datetime) -> bool:
    local = now.astimezone(_zone(route, site))
    if route.hours is None:
        return not route.days or list(Day)[local.weekday()] in route.days
    span = span_of(route.hours)
    return span.holds(local) and (not route.days or span.day_of(local) in route.days)


def _zone(route: Route, site: Site) -> ZoneInfo:
    return zone_of(route.time_zone or site.time_zone or "UTC")
