"""The notify service: routes what waits in the outbox and has couriers deliver it; it outlives outages.

Any number of instances may run: each event is routed once, and deliveries are lent to one courier at a time.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import Event
from typing import Final

from prometheus_client import start_http_server

from services.domain.errors import Unavailable
from services.notify.couriers import Couriers, now
from services.notify.metrics import NotifyMetrics
from services.notify.routing import route_waiting
from services.notify.settings import NotifySettings, Route
from services.store.alerting.alerts import CHANNEL
from services.store.connection import Connection, connect, listen, wait
from services.store.telling import outbox

_LOG: Final = logging.getLogger("citygauge.notify")
_LONGEST_RETRY_S: Final = 15.0
_BACKLOG_EVERY_S: Final = 2.0
REMOVED_GRACE: Final = timedelta(minutes=5)
"""How long a notifier with older settings may take for what is due."""


def run(settings: NotifySettings, database_url: str, stop: Event) -> None:
    """Tell people until `stop` is set."""
    metrics = NotifyMetrics(route.name for route in settings.routes)
    server = None
    if settings.metrics_port:
        server, thread = start_http_server(
            settings.metrics_port, addr=settings.metrics_host, registry=metrics.registry
        )
    couriers = Couriers(settings, database_url, metrics)
    couriers.start()
    _LOG.info("notification begins: routes=%s", ",".join(route.name for route in settings.routes))
    try:
        _route(settings, database_url, stop, couriers, metrics)
    finally:
        couriers.stop()
        if server is not None:
            server.shutdown()
            server.server_close()
            thread.join()
        _LOG.info("notification ends")


def _route(
    settings: NotifySettings,
    database_url: str,
    stop: Event,
    couriers: Couriers,
    metrics: NotifyMetrics,
) -> None:
    failures = 0
    while not stop.is_set():
        try:
            with connect(database_url, "citygauge-notify", autocommit=True) as conn:
                listen(conn, CHANNEL)
                measured = 0.0
                while not stop.is_set():
                    routed = route_waiting(conn, settings.routes, now(), metrics)
                    failures = 0
                    if routed:
                        couriers.tell()
                    else:
                        wait(conn, CHANNEL, settings.poll_s, stop)
                    if time.monotonic() > measured + _BACKLOG_EVERY_S:
                        measured = time.monotonic()
                        _measure(conn, metrics)
                        give_up_removed(conn, settings.routes, now())
        except Unavailable as error:
            failures += 1
            pause = min(_LONGEST_RETRY_S, 0.2 * 2 ** min(failures, 10)) * random.uniform(0.5, 1)
            _LOG.warning("notification waits: retry_in_s=%.1f problem=%s", pause, error)
            stop.wait(pause)


def give_up_removed(conn: Connection, routes: Sequence[Route], now: datetime) -> int:
    """Give up what waits for routes that the settings no longer have, visibly; returns how many deliveries."""
    names = [route.name for route in routes]
    removed = outbox.give_up_removed(conn, names, now, REMOVED_GRACE)
    if removed:
        _LOG.warning(
            "deliveries of routes that are no longer in the settings are given up: %d", removed
        )
    return removed


def _measure(conn: Connection, metrics: NotifyMetrics) -> None:
    left = outbox.backlog(conn)
    metrics.waiting.set(left.waiting)
    metrics.undelivered.set(left.undelivered)
