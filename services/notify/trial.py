"""Sends one real message by a route, marked as a test; nothing is read from the database or written to it."""

from __future__ import annotations

import uuid
from datetime import datetime

from services.domain.alert import EventKind
from services.domain.condition import Severity
from services.domain.errors import SettingError
from services.notify.channels import sender
from services.notify.message import Message
from services.notify.settings import NotifySettings


def send_test(settings: NotifySettings, route: str, now: datetime) -> Message:
    """Send a test message by the route of that name and return it.

    Raises:
        SettingError: there is no such route; the message lists those that there are.
        Unavailable: the other side did not take it; the message says why.
    """
    by_name = {known.name: known for known in settings.routes}
    if route not in by_name:
        raise SettingError("notify.routes", f"no route {route!r}; there are {', '.join(by_name)}")
    message = Message(
        event_id=uuid.uuid4(),
        kind=EventKind.RAISED,
        alert_id=uuid.uuid4(),
        rule="test",
        subject="test",
        severity=Severity.INFO,
        sentence=f"Citygauge can tell you by the route {route}.",
        detail=None,
        started_at=now,
        at=now,
        actor="citygauge",
        evidence={},
        test=True,
    )
    sender(by_name[route])(message)
    return message
