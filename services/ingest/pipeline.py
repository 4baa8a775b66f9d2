"""The loop of ingest: take from the broker, write, then acknowledge; wait where something is away, and lose nothing.

One thread. It refuses to acknowledge before the commit (or before the spool has it), and to hold more than its
bounds: a slow database slows the connection, and the broker keeps the rest.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from threading import Event
from typing import Final

import psycopg

from services.domain.errors import Unavailable
from services.ingest.apart import store_apart
from services.ingest.database import Database
from services.ingest.group import Membership
from services.ingest.inbox import Inbox, Taken
from services.ingest.intake import Intake
from services.ingest.messages import Messages
from services.ingest.metrics import IngestMetrics
from services.ingest.mqtt import Link
from services.ingest.pace import Pace
from services.ingest.prepared import Prepared
from services.ingest.settings import IngestSettings
from services.ingest.spool import Spool
from services.ingest.subscription import Backoff
from services.ingest.writer import Outcome, write
from services.store import accounting
from services.store.connection import CommitUnknown

log = logging.getLogger("citygauge.ingest")

_STEP_S: Final = 0.25
_SLICE_S: Final = 0.005
_REFRESH_S: Final = 5.0
_PATIENCE_S: Final = 5.0
"""So long a commit may take before what comes meanwhile is put by."""


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
        spool: Spool | None = None,
        relieve: Callable[[str], None] | None = None,
    ) -> None:
        self._settings, self._stop, self._spool = settings, stop, spool
        self._link, self._inbox, self._intake, self._metrics = link, inbox, intake, metrics
        self._database = Database(
            database_url,
            settings.worker,
            Backoff(settings.reconnect_min_s, settings.reconnect_max_s),
            metrics,
            arrived=intake.refresh,
            meanwhile=self._serve_broker,
            holding=self._holding,
        )
        self._group, self._pace = Membership(settings, metrics, relieve), Pace()
        self._held: Taken | None = None
        self._in_doubt: Taken | None = None
        """What is being committed out of `_held`, until the spool has it too."""
        self._next_beat = self._next_refresh = 0.0
        self._told_in_flight, self._asked_since = 0, time.monotonic()

    def run(self) -> None:
        """Works until `stop` is set; what is then not committed stays with the broker, or in the spool."""
        leaves = False
        try:
            self._await_database()
            while not self._stop.is_set():
                self._turn()
            self._last_flush()
            leaves = self._group.give_up(self._database.open) and self.drain(
                self._settings.hand_over_s
            )
        finally:
            self._link.close(forget=leaves)
            self._group.ended(self._database.open, self._spooled(), left=leaves)
            self._database.close()

    def drain(self, longest_s: float) -> bool:
        """Takes no new share, and commits what the broker still has for this session; whether nothing is left of it."""
        until, asked = time.monotonic() + longest_s, None
        self._link.withdraw()
        while time.monotonic() < until and not self._link.ousted:
            self._link.step(0.0 if len(self._inbox) else _SLICE_S, read=not self._full())
            if self._work():
                asked = None
                if self._database.away and (self._stop.is_set() or not self._pause()):
                    break
            elif not self._link.connected:
                asked = None
            elif asked is None:
                asked = self._link.withdraw()
            elif self._link.withdrawn == asked:
                return True
        left = "in the spool" if self._spooled() else "at the broker"
        log.warning(
            "not everything was drained: the rest waits for this worker's return, or for "
            "`citygauge workers forget %s` where=%s",
            self._settings.worker,
            left,
        )
        return False

    def _turn(self) -> None:
        idle = not len(self._inbox) and not (self._spooled() and self._database.due)
        waits = self._database.away and self._spool is not None and not self._database.due
        self._link.step(_STEP_S if idle or waits else 0.0, read=not self._full())
        self._work()
        self._beat()

    def _work(self) -> bool:
        """Writes what waits; whether anything did."""
        if self._held is None and not len(self._inbox) and not self._spooled():
            return False
        if len(self._inbox) and not self._spooled() and not self._stop.is_set():
            self._fill()
        if len(self._inbox) or self._held is not None:
            self._flush()
        if self._spooled() and self._database.due:
            self._unspool()
        return True

    def _fill(self) -> None:
        """Gives a batch time to fill, the more the busier the stream is."""
        most, most_bytes = self._settings.batch_messages, self._settings.batch_bytes
        until = time.monotonic() + self._pace.load * self._settings.batch_wait_ms / 1000
        while (left := until - time.monotonic()) > 0 and not self._inbox.reached(most, most_bytes):
            time.sleep(min(left, _SLICE_S))
            self._link.step(0.0)
            if not self._link.connected:
                break

    def _flush(self) -> None:
        if self._held is None:
            self._held = self._inbox.take(self._settings.batch_messages, self._settings.batch_bytes)
        taken = self._held
        if self._spool is not None and (self._database.away or not self._spool.empty):
            if self._spool.append(taken.messages):
                self._held = None
                self._link.acknowledge(taken)
            return
        self._in_doubt = taken
        outcome = self._commit(taken.messages)
        put_by, self._in_doubt = self._in_doubt is None, None
        if outcome is not None:
            self._account(taken.messages, taken.payload_bytes, outcome)
        if outcome is not None and not put_by:
            self._link.acknowledge(taken)
        if outcome is not None or put_by:
            self._held = None

    def _unspool(self) -> None:
        """Commits what is at the front of the spool."""
        assert self._spool is not None
        part = self._spool.front(self._settings.batch_messages, self._settings.batch_bytes)
        if part is None:
            return
        before = len(part.messages.redelivered)
        outcome = self._commit(part.messages)
        if outcome is not None:
            self._spool.done(part)
            self._account(part.messages, sum(map(len, part.messages.payloads)), outcome)
        elif len(part.messages.redelivered) > before:
            self._spool.doubt(part)

    def _commit(self, messages: Messages) -> Outcome | None:
        """Tries until it is committed; None when the service is stopped first, or after one try with a spool."""
        prepared: Prepared | None = None
        worker, apart, intake = self._settings.worker, False, self._intake
        while True:
            self._asked_since = time.monotonic()
            try:
                conn = self._database.connected()
                if apart:
                    return store_apart(conn, worker, intake, messages)
                if prepared is None:
                    prepared = intake.prepare(conn, messages)
                return write(conn, worker, intake.assembler, prepared)
            except CommitUnknown as error:
                messages.redelivered.update(range(len(messages)))
                prepared = None if prepared is None else prepared.delivered_before()
                pause_s = self._database.lost(error)
            except (Unavailable, psycopg.Error) as error:
                pause_s = self._database.lost(error)
            except Exception:
                if apart:
                    raise
                log.exception("ingest fault: taking the batch apart")
                apart = True
                continue
            if self._spool is not None or not self._pause(pause_s):
                return None

    def _await_database(self) -> None:
        """Connects before anything is taken from the broker; with a spool, tries to."""
        while not self._stop.is_set():
            try:
                self._group.joined(self._database.connected())
            except (Unavailable, psycopg.Error) as error:
                self._stop.wait(self._database.lost(error))
                if self._spool is None:
                    continue
            return

    def _pause(self, seconds: float = _STEP_S) -> bool:
        """Waits before the next try and serves the broker meanwhile; False when the service is stopped."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._stop.is_set():
                return False
            self._link.step(min(left, _STEP_S), read=not self._full())
            self._show()
        return not self._stop.is_set()

    def _serve_broker(self) -> None:
        """Called while the database makes us wait: keeps the session alive; with a spool, puts by what comes."""
        if not self._link.connected:
            return
        late = time.monotonic() - self._asked_since > _PATIENCE_S
        if self._spool is None or not late or self._stop.is_set():
            self._link.step(0.0, read=False)
            return
        if (held := self._in_doubt) is not None:
            again = replace(held.messages, redelivered=set(range(len(held.messages))))
            if not self._spool.append(again):
                return
            self._in_doubt = None
            self._link.acknowledge(held)
        self._link.step(0.0, read=not self._full())
        if len(self._inbox) and self._spool.append(self._inbox.waiting):
            self._link.acknowledge(self._inbox.take(len(self._inbox), self._inbox.payload_bytes))
        self._show()

    def _beat(self) -> None:
        now = time.monotonic()
        self._show()
        settled = self._told_in_flight and not self._holding()
        if (now < self._next_beat and not settled) or not self._database.due:
            return
        self._next_beat = now + self._settings.heartbeat_s
        self._asked_since = now
        try:
            conn = self._database.connected()
            self._told_in_flight = self._holding()
            self._group.joined(conn)
            accounting.heartbeat(conn, self._settings.worker, self._told_in_flight)
            if now >= self._next_refresh:
                self._next_refresh = now + _REFRESH_S
                self._intake.refresh(conn)
                self._group.look(conn)
        except (Unavailable, psycopg.Error) as error:
            self._next_beat = now + self._database.lost(error)

    def _last_flush(self) -> None:
        """Writes what is there when the service is stopped, if the database is there too: one try."""
        while len(self._inbox) and self._held is None and self._database.open is not None:
            self._flush()

    def _full(self) -> bool:
        held = 0 if self._held is None else self._held.payload_bytes
        most = max(2 * self._settings.batch_messages, 65_535)
        return self._inbox.reached(most, self._settings.buffer_bytes - held)

    def _spooled(self) -> int:
        return 0 if self._spool is None else self._spool.records

    def _holding(self) -> int:
        held = 0 if self._held is None else len(self._held.ids)
        return len(self._inbox) + held + self._spooled()

    def _show(self) -> None:
        held = 0 if self._held is None else self._held.payload_bytes
        self._metrics.in_flight.set(self._holding())
        self._metrics.buffer_bytes.set(self._inbox.payload_bytes + held)
        self._metrics.broker_connected.set(int(self._link.connected))
        if self._spool is not None:
            self._spool.sync()
            self._metrics.spooled(self._spool, self._inbox.now_us())

    def _account(self, messages: Messages, payload_bytes: int, outcome: Outcome) -> None:
        self._pace.note(len(messages), payload_bytes)
        delay = (self._inbox.now_us() - messages.received_us[0]) / 1e6
        self._metrics.committed(len(messages), outcome, delay)
