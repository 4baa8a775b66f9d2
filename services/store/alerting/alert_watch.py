"""What the alarm system does by itself as time passes: shelves whose time is over, rules that begin and end to hold.

What people were not told because a rule or a shelf kept it, and what is still there when that ends, is told then. It
refuses to run by itself: the detector calls it again and again, and the API after each change of a rule.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final, LiteralString

from services.domain.alert import Alert, AlertEvent, EventKind
from services.domain.alert_event import SYSTEM
from services.domain.condition import Rule
from services.domain.flood import FloodLimit, over
from services.domain.holding import CAUSES
from services.domain.subject import feed_subject, flood_subject
from services.domain.suppression import Suppression
from services.store.alerting import alert_statements as statements
from services.store.alerting import alert_turn, floods
from services.store.alerting.alert_ledger import suppressed
from services.store.alerting.alert_statements import StoredEvent, alert_of
from services.store.alerting.suppressions import unended
from services.store.connection import Connection, transaction

ANYTHING: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM alert WHERE resolved_at IS NULL AND shelved_until <= %(wall)s)
        OR EXISTS (SELECT FROM alert WHERE cleared_at IS NULL AND (suppressed_by IS NOT NULL OR rule = ANY(%(causes)s)))
        OR EXISTS (SELECT FROM suppression WHERE ended_at IS NULL AND ends_at > %(now)s)
"""
_OVER: Final = "The time on the shelf is over"


def watch(
    conn: Connection, now: datetime, wall: datetime, flood: FloodLimit | None = None
) -> list[StoredEvent]:
    """Does what is due, in a transaction of its own, and returns what was written.

    Args:
        now: the time of the data, by which rules hold and faults explain.
        wall: the time of people, by which shelves end; the same in a live city.
        flood: from when alerts are a flood; None leaves floods alone.
    """
    values = {
        "now": now,
        "wall": wall,
        "causes": [*(rule.value for rule in CAUSES), Rule.ALERT_FLOOD.value],
    }
    row = conn.execute(ANYTHING, values).fetchone()
    if row is None or not row[0]:
        return []
    with transaction(conn):
        conn.execute(statements.TAKE_TURNS)
        events = _off_shelf(conn, wall) + _held(conn, now)
        if flood is not None:
            events += _floods_over(conn, now, flood)
        if not events:
            return []
        ledger = alert_turn.read(conn, events, flood)
        ledger.take_all(events)
        return alert_turn.write(conn, ledger)


def _floods_over(conn: Connection, now: datetime, limit: FloodLimit) -> list[AlertEvent]:
    on = floods.open_floods(conn)
    times = floods.announced(conn, limit, on, now, now) if on else {}
    return [
        over(found, domain.value, floods.still_open(conn, found), now, limit)
        for domain, found in on.items()
        if limit.is_over(len(times.get(domain, ())))
    ]


def _off_shelf(conn: Connection, wall: datetime) -> list[AlertEvent]:
    over = [alert_of(row) for row in conn.execute(statements.OFF_SHELF, (wall,))]
    return [_event(alert, EventKind.UNSHELVED, wall, _OVER) for alert in over]


def _held(conn: Connection, now: datetime) -> list[AlertEvent]:
    """What begins and what ends to be held back, at this time."""
    values = {"rules": [rule.value for rule in CAUSES], "subjects": None}
    causes = [alert_of(row) for row in conn.execute(statements.CAUSES, values)]
    rules = [each for each in unended(conn, now) if each.starts_at <= now]
    wanted = _sought(rules, causes)
    alerts = [alert_of(row) for row in conn.execute(statements.HOLDABLE, wanted)]
    if not alerts:
        return []
    holding = alert_turn.read_holding(conn, alerts, now)
    events = []
    for alert in alerts:
        hold = holding.of(alert, now)
        if hold is None and alert.suppressed_by is not None:
            why = f"No longer held back: {alert.suppressed_reason}"
            events.append(_event(alert, EventKind.UNSUPPRESSED, now, why))
        elif hold is not None and hold.by != alert.suppressed_by:
            events.append(suppressed(alert, hold, now, uuid.uuid4()))
    return events


def _sought(rules: Sequence[Suppression], causes: Sequence[Alert]) -> dict[str, object]:
    """What `HOLDABLE` looks for: the narrowest that each rule names."""
    subjects = {subject for rule in rules for subject in rule.subjects}
    broad = [rule for rule in rules if not rule.subjects]
    zones = {rule.zone for rule in broad if rule.zone}
    roads = {rule.road for rule in broad if rule.road}
    domains = {rule.domain for rule in broad if rule.domain and not (rule.zone or rule.road)}
    everywhere = [rule for rule in broad if not (rule.zone or rule.road or rule.domain)]
    return {
        "rules": list({each.value for rule in everywhere for each in rule.rules}),
        "subjects": list(subjects | {cause.subject for cause in causes}),
        "zones": list(zones),
        "roads": list(roads),
        "domains": [domain.value for domain in domains],
        "feeds": [name(domain) for domain in domains for name in (feed_subject, flood_subject)],
        "places": bool(zones or roads or domains),
        "silence": any(cause.rule is Rule.FEED_SILENT for cause in causes),
    }


def _event(alert: Alert, kind: EventKind, at: datetime, reason: str) -> AlertEvent:
    return AlertEvent(uuid.uuid4(), alert.id, kind, at, SYSTEM, {"reason": reason})
