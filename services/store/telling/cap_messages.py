"""CAP messages as they were published: what is published stays as it is, and each is published once.

A chain is one event (a group of alerts) from its Alert to its Cancel. It refuses to write XML; whoever publishes does.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, LiteralString

from services.store.connection import Connection, transaction
from services.store.page import Page, check_limit, decode_cursor, page_of
from services.store.text import storable

_COLUMNS: Final[LiteralString] = (
    "identifier, feed, chain, kind, sender, sent, expires, headline, document"
)
# Publishers of one feed take turns, so that each sees what the chain holds.
TAKE_TURNS: Final[LiteralString] = (
    "SELECT pg_advisory_xact_lock(hashtextextended('citygauge cap ' || %s, 1))"
)
KNOWN: Final[LiteralString] = (
    "SELECT EXISTS (SELECT FROM cap_message WHERE identifier = %s AND feed = %s)"
)
CHAIN: Final[LiteralString] = f"""
    SELECT {_COLUMNS} FROM cap_message
     WHERE feed = %(feed)s AND chain = %(chain)s
       AND position > coalesce((SELECT max(position) FROM cap_message
                                 WHERE feed = %(feed)s AND chain = %(chain)s AND kind = 'Cancel'), 0)
     ORDER BY position
"""
INSERT: Final[LiteralString] = f"""
    INSERT INTO cap_message ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
IN_FORCE: Final[LiteralString] = f"""
    SELECT {_COLUMNS}, position FROM cap_message
     WHERE feed = %(feed)s AND expires > %(now)s AND (%(before)s::bigint IS NULL OR position < %(before)s)
     ORDER BY position DESC LIMIT %(limit)s
"""
GET: Final[LiteralString] = (
    f"SELECT {_COLUMNS} FROM cap_message WHERE feed = %s AND identifier = %s"
)


class CapKind(StrEnum):
    """The types of message (msgType) that a feed has."""

    ALERT = "Alert"
    UPDATE = "Update"
    CANCEL = "Cancel"


@dataclass(frozen=True, slots=True)
class CapMessage:
    """One published message.

    Attributes:
        identifier: unique in the world together with `sender`.
        feed: the route that published it; chain: the event that it is about.
        sent, expires: aware UTC, whole seconds; headline: one line; document: the XML.
    """

    identifier: str
    feed: str
    chain: uuid.UUID
    kind: CapKind
    sender: str
    sent: datetime
    expires: datetime
    headline: str
    document: str


def publish(
    conn: Connection,
    feed: str,
    chain: uuid.UUID,
    identifier: str,
    write: Callable[[Sequence[CapMessage]], CapMessage | None],
) -> CapMessage | None:
    """Publishes what `write` makes of the chain so far (since its last Cancel); None where it makes nothing.

    A message that is published already stays, and nothing is written: None too.
    """
    with transaction(conn):
        conn.execute(TAKE_TURNS, (feed,))
        row = conn.execute(KNOWN, (identifier, feed)).fetchone()
        if row is not None and row[0]:
            return None
        rows = conn.execute(CHAIN, {"feed": feed, "chain": chain})
        message = write([_message(row) for row in rows])
        if message is not None:
            values = [
                storable(each) if isinstance(each, str) else each for each in _values(message)
            ]
            conn.execute(INSERT, values)
        return message


def in_force(
    conn: Connection, feed: str, now: datetime, *, limit: int, after: str | None = None
) -> Page[CapMessage]:
    """The feed's messages that have not expired, the newest first, at most `limit` (up to 1,000)."""
    before = None if after is None else decode_cursor(after, int)[0]
    values = {
        "feed": storable(feed), "now": now, "before": before, "limit": check_limit(limit, 1_000) + 1
    }  # fmt: skip
    rows = conn.execute(IN_FORCE, values).fetchall()
    page = page_of(rows, limit, lambda row: (row[-1],))
    return Page([_message(row[:-1]) for row in page.items], page.next)


def get(conn: Connection, feed: str, identifier: str) -> CapMessage | None:
    """The message of this identifier, if the feed has it."""
    row = conn.execute(GET, (storable(feed), storable(identifier))).fetchone()
    return None if row is None else _message(row)


def _values(message: CapMessage) -> list[Any]:
    return [
        message.identifier,
        message.feed,
        message.chain,
        message.kind.value,
        message.sender,
        message.sent,
        message.expires,
        message.headline,
        message.document,
    ]


def _message(row: Sequence[Any]) -> CapMessage:
    facts = list(row)
    facts[3] = CapKind(facts[3])
    return CapMessage(*facts)
