"""The channels by name: each makes, from its route's settings, a function that sends one message or raises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from services.notify.channels import email, log, webhook
from services.notify.digest import Told
from services.notify.settings import Channel, Route

Send: TypeAlias = Callable[[Told], str | None]
"""Tells one message. Returns when the other side has taken it, with what it answered where that is worth keeping;
raises `Unavailable` when it did not."""

CHANNELS: Final[Mapping[Channel, Callable[[Any], Send]]] = {
    Channel.LOG: log.channel,
    Channel.WEBHOOK: webhook.channel,
    Channel.EMAIL: email.channel,
}


def sender(route: Route) -> Send:
    """How messages leave by this route. No connection is made yet."""
    return CHANNELS[route.channel](route)
