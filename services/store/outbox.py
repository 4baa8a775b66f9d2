"""The outbox: alert events that people may have to hear of, routed to channels, delivered at least once.

Nobody holds a transaction open while a channel is called: `due` lends deliveries for a time, and what is not
recorded by then is lent again. It refuses to send anything itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, LiteralString

from services.domain.alert import Alert
from services.store import alert_statements
from services.store.alert_statements import StoredEvent, alert_of, event_of
from services.store.connection import Connection, transaction
from services.store.page import check_limit
from services.store.text import storable

_LONGEST_ERROR: Final = 2_000
DEFAULT_LEASE: Final = timedelta(seconds=60)

ROUTED: Final[LiteralString] = """
    UPDATE outbox SET routed_at = clock_timestamp() WHERE event_id = %s AND routed_at IS NULL
"""
ADD_DELIVERY: Final[LiteralString] = """
    INSERT INTO delivery (event_id, channel, next_attempt_at)
    VALUES (%s, %s, coalesce(%s::timestamptz, clock_timestamp())) ON CONFLICT DO NOTHING
"""
DUE: Final[LiteralString] = """
    UPDATE delivery AS d SET attempts = d.attempts + 1, next_attempt_at = %(until)s
      FROM (SELECT event_id, channel FROM delivery
             WHERE sent_at IS NULL AND given_up_at IS NULL AND next_attempt_at <= %(now)s
               AND (%(channel)s::text IS NULL OR channel = %(channel)s)
             ORDER BY next_attempt_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS chosen
     WHERE d.event_id = chosen.event_id AND d.channel = chosen.channel
    RETURNING d.event_id, d.channel, d.attempts
"""
SENT: Final[LiteralString] = """
    UPDATE delivery SET sent_at = %(at)s, last_error = NULL
     WHERE event_id = %(event_id)s AND channel = %(channel)s AND sent_at IS NULL
"""
FAILED: Final[LiteralString] = """
    UPDATE delivery SET next_attempt_at = %(next)s, last_error = %(error)s
     WHERE event_id = %(event_id)s AND channel = %(channel)s AND sent_at IS NULL
"""
GIVEN_UP: Final[LiteralString] = """
    UPDATE delivery SET given_up_at = %(at)s, last_error = %(error)s
     WHERE event_id = %(event_id)s AND channel = %(channel)s AND sent_at IS NULL
"""
NEXT_DUE: Final[LiteralString] = """
    SELECT min(next_attempt_at) FROM delivery WHERE sent_at IS NULL AND given_up_at IS NULL
"""
OF_EVENT: Final[LiteralString] = """
    SELECT event_id, channel, attempts, next_attempt_at, sent_at, given_up_at, last_error FROM delivery
     WHERE event_id = %s ORDER BY channel
"""
BACKLOG: Final[LiteralString] = """
    SELECT (SELECT count(*)::bigint FROM outbox WHERE routed_at IS NULL),
           (SELECT count(*)::bigint FROM delivery WHERE sent_at IS NULL AND given_up_at IS NULL),
           (SELECT count(*)::bigint FROM delivery WHERE given_up_at IS NOT NULL)
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that nobody has routed yet, and its alert as it stands now."""

    created_at: datetime
    event: StoredEvent
    alert: Alert


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that is lent to the caller: the event, its alert as it stands now, the channel, the attempt (1..)."""

    event: StoredEvent
    alert: Alert
    channel: str
    attempts: int


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


@dataclass(frozen=True, slots=True)
class Backlog:
    """Events that are not routed, deliveries that are not made, deliveries that were given up."""

    waiting: int
    undelivered: int
    given_up: int


def waiting(conn: Connection, limit: int) -> Sequence[Waiting]:
    """Events to be routed, in the order of the log, locked for the caller's transaction; others skip them."""
    rows = conn.execute(alert_statements.OUTBOX_WAITING, (check_limit(limit),)).fetchall()
    events = [(row[0], event_of(row[1:])) for row in rows]
    alerts = _alerts(conn, [event for _, event in events])
    return [Waiting(at, event, alerts[event.event.alert_id]) for at, event in events]


def route(
    conn: Connection,
    event_id: uuid.UUID,
    channels: Sequence[str],
    *,
    at: datetime | None = None,
) -> None:
    """Notes the channels that shall hear of the event (none: nobody), due at `at` (None: at once).

    The same call again does nothing.
    """
    with transaction(conn):
        if conn.execute(ROUTED, (event_id,)).rowcount and channels:
            with conn.cursor() as cursor:
                cursor.executemany(ADD_DELIVERY, [(event_id, channel, at) for channel in channels])


def due(
    conn: Connection,
    now: datetime,
    limit: int,
    *,
    lease: timedelta = DEFAULT_LEASE,
    channel: str | None = None,
) -> Sequence[Due]:
    """Lends deliveries that are due until `now + lease`, in the order of the log, and counts the attempt.

    With `channel` those of one channel alone, so that no other can stand in its way.

    Commit before sending. Whoever dies while sending loses nothing: the delivery is lent again, so a channel may
    hear of an event twice.
    """
    values = {"now": now, "until": now + lease, "limit": check_limit(limit), "channel": channel}
    with transaction(conn):
        lent = conn.execute(DUE, values).fetchall()
        ids = list({row[0] for row in lent})
        events = {
            event.event.id: event
            for event in map(event_of, conn.execute(alert_statements.EVENTS_BY_ID, (ids,)))
        }
        alerts = _alerts(conn, list(events.values()))
    found = [
        Due(events[id_], alerts[events[id_].event.alert_id], channel, attempts)
        for id_, channel, attempts in lent
    ]
    return sorted(found, key=lambda item: (item.event.position, item.channel))


def record_sent(conn: Connection, event_id: uuid.UUID, channel: str, at: datetime) -> None:
    """The channel has taken the event."""
    conn.execute(SENT, {"event_id": event_id, "channel": channel, "at": at})


def record_failure(
    conn: Connection, event_id: uuid.UUID, channel: str, next_attempt_at: datetime, error: str
) -> None:
    """The channel did not take the event; it is due again at `next_attempt_at`."""
    values = {
        "event_id": event_id,
        "channel": channel,
        "next": next_attempt_at,
        "error": _cut(error),
    }
    conn.execute(FAILED, values)


def give_up(conn: Connection, event_id: uuid.UUID, channel: str, at: datetime, error: str) -> None:
    """The channel will not be tried again for this event."""
    conn.execute(
        GIVEN_UP, {"event_id": event_id, "channel": channel, "at": at, "error": _cut(error)}
    )


def next_due(conn: Connection) -> datetime | None:
    """When the earliest delivery is due; None when there is none."""
    row = conn.execute(NEXT_DUE).fetchone()
    return None if row is None else row[0]


def deliveries(conn: Connection, event_id: uuid.UUID) -> Sequence[Delivery]:
    """What became of the event, by channel."""
    return [Delivery(*row) for row in conn.execute(OF_EVENT, (event_id,))]


def backlog(conn: Connection) -> Backlog:
    """How much waits, for metrics."""
    row = conn.execute(BACKLOG).fetchone()
    assert row is not None
    return Backlog(*row)


def _alerts(conn: Connection, events: Sequence[StoredEvent]) -> dict[uuid.UUID, Alert]:
    ids = list({event.event.alert_id for event in events})
    return {row[0]: alert_of(row) for row in conn.execute(alert_statements.GET, (ids,))}


def _cut(error: str) -> str:
    return storable(error)[:_LONGEST_ERROR]
