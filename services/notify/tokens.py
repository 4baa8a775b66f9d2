"""What a 311 system took for a token gets its number here, as soon as the system has one.

It is asked now and then, about some of them, between deliveries: it refuses to let one that does not answer hold
deliveries up for longer than one time-out.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.domain.errors import Unavailable
from services.notify.channels.open311 import PENDING, number_for
from services.notify.settings import Open311Route
from services.store.connection import Connection
from services.store.telling import outbox

_LOG: Final = logging.getLogger("citygauge.notify")
EVERY: Final = timedelta(minutes=10)
AT_ONCE: Final = 20
ASKED_FOR: Final = timedelta(days=30)
"""A token that has no number by then is not asked about any more."""


@dataclass(slots=True)
class Tokens:
    """The tokens of one route, over a connection in autocommit mode."""

    conn: Connection
    route: Open311Route
    next_at: datetime | None = None

    def exchange(self, now: datetime) -> int:
        """Ask, where it is time to; returns how many numbers came. Raises Unavailable: the database is away."""
        if self.next_at is not None and now < self.next_at:
            return 0
        self.next_at = now + EVERY
        name, numbers = self.route.name, 0
        since = now - ASKED_FOR
        for event_id, round_, receipt in outbox.with_receipt(
            self.conn, name, PENDING, since=since, limit=AT_ONCE
        ):
            try:
                number = number_for(receipt, self.route)
            except Unavailable as error:
                _LOG.warning("numbers for tokens wait: route=%s problem=%s", name, error)
                break
            if number is not None:
                outbox.record_receipt(self.conn, event_id, name, round_, number)
                numbers += 1
        return numbers
