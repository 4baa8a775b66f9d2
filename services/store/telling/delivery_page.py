"""Deliveries as people look at them: which message went where, when, after how many attempts, and what went wrong."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, LiteralString

from services.domain.alert import EventKind
from services.domain.condition import Rule
from services.domain.errors import InvalidInput
from services.domain.instant import to_us
from services.store.connection import Connection
from services.store.page import Page, check_limit, decode_cursor, page_of
from services.store.telling.delivery import Reason
from services.store.text import storable

PAGE: Final[LiteralString] = """
    SELECT d.event_id, e.alert_id, e.kind, a.rule, a.subject, d.channel, d.round, d.reason,
           CASE WHEN d.sent_at IS NOT NULL THEN 'sent' WHEN d.given_up_at IS NULL THEN 'waiting'
                WHEN d.needless THEN 'needless' ELSE 'given_up' END AS state,
           d.attempts, d.created_at, d.held_until,
           CASE WHEN d.sent_at IS NULL AND d.given_up_at IS NULL THEN d.next_attempt_at END,
           d.sent_at, d.given_up_at, d.last_error, d.receipt, d.digest_id
      FROM delivery AS d JOIN alert_event AS e ON e.id = d.event_id JOIN alert AS a ON a.id = e.alert_id
     WHERE (%(alert)s::uuid IS NULL OR e.alert_id = %(alert)s)
       AND (%(event)s::uuid IS NULL OR d.event_id = %(event)s)
       AND (%(channel)s::text IS NULL OR d.channel = %(channel)s)
       AND (%(state)s::text IS NULL OR %(state)s =
            CASE WHEN d.sent_at IS NOT NULL THEN 'sent' WHEN d.given_up_at IS NULL THEN 'waiting'
                 WHEN d.needless THEN 'needless' ELSE 'given_up' END)
       AND (%(us)s::bigint IS NULL
            OR (d.created_at, d.event_id, d.channel, d.round)
               < (timestamptz 'epoch' + %(us)s * interval '1 us', %(id)s::uuid, %(name)s::text, %(round)s::integer))
     ORDER BY d.created_at DESC, d.event_id DESC, d.channel DESC, d.round DESC LIMIT %(limit)s
"""
ATTEMPTS: Final[LiteralString] = """
    SELECT event_id, channel, round, attempt, at, problem FROM delivery_attempt
     WHERE event_id = ANY(%s) ORDER BY attempt DESC
"""
_SHOWN: Final = 20


class DeliveryState(StrEnum):
    """What became of a delivery so far."""

    WAITING = "waiting"
    SENT = "sent"
    GIVEN_UP = "given_up"
    NEEDLESS = "needless"


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """One attempt that the other side did not take."""

    attempt: int
    at: datetime
    problem: str


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One delivery with its failed attempts, the newest first (at most 20).

    Attributes:
        event_id, alert_id, event: what is told, and of which alert; rule, subject: of what; route: to whom.
        round: 0 for the first telling, 1.. for repetitions; reason: why.
        next_attempt_at: while it waits; held_until: by quiet hours or for a digest.
        problem: of the last attempt, or why nobody needed it; receipt: what the other side answered.
    """

    event_id: uuid.UUID
    alert_id: uuid.UUID
    event: EventKind
    rule: Rule
    subject: str
    route: str
    round: int
    reason: Reason
    state: DeliveryState
    attempts: int
    created_at: datetime
    held_until: datetime | None
    next_attempt_at: datetime | None
    sent_at: datetime | None
    given_up_at: datetime | None
    problem: str | None
    receipt: str | None
    digest_id: uuid.UUID | None
    failures: Sequence[FailedAttempt]


_WORDS: Final[Mapping[int, type[StrEnum]]] = {2: EventKind, 3: Rule, 7: Reason, 8: DeliveryState}
"""Column of PAGE -> the enumeration of its words."""


def delivery_page(
    conn: Connection,
    *,
    limit: int,
    alert: uuid.UUID | None = None,
    event: uuid.UUID | None = None,
    route: str | None = None,
    state: DeliveryState | None = None,
    after: str | None = None,
) -> Page[DeliveryRecord]:
    """Deliveries, the newest first, at most `limit` (up to 1,000)."""
    key = (None,) * 4 if after is None else decode_cursor(after, int, str, str, int)
    values: dict[str, Any] = {
        "limit": check_limit(limit, 1_000) + 1,
        "alert": alert,
        "event": event,
        "channel": None if route is None else storable(route),
        "state": state,
        "us": key[0],
        "id": None if after is None else _uuid(key[1], after),
        "name": key[2],
        "round": key[3],
    }
    rows = conn.execute(PAGE, values).fetchall()
    failures = _failures(conn, list({row[0] for row in rows}))
    found = []
    for row in rows:
        told = failures.get((row[0], row[5], row[6]), [])[:_SHOWN]
        facts = [*row, told]
        for place, kind in _WORDS.items():
            facts[place] = kind(facts[place])
        found.append(DeliveryRecord(*facts))
    return page_of(found, limit, lambda d: (to_us(d.created_at), str(d.event_id), d.route, d.round))


def _failures(
    conn: Connection, event_ids: Sequence[uuid.UUID]
) -> Mapping[tuple[uuid.UUID, str, int], list[FailedAttempt]]:
    found: dict[tuple[uuid.UUID, str, int], list[FailedAttempt]] = {}
    if event_ids:
        for event_id, channel, round_, *facts in conn.execute(ATTEMPTS, (event_ids,)):
            found.setdefault((event_id, channel, round_), []).append(FailedAttempt(*facts))
    return found


def _uuid(value: object, cursor: str) -> uuid.UUID:
    try:
        return uuid.UUID(str(value))
    except ValueError:
        raise InvalidInput(
            "after", cursor, "the 'next' of the page before, as it was returned"
        ) from None
