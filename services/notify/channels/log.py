"""Tells an alert event as one line of the service's log. It never fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from services.domain.condition import Severity
from services.notify.digest import Told
from services.notify.settings import LogRoute

_LOG: Final = logging.getLogger("citygauge.notify.alert")
_LEVELS: Final[Mapping[Severity, int]] = {
    Severity.INFO: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.CRITICAL: logging.ERROR,
}


def channel(route: LogRoute) -> Callable[[Told], None]:
    """Lines at the level of their severity, with the message's id."""

    def send(message: Told) -> None:
        _LOG.log(
            _LEVELS[message.severity],
            "%s route=%s event=%s alert=%s",
            message.title,
            route.name,
            message.message_id,
            message.thread_id,
        )

    return send
