"""The statements of the alerts' tables and how their rows become the domain's types; nothing here decides anything."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final, LiteralString
from uuid import UUID

from services.domain.alert import Alert, AlertEvent, EventKind, Verdict, Work
from services.domain.condition import Rule, Severity
from services.store.text import storable

COLUMNS: Final[LiteralString] = (
    "id, rule, subject, version, severity, score, sentence, evidence, started_at, raised_at, updated_at, cleared_at, "
    "acknowledged_at, acknowledged_by, shelved_until, shelved_reason, resolved_at, resolved_by, verdict, previous_id, "
    "group_id, assignee, work, suppressed_by, suppressed_reason, told_at, said"
)
_EVENT_COLUMNS: Final[LiteralString] = (
    "e.position, e.version, e.stored_at, e.id, e.alert_id, e.kind, e.at, e.actor, e.data"
)
# Held until the transaction ends: alerts change one transaction after the other, so events get their positions in
# the order in which they become visible, and whoever follows positions misses none.
TAKE_TURNS: Final[LiteralString] = (
    "SELECT pg_advisory_xact_lock(x'63697479616c7274'::bigint)"  # "cityalrt"
)
LOCK: Final[LiteralString] = (
    f"SELECT {COLUMNS} FROM alert WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
)
GET: Final[LiteralString] = f"SELECT {COLUMNS} FROM alert WHERE id = ANY(%s)"
KNOWN_EVENTS: Final[LiteralString] = "SELECT id FROM alert_event WHERE id = ANY(%s)"
LAST: Final[LiteralString] = """
    SELECT wanted.rule, wanted.subject, last.id, last.open
      FROM unnest(%(rules)s::text[], %(subjects)s::text[]) AS wanted (rule, subject)
     CROSS JOIN LATERAL (SELECT id, cleared_at IS NULL AS open FROM alert AS a
                          WHERE a.rule = wanted.rule AND a.subject = wanted.subject
                          ORDER BY cleared_at IS NULL DESC, raised_at DESC, id DESC LIMIT 1) AS last
"""
INSERT: Final[LiteralString] = f"""
    INSERT INTO alert ({COLUMNS}) VALUES (%(id)s, %(rule)s, %(subject)s, %(version)s, %(severity)s, %(score)s,
        %(sentence)s, %(evidence)s::jsonb, %(started_at)s, %(raised_at)s, %(updated_at)s, %(cleared_at)s,
        %(acknowledged_at)s, %(acknowledged_by)s, %(shelved_until)s, %(shelved_reason)s, %(resolved_at)s,
        %(resolved_by)s, %(verdict)s, %(previous_id)s, %(group_id)s, %(assignee)s, %(work)s, %(suppressed_by)s,
        %(suppressed_reason)s, %(told_at)s, %(said)s::jsonb)
"""
UPDATE: Final[LiteralString] = """
    UPDATE alert SET version = %(version)s, severity = %(severity)s, score = %(score)s, sentence = %(sentence)s,
        evidence = %(evidence)s::jsonb, updated_at = %(updated_at)s, cleared_at = %(cleared_at)s,
        acknowledged_at = %(acknowledged_at)s, acknowledged_by = %(acknowledged_by)s,
        shelved_until = %(shelved_until)s, shelved_reason = %(shelved_reason)s, resolved_at = %(resolved_at)s,
        resolved_by = %(resolved_by)s, verdict = %(verdict)s, assignee = %(assignee)s, work = %(work)s,
        suppressed_by = %(suppressed_by)s, suppressed_reason = %(suppressed_reason)s, told_at = %(told_at)s,
        said = %(said)s::jsonb
     WHERE id = %(id)s
"""
RAISED_SINCE: Final[LiteralString] = f"""
    SELECT found.* FROM unnest(%(subjects)s::text[]) AS wanted (subject)
     CROSS JOIN LATERAL (SELECT {COLUMNS} FROM alert AS a
                          WHERE a.subject = wanted.subject AND a.raised_at >= %(start)s
                          ORDER BY raised_at DESC, id DESC LIMIT %(limit)s) AS found
     ORDER BY raised_at, id
"""
MEMBERS: Final[LiteralString] = """
    SELECT group_id, id, severity, started_at,
           cleared_at IS NULL AND resolved_at IS NULL AND suppressed_by IS NULL, told_at IS NOT NULL
      FROM alert WHERE group_id = ANY(%s)
"""
CAUSES: Final[LiteralString] = f"""
    SELECT {COLUMNS} FROM alert
     WHERE cleared_at IS NULL AND rule = ANY(%(rules)s)
       AND (%(subjects)s::text[] IS NULL OR subject = ANY(%(subjects)s))
     ORDER BY started_at, id
