"""A worker's connection to the database: made when it is needed, and again after a pause when it was lost.

It refuses to wait: it says when the next try is due, and the pipeline serves the broker until then.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from services.ingest.metrics import IngestMetrics
from services.ingest.patience import attend
from services.ingest.subscription import Backoff
from services.store.connection import Connection, connect

log = logging.getLogger("citygauge.ingest")


class Database:
    """One connection and the pauses between the tries to make it.

    Args:
        url: of the database.
        worker: name in the log of the server.
        backoff: the pauses.
        arrived: called with each new connection before it counts.
        meanwhile: called about ten times a second while the database makes us wait.
        holding: how many messages the worker holds, for the log.
    """

    def __init__(
        self,
        url: str,
        worker: str,
        backoff: Backoff,
        metrics: IngestMetrics,
        *,
        arrived: Callable[[Connection], object],
        meanwhile: Callable[[], None],
        holding: Callable[[], int],
    ) -> None:
        self._url, self._worker, self._backoff, self._metrics = url, worker, backoff, metrics
        self._arrived, self._meanwhile, self._holding = arrived, meanwhile, holding
        self._conn: Connection | None = None
        self._away_since: float | None = None
        self._next_try = 0.0

    @property
    def away(self) -> bool:
        """Whether it was lost and has not been found again."""
        return self._away_since is not None

    @property
    def due(self) -> bool:
        """Whether it is there, or may be tried now."""
        return not self.away or time.monotonic() >= self._next_try

    @property
    def open(self) -> Connection | None:
        """The connection, if there is one at this moment."""
        return None if self._conn is None or self._conn.closed else self._conn

    def connected(self) -> Connection:
        """The connection, made now if there is none.

        Raises:
            DatabaseUnavailable, psycopg.Error: tell `lost`, and try again when it is `due`.
        """
        if (conn := self.open) is not None:
            return conn
        conn = connect(self._url, f"citygauge-ingest {self._worker}", autocommit=True)
        attend(conn, self._meanwhile)
        self._arrived(conn)
        self._conn = conn
        self._metrics.database_connected.set(1)
        away = 0.0 if self._away_since is None else time.monotonic() - self._away_since
        log.info("database connected away_s=%.1f held_messages=%d", away, self._holding())
        self._away_since = None
        self._backoff.reset()
        return conn

    def lost(self, error: Exception) -> float:
        """Takes note of an error: closes the connection, and returns the seconds to the next try."""
        self.close()
        if self._away_since is None:
            self._away_since = time.monotonic()
            self._metrics.database_outages.inc()
            problem = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            log.warning(
                "database away: holding messages and trying again held_messages=%d problem=%s",
                self._holding(),
                problem,
            )
        pause = self._backoff.next_s()
        self._next_try = time.monotonic() + pause
        return pause

    def close(self) -> None:
        """Gives the connection up."""
        if self._conn is not None:
            self._conn.close()
        self._conn = None
        self._metrics.database_connected.set(0)
