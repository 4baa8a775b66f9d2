"""Whatever dies in mid-stream, each published reading is stored once and the account says so."""

import time
from collections.abc import Iterator

import pytest

from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from services.embedded.database import EmbeddedDatabase
from services.store.migrations import migrate
from tests.ingest_worker import Publisher, WorkerProcess, account, committed, register, rows
from tests.waiting import wait_until

SENSORS = 10


@pytest.fixture
def own_url(own_database: EmbeddedDatabase) -> str:
    """The schema and some sensors in a database that may be killed."""
    url = own_database.create()
    migrate(url)
    register(url, SENSORS)
    return url


@pytest.fixture
def device(own_broker: EmbeddedBroker) -> Iterator[Publisher]:
    """A device on the test's own broker."""
    with Publisher(own_broker.url(DEVICE_USER), "device") as publisher:
        yield publisher


def subscribed(worker: WorkerProcess, times: int = 1) -> None:
    wait_until(lambda: worker.said("broker connected") >= times, 30, "the subscription")


def publish(device: Publisher, start: int, stop: int, bad: int = 0) -> None:
    """Distinct readings numbered start to stop - 1, and `bad` distinct messages that are none."""
    for number in range(start, stop):
        device.reading(f"m{number % SENSORS}", number // SENSORS, float(number))
    for number in range(bad):
        device.publish(
            f"citygauge/v1/water/m{number % SENSORS}/reading", b"bad %d" % (start + number)
        )


def stored_once(url: str, readings: int) -> None:
    found = rows(url)
    assert len(found) == readings
    assert sorted(row[2] for row in found) == [float(number) for number in range(readings)]  # type: ignore[type-var]


def test_kill_of_the_worker_in_mid_stream(
    own_broker: EmbeddedBroker, own_url: str, device: Publisher
) -> None:
    n = 6_000
    settings = {"batch_messages": 300, "receive_maximum": 2_000}
    for part in range(3):
        with WorkerProcess(own_url, own_broker.url(), **settings) as worker:
            subscribed(worker)
            before = account(own_url).received
            publish(device, part * n // 3, (part + 1) * n // 3, bad=50)
            if part < 2:
                wait_until(lambda low=before: account(own_url).received > low + 300, 30)
                worker.kill()
            else:
                device.settle()
                found = committed(own_url, device.published)
                worker.stop()
    assert device.published == n + 150
    assert (found.received, found.stored, found.rejected, found.duplicate) == (n + 150, n, 150, 0)
    stored_once(own_url, n)


def test_kill_of_the_database_under_load(
    own_broker: EmbeddedBroker, own_database: EmbeddedDatabase, own_url: str, device: Publisher
) -> None:
    n = 6_000
    with WorkerProcess(own_url, own_broker.url(), batch_messages=300) as worker:
        subscribed(worker)
        publish(device, 0, n // 2, bad=20)
        wait_until(lambda: account(own_url).received > 300, 30)
        own_database.kill()
        wait_until(lambda: worker.said("database away"), 30, "the log line of the outage")
        publish(device, n // 2, n)
        device.settle()
        own_database.start()
        found = committed(own_url, n + 20, 60)
        assert worker.said("database away") == 1
        assert worker.said("database connected") == 2
        worker.stop()
    assert (found.received, found.stored, found.rejected, found.duplicate) == (n + 20, n, 20, 0)
    stored_once(own_url, n)


def test_a_frozen_database_does_not_cost_the_session(
    own_broker: EmbeddedBroker, own_database: EmbeddedDatabase, own_url: str, device: Publisher
) -> None:
    with WorkerProcess(own_url, own_broker.url(), keep_alive_s=5) as worker:
        subscribed(worker)
        publish(device, 0, 10)
        committed(own_url, 10)
        own_database.pause()
        publish(device, 10, 200)
        device.settle()
        thawed_at = time.monotonic() + 9  # the broker ends a silent session after 1.5 keep-alives
        wait_until(lambda: time.monotonic() > thawed_at, 20)
        own_database.resume()
        found = committed(own_url, 200)
        assert worker.said("broker away") == 0
        worker.stop()
    assert (found.received, found.stored) == (200, 200)


def test_restart_of_the_broker_under_load(
    own_broker: EmbeddedBroker, own_url: str, device: Publisher
) -> None:
    n = 6_000
    with WorkerProcess(own_url, own_broker.url(), batch_messages=300) as worker:
        subscribed(worker)
        publish(device, 0, n // 2)
        wait_until(lambda: account(own_url).received > 300, 30)
        own_broker.restart()
        publish(device, n // 2, n)
        device.settle()
        found = committed(own_url, n, 60)
        assert worker.said("broker away") == 1
        assert worker.said("session=resumed") == 1
        worker.stop()
    # A device that did not hear the acknowledgement sends again: a new message with an old reading.
    assert found.received == found.stored + found.duplicate
    assert (found.stored, found.rejected) == (n, 0)
    stored_once(own_url, n)


def test_kill_of_the_broker_after_its_snapshot(
    own_broker: EmbeddedBroker, own_database: EmbeddedDatabase, own_url: str, device: Publisher
) -> None:
    """What the broker has written down, and what the worker has taken, survives kill -9 of the broker."""
    snapshot = own_broker.folder / "data" / "mosquitto.db"
    with WorkerProcess(own_url, own_broker.url(), receive_maximum=100) as worker:
        subscribed(worker)
        own_database.pause()
        publish(device, 0, 500)
        device.settle()
        settled_at = time.time()
        wait_until(lambda: snapshot.exists() and snapshot.stat().st_mtime > settled_at + 1, 20)
        own_broker.kill()
        own_database.resume()
        wait_until(lambda: worker.said("broker away"), 20)
        own_broker.start()
        subscribed(worker, 2)
        publish(device, 500, 600)
        device.settle()
        found = committed(own_url, 600, 60)
        worker.stop()
    assert (found.stored, found.rejected) == (600, 0)
    assert found.received == found.stored + found.duplicate
    stored_once(own_url, 600)
