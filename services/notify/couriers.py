"""One thread for each route, with a connection of its own: a dead channel delays itself and nobody else.

This is the only file of the service with threads. They share nothing but the settings, the metrics (which are made
for it) and events that say "there is news" and "stop".
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from services.domain.errors import Unavailable
from services.notify.channels import sender
from services.notify.delivery import Courier
from services.notify.metrics import NotifyMetrics
from services.notify.settings import NotifySettings, Open311Route, Route
from services.notify.tokens import Tokens
from services.store.connection import connect

_LOG: Final = logging.getLogger("citygauge.notify")
_LONGEST_OUTAGE_PAUSE_S: Final = 15.0


def now() -> datetime:
    """The time, aware UTC."""
    return datetime.now(UTC)


class Couriers:
    """The threads of all routes, from `start` to `stop`."""

    def __init__(self, settings: NotifySettings, database_url: str, metrics: NotifyMetrics) -> None:
        self._settings, self._url, self._metrics = settings, database_url, metrics
        self._stop = threading.Event()
        self._news: Sequence[threading.Event] = [threading.Event() for _ in settings.routes]
        # daemons: a channel that hangs beyond its time-out must not keep the process alive
        self._threads = [
            threading.Thread(
                target=self._work, args=(route, news), name=f"notify-{route.name}", daemon=True
            )
            for route, news in zip(settings.routes, self._news, strict=True)
        ]

    def start(self) -> None:
        """Begin to deliver."""
        for thread in self._threads:
            thread.start()

    def tell(self) -> None:
        """Something was routed: look at once."""
        for news in self._news:
            news.set()

    def stop(self) -> None:
        """End after what is in hand; a channel is waited for as long as its time-outs allow."""
        self._stop.set()
        self.tell()
        for thread, route in zip(self._threads, self._settings.routes, strict=True):
            thread.join(2 * route.timeout_s + 5)

    def _work(self, route: Route, news: threading.Event) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                with connect(self._url, f"citygauge-notify-{route.name}", autocommit=True) as conn:
                    courier = Courier(
                        conn, route, sender(route, conn), self._settings, self._metrics, now
                    )
                    tokens = Tokens(conn, route) if isinstance(route, Open311Route) else None
                    while not self._stop.is_set():
                        news.clear()
                        delivered = courier.deliver()
                        failures = 0
                        if pause := courier.pause_s():
                            self._stop.wait(pause)
                        elif not delivered:
                            if tokens is not None:
                                tokens.exchange(now())
                            news.wait(self._settings.poll_s)
            except Unavailable as error:
                failures += 1
                pause = min(_LONGEST_OUTAGE_PAUSE_S, 0.2 * 2 ** min(failures, 10))
                _LOG.warning(
                    "deliveries wait: route=%s retry_in_s=%.1f problem=%s", route.name, pause, error
                )
                self._stop.wait(pause)
            except Exception:
                _LOG.exception(
                    "deliveries of a route stumbled and begin anew: route=%s", route.name
                )
                self._stop.wait(_LONGEST_OUTAGE_PAUSE_S)
