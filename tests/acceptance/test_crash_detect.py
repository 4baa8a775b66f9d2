"""kill -9 in the middle of a leak, at every awkward moment: one alert, told once, cleared once, the same as without.

The detect service runs as a process with the real detectors; readings come through the store as ingest writes them.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import numpy as np
import psycopg
import pytest

from services.detect.runner import CONSUMER
from services.detect.settings import Clock, DetectSettings
from services.domain.alert import EventKind
from services.domain.alert_fold import fold_all
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Rule
from services.domain.instant import HOUR_US, to_us
from services.domain.sensor import Sensor
from services.embedded.database import EmbeddedDatabase
from services.store.alerting.alerts import AlertRepository, StoredEvent
from services.store.connection import connect, transaction
from services.store.feed import append, committed_position
from services.store.sensors import SensorRepository
from services.store.writing.readings import ReadingWriter
from tests.tether import tethered
from tests.waiting import PATIENCE_S, wait_until

START_US = to_us(datetime(2026, 1, 5, tzinfo=UTC))
METERS = 3
QUIET_H, LEAK_H, AFTER_H = 15 * 24, 60, 30
LITRES_PER_H = 40.0
SETTINGS = DetectSettings(clock=Clock.STREAM, poll_s=0.05)
SERVICE = """
import sys, threading
from services.detect.service import run
from services.detect.settings import DetectSettings
run(DetectSettings.model_validate_json(sys.argv[1]), sys.argv[2], threading.Event())
"""


def registers() -> np.ndarray:
    """(hours, meters) register reads in litres; the first meter leaks after QUIET_H for LEAK_H hours."""
    chance = np.random.default_rng(3)
    hours = np.arange(QUIET_H + LEAK_H + AFTER_H)
    waking = (hours % 24 >= 6) & (hours % 24 < 23)
    used = chance.random((len(hours), METERS)) < np.where(waking, 0.7, 0.05)[:, None]
    litres = np.where(used, chance.integers(5, 60, used.shape), 0).astype(float)
    litres[QUIET_H : QUIET_H + LEAK_H, 0] += LITRES_PER_H
    return np.cumsum(litres, axis=0)


def batches(numbers: Sequence[int]) -> list[ReadingBatch]:
    """The quiet days a day at a time, the rest an hour at a time."""
    reads = registers()
    cuts = [*range(0, QUIET_H, 24), *range(QUIET_H, len(reads) + 1)]
    made = []
    for first, end in itertools.pairwise(cuts):
        hours = np.arange(first, end)
        at = np.repeat(START_US + hours * HOUR_US, METERS)
        made.append(
            ReadingBatch(
                Domain.WATER,
                np.tile(np.array(numbers, np.int32), len(hours)),
                at,
                at.copy(),
                np.zeros(len(at), np.int16),
                {"register_litres": reads[first:end].ravel()},
            )
        )
    return made


class City:
    """A database with meters, and the detect service as a process that can be killed."""

    def __init__(self, url: str, settings: DetectSettings) -> None:
        self.url, self.settings = url, settings
        self.service: subprocess.Popen[bytes] | None = None
        self.conn = connect(url, "test", autocommit=True)
        sensors = SensorRepository(self.conn)
        names = [f"meter-{i}" for i in range(METERS)]
        sensors.upsert([Sensor(n, SensorKind.WATER_METER, cadence_s=3600) for n in names])
        self.numbers = [sensors.registered(name).number for name in names]

    def start(self) -> None:
        arguments = [sys.executable, "-c", SERVICE, self.settings.model_dump_json(), self.url]
        self.service = subprocess.Popen(tethered(arguments))

    def kill(self) -> None:
        assert self.service is not None
        self.service.kill()
        self.service.wait(PATIENCE_S)

    def feed(self, batch: ReadingBatch) -> None:
        with transaction(self.conn):
            append(self.conn, ReadingWriter(self.conn).write(batch).accepted)

    def caught_up(self) -> bool:
        position = committed_position(self.conn, CONSUMER)
        [(last,)] = self.conn.execute("SELECT max(id) FROM batch_feed").fetchall()
        return position is not None and position.id == last

    def log(self) -> list[StoredEvent]:
        with connect(self.url, "test", autocommit=True) as conn:
            return AlertRepository(conn).events_after(0, limit=1000)

    def blocked(self) -> bool:
        """Whether the service waits for a lock inside its transaction."""
        with psycopg.connect(self.url) as conn:
            waiting = conn.execute(
                "SELECT true FROM pg_stat_activity WHERE application_name = 'citygauge-detect'"
                " AND datname = current_database() AND wait_event_type = 'Lock' AND backend_xid IS NOT NULL"
            )
            return waiting.fetchone() is not None


@contextmanager
def city(url: str, settings: DetectSettings) -> Iterator[City]:
    made = City(url, settings)
    made.start()
    try:
        yield made
    finally:
        made.kill()
        made.conn.close()


def run(url: str, settings: DetectSettings, kill_in: set[int], kill_after: set[int]) -> City:
    """Feed everything batch by batch; kill in the transaction of some batches and after the commit of others."""
    with city(url, settings) as made:
        for index, batch in enumerate(batches(made.numbers)):
            if index in kill_in:
                with psycopg.connect(url) as holder:
                    holder.execute("LOCK TABLE alert_event IN EXCLUSIVE MODE")
                    made.feed(batch)
                    wait_until(made.blocked, what=f"the transaction of batch {index}")
                    made.kill()
                made.start()
            else:
                made.feed(batch)
            if index in kill_after or index == QUIET_H // 24 - 1:
                wait_until(made.caught_up, what=f"batch {index}")
            if index in kill_after:
                made.kill()
                made.start()
        wait_until(made.caught_up, what="the last batch")
    return made


@pytest.fixture(scope="module")
def calm(database_server: EmbeddedDatabase, migrated_template: str) -> list[StoredEvent]:
    """The log of an uninterrupted run."""
    return run(database_server.clone(migrated_template), SETTINGS, set(), set()).log()


def batch_at(log: list[StoredEvent], kind: EventKind) -> int:
    """The batch that brings this event of the leak's alert."""
    [leak] = [e.event.alert_id for e in log if e.event.data.get("rule") == Rule.CONTINUOUS_FLOW]
    [at] = [e.event.at for e in log if e.event.alert_id == leak and e.event.kind is kind]
    return int((to_us(at) - START_US) // HOUR_US) - QUIET_H + QUIET_H // 24


@pytest.mark.parametrize("checkpoint_s", [0.0, 3600.0], ids=["checkpoints", "history"])
def test_kill_9_in_the_middle_of_a_leak_neither_repeats_nor_forgets_it(
    database_server: EmbeddedDatabase,
    migrated_template: str,
    calm: list[StoredEvent],
    checkpoint_s: float,
) -> None:
    settings = SETTINGS.model_copy(update={"checkpoint_s": checkpoint_s})
    raised, cleared = batch_at(calm, EventKind.RAISED), batch_at(calm, EventKind.CLEARED)
    assert QUIET_H // 24 < raised < cleared
    shaken = run(
        database_server.clone(migrated_template),
        settings,
        kill_in={raised, cleared},
        kill_after={raised - 3, raised, raised + 5, cleared - 1, cleared},
    )
    found = shaken.log()
    assert [identity(entry) for entry in found] == [identity(entry) for entry in calm]

    leak = [e for e in found if e.event.data.get("rule") == Rule.CONTINUOUS_FLOW]
    assert len(leak) == 1
    kinds = [e.event.kind for e in found if e.event.alert_id == leak[0].event.alert_id]
    assert kinds[0] is EventKind.RAISED
    assert kinds.count(EventKind.CLEARED) == 1
    with connect(shaken.url, "test", autocommit=True) as conn:
        repository = AlertRepository(conn)
        for alert_id in {entry.event.alert_id for entry in found}:
            log = [entry.event for entry in repository.events(alert_id)]
            assert fold_all(log) == repository.get(alert_id)
        assert repository.get(leak[0].event.alert_id).subject == "meter-0"
        [(told,)] = conn.execute("SELECT count(*) FROM outbox").fetchall()
    assert told == sum(entry.event.kind is not EventKind.UPDATED for entry in found)


def identity(entry: StoredEvent) -> tuple[uuid.UUID, uuid.UUID, EventKind, int, datetime, object]:
    event = entry.event
    words = event.data.get("sentence")
    return (event.id, event.alert_id, event.kind, entry.version, event.at, words)