"""
# Open cases that something holds back or could: where and what people's rules are for, and at or behind what is faulty
# or silent. It may find too many, never too few.
HOLDABLE: Final[LiteralString] = f"""
    SELECT {COLUMNS} FROM alert
     WHERE cleared_at IS NULL AND resolved_at IS NULL
       AND (suppressed_by IS NOT NULL OR rule = ANY(%(rules)s) OR subject = ANY(%(subjects)s)
            OR subject = ANY(%(zones)s) OR (%(places)s AND starts_with(subject, 'gateway/'))
            OR (%(places)s AND EXISTS (SELECT FROM sensor AS s
                                        WHERE s.id = alert.subject
                                          AND (s.zone = ANY(%(zones)s) OR s.road = ANY(%(roads)s)
                                               OR s.domain = ANY(%(domains)s))))
            OR (subject = ANY(%(feeds)s))
            OR (%(silence)s AND rule IN ('silent', 'stuck', 'feed_silent')))
     ORDER BY raised_at, id
"""
OFF_SHELF: Final[LiteralString] = f"""
    SELECT {COLUMNS} FROM alert WHERE resolved_at IS NULL AND shelved_until <= %s ORDER BY raised_at, id
"""
INSERT_EVENT: Final[LiteralString] = """
    INSERT INTO alert_event (id, alert_id, version, kind, at, actor, data)
    VALUES (%(id)s, %(alert_id)s, %(version)s, %(kind)s, %(at)s, %(actor)s, %(data)s::jsonb)
    RETURNING position, stored_at
"""
INSERT_OUTBOX: Final[LiteralString] = "INSERT INTO outbox (event_id) VALUES (%s)"
TELL: Final[LiteralString] = "SELECT pg_notify('citygauge_alert', %s)"
OPEN: Final[LiteralString] = f"""
    SELECT {COLUMNS} FROM alert
     WHERE cleared_at IS NULL AND (%(rule)s::text IS NULL OR rule = %(rule)s)
       AND (%(subject)s::text IS NULL OR subject = %(subject)s)
     ORDER BY raised_at, id
"""
EVENTS: Final[LiteralString] = f"""
    SELECT {_EVENT_COLUMNS} FROM alert_event AS e WHERE alert_id = %s ORDER BY version LIMIT %s
"""
EVENTS_AFTER: Final[LiteralString] = f"""
    SELECT {_EVENT_COLUMNS} FROM alert_event AS e WHERE position > %s ORDER BY position LIMIT %s
"""
LAST_POSITION: Final[LiteralString] = "SELECT coalesce(max(position), 0)::bigint FROM alert_event"
OUTBOX_WAITING: Final[LiteralString] = f"""
    SELECT o.created_at, {_EVENT_COLUMNS} FROM outbox AS o JOIN alert_event AS e ON e.id = o.event_id
     WHERE o.routed_at IS NULL ORDER BY e.position LIMIT %s FOR UPDATE OF o SKIP LOCKED
"""
EVENTS_BY_ID: Final[LiteralString] = (
    f"SELECT {_EVENT_COLUMNS} FROM alert_event AS e WHERE id = ANY(%s)"
)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event in the log.

    Attributes:
        position: its place in the log of all alerts; later events have greater positions, with gaps.
        version: the alert's version after it; the first event of an alert has 1.
        stored_at: when it was written, by the database's clock.
        event: what happened.
    """

    position: int
    version: int
    stored_at: datetime
    event: AlertEvent


def alert_of(row: Sequence[Any]) -> Alert:
    """The alert of a row of `COLUMNS`."""
    values = dict(zip(COLUMNS.split(", "), row, strict=True))
    values["rule"] = Rule(values["rule"])
    values["severity"] = Severity(values["severity"])
    values["work"] = Work(values["work"])
    values["verdict"] = None if values["verdict"] is None else Verdict(values["verdict"])
    return Alert(**values)


def event_of(row: Sequence[Any]) -> StoredEvent:
    """The event of a row of `_EVENT_COLUMNS`."""
    position, version, stored_at, id_, alert_id, kind, at, actor, data = row
    return StoredEvent(
        position, version, stored_at, AlertEvent(id_, alert_id, EventKind(kind), at, actor, data)
    )


def values_of_alert(alert: Alert) -> dict[str, object]:
    """Parameters of INSERT and UPDATE."""
    values: dict[str, object] = {name: getattr(alert, name) for name in COLUMNS.split(", ")}
    for name in ("rule", "severity", "verdict", "work"):
        word = values[name]
        values[name] = word.value if isinstance(word, Enum) else word
    values["evidence"] = json.dumps(alert.evidence)
    values["said"] = None if alert.said is None else json.dumps(alert.said)
    return values


def values_of_event(event: AlertEvent, version: int) -> dict[str, object]:
    """Parameters of INSERT_EVENT."""
    return {
        "id": event.id,
        "alert_id": event.alert_id,
        "version": version,
        "kind": event.kind.value,
        "at": event.at,
        "actor": event.actor,
        "data": json.dumps(event.data),
    }


def plain(value: object) -> Any:
    """The value as a JSON column can hold it: no NaN or infinity (None), no NUL in texts, words for enumerations."""
    match value:
        case Enum():
            return plain(value.value)
        case bool() | None | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case str():
            return storable(value)
        case datetime():
            return value.isoformat()
        case Mapping():
            return {storable(str(key)): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case UUID():
            return str(value)
    raise TypeError(f"an alert's event cannot hold {type(value).__name__}")
