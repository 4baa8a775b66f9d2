"""The API's connections: borrowed from one pool for each request, with a limit on waiting and on each statement.

It refuses to let requests queue: one that gets no connection in time is answered with 503.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from services.api.settings import ApiSettings
from services.api.streams.departure import CURRENT
from services.domain.errors import Unavailable
from services.store.connection import Connection, Pool, pool


class Database:
    """A pool that is open while the service runs."""

    def __init__(self, url: str, settings: ApiSettings) -> None:
        self.url = url
        self._settings = settings
        self._pool: Pool | None = None

    def open(self) -> None:
        """Start filling the pool, without waiting for it: the database may come later."""
        self._pool = pool(
            self.url,
            "citygauge-api",
            self._settings.pool_connections,
            statement_timeout_s=self._settings.statement_timeout_s,
            timeout_s=self._settings.pool_wait_s,
        )

    def close(self) -> None:
        """Give every connection back."""
        if self._pool is not None:
            self._pool.close(timeout=2.0)
            self._pool = None

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection in autocommit mode; repositories make the transactions that they need.

        Raises:
            Unavailable: none came free in time, or the database is away.
            ClientGone: nobody waits for the answer any more.
        """
        if self._pool is None:
            raise Unavailable("database", "the service is starting or stopping")
        departure = CURRENT.get()
        with self._pool.connection() as connection:
            if departure is None:
                yield connection
                return
            with departure.watching(connection):
                yield connection
