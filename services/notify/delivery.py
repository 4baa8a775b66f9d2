"""Makes the deliveries of one route that are due: lend, send, record, with growing pauses after failures.

A message is recorded as sent only after the other side took it: whoever is killed in between sends it again, with
the same event id. It never holds a transaction open while it sends.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.domain.errors import Unavailable
from services.notify.channels import Send
from services.notify.message import message_of, one_line
from services.notify.metrics import NotifyMetrics
from services.notify.routing import hidden
from services.notify.settings import NotifySettings, Route
from services.store import outbox
from services.store.connection import Connection
from services.store.outbox import Due

_LOG: Final = logging.getLogger("citygauge.notify")
BATCH: Final = 20


def pause_after(attempts: int, settings: NotifySettings, chance: float) -> timedelta:
    """How long to wait after so many attempts (1..): doubled each time up to the longest, between half and all of it.

    Args:
        chance: 0..1, so that many failures do not come back at one moment.
    """
    doubled = settings.first_retry_s * 2.0 ** min(attempts - 1, 40)
    return timedelta(seconds=min(doubled, settings.longest_retry_s) * (0.5 + 0.5 * chance))


@dataclass(frozen=True, slots=True)
class Courier:
    """Delivers for one route over one connection (in autocommit mode)."""

    conn: Connection
    route: Route
    send: Send
    settings: NotifySettings
    metrics: NotifyMetrics
    clock: Callable[[], datetime]

    def deliver(self) -> int:
        """Make deliveries that are due, at most `BATCH`; returns how many were in hand.

        Raises:
            Unavailable: the database is away (a channel that is away is a failed attempt, not an error here).
        """
        began = self.clock()
        lease = timedelta(seconds=self.settings.lease_s)
        lent = outbox.due(self.conn, began, BATCH, lease=lease, channel=self.route.name)
        for item in lent:
            if item is not lent[0] and self.clock() - began > lease / 2:
                break  # the rest is lent again when the lease is over; sending late could send twice
            self._one(item)
        return len(lent)

    def _one(self, item: Due) -> None:
        event, name, now = item.event.event, self.route.name, self.clock()
        if hidden(event, item.alert, now):
            self.metrics.hidden.inc()
            outbox.give_up(self.conn, event.id, name, now, "shelved before it was told")
            return
        started = time.perf_counter()
        try:
            self.send(message_of(event, item.alert))
        except Unavailable as error:
            self._failed(item, one_line(str(error), 500))
        except Exception as error:
            _LOG.exception("a message cannot be made or sent: route=%s event=%s", name, event.id)
            self._failed(item, one_line(f"{type(error).__name__}: {error}", 500))
        else:
            sent_at = self.clock()
            outbox.record_sent(self.conn, event.id, name, sent_at)
            self.metrics.sent.labels(name).inc()
            lag = (sent_at - item.event.stored_at).total_seconds()
            self.metrics.lag_seconds.labels(name).observe(max(0.0, lag))
        finally:
            self.metrics.send_seconds.labels(name).observe(time.perf_counter() - started)

    def _failed(self, item: Due, problem: str) -> None:
        event, name, now = item.event.event, self.route.name, self.clock()
        self.metrics.failed.labels(name).inc()
        if item.attempts >= self.settings.attempts:
            self.metrics.given_up.labels(name).inc()
            outbox.give_up(self.conn, event.id, name, now, problem)
            _LOG.error(
                "a message is given up: route=%s event=%s attempts=%d problem=%s",
                name,
                event.id,
                item.attempts,
                problem,
            )
            return
        pause = pause_after(item.attempts, self.settings, random.random())
        outbox.record_failure(self.conn, event.id, name, now + pause, problem)
        _LOG.warning(
            "a message was not taken: route=%s event=%s attempts=%d retry_in_s=%.1f problem=%s",
            name,
            event.id,
            item.attempts,
            pause.total_seconds(),
            problem,
        )
