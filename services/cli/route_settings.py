"""Which routes there are and how one is tried: told to the API, so that people can see and test them."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.api.alerting.routes import RoutesInForce
    from services.notify.settings import NotifySettings


def routes_of(settings: NotifySettings, database: str) -> RoutesInForce:
    """The routes without addresses and secrets, and a way to send a real test by each.

    Args:
        database: a PostgreSQL address, into which a CAP feed writes its test.
    """
    from services.api.alerting.routes import RouteFacts, RoutesInForce

    facts = [
        RouteFacts(
            each.name,
            each.channel.value,
            each.minimal_severity.value,
            each.language,
            each.escalate_to,
        )
        for each in settings.routes
    ]
    return RoutesInForce(facts, lambda name: send_test_by(settings, name, database)[1])


def send_test_by(
    settings: NotifySettings, route: str, database: str | None
) -> tuple[str, str | None]:
    """Send a test by the route; its message's id, and what the other side answered.

    Raises:
        SettingError: there is no such route.
        Unavailable: the other side did not take it.
    """
    from services.notify.settings import CapRoute
    from services.notify.trial import send_test
    from services.store.connection import connect

    publishes = any(isinstance(each, CapRoute) and each.name == route for each in settings.routes)
    opened = (
        connect(database, "citygauge-notify-test", autocommit=True)
        if publishes and database
        else nullcontext()
    )
    with opened as conn:
        message, receipt = send_test(settings, route, datetime.now(UTC), conn)
    return str(message.message_id), receipt
