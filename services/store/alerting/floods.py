"""Floods of alerts in the log: which are on, when alerts were announced of late, what of a flood is still open."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, LiteralString

from services.domain.alert import Alert
from services.domain.catalogue import Domain
from services.domain.condition import Rule
from services.domain.flood import FloodLimit
from services.domain.subject import name_of_subject
from services.store.alerting import alert_statements as statements
from services.store.alerting.flood_gate import FloodGate
from services.store.connection import Connection

# An alert is announced when people hear of it or a flood tells it instead. The domain is the sensor's, or the zone's
# where the subject is one; the newest few of each domain.
ANNOUNCED: Final[LiteralString] = """
    SELECT domain, at FROM (
        SELECT domain, at, row_number() OVER (PARTITION BY domain ORDER BY at DESC) AS place
          FROM alert_event AS e JOIN alert AS a ON a.id = e.alert_id
         CROSS JOIN LATERAL (SELECT s.domain FROM sensor AS s WHERE s.id = a.subject OR s.zone = a.subject
                              ORDER BY s.id <> a.subject LIMIT 1) AS place
         WHERE e.kind IN ('raised', 'unsuppressed') AND e.at > %(start)s AND e.at <= %(end)s
           AND (coalesce((e.data ->> 'told')::boolean, true) OR e.data ? 'flood')
           AND a.rule NOT IN ('alert_flood', 'feed_silent')) AS announced
     WHERE domain = ANY(%(domains)s) AND place <= %(limit)s
"""
STILL_OPEN: Final[LiteralString] = """
    SELECT count(DISTINCT a.id)::bigint FROM alert_event AS e JOIN alert AS a ON a.id = e.alert_id
     WHERE e.kind IN ('raised', 'unsuppressed') AND e.at >= %(start)s AND e.data ->> 'flood' = %(flood)s
       AND a.cleared_at IS NULL AND a.resolved_at IS NULL
"""


def open_floods(conn: Connection) -> dict[Domain, Alert]:
    """The floods that are on, by domain."""
    values = {"rule": Rule.ALERT_FLOOD.value, "subject": None}
    rows = conn.execute(statements.OPEN, values)
    found = [statements.alert_of(row) for row in rows]
    return {Domain(name_of_subject(alert.subject)): alert for alert in found}


def gate(
    conn: Connection,
    limit: FloodLimit,
    floods: dict[Domain, Alert],
    domains: Collection[Domain],
    at: Sequence[datetime],
) -> FloodGate:
    """The gate for alerts of these domains at these times; where a flood is on, what was before does not matter."""
    calm = [domain for domain in domains if domain not in floods]
    times = announced(conn, limit, calm, min(at), max(at)) if calm else {}
    return FloodGate(limit, floods, times)


def announced(
    conn: Connection,
    limit: FloodLimit,
    domains: Collection[Domain],
    first: datetime,
    last: datetime,
) -> dict[Domain, list[datetime]]:
    """When alerts were announced, from a window before `first` up to `last`: the newest of each domain, a few."""
    values = {
        "start": first - limit.window,
        "end": last,
        "limit": 4 * (limit.alerts + 1),
        "domains": [domain.value for domain in domains],
    }
    times: dict[Domain, list[datetime]] = {}
    for domain, at in conn.execute(ANNOUNCED, values):
        times.setdefault(Domain(domain), []).append(at)
    return times


def still_open(conn: Connection, flood: Alert) -> int:
    """How many of the alerts that a flood took are still there and nobody has closed."""
    sought = {"start": flood.started_at, "flood": str(flood.id)}
    row = conn.execute(STILL_OPEN, sought).fetchone()
    return 0 if row is None else int(row[0])
