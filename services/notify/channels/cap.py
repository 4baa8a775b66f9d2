"""Publishes an alert event in a CAP feed: as an Alert, an Update or a Cancel of what the feed said of it before.

It writes the message into the database, where the API serves it; a message is published once, whatever is retried.
What the feed never began it neither updates nor cancels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from services.domain.alert import EventKind
from services.domain.errors import SettingError, Unavailable
from services.domain.sentences.problem import problem
from services.notify.cap_document import cap_message, identifier_of
from services.notify.digest import DigestMessage, Told
from services.notify.message import GROWING, Message
from services.notify.settings import CapRoute
from services.store.connection import Connection
from services.store.telling.cap_messages import CapKind, CapMessage, publish

_ENDS: Final = frozenset({EventKind.CLEARED, EventKind.RESOLVED})


def kind_of(message: Message, before: Sequence[CapMessage]) -> CapKind | None:
    """What the message is in a feed that published `before` of the same event; None: nothing to say."""
    if message.kind in GROWING:
        return CapKind.UPDATE if before else CapKind.ALERT
    if not before:
        return None
    return CapKind.CANCEL if message.kind in _ENDS else CapKind.UPDATE


def channel(
    route: CapRoute,
    conn: Connection | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Callable[[Told], str]:
    """Publishes over the courier's connection.

    Raises:
        SettingError: there is no connection to a database.
    """
    if conn is None:
        raise SettingError("database.url", "a CAP feed is published through the database")

    def send(message: Told) -> str:
        if isinstance(message, DigestMessage):
            raise Unavailable(f"cap {route.name}", problem("digest_cap"))

        def write(before: Sequence[CapMessage]) -> CapMessage | None:
            kind = kind_of(message, before)
            return None if kind is None else cap_message(message, route, kind, before, clock())

        identifier = identifier_of(message)
        published = publish(conn, route.name, message.group_id, identifier, write)
        if published is None:
            return "nothing to publish"
        return f"{published.kind} {published.identifier}"

    return send
