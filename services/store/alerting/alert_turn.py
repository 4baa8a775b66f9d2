"""One turn at the alerts: reads what a call's events touch, under the lock that writers take turns with, and writes.

It refuses to decide anything: `alert_ledger.py` does, between the reading and the writing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.domain.alert import Alert, AlertEvent, EventKind
from services.domain.alert_fold import fold
from services.domain.catalogue import Domain
from services.domain.condition import Rule, Severity
from services.domain.flood import FloodLimit
from services.domain.holding import CAUSES, Holding
from services.domain.subject import feed_subject, flood_subject, gateway_subject
from services.store.alerting import alert_statements as statements
from services.store.alerting import floods
from services.store.alerting.alert_ledger import Ledger, Member
from services.store.alerting.alert_statements import StoredEvent, alert_of
from services.store.alerting.suppressions import unended
from services.store.alerting.whereabouts import whereabouts
from services.store.connection import Connection

_TOLD: Final = frozenset(EventKind) - {EventKind.UPDATED, EventKind.SUPPRESSED}
"""Kinds that people may have to hear of: they get a line in the outbox."""
_ANNOUNCED: Final = frozenset({EventKind.RAISED, EventKind.UNSUPPRESSED})
"""Kinds that a flood can fold."""


def read(conn: Connection, events: Sequence[AlertEvent], flood: FloodLimit | None = None) -> Ledger:
    """What the events touch; nobody else changes alerts from here to the end of the transaction."""
    conn.execute(statements.TAKE_TURNS)
    ids = sorted({event.alert_id for event in events})
    alerts = {row[0]: alert_of(row) for row in conn.execute(statements.LOCK, (ids,))}
    event_ids = [event.id for event in events]
    known = {row[0] for row in conn.execute(statements.KNOWN_EVENTS, (event_ids,))}
    ledger = Ledger(alerts, known)
    raised = [
        fold(None, e) for e in events if e.kind is EventKind.RAISED and e.alert_id not in alerts
    ]
    keys = {(alert.rule, alert.subject) for alert in raised}
    keys |= {(alert.rule, alert.subject) for alert in alerts.values()} if keys else set()
    if flood is not None:
        keys |= {(Rule.ALERT_FLOOD, flood_subject(domain.value)) for domain in Domain}
    groups = {alert.group_id for alert in (*alerts.values(), *raised)}
    for row in conn.execute(statements.MEMBERS, (list(groups),)):
        group, id_, severity, began, is_open, told = row
        member = Member(is_open, Severity(severity).rank, began, told)
        ledger.groups.setdefault(group, {})[id_] = member
    if keys:
        parameters = {
            "rules": [rule.value for rule, _ in keys],
            "subjects": [subject for _, subject in keys],
        }
        for rule, subject, id_, is_open in conn.execute(statements.LAST, parameters):
            ledger.last[Rule(rule), subject] = id_
            if is_open:
                ledger.open.add((Rule(rule), subject))
    if raised:
        ledger.holding = read_holding(conn, raised, min(alert.raised_at for alert in raised))
        ledger.holding.causes += [alert for alert in raised if alert.rule in CAUSES]
    announced = [each for each in events if each.kind in _ANNOUNCED]
    if flood is not None and announced:
        where = ledger.holding.where
        where |= whereabouts(conn, {a.subject for a in alerts.values()} - where.keys())
        domains = {place.domain for place in where.values() if place.domain is not None}
        on = floods.open_floods(conn)
        ledger.alerts |= {alert.id: alert for alert in on.values()}
        ledger.open |= {(alert.rule, alert.subject) for alert in on.values()}
        ledger.gate = floods.gate(conn, flood, on, domains, [each.at for each in announced])
    return ledger


def read_holding(conn: Connection, alerts: Sequence[Alert], since: datetime) -> Holding:
    """What may hold these alerts back at `since` or later: rules that people made, and what explains them."""
    where = whereabouts(conn, {alert.subject for alert in alerts})
    subjects = {alert.subject for alert in alerts} | {
        subject
        for place in where.values()
        for subject in (
            place.gateway and gateway_subject(place.gateway),
            place.domain and feed_subject(place.domain),
        )
        if subject
    }
    values = {"rules": [rule.value for rule in CAUSES], "subjects": list(subjects)}
    causes = [alert_of(row) for row in conn.execute(statements.CAUSES, values)]
    return Holding(unended(conn, since), causes, where)


def write(conn: Connection, ledger: Ledger) -> list[StoredEvent]:
    """Old alerts first: one that clears makes room in the unique index for one that is raised."""
    if not ledger.events:
        return []
    with conn.cursor() as cursor:
        for statement, ids in (
            (statements.UPDATE, ledger.changed),
            (statements.INSERT, ledger.new),
        ):
            if ids:
                values = [statements.values_of_alert(ledger.alerts[id_]) for id_ in ids]
                cursor.executemany(statement, values)
        rows = [statements.values_of_event(event, version) for event, version in ledger.events]
        cursor.executemany(statements.INSERT_EVENT, rows, returning=True)
        places = [row for result in cursor.results() for row in result.fetchall()]
        told = [(event.id,) for event, _ in ledger.events if event.kind in _TOLD and event.told]
        if told:
            cursor.executemany(statements.INSERT_OUTBOX, told)
        cursor.execute(statements.TELL, (str(places[-1][0]),))
    return [
        StoredEvent(position, version, stored_at, event)
        for (position, stored_at), (event, version) in zip(places, ledger.events, strict=True)
    ]
