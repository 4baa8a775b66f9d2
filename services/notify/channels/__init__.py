"""The channels by name: each makes, from its route's settings, a function that sends one message or raises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from services.notify.channels import cap, email, log, open311, push, webhook
from services.notify.digest import Told
from services.notify.settings import CapRoute, Channel, Route
from services.store.connection import Connection

Send: TypeAlias = Callable[[Told], str | None]
"""Tells one message. Returns when the other side has taken it, with what it answered where that is worth keeping;
raises `Unavailable` when it did not."""

CHANNELS: Final[Mapping[Channel, Callable[[Any], Send]]] = {
    Channel.LOG: log.channel,
    Channel.WEBHOOK: webhook.channel,
    Channel.EMAIL: email.channel,
    Channel.APPRISE: push.channel,
    Channel.CAP: cap.channel,
    Channel.OPEN311: open311.channel,
}


def sender(route: Route, conn: Connection | None = None) -> Send:
    """How messages leave by this route. No connection is made yet; a CAP feed takes that to the database."""
    if isinstance(route, CapRoute):
        return cap.channel(route, conn)
    return CHANNELS[route.channel](route)
