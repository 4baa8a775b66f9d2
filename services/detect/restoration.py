"""The state of the detectors after a start: from the checkpoint and the feed after it, or from the stored history.

What is read again was said and committed before; it is not said again. But a state from history may know of
conditions that the log of alerts does not, and the other way round: `Restored.last` is there for the runner to
compare. Nothing is committed here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.detect.cases import Key
from services.detect.late.late_work import unknown_since
from services.detect.late.marks import LATE_SHARD, Marks
from services.detect.metrics import DetectMetrics
from services.detect.roster import MakeCore, Roster
from services.detect.settings import DetectSettings
from services.detect.stream import DetectorFailed, Stream
from services.domain.batch import CorruptBatch, ReadingBatch
from services.domain.condition import Condition
from services.domain.errors import CitygaugeError
from services.domain.instant import MICROSECOND
from services.store.checkpoint import load
from services.store.connection import Connection
from services.store.feed import FeedReader, FeedRow, Position
from services.store.past import newest_time, past

_LOG: Final = logging.getLogger("citygauge.detect")


class Stopped(Exception):
    """The service was told to end while it read history or the feed."""


@dataclass
class Restored:
    """A state that knows everything up to the committed position.

    Attributes:
        stream: the core and its clock.
        source: "checkpoint" or "history".
        last: the last condition of each rule and subject that was seen while reading again.
    """

    stream: Stream
    source: str
    last: dict[Key, Condition] = field(default_factory=dict)

    def remember(self, conditions: list[Condition]) -> None:
        """Keep the last condition of each rule and subject."""
        for condition in conditions:
            self.last[condition.rule, condition.subject] = condition


class Restoration:
    """How to build the state again, as often as it must be.

    Attributes:
        alone: ids of rows of the feed that are stepped by themselves, because one of them is suspected.
        skip: ids of rows that are left out.
    """

    def __init__(
        self,
        conn: Connection,
        reader: FeedReader,
        make_core: MakeCore,
        settings: DetectSettings,
        metrics: DetectMetrics,
        stop: Event,
    ) -> None:
        self._conn, self._reader, self._make_core = conn, reader, make_core
        self._settings, self._metrics, self._stop = settings, metrics, stop
        self.alone: set[int] = set()
        self.skip: set[int] = set()

    def restore(self) -> Restored:
        """Build the state up to the committed position, where the reader stands afterwards.

        Raises:
            DetectorFailed: a detector failed on batches that are read again.
            Stopped: the service shall end; nothing is lost by that.
        """
        self._reader.rewind()
        restored = self._from_checkpoint() or self._from_history()
        self._reader.rewind()
        self._metrics.rebuilds.labels(restored.source).inc()
        return restored

    def take(self, max_readings: int) -> list[FeedRow]:
        """The next rows of the feed without those that are left out; a damaged row is left out for good."""
        rows, damaged = self._poll(max_readings)
        for problem in damaged:
            self._metrics.skipped.inc()
            _LOG.error("a batch of the feed is left out: %s", problem)
        return [row for row in rows if row.id not in self.skip]

    def _poll(self, max_readings: int) -> tuple[list[FeedRow], list[str]]:
        """The next rows, and what is to be said of damaged ones that were passed over before them."""
        damaged: list[str] = []
        while True:
            try:
                return self._reader.poll(1 if damaged else max_readings), damaged
            except CorruptBatch as several:
                try:
                    return self._reader.poll(1), damaged
                except CorruptBatch:
                    position = self._reader.skip()
                    damaged.append(f"batch={position.id} {several}")

    def _from_checkpoint(self) -> Restored | None:
        committed = self._reader.committed
        saved = load(self._conn, self._reader.consumer)
        if saved is None or committed is None:
            return None
        restored = self._restored("checkpoint", saved.clock_us)
        try:
            for shard, state in saved.states.items():
                if shard == LATE_SHARD:
                    restored.stream.marks = Marks.loads(state)
                else:
                    restored.stream.roster.core.loads(shard, state)
            unknown_since(restored.stream)
        except (CitygaugeError, ValueError) as error:
            _LOG.warning(
                "the checkpoint cannot be used, history is read instead: problem=%s", error
            )
            return None
        self._reader.seek(saved.position)
        batches = 0
        while rows := self._until(committed):
            restored.remember(restored.stream.feed(rows, self.alone))
            restored.remember(self.tick(restored.stream.tick_behind))
            batches += len(rows)
        _LOG.info(
            "state restored from the checkpoint: sensors=%d batches_again=%d",
            len(restored.stream.roster.sensors),
            batches,
        )
        return restored

    def _until(self, committed: Position) -> list[FeedRow]:
        """The next rows up to the committed position; empty at its end."""
        while (at := self._reader.position) != committed:
            self._heed_stop()
            rows = self.take(self._settings.batch_readings)
            if self._reader.position == at:
                break
            inside = [row for row in rows if not _beyond(row.position, at, committed)]
            if len(inside) < len(rows):
                self._reader.seek(committed)
            if inside:
                return inside
        return []

    def _from_history(self) -> Restored:
        restored = self._restored("history", 0)
        stream, readings = restored.stream, 0
        newest = newest_time(self._conn)
        unread = self._unread()
        try:
            if newest is not None:
                start = newest - timedelta(days=self._settings.warm_days)
                _LOG.info("history is read: from=%s to=%s", start, newest)
                for batch in past(self._conn, start, newest + MICROSECOND):
                    self._heed_stop()
                    read = batch.take(~np.isin(_keys(batch), unread))
                    restored.remember(stream.learn(read))
                    readings += len(read)
        except DetectorFailed as error:
            self._metrics.failed_steps.inc()
            _LOG.error("history cannot be learnt, the detectors begin anew: %s", error)
            return self._restored("history", stream.clock_us)
        restored.remember(self.tick(stream.tick_behind))
        _LOG.info(
            "state built from history: sensors=%d readings=%d days=%g",
            len(stream.roster.sensors),
            readings,
            self._settings.warm_days,
        )
        return restored

    def _unread(self) -> NDArray[np.uint64]:
        """Keys of readings that are stored but still ahead in the feed: they are told from there, not learnt before."""
        keys = []
        while True:
            self._heed_stop()
            at = self._reader.position
            rows, _ = self._poll(self._settings.batch_readings)
            if self._reader.position == at:
                break
            keys += [_keys(row.batch) for row in rows]
        self._reader.rewind()
        return np.concatenate(keys) if keys else np.empty(0, np.uint64)

    def tick(self, passing: Callable[[], list[Condition]]) -> list[Condition]:
        """What a stream's way of letting time pass says; a failure is logged and means nothing: the feed must go on."""
        try:
            return passing()
        except DetectorFailed as error:
            self._metrics.failed_steps.inc()
            _LOG.error("silence cannot be judged, the feed goes on without: %s", error)
            return []

    def _heed_stop(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def _restored(self, source: str, clock_us: int) -> Restored:
        roster = Roster(self._conn, self._make_core, self._metrics)
        return Restored(Stream(roster, self._settings.clock, self._metrics, clock_us), source)


def _keys(batch: ReadingBatch) -> NDArray[np.uint64]:
    """(n,) a number for each (sensor, time); two that meet by chance cost the history one reading."""
    keys: NDArray[np.uint64] = batch.observed_us.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    keys ^= keys >> np.uint64(29)
    keys += batch.sensor.astype(np.uint64) * np.uint64(0xBF58476D1CE4E5B9)
    return keys


def _beyond(row: Position, start: Position, committed: Position) -> bool:
    if row.epoch == committed.epoch:
        return (row.xid, row.id) > (committed.xid, committed.id)
    return start.epoch == committed.epoch
