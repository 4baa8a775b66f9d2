"""The loop of ingest: take from the broker, write, then acknowledge; wait where something is away, and lose nothing.

One thread. It refuses to acknowledge before the commit, and to hold more than its bounds: a slow database slows the
connection, and the broker keeps the rest.
"""

from __future__ import annotations

import logging
import time
from threading import Event
from typing import Final

import psycopg

from services.domain.errors import Unavailable
from services.ingest.apart import store_apart
from services.ingest.inbox import Inbox, Taken
from services.ingest.intake import Intake
from services.ingest.metrics import IngestMetrics
from services.ingest.mqtt import Link
from services.ingest.patience import attend
from services.ingest.prepared import Prepared
from services.ingest.settings import IngestSettings
from services.ingest.subscription import Backoff
from services.ingest.writer import CommitUnknown, Outcome, write
from services.store import accounting
from services.store.connection import Connection, connect

log = logging.getLogger("citygauge.ingest")

_STEP_S: Final = 0.25
_SLICE_S: Final = 0.005
_BUSY_MESSAGES_PER_S: Final = 50_000.0
_BUSY_BYTES_PER_S: Final = 10e6
_REFRESH_S: Final = 5.0


class Pipeline:
    """Everything that one worker does between its start and its stop."""

    def __init__(
        self,
        settings: IngestSettings,
        *,
        database_url: str,
        link: Link,
        inbox: Inbox,
        intake: Intake,
        metrics: IngestMetrics,
        stop: Event,
    ) -> None:
        self._settings, self._database_url, self._stop = settings, database_url, stop
        self._link, self._inbox, self._intake, self._metrics = link, inbox, intake, metrics
        self._conn: Connection | None = None
        self._backoff = Backoff(settings.reconnect_min_s, settings.reconnect_max_s)
        self._away_since: float | None = None
        self._held: Taken | None = None
        self._next_beat = self._next_refresh = 0.0
        self._told_in_flight = 0
        self._load = 0.0
        """Between 0 (idle) and 1 (busy): how much of the longest wait a batch is given to fill."""
        self._last_batch = time.monotonic()

    def run(self) -> None:
        """Works until `stop` is set; what is then not committed stays with the broker."""
        try:
            self._await_database()
            while not self._stop.is_set():
                self._link.step(0.0 if len(self._inbox) else _STEP_S, read=not self._full())
                if len(self._inbox):
                    self._fill()
                    self._flush()
                self._beat()
            self._last_flush()
        finally:
            self._link.close()
            self._leave()

    def _fill(self) -> None:
        """Gives a batch time to fill, the more the busier the stream is."""
        until = time.monotonic() + self._load * self._settings.batch_wait_ms / 1000
        while not self._batch_is_full() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE_S))
            self._link.step(0.0)
            if not self._link.connected:
                break

    def _flush(self) -> None:
        taken = self._inbox.take(self._settings.batch_messages, self._settings.batch_bytes)
        self._held = taken
        outcome = self._commit(taken)
        if outcome is None:
            return
        self._held = None
        self._link.acknowledge(taken)
        self._account(taken, outcome)

    def _commit(self, taken: Taken) -> Outcome | None:
        """Tries until it is committed; None when the service is stopped first."""
        prepared: Prepared | None = None
        messages, worker, apart = taken.messages, self._settings.worker, False
        while True:
            try:
                conn = self._connected()
                if apart:
                    return store_apart(conn, worker, self._intake, messages)
                if prepared is None:
                    prepared = self._intake.prepare(conn, messages)
                return write(conn, worker, self._intake.assembler, prepared)
            except CommitUnknown as error:
                messages.redelivered.update(range(len(messages)))
                prepared = None if prepared is None else prepared.delivered_before()
                self._away(error)
            except (Unavailable, psycopg.Error) as error:
                self._away(error)
            except Exception:
                if apart:
                    raise
                log.exception("ingest fault: taking the batch apart")
                apart = True
                continue
            if not self._pause():
                return None

    def _connected(self) -> Connection:
        if self._conn is None or self._conn.closed:
            conn = connect(
                self._database_url,
                f"citygauge-ingest {self._settings.worker}",
                autocommit=True,
            )
            attend(conn, self._serve_broker)
            self._intake.refresh(conn)
            self._conn = conn
            self._metrics.database_connected.set(1)
            away = 0.0 if self._away_since is None else time.monotonic() - self._away_since
            log.info("database connected away_s=%.1f held_messages=%d", away, self._holding())
            self._away_since = None
            self._backoff.reset()
        return self._conn

    def _await_database(self) -> None:
        """Connects before anything is taken from the broker."""
        while not self._stop.is_set():
            try:
                self._connected()
            except (Unavailable, psycopg.Error) as error:
                self._away(error)
                self._stop.wait(self._backoff.next_s())
            else:
                return

    def _away(self, error: Exception) -> None:
        self._drop_connection()
        if self._away_since is None:
            self._away_since = time.monotonic()
            self._metrics.database_outages.inc()
            problem = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            log.warning(
                "database away: holding messages and trying again; nothing is acknowledged "
                "held_messages=%d problem=%s",
                self._holding(),
                problem,
            )

    def _pause(self) -> bool:
        """Waits before the next try and serves the broker meanwhile; False when the service is stopped."""
        until = time.monotonic() + self._backoff.next_s()
        while (left := until - time.monotonic()) > 0:
            if self._stop.is_set():
                return False
            self._link.step(min(left, _STEP_S), read=not self._full())
            self._show()
        return not self._stop.is_set()

    def _serve_broker(self) -> None:
        """Called while the database makes us wait: keeps the session alive, takes nothing."""
        if self._link.connected:
            self._link.step(0.0, read=False)

    def _beat(self) -> None:
        now = time.monotonic()
        self._show()
        settled = self._told_in_flight and not self._holding()
        if now < self._next_beat and not settled:
            return
        self._next_beat = now + self._settings.heartbeat_s
        try:
            conn = self._connected()
            self._told_in_flight = self._holding()
            accounting.heartbeat(conn, self._settings.worker, self._told_in_flight)
            if now >= self._next_refresh:
                self._next_refresh = now + _REFRESH_S
                self._intake.refresh(conn)
        except (Unavailable, psycopg.Error) as error:
            self._away(error)
            self._next_beat = now + self._backoff.next_s()

    def _last_flush(self) -> None:
        """Writes what is there when the service is stopped, if the database is there too: one try."""
        while len(self._inbox) and self._held is None and self._conn is not None:
            self._flush()

    def _leave(self) -> None:
        try:
            if self._conn is not None and not self._conn.closed:
                accounting.leave(self._conn, self._settings.worker)
        except (Unavailable, psycopg.Error):
            pass
        self._drop_connection()

    def _drop_connection(self) -> None:
        if self._conn is not None:
            self._conn.close()
        self._conn = None
        self._metrics.database_connected.set(0)

    def _batch_is_full(self) -> bool:
        return (
            len(self._inbox) >= self._settings.batch_messages
            or self._inbox.payload_bytes >= self._settings.batch_bytes
        )

    def _full(self) -> bool:
        held = 0 if self._held is None else self._held.payload_bytes
        return self._inbox.payload_bytes + held >= self._settings.buffer_bytes or len(
            self._inbox
        ) >= max(2 * self._settings.batch_messages, 65_535)

    def _holding(self) -> int:
        return len(self._inbox) + (0 if self._held is None else len(self._held.ids))

    def _show(self) -> None:
        held = 0 if self._held is None else self._held.payload_bytes
        self._metrics.in_flight.set(self._holding())
        self._metrics.buffer_bytes.set(self._inbox.payload_bytes + held)
        self._metrics.broker_connected.set(int(self._link.connected))

    def _account(self, taken: Taken, outcome: Outcome) -> None:
        now = time.monotonic()
        since, self._last_batch = max(now - self._last_batch, 1e-4), now
        load = max(
            len(taken.ids) / since / _BUSY_MESSAGES_PER_S,
            taken.payload_bytes / since / _BUSY_BYTES_PER_S,
        )
        self._load += 0.3 * (min(1.0, load) - self._load)
        delay = (self._inbox.now_us() - taken.messages.received_us[0]) / 1e6
        self._metrics.committed(len(taken.ids), outcome, delay)
