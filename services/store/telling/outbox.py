"""The outbox: alert events that people may have to hear of, routed to channels, delivered at least once.

Nobody holds a transaction open while a channel is called: `due` lends deliveries for a time, and what is not
recorded by then is lent again. It refuses to send anything itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from services.domain.alert import Alert
from services.store.alerting import alert_statements
from services.store.alerting.alert_statements import StoredEvent, alert_of, event_of
from services.store.connection import Connection, transaction
from services.store.page import check_limit
from services.store.telling import outbox_statements as statements
from services.store.telling.delivery import (
    Backlog,
    Delivery,
    Due,
    Gathered,
    Planned,
    Reason,
    Waiting,
)
from services.store.telling.sites import sites
from services.store.text import storable

__all__ = ["Backlog", "Delivery", "Due", "Gathered", "Planned", "Reason", "Waiting"]
_LONGEST_TEXT: Final = 2_000
DEFAULT_LEASE: Final = timedelta(seconds=60)
LARGEST_DIGEST: Final = 500
_REASON: Final = 8


def waiting(conn: Connection, limit: int) -> Sequence[Waiting]:
    """Events to be routed, in the order of the log, locked for the caller's transaction; others skip them."""
    rows = conn.execute(alert_statements.OUTBOX_WAITING, (check_limit(limit),)).fetchall()
    events = [(row[0], event_of(row[1:])) for row in rows]
    alerts = _alerts(conn, [event for _, event in events])
    places = sites(conn, {alert.subject for alert in alerts.values()})
    found = [(at, event, alerts[event.event.alert_id]) for at, event in events]
    return [Waiting(at, event, alert, places[alert.subject]) for at, event, alert in found]


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
    plan(conn, [(event_id, [Planned(channel, at) for channel in channels])])


def plan(conn: Connection, decisions: Sequence[tuple[uuid.UUID, Sequence[Planned]]]) -> None:
    """Notes for each event who shall hear of it and when (nobody: an empty list); the same call again does nothing."""
    if not decisions:
        return
    with transaction(conn):
        fresh = {
            row[0] for row in conn.execute(statements.ROUTED, ([id_ for id_, _ in decisions],))
        }
        rows = [(id_, each) for id_, planned in decisions if id_ in fresh for each in planned]
        if rows:
            values = {
                "events": [id_ for id_, _ in rows],
                "channels": [each.channel for _, each in rows],
                "at": [each.at for _, each in rows],
                "reasons": [each.reason.value for _, each in rows],
                "held": [each.held_until for _, each in rows],
            }
            conn.execute(statements.ADD_DELIVERIES, values)


def due(
    conn: Connection,
    now: datetime,
    limit: int,
    *,
    lease: timedelta = DEFAULT_LEASE,
    channel: str | None = None,
    gathers: bool = False,
) -> Sequence[Due]:
    """Lends deliveries that are due until `now + lease`, in the order of the log, and counts the attempt.

    With `channel` those of one channel alone, so that no other can stand in its way; where it `gathers`, those that
    were held back are left to `gather`.

    Commit before sending. Whoever dies while sending loses nothing: the delivery is lent again, so a channel may
    hear of an event twice.
    """
    values = {
        "now": now,
        "until": now + lease,
        "limit": check_limit(limit),
        "channel": channel,
        "gathers": gathers,
    }
    with transaction(conn):
        return _lent(conn, conn.execute(statements.DUE, values).fetchall())


def gather(
    conn: Connection, now: datetime, channel: str, *, lease: timedelta = DEFAULT_LEASE
) -> Gathered | None:
    """Lends, as `due` does, every delivery of the channel that was held back and is due, as one digest.

    One that was begun before is lent again with the same id and the same deliveries; None where nothing is due.
    """
    values: dict[str, Any] = {"now": now, "until": now + lease, "channel": channel}
    with transaction(conn):
        row = conn.execute(statements.BEGUN_DIGEST, values).fetchone()
        values |= {"digest": uuid.uuid4() if row is None else row[0], "limit": LARGEST_DIGEST}
        statement = statements.NEW_DIGEST if row is None else statements.DIGEST_AGAIN
        items = _lent(conn, conn.execute(statement, values).fetchall())
    return Gathered(values["digest"], items) if items else None


def record_sent(
    conn: Connection,
    event_id: uuid.UUID,
    channel: str,
    at: datetime,
    *,
    round: int = 0,  # noqa: A002
    receipt: str | None = None,
    again_at: datetime | None = None,
) -> None:
    """The channel has taken the event; `receipt` is what it answered; it is told again at `again_at`, if given."""
    values = {
        **_key(event_id, channel, round),
        "at": at,
        "receipt": None if receipt is None else _cut(receipt),
        "again_at": again_at,
    }
    if again_at is None:
        conn.execute(statements.SENT, values)
        return
    with transaction(conn):
        if conn.execute(statements.SENT, values).rowcount:
            conn.execute(statements.AGAIN, values)


def with_receipt(
    conn: Connection, channel: str, beginning: str, *, since: datetime, limit: int
) -> Sequence[tuple[uuid.UUID, int, str]]:
    """Event, round and receipt of some deliveries sent after `since` whose receipt begins so."""
    values = {
        "channel": channel,
        "beginning": beginning,
        "since": since,
        "limit": check_limit(limit),
    }
    return conn.execute(statements.WITH_RECEIPT, values).fetchall()


