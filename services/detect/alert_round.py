"""The detector's round at the alerts: shelves that are over, rules that begin and end to hold, now and then.

It refuses to do more than to say when: what is due is the store's `alert_watch`.
"""

from __future__ import annotations

import time
from typing import Final

from services.detect.metrics import DetectMetrics
from services.detect.settings import Clock, DetectSettings
from services.domain.instant import from_us
from services.store.alerting.alert_watch import watch
from services.store.clock import database_time_us
from services.store.connection import Connection

_SHARE: Final = 0.05
"""Of the time, at most, may go into rounds."""


class AlertRound:
    """Looks at most every `watch_s` seconds, less often where a look takes long, over the leader's connection."""

    def __init__(self, conn: Connection, settings: DetectSettings, metrics: DetectMetrics) -> None:
        self._conn, self._settings, self._metrics = conn, settings, metrics
        self._next = 0.0

    def walk(self, stream_us: int) -> None:
        """Do what is due; rules and faults go by the time of the data where the city is replayed.

        Args:
            stream_us: stream time, microseconds since 1970; 0 while nothing is known.
        """
        if time.monotonic() < self._next:
            return
        began = time.monotonic()
        wall = from_us(database_time_us(self._conn))
        live = self._settings.clock is Clock.WALL
        now = wall if live else from_us(stream_us)
        written = watch(self._conn, now, wall, self._settings.flood)
        self._metrics.count_events(stored.event for stored in written)
        spent = time.monotonic() - began
        self._next = began + max(self._settings.watch_s, spent / _SHARE)
