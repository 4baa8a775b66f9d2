"""A database that does not answer costs the worker time, and not its session. What kills and cuts do: tests/faults."""

import time
from collections.abc import Iterator

import pytest

from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from services.embedded.database import EmbeddedDatabase
from services.store.migrations import migrate
from tests.ingest_worker import Publisher, WorkerProcess, committed, register
from tests.waiting import wait_until

SENSORS = 10
KEEP_ALIVE_S = 8


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
    wait_until(lambda: worker.said("broker connected") >= times, what="the subscription")


def publish(device: Publisher, start: int, stop: int) -> None:
    """Distinct readings numbered start to stop - 1."""
    for number in range(start, stop):
        device.reading(f"m{number % SENSORS}", number // SENSORS, float(number))


def test_a_frozen_database_does_not_cost_the_session(
    own_broker: EmbeddedBroker, own_database: EmbeddedDatabase, own_url: str, device: Publisher
) -> None:
    with WorkerProcess(own_url, own_broker.url(), keep_alive_s=KEEP_ALIVE_S) as worker:
        subscribed(worker)
        publish(device, 0, 10)
        committed(own_url, 10)
        own_database.pause()
        publish(device, 10, 200)
        device.settle()
        thawed_at = (
            time.monotonic() + 1.6 * KEEP_ALIVE_S
        )  # the broker ends a silent session after 1.5 keep-alives
        wait_until(lambda: time.monotonic() > thawed_at)
        own_database.resume()
        found = committed(own_url, 200)
        assert worker.said("broker away") == 0
        worker.stop()
    assert (found.received, found.stored) == (200, 200)
