"""A storm of alerts while notifier, detector and database are killed in turn: nobody misses one, nobody is misled.

Every meter's register falls once, which the real detectors take for backflow; a quarter of the meters stand where works
were announced. At the end every alert exists once, every message went out at least once and always with the same id,
and nothing was said of what the works explain. `make test` runs a small storm, CITYGAUGE_FAULTS=full 10,000 conditions.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pytest

from services.detect.settings import Clock, DetectSettings
from services.domain.alert_fold import fold_all
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Rule
from services.domain.errors import Unavailable
from services.domain.instant import HOUR_US, to_us
from services.domain.sensor import Sensor
from services.domain.suppression import Suppression, SuppressionKind
from services.embedded.database import EmbeddedDatabase
from services.store.alerting.alerts import AlertRepository
from services.store.alerting.suppressions import SuppressionRepository
from services.store.connection import connect, transaction
from services.store.feed import append
from services.store.migrations import migrate
from services.store.sensors import SensorRepository
from services.store.telling.outbox import backlog
from services.store.writing.readings import ReadingWriter
from tests.endpoint import Endpoint
from tests.notifying import hook, settings_of
from tests.tether import tethered
from tests.waiting import wait_until

FULL: Final = os.environ.get("CITYGAUGE_FAULTS") == "full"
METERS: Final = 10_000 if FULL else 480
BATCHES: Final = 100 if FULL else 12
KILL_EVERY: Final = 4
WORKS: Final = "Zone of works"
PATIENCE_S: Final = 600.0 if FULL else 120.0
pytestmark = [pytest.mark.faults, pytest.mark.timeout(3_000 if FULL else 900)]
SERVICE: Final = """
import sys, threading
from services.{room}.service import run
from services.{room}.settings import {settings}
run({settings}.model_validate_json(sys.argv[1]), sys.argv[2], threading.Event())
"""


class Part:
    """A service as a process that can be killed and started again."""

    def __init__(self, room: str, settings: str, values: str, url: str) -> None:
        code = SERVICE.format(room=room, settings=settings)
        self._command = [sys.executable, "-c", code, values, url]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(tethered(self._command), stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE_S)
            self._process = None

    def again(self) -> None:
        self.kill()
        self.start()


def insist(what: Callable[[], object]) -> None:
    """Do it, again while the database is away, as ingest does."""

    def done() -> bool:
        try:
            what()
        except Unavailable:
            return False
        return True

    wait_until(done, PATIENCE_S, what="the database to come back")


def register(url: str) -> np.ndarray:
    """Meters, every fourth of them where works are announced; (METERS,) their numbers."""
    names = [f"meter-{n:05d}" for n in range(METERS)]
    now = datetime.now(UTC)
    works = Suppression(
        id=uuid.uuid4(),
        kind=SuppressionKind.MAINTENANCE,
        subjects=(),
        rules=(),
        domain=None,
        zone=WORKS,
        road=None,
        starts_at=now - timedelta(days=1),
        ends_at=now + timedelta(days=1),
        hours=(),
        time_zone="UTC",
        reason="The main is flushed.",
        created_at=now,
        created_by="ada",
    )
    with connect(url, "test", autocommit=True) as conn:
        sensors = SensorRepository(conn)
        sensors.upsert(
            [
                Sensor(name, SensorKind.WATER_METER, zone=WORKS if n % 4 == 0 else f"Zone {n % 40}")
                for n, name in enumerate(names)
            ]
        )
        SuppressionRepository(conn).create(works)
        known = sensors.registry().by_id
    return np.array([known[name].number for name in names], np.int32)


def reads(numbers: np.ndarray, at_us: int, litres: float) -> ReadingBatch:
    """A register read of each meter at one time."""
    at = np.full(len(numbers), at_us, np.int64)
    values = {"register_litres": np.full(len(numbers), litres)}
    quality = np.zeros(len(numbers), np.int16)
    return ReadingBatch(Domain.WATER, numbers, at, at + 1_000_000, quality, values)


def test_a_storm_while_everything_is_killed_in_turn(own_database: EmbeddedDatabase) -> None:
    url = own_database.create()
    migrate(url)
    numbers = register(url)
    server = Endpoint()
    notify = settings_of(hook(server), lease_s=3.0)
    plain = notify.model_dump(mode="json")
    plain["routes"][0]["secret"] = "a secret of some length"
    detect = DetectSettings(
        clock=Clock.STREAM, poll_s=0.05, checkpoint_s=1.0, settle_s=0, flood_alerts=0
    )
    notifier = Part("notify", "NotifySettings", json.dumps(plain), url)
    detector = Part("detect", "DetectSettings", detect.model_dump_json(), url)

    def feed(batch: ReadingBatch) -> None:
        with connect(url, "test") as conn, transaction(conn):
            append(conn, ReadingWriter(conn).write(batch).accepted)

    def lose_the_database() -> None:
        own_database.kill()
        own_database.start()

    def lose_the_notifier() -> None:
        """Between sending and recording: it dies while the answer to a message is on its way."""
        held = server.hold
        assert held is not None
        wait_until(lambda: len(server.requests) > seen, PATIENCE_S, what="a message to be in hand")
        notifier.kill()
        server.hold = None
        held.set()
        notifier.start()

    losses = [lose_the_notifier, detector.again, lose_the_database]
    now_us = to_us(datetime.now(UTC))
    seen = 0
    try:
        detector.start()
        notifier.start()
        insist(lambda: feed(reads(numbers, now_us - HOUR_US, 9_000_000.0)))
        for place, some in enumerate(np.array_split(numbers, BATCHES)):
            batch = reads(some, now_us + place * 1_000_000, 8_999_900.0)
            if place % 5 == 3:
                server.answers = [503, 200, 500]
            loss = losses[place // KILL_EVERY % len(losses)]
            dies = place % KILL_EVERY == KILL_EVERY - 1
            if dies and loss is lose_the_notifier:
                seen, server.hold = len(server.requests), threading.Event()
            insist(lambda batch=batch: feed(batch))
            if dies:
                loss()
        told = METERS - len(range(0, METERS, 4))
        wait_until(lambda: alerts(url) >= METERS, PATIENCE_S, what="every alert")
        wait_until(lambda: quiet(url), PATIENCE_S, what="every message to be recorded")
        wait_until(lambda: len(set(keys(server))) >= told, what="every message")
    finally:
        notifier.kill()
        detector.kill()
        server.close()
    check(url, server, told)


def check(url: str, server: Endpoint, told: int) -> None:
    """What must be true when the storm is over."""
    with connect(url, "test", autocommit=True) as conn:
        repository = AlertRepository(conn)
        found = repository.open_alerts()
        raised = Counter((each.rule, each.subject) for each in found)
        assert set(raised.values()) == {1}, "an alert exists twice"
        backflow = [each for each in found if each.rule is Rule.BACKFLOW]
        assert len(backflow) == METERS
        assert len(found) == METERS, "something else was found"
        for alert in backflow[:: max(1, METERS // 100)]:
            assert fold_all(each.event for each in repository.events(alert.id)) == alert
        held = {each.id for each in backflow if each.suppressed_by is not None}
        assert len(held) == METERS - told
        rows = conn.execute(
            "SELECT o.event_id, e.alert_id FROM outbox AS o JOIN alert_event AS e ON e.id = o.event_id"
        )
        owed = {str(event): str(alert) for event, alert in rows}
        unsent = conn.execute("SELECT count(*) FROM delivery WHERE sent_at IS NULL").fetchone()
    came = [
        (request.headers["Idempotency-Key"], json.loads(request.body))
        for request in server.requests
    ]
    assert unsent == (0,)
    assert {key for key, _ in came} == owed.keys(), "a message is missing, or nobody owed it"
    assert len(owed) == told
    for key, body in came:
        assert (body["event_id"], body["alert"]["id"]) == (key, owed[key])
        assert uuid.UUID(body["alert"]["id"]) not in held
    repeated = len(came) - len(owed)
    assert repeated >= 1, "the notifier never died with a message in hand"
    refused = 2 * len([place for place in range(BATCHES) if place % 5 == 3])
    print(f"storm: {METERS} conditions, {len(owed)} messages, {repeated} sent again")
    assert repeated <= refused + 20 * BATCHES // KILL_EVERY, (
        "more were sent again than were in hand"
    )


def alerts(url: str) -> int:
    with connect(url, "test", autocommit=True) as conn:
        return len(AlertRepository(conn).open_alerts())


def quiet(url: str) -> bool:
    """Whether everything that was written so far has been told."""
    with connect(url, "test", autocommit=True) as conn:
        left = backlog(conn)
    return left.waiting == left.undelivered == 0


def keys(server: Endpoint) -> list[str]:
    return [request.headers["Idempotency-Key"] for request in list(server.requests)]
