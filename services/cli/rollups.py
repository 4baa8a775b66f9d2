"""Keeps the rollups while a service has nothing else to do, through outages of the database."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

from services.domain.errors import Conflict, Unavailable
from services.domain.instant import from_us
from services.store.clock import database_time_us
from services.store.connection import connect
from services.store.rollups.rollup import Rollups

log: Final = logging.getLogger("citygauge.maintain")
_IDLE_S: Final = 1.0
_RETRY_S: Final = 5.0
_FAILED_S: Final = 60.0
_END_S: Final = 5.0


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
        except (
            Exception
        ):  # whoever shares the process goes on; without rollups answers are slower, not wrong
            log.exception("rollups failed, and are tried again")
            stop.wait(max(0.0, min(_FAILED_S, until - time.monotonic())))


@contextmanager
def rollups_kept(url: str, stop: Event) -> Iterator[None]:
    """Keep them in a thread of its own, until `stop` is set."""
    thread = Thread(target=keep_rollups, args=(url, stop, math.inf), name="rollups", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_END_S)


def _paused(stop: Event, until: float, seconds: float) -> bool:
    """Wait, and tell whether it is time to end."""
    stop.wait(max(0.0, min(seconds, until - time.monotonic())))
    return stop.is_set() or time.monotonic() >= until
