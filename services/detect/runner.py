"""Follows the feed: batches through the detectors, and position, alerts and state into one transaction each time.

It refuses to remember anything that is not committed: whatever goes wrong, it builds its state again from what is.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from threading import Event
from typing import Final

from services.detect.alert_round import AlertRound
from services.detect.cases import Cases, Words
from services.detect.late.late_work import LateWork
from services.detect.late.marks import LATE_SHARD
from services.detect.metrics import DetectMetrics
from services.detect.restoration import Restoration
from services.detect.roster import MakeCore
from services.detect.settings import Clock, DetectSettings
from services.detect.stream import DetectorFailed, Stream
from services.domain.alert import AlertEvent
from services.domain.condition import Condition
from services.domain.errors import CitygaugeError, Conflict
from services.domain.instant import from_us, to_us
from services.domain.sensor import SHARDS
from services.store import checkpoint
from services.store.alerting.alerts import AlertRepository
from services.store.clock import database_time_us
from services.store.connection import Connection, listen, transaction, wait
from services.store.feed import CHANNEL, FeedReader, prune

CONSUMER: Final = "detect"
_LOG: Final = logging.getLogger("citygauge.detect")
_FAILURES: Final = 2
"""A batch on which a detector failed so often, given by itself, is left out."""
_LAG_EVERY_S: Final = 2.0
_CHECKPOINT_SHARE: Final = 0.05
"""Of the time, at most, may go into checkpoints."""
_PRUNE_ROWS: Final = 10_000


class Runner:
    """One leader at work, on the connection that holds the leadership (in autocommit mode)."""

    def __init__(
        self,
        conn: Connection,
        settings: DetectSettings,
        make_core: MakeCore,
        say: Words,
        metrics: DetectMetrics,
        stop: Event,
    ) -> None:
        self._conn, self._settings, self._metrics = conn, settings, metrics
        self._stop = stop
        self._say = say
        listen(conn, CHANNEL)
        self._reader = FeedReader(conn, CONSUMER)
        self._restoration = Restoration(conn, self._reader, make_core, settings, metrics, stop)
        self._late = LateWork(conn, settings, make_core, metrics)
        self._alert_round = AlertRound(conn, settings, metrics)
        self._failures: Counter[int] = Counter()
        self._started = time.monotonic()
        self._next_tick = self._next_save = self._next_lag = self._dump_began = 0.0
        self._unsaved = self._whole = self._behind = False
        self._stream: Stream
        self._cases: Cases
        self._restore()

    def run(self) -> None:
        """Work until told to stop, and save the state then.

        Raises:
            Unavailable: the database is lost. Conflict: another instance has moved the position.
            Stopped: told to stop while the state was built again; there is nothing to save.
        """
        while not self._stop.is_set():
            if self.work():
                continue
            pause = max(0.001, self._next_tick - time.monotonic())
            pause = min(self._settings.poll_s, pause, self._late.pause_s(self._stream))
            wait(self._conn, CHANNEL, pause, self._stop)
        self.save()

    def work(self) -> bool:
        """Take what the feed holds, or the time that has passed; returns whether there is more to do at once."""
        try:
            return self._work()
        except DetectorFailed as error:
            self._suspect(error)
            self._restore()
            return bool(error.batches)

    def save(self) -> None:
        """Write a checkpoint now, if there is anything to save."""
        self._commit([], self._dump() if self._unsaved else None)

    def _work(self) -> bool:
        self._stream.roster.refresh()
        rows = self._restoration.take(self._settings.batch_readings)
        moved = self._reader.position != self._reader.committed
        if moved:
            conditions = self._stream.feed(rows, self._restoration.alone)
            conditions += self._restoration.tick(self._stream.tick_behind)
            self._unsaved = True
        else:
            conditions = self._idle_tick()
        due = self._unsaved and time.monotonic() >= self._next_save
        if moved or conditions or due:
            states = self._dump() if due else None
            try:
                self._commit(conditions, states)
            except Exception as error:
                if _of_the_database(error):
                    raise
                problem = f"{type(error).__name__}: {error}"
                raise DetectorFailed([row.id for row in rows], problem) from error
        if self._late.due(self._stream):
            self._judge_again()
        self._alert_round.walk(self._stream.clock_us)
        self._watch_lag()
        return moved or self._late.due(self._stream)

    def _judge_again(self) -> None:
        """Judge sensors whose past changed for a while; their state is another when the log has heard of it."""
        self._unsaved = True
        self._whole = self._whole or bool(self._stream.marks.changed)  # shards may be others
        judged = self._late.judge(self._stream, self._cases)
        if judged is None:
            return
        if judged.outcome is not None and judged.outcome.found:
            try:
                events = self._cases.take(judged.outcome.conditions)
                self._write(events + self._cases.of_the_past(judged.outcome.past), None)
            except Exception as error:
                if _of_the_database(error):
                    raise
                _LOG.exception("what late data say cannot be written")
                self._cases.load(AlertRepository(self._conn).open_alerts())
        self._late.done(judged, self._stream)

    def _idle_tick(self) -> list[Condition]:
        """The feed is drained: time goes on all the same in live cities, and up to what was read in replays."""
        now, live = time.monotonic(), self._settings.clock is Clock.WALL
        if live and now < self._next_tick:
            return []
        self._next_tick = now + self._settings.tick_s
        if live and now < self._started + self._settings.settle_s:
            return []
        if not live and self._stream.settled:
            return []
        if self._reader.lag().batches:
            return []  # an open transaction holds back what sensors have said already
        passing = (
            partial(self._stream.tick, database_time_us(self._conn))
            if live
            else self._stream.settle
        )
        conditions = self._restoration.tick(passing)
        self._unsaved = self._unsaved or bool(conditions)
        return conditions

    def _commit(
        self, conditions: Sequence[Condition], states: dict[int, bytes] | None = None
    ) -> None:
        self._write(self._cases.take(conditions), states)

    def _write(self, events: Sequence[AlertEvent], states: dict[int, bytes] | None) -> None:
        started = time.perf_counter()
        with transaction(self._conn):
            self._reader.advance()
            position = self._reader.committed
            if states is not None and position is not None:
                checkpoint.save(self._conn, CONSUMER, position, self._stream.clock_us, states)
            repository = AlertRepository(self._conn, self._settings.flood)
            stored = repository.apply(events) if events else []
        self._metrics.commit_seconds.observe(time.perf_counter() - started)
        if events:
            self._metrics.count_events(stored_event.event for stored_event in stored)
            written = {stored_event.event.id for stored_event in stored}
            if any(event.id not in written for event in events):  # what is open is in the database
                self._cases.load(AlertRepository(self._conn).open_alerts())
            self._metrics.show_open(self._cases.open)
        if states is not None:
            self._unsaved = self._whole = False
            self._next_save = time.monotonic() + self._pause_after_save()
            now = from_us(database_time_us(self._conn))
            keep = timedelta(seconds=self._settings.keep_feed_s)
            prune(self._conn, keep, now, limit=_PRUNE_ROWS)

    def _pause_after_save(self) -> float:
        """Seconds to the next checkpoint: the setting, or more where a large state takes long to write."""
        spent = time.perf_counter() - self._dump_began
        return (
            max(self._settings.checkpoint_s, spent / _CHECKPOINT_SHARE)
            if self._settings.checkpoint_s
            else 0.0
        )

    def _dump(self) -> dict[int, bytes] | None:
        """The state of the shards that changed, or of all where the stored one is of no use."""
        started = self._dump_began = time.perf_counter()
        core = self._stream.roster.core
        try:
            shards = range(SHARDS) if self._whole else core.changed_shards()
            states = {shard: core.dumps(shard) for shard in shards}
            self._stream.marks.revision = self._stream.roster.revision
            states[LATE_SHARD] = self._stream.marks.dumps()
        except Exception:
            _LOG.exception("no checkpoint can be made, the last one stays")
            self._whole = True
            self._next_save = time.monotonic() + self._settings.checkpoint_s
            return None
        self._metrics.checkpoint_seconds.observe(time.perf_counter() - started)
        self._metrics.checkpoint_bytes.set(sum(map(len, states.values())))
        return states

    def _restore(self) -> None:
        """Build the state from what is committed, leaving out batches that the detectors do not get through."""
        while True:
            try:
                restored = self._restoration.restore()
                break
            except DetectorFailed as error:
                self._suspect(error)
        self._stream = restored.stream
        self._late.begin()
        self._cases = Cases(self._say, self._stream.roster.sensors)
        alerts = AlertRepository(self._conn).open_alerts()
        self._cases.load(alerts)
        # what ticks raised is not in the feed: have the clock catch up with what was told
        told = max((to_us(alert.raised_at) for alert in alerts), default=0)
        restored.remember(self._restoration.tick(partial(self._stream.catch_up, told)))
        self._whole = restored.source != "checkpoint"
        events, unknown = self._cases.reconcile(restored.last, self._stream.clock_us)
        for alert in unknown if self._whole else ():
            _LOG.warning(
                "history says nothing of an open alert, it stays open: alert=%s rule=%s subject=%s",
                alert.id,
                alert.rule,
                alert.subject,
            )
        self._unsaved = True
        states = self._dump() if self._whole else None
        try:
            self._write(events, states)
        except Exception as error:
            if _of_the_database(error):
                raise
            _LOG.exception("what a rebuilt state says cannot be written: events=%d", len(events))
            self._cases.load(alerts)
            self._write([], states)
        self._metrics.show_open(self._cases.open)

    def _suspect(self, error: DetectorFailed) -> None:
        """Remember what failed: first to be tried alone, then to be left out."""
        self._metrics.failed_steps.inc()
        _LOG.error("%s", error, exc_info=error)
        if len(error.batches) == 1:
            [batch] = error.batches
            self._failures[batch] += 1
            if self._failures[batch] >= _FAILURES:
                self._restoration.skip.add(batch)
                self._metrics.skipped.inc()
                _LOG.error("a batch of the feed is left out: batch=%d %s", batch, error.problem)
        self._restoration.alone.update(error.batches)

    def _watch_lag(self) -> None:
        now = time.monotonic()
        if now < self._next_lag:
            return
        self._next_lag = now + _LAG_EVERY_S
        lag = self._reader.lag()
        self._metrics.feed_lag_seconds.set(lag.seconds)
        self._metrics.feed_lag_batches.set(lag.batches)
        behind = lag.seconds > self._settings.lag_alarm_s
        if behind and not self._behind:
            _LOG.warning(
                "detection is behind: lag_s=%.0f batches=%d readings=%d oldest_transaction_s=%.0f",
                lag.seconds,
                lag.batches,
                lag.readings,
                lag.oldest_transaction_s,
            )
        elif self._behind and not behind:
            _LOG.info("detection has caught up: lag_s=%.1f", lag.seconds)
        self._behind = behind


def _of_the_database(error: Exception) -> bool:
    """Whether it is an outage or another leader, not something that the same batch would bring again."""
    return isinstance(error, Conflict) or (isinstance(error, CitygaugeError) and error.retriable)