def record_receipt(
    conn: Connection, event_id: uuid.UUID, channel: str, round_: int, receipt: str
) -> None:
    """What the other side answers later for a delivery that it has taken."""
    conn.execute(
        statements.EXCHANGED, {**_key(event_id, channel, round_), "receipt": _cut(receipt)}
    )


def record_failure(
    conn: Connection,
    event_id: uuid.UUID,
    channel: str,
    next_attempt_at: datetime,
    error: str,
    *,
    round: int = 0,  # noqa: A002
    at: datetime | None = None,
) -> None:
    """The channel did not take the event at `at` (None: just now); it is due again at `next_attempt_at`."""
    values = {**_key(event_id, channel, round), "next": next_attempt_at, "error": _cut(error)}
    conn.execute(statements.FAILED, {**values, "at": at})


def give_up(
    conn: Connection,
    event_id: uuid.UUID,
    channel: str,
    at: datetime,
    error: str,
    *,
    round: int = 0,  # noqa: A002
    needless: bool = False,
) -> None:
    """The channel will not be tried again for this event: in vain, or because it is `needless` by now."""
    values = {**_key(event_id, channel, round), "at": at, "error": _cut(error)}
    conn.execute(statements.NEEDLESS if needless else statements.GIVEN_UP, values)


def postpone(conn: Connection, item: Due, until: datetime) -> None:
    """What was lent is due again at `until`; nothing was tried."""
    key = _key(item.event.event.id, item.channel, item.round)
    conn.execute(statements.POSTPONE, {**key, "until": until})


def told_before(conn: Connection, item: Due) -> bool:
    """Whether the channel has taken anything of the same event (the alert's group) before."""
    values = {"group": item.alert.group_id or item.alert.id, "channel": item.channel}
    return _flag(conn.execute(statements.TOLD_BEFORE, values).fetchone())


def group_waits(conn: Connection, item: Due) -> bool:
    """Whether others of the same event (the alert's group) are open and nobody has acknowledged them."""
    values = {"group": item.alert.group_id or item.alert.id, "alert": item.alert.id}
    return _flag(conn.execute(statements.GROUP_WAITS, values).fetchone())


def told_worse(conn: Connection, item: Due) -> bool:
    """Whether the channel hears of a later and worse turn of the same alert, so that this telling is old."""
    event = item.event
    values = {
        "alert": event.event.alert_id, "position": event.position, "channel": item.channel
    }  # fmt: skip
    return _flag(conn.execute(statements.TOLD_WORSE, values).fetchone())


def give_up_removed(
    conn: Connection, channels: Sequence[str], now: datetime, grace: timedelta
) -> int:
    """Gives up what is due for channels that are not (any more) in the settings; returns how many deliveries.

    Only what nobody has lent for `grace`: an older notifier with the old settings may still be at work.
    """
    values = {"channels": list(channels), "now": now, "before": now - grace}
    return conn.execute(statements.REMOVED, values).rowcount


def next_due(conn: Connection) -> datetime | None:
    """When the earliest delivery is due; None when there is none."""
    row = conn.execute(statements.NEXT_DUE).fetchone()
    return None if row is None else row[0]


def deliveries(conn: Connection, event_id: uuid.UUID) -> Sequence[Delivery]:
    """What became of the event, by channel and round."""
    found = []
    for row in conn.execute(statements.OF_EVENT, (event_id,)):
        facts = list(row)
        facts[_REASON] = Reason(facts[_REASON])
        found.append(Delivery(*facts))
    return found


def backlog(conn: Connection) -> Backlog:
    """How much waits, for metrics; what is planned for later does not."""
    row = conn.execute(statements.BACKLOG).fetchone()
    assert row is not None
    return Backlog(*row)


def _lent(conn: Connection, rows: Sequence[Any]) -> list[Due]:
    ids = list({row[0] for row in rows})
    events = {
        event.event.id: event
        for event in map(event_of, conn.execute(alert_statements.EVENTS_BY_ID, (ids,)))
    }
    alerts = _alerts(conn, list(events.values()))
    places = sites(conn, {alert.subject for alert in alerts.values()})
    found = []
    for id_, channel, attempts, round_, reason, created_at, held_until in rows:
        alert = alerts[events[id_].event.alert_id]
        found.append(
            Due(
                events[id_], alert, channel, attempts, round_, Reason(reason), created_at, held_until,
                places[alert.subject],
            )
        )  # fmt: skip
    return sorted(found, key=lambda item: (item.event.position, item.channel, item.round))


def _alerts(conn: Connection, events: Sequence[StoredEvent]) -> dict[uuid.UUID, Alert]:
    ids = list({event.event.alert_id for event in events})
    return {row[0]: alert_of(row) for row in conn.execute(alert_statements.GET, (ids,))}


def _key(event_id: uuid.UUID, channel: str, round_: int) -> dict[str, object]:
    return {"event_id": event_id, "channel": channel, "round": round_}


def _flag(row: Sequence[Any] | None) -> bool:
    assert row is not None
    return bool(row[0])


def _cut(text: str) -> str:
    return storable(text)[:_LONGEST_TEXT]
