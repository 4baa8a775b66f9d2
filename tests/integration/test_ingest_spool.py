"""The local spool on the real parts: what it acknowledged while the database was away is stored once, in order."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from services.embedded.database import EmbeddedDatabase
from services.ingest.spool import Spool
from services.store.connection import connect
from services.store.feed import FeedReader
from services.store.migrations import migrate
from tests.ingest_worker import Publisher, WorkerProcess, account, committed, register, rows
from tests.waiting import wait_until

SENSORS = 10
BOUND, WINDOW, RECORD_BYTES = 64 * 1024, 200, 160
FULL = BOUND - WINDOW * RECORD_BYTES
"""Bytes from which on a batch need not fit any more: it is put by whole or not, and is a window's messages at most."""


@pytest.fixture
def own_url(own_database: EmbeddedDatabase) -> str:
    url = own_database.create()
    migrate(url)
    register(url, SENSORS)
    return url


@pytest.fixture
def device(own_broker: EmbeddedBroker) -> Iterator[Publisher]:
    with Publisher(own_broker.url(DEVICE_USER), "device") as publisher:
        yield publisher


def publish(device: Publisher, start: int, stop: int) -> None:
    for number in range(start, stop):
        device.reading(f"m{number % SENSORS}", number // SENSORS, float(number))
    device.settle()


def spooled(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.segment"))


def in_order(url: str) -> bool:
    """Whether the feed has each sensor's readings in the order of their times."""
    newest: dict[int, int] = {}
    with connect(url, "test", autocommit=True) as conn:
        for row in FeedReader(conn, "order").poll(1 << 30):
            columns = (row.batch.sensor.tolist(), row.batch.observed_us.tolist())
            for sensor, time_us in zip(*columns, strict=True):
                if time_us <= newest.get(sensor, 0):
                    return False
                newest[sensor] = time_us
    return True


def test_the_spool_outlives_the_database_and_two_kills(
    own_broker: EmbeddedBroker,
    own_database: EmbeddedDatabase,
    own_url: str,
    device: Publisher,
    tmp_path: Path,
) -> None:
    """kill -9 in the middle of putting by, a start without a database, kill -9 in the middle of draining."""
    settings = {"spool_folder": str(tmp_path), "batch_messages": 100, "receive_maximum": 500}
    with WorkerProcess(own_url, own_broker.url(), **settings) as worker:
        wait_until(lambda: worker.said("broker connected"))
        publish(device, 0, 500)
        committed(own_url, 500)
        own_database.kill()
        for number in range(500, 3_000):
            device.reading(f"m{number % SENSORS}", number // SENSORS, float(number))
        wait_until(lambda: spooled(tmp_path) > 50_000, what="a part in the spool")
        worker.kill()
    before = spooled(tmp_path)
    with WorkerProcess(own_url, own_broker.url(), **settings) as worker:
        wait_until(lambda: worker.said("broker connected"))
        assert worker.said("spool holds") == 1
        device.settle()
        publish(device, 3_000, 4_000)
        wait_until(lambda: spooled(tmp_path) > before + 100_000, what="more in the spool")
        own_database.start()
        wait_until(lambda: account(own_url).received > 1_000)
        worker.kill()
    with WorkerProcess(own_url, own_broker.url(), **settings) as worker:
        publish(device, 4_000, 4_200)
        found = committed(own_url, 4_200, 60)
        worker.stop()
    assert (found.received, found.stored, found.duplicate, found.rejected) == (4_200, 4_200, 0, 0)
    assert sorted(row[2] for row in rows(own_url)) == [float(n) for n in range(4_200)]  # type: ignore[type-var]
    assert in_order(own_url)
    assert spooled(tmp_path) == 0


def test_a_frozen_database_is_worked_around(
    own_broker: EmbeddedBroker,
    own_database: EmbeddedDatabase,
    own_url: str,
    device: Publisher,
    tmp_path: Path,
) -> None:
    """It answers nothing and breaks no connection; what comes meanwhile is put by, and what was being committed too."""
    with WorkerProcess(own_url, own_broker.url(), spool_folder=str(tmp_path)) as worker:
        wait_until(lambda: worker.said("broker connected"))
        publish(device, 0, 100)
        committed(own_url, 100)
        own_database.pause()
        publish(device, 100, 1_000)
        wait_until(lambda: spooled(tmp_path) > 50_000, what="the spool")
        own_database.resume()
        found = committed(own_url, 1_000)
        worker.stop()
    assert (found.received, found.stored, found.duplicate) == (1_000, 1_000, 0)
    assert in_order(own_url)


def test_a_full_spool_leaves_the_rest_with_the_broker(
    own_broker: EmbeddedBroker,
    own_database: EmbeddedDatabase,
    own_url: str,
    device: Publisher,
    tmp_path: Path,
) -> None:
    settings = {"spool_folder": str(tmp_path), "spool_bytes": BOUND, "receive_maximum": WINDOW}
    with WorkerProcess(own_url, own_broker.url(), **settings) as worker:
        wait_until(lambda: worker.said("broker connected"))
        own_database.kill()
        publish(device, 0, 3_000)
        wait_until(lambda: spooled(tmp_path) > FULL, what="a full spool")
        full_until = time.monotonic() + 1
        wait_until(lambda: spooled(tmp_path) > BOUND or time.monotonic() > full_until)
        assert spooled(tmp_path) <= BOUND
        own_database.start()
        found = committed(own_url, 3_000, 60)
        worker.stop()
    assert (found.received, found.stored, found.duplicate) == (3_000, 3_000, 0)
    assert in_order(own_url)
    Spool(tmp_path, BOUND).close()
