"""A worker's place among those that share its subscription: said to the database, given up when it stops.

The broker keeps a share for every member, present or not. It refuses to leave that share to nobody: the last worker
keeps its session.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import psycopg

from services.domain.errors import Unavailable
from services.ingest.metrics import IngestMetrics
from services.ingest.settings import IngestSettings
from services.ingest.subscription import share_name, shared
from services.store import accounting, membership
from services.store.connection import Connection

log = logging.getLogger("citygauge.ingest")


class Membership:
    """What one worker says of itself, and sees of the others; `relieve` takes over the share of one that is away."""

    def __init__(
        self,
        settings: IngestSettings,
        metrics: IngestMetrics,
        relieve: Callable[[str], None] | None = None,
    ) -> None:
        self._settings, self._metrics, self._relieve = settings, metrics, relieve
        self._subscription = share_name(shared(settings.share_group, settings.topics))
        self._joined = self._leaving = self._warned = False
        self._told: set[str] = set()

    def joined(self, conn: Connection) -> None:
        """Says once that the worker takes part."""
        if not self._joined:
            membership.join(conn, self._settings.worker, self._subscription)
            self._joined = True

    def look(self, conn: Connection) -> None:
        """Counts the members that are away, and says of each once that its share waits at the broker."""
        members = membership.members(conn)
        own = next((each for each in members if each.name == self._settings.worker), None)
        if own is None or own.subscription is None or own.state is not membership.State.WORKING:
            membership.join(conn, self._settings.worker, self._subscription)  # it was relieved
        others = [
            each
            for each in members
            if each.subscription == self._subscription and each.name != self._settings.worker
        ]
        away = {each.name: each for each in others if each.away}
        self._warn_of_doubles([each.name for each in others if not each.away])
        self._metrics.absent_workers.set(len(away))
        for name in away.keys() - self._told:
            log.warning(
                "a worker is away and the broker goes on queueing its share: start it again, or "
                "`citygauge workers forget %s` away_s=%.0f",
                name,
                away[name].silent_s,
            )
        self._told = set(away)
        patience_s = self._settings.take_over_after_s
        if self._relieve is not None and self._settings.share_group and patience_s:
            for name, each in away.items():
                if each.silent_s > max(patience_s, membership.ALIVE_S):
                    self._relieve(name)

    def _warn_of_doubles(self, present: Sequence[str]) -> None:
        """Says once that another worker takes the same messages."""
        if present and not self._settings.share_group and not self._warned:
            self._warned = True
            log.warning(
                "another worker takes the same messages, and each is stored once and counted twice: set "
                "share_group for all of them, or stop one other=%s",
                present[0],
            )

    def give_up(self, conn: Connection | None) -> bool:
        """Whether another worker takes over, so that this one may leave; False where the settings say to keep."""
        settings = self._settings
        if conn is None or settings.when_stopped == "keep" or not settings.share_group:
            return False
        try:
            self._leaving = membership.begin_leaving(conn, settings.worker, self._subscription)
        except (Unavailable, psycopg.Error):
            return False
        return self._leaving

    def ended(self, conn: Connection | None, held: int, *, left: bool) -> None:
        """Says how the worker ended: it left, or its session waits for it; `held` messages are in its spool."""
        if conn is None:
            return
        try:
            if left:
                accounting.leave(conn, self._settings.worker)
                log.info("left the share group worker=%s", self._settings.worker)
            elif not self._leaving:
                membership.stop(conn, self._settings.worker, held)
        except (Unavailable, psycopg.Error):
            pass
