"""Keeps the rollups while a service has nothing else to do, through outages of the database."""

from __future__ import annotations

import logging
import time
from threading import Event
from typing import Final

from services.domain.errors import Conflict, Unavailable
from services.domain.instant import from_us
from services.store.clock import database_time_us
from services.store.connection import connect
from services.store.rollup import Rollups

log: Final = logging.getLogger("citygauge.maintain")
_IDLE_S: Final = 1.0
_RETRY_S: Final = 5.0


def keep_rollups(url: str, stop: Event, until: float) -> None:
    """Follow the feed and roll up what settles, until `stop` is set or the monotonic clock says `until`.

    Where another process keeps them, wait for its end. An outage is waited out: nothing is lost by it.
    """
    while not stop.is_set() and time.monotonic() < until:
        try:
            with connect(url, "citygauge-rollup", autocommit=True) as conn:
                keeper = Rollups(conn)
                while not keeper.claim():
                    if _paused(stop, until, _RETRY_S):
                        return
                while True:
                    work = keeper.round(from_us(database_time_us(conn)))
                    if _paused(stop, until, 0.0 if work.any else _IDLE_S):
                        return
        except (Unavailable, Conflict) as error:
            log.warning("rollups wait: %s", error)
            stop.wait(max(0.0, min(_RETRY_S, until - time.monotonic())))


def _paused(stop: Event, until: float, seconds: float) -> bool:
    """Wait, and tell whether it is time to end."""
    stop.wait(max(0.0, min(seconds, until - time.monotonic())))
    return stop.is_set() or time.monotonic() >= until
