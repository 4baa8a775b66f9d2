"""Sends one real message by a route, marked as a test; no alert is made for it.

Only a CAP feed writes into the database: the message, with status Test.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime

from services.domain.alert import EventKind
from services.domain.condition import Severity
from services.domain.errors import SettingError
from services.domain.sentences.language import ENGLISH, LANGUAGES, language_of
from services.notify.channels import sender
from services.notify.message import TEST, Message
from services.notify.settings import NotifySettings
from services.store.connection import Connection


def send_test(
    settings: NotifySettings, route: str, now: datetime, conn: Connection | None = None
) -> tuple[Message, str | None]:
    """Send a test message by the route of that name; returns it and what the other side answered, if that is kept.

    Args:
        conn: to the database; only a CAP feed needs it.

    Raises:
        SettingError: there is no such route; the message lists those that there are.
        Unavailable: the other side did not take it; the message says why.
    """
    by_name = {known.name: known for known in settings.routes}
    if route not in by_name:
        raise SettingError("notify.routes", f"no route {route!r}; there are {', '.join(by_name)}")
    chosen = by_name[route]
    language = language_of(chosen.language) or ENGLISH
    message = Message(
        event_id=uuid.uuid4(),
        kind=EventKind.RAISED,
        alert_id=uuid.uuid4(),
        rule=TEST,
        subject=LANGUAGES[language].words("message.test_subject"),
        severity=Severity.INFO,
        sentence=LANGUAGES[language].words("message.trial", route=route),
        language=language,
        detail=None,
        started_at=now,
        at=now,
        actor="citygauge",
        evidence={},
        test=True,
    )
    worded = replace(message, title_template=chosen.title, text_template=chosen.text)
    return message, sender(chosen, conn)(worded)
