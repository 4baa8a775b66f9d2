"""Tells an alert event by SMS, chat or push through Apprise, an optional package. Text only, never markup.

Apprise has no ids by which a receiver could drop a message that came twice.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Mapping
from typing import Final

from services.domain.condition import Severity
from services.domain.errors import Unavailable
from services.domain.sentences.problem import problem
from services.notify.channels.faults import why
from services.notify.digest import Told
from services.notify.message import one_line
from services.notify.public_routes import AppriseRoute, plugin

_KINDS: Final[Mapping[Severity, str]] = {
    Severity.INFO: "info",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "failure",
}


def channel(route: AppriseRoute) -> Callable[[Told], None]:
    """Sends by the one service of the route."""
    who = f"apprise {route.name}"

    def send(message: Told) -> None:
        apprise = importlib.import_module("apprise")
        service = plugin(route.url.get_secret_value())
        service.socket_connect_timeout = service.socket_read_timeout = route.timeout_s
        sender = apprise.Apprise()
        sender.add(service)
        with apprise.LogCapture(level=logging.WARNING) as said:
            try:
                taken = sender.notify(
                    body=message.text,
                    title=message.title,
                    notify_type=_KINDS[message.severity],
                    body_format=apprise.NotifyFormat.TEXT,
                )
            except (
                Exception
            ) as error:  # a plugin for each of a hundred services: whatever it raises
                raise Unavailable(who, why(error)) from error
            answer = one_line(said.getvalue())
        if not taken:
            reason = problem("answered", answer=answer) if answer else problem("no_reason")
            raise Unavailable(who, reason)

    return send
