"""Makes the deliveries of one route that are due: lend, send, record, with growing pauses after failures.

A message is recorded as sent only after the other side took it: whoever is killed in between sends it again, with
the same id. It never holds a transaction open while it sends.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from services.domain.errors import Unavailable
from services.domain.sentences.problem import problem
from services.notify.channels import Send
from services.notify.digest import DigestMessage, Told
from services.notify.due import needless
from services.notify.message import GROWING, Message, message_of, one_line
from services.notify.metrics import NotifyMetrics
from services.notify.patience import Patience
from services.notify.routing import held_until
from services.notify.settings import NotifySettings, Route
from services.store.connection import Connection, transaction
from services.store.telling import outbox
from services.store.telling.delivery import Due, Reason

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
    patience: Patience = field(default_factory=Patience)

    def deliver(self) -> int:
        """Make deliveries that are due, at most `BATCH` and a digest; returns how many were in hand.

        Raises:
            Unavailable: the database is away (a channel that is away is a failed attempt, not an error here).
        """
        began = self.clock()
        lease = timedelta(seconds=self.settings.lease_s)
        gathers = self.route.digest is not None
        lent = outbox.due(
            self.conn, began, BATCH, lease=lease, channel=self.route.name, gathers=gathers
        )
        if self.patience.away and lent:
            # one asks for all: the one least often tried, so that what alone is never taken stops nobody
            probe = min(lent, key=lambda item: item.attempts)
            self._give_back([item for item in lent if item is not probe])
            lent = [probe]
        for place, item in enumerate(lent):
            late = self.clock() - began > lease / 2  # who sends late could send twice
            if place and (late or self.patience.away):
                self._give_back(lent[place:])
                break
            if self._wanted(item):
                self._tell([item], self._message(item))
        digests = gathers and not (lent and self.patience.away)
        return len(lent) + (self._digest(lease) if digests else 0)

    def _give_back(self, items: Sequence[Due]) -> None:
        """What was not tried is due again at once, with the attempts that it had."""
        now = self.clock()
        for item in items:
            outbox.postpone(self.conn, item, now)

    def pause_s(self) -> float:
        """Seconds to leave the channel alone now; 0 unless it has failed several times in a row."""
        settings = self.settings
        pause = self.patience.pause_s(
            settings.first_retry_s, settings.longest_retry_s, random.random()
        )
        self.metrics.away.labels(self.route.name).set(self.patience.away)
        return pause

    def _digest(self, lease: timedelta) -> int:
        """Tell what was held back and is due as one message; returns how many deliveries that were."""
        gathered = outbox.gather(self.conn, self.clock(), self.route.name, lease=lease)
        if gathered is None:
            return 0
        items = [item for item in gathered.items if self._wanted(item)]
        if items:
            messages = [self._message(item) for item in items]
            self._tell(
                items, DigestMessage(gathered.id, messages, self.clock(), self.route.language)
            )
        return len(gathered.items)

    def _wanted(self, item: Due) -> bool:
        """Whether it is to be told now; what is not is recorded."""
        now = self.clock()
        route = self.route
        in_hours = bool((route.hours or route.days) and GROWING.intersection(route.events))
        found = needless(self.conn, item, now, in_hours=in_hours)
        if found is None:
            return True
        if found.until is not None:
            outbox.postpone(self.conn, item, found.until)
            return False
        self.metrics.hidden.inc()
        event_id, name = item.event.event.id, self.route.name
        outbox.give_up(self.conn, event_id, name, now, found.why, round=item.round, needless=True)
        return False

    def _message(self, item: Due) -> Message:
        url = self.settings.console_url
        return replace(
            message_of(item.event.event, item.alert).in_language(self.route.language),
            message_id=item.message_id,
            site=item.site,
            link=None if url is None else f"{url}/#/alert/{item.alert.id}",
            round=item.round,
            reason=item.reason,
            title_template=self.route.title,
            text_template=self.route.text,
        )

    def _tell(self, items: Sequence[Due], message: Told) -> None:
        """Send one message that tells all of `items`, and record what came of it."""
        name, started = self.route.name, time.perf_counter()
        try:
            receipt = self.send(message)
        except Unavailable as error:
            self._failed(items, one_line(str(error), 500))
        except Exception as error:
            _LOG.exception(
                "a message cannot be made or sent: route=%s message=%s", name, message.message_id
            )
            fault = one_line(f"{type(error).__name__}: {error}", 450)
            self._failed(items, problem("fault", fault=fault))
        else:
            self.patience.took()
            self._sent(items, receipt)
        finally:
            self.metrics.send_seconds.labels(name).observe(time.perf_counter() - started)

    def _sent(self, items: Sequence[Due], receipt: str | None) -> None:
        now = self.clock()
        if len(items) == 1:
            self._record_sent(items[0], now, receipt)
        else:
            with transaction(self.conn):
                for item in items:
                    self._record_sent(item, now, receipt)
        self.metrics.sent.labels(self.route.name).inc()

    def _record_sent(self, item: Due, now: datetime, receipt: str | None) -> None:
        name = self.route.name
        outbox.record_sent(
            self.conn,
            item.event.event.id,
            name,
            now,
            round=item.round,
            receipt=receipt,
            again_at=self._again_at(item, now),
        )
        if item.reason is Reason.ROUTED and item.held_until is None:
            lag = (now - item.event.stored_at).total_seconds()
            self.metrics.lag_seconds.labels(name).observe(max(0.0, lag))

    def _again_at(self, item: Due, now: datetime) -> datetime | None:
        """When it is told again; None where the route does not repeat, or nobody would need it."""
        if self.route.repeat_minutes is None or item.event.event.kind not in GROWING:
            return None
        at = now + timedelta(minutes=self.route.repeat_minutes)
        return held_until(self.route, item.alert.severity, item.site, at) or at

    def _failed(self, items: Sequence[Due], problem: str) -> None:
        name, now = self.route.name, self.clock()
        self.patience.refused()
        self.metrics.failed.labels(name).inc()
        # one pause for all: those of a digest come back together
        pause = pause_after(items[0].attempts, self.settings, random.random())
        for item in items:
            event_id = item.event.event.id
            if item.attempts >= self.settings.attempts:
                self.metrics.given_up.labels(name).inc()
                outbox.give_up(self.conn, event_id, name, now, problem, round=item.round)
                _LOG.error(
                    "a message is given up: route=%s event=%s attempts=%d problem=%s",
                    name,
                    event_id,
                    item.attempts,
                    problem,
                )
                continue
            outbox.record_failure(
                self.conn, event_id, name, now + pause, problem, round=item.round, at=now
            )
            _LOG.warning(
                "a message was not taken: route=%s event=%s attempts=%d retry_in_s=%.1f problem=%s",
                name,
                event_id,
                item.attempts,
                pause.total_seconds(),
                problem,
            )
