"""A backlog while the database is away: it waits at the broker and not in the worker, and is caught up in order."""

import json
from pathlib import Path

import pytest

from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from services.embedded.database import EmbeddedDatabase
from services.store.connection import connect
from services.store.feed import FeedReader
from services.store.migrations import migrate
from tests.ingest_worker import START_US, Publisher, WorkerProcess, committed, register
from tests.waiting import wait_until

MESSAGES = 4_000
READINGS = 50
BUFFER = 1 * 1024 * 1024


def memory_mb(pid: int, what: str = "VmRSS") -> float:
    """Resident memory of a process, or its peak."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(what)


def columns(number: int) -> dict[str, object]:
    """Readings of one meter, a second apart, later than those of the meter's last message."""
    first = START_US // 1_000_000 - 86_400 + number // 10 * READINGS
    return {
        "units": {"register": "L", "battery": "%", "temperature": "Cel", "flow": "L/h"},
        "columns": {
            "time": [first + place for place in range(READINGS)],
            "register": [float(number * READINGS + place) for place in range(READINGS)],
            "battery": [99.123456] * READINGS,
            "temperature": [11.987654321] * READINGS,
            "flow": [0.123456789012] * READINGS,
        },
    }


@pytest.mark.parametrize("outage", ["frozen", "dead"])
def test_a_backlog_waits_at_the_broker_and_not_in_memory(
    own_broker: EmbeddedBroker, own_database: EmbeddedDatabase, outage: str
) -> None:
    url = own_database.create()
    migrate(url)
    register(url)
    settings = {"buffer_bytes": BUFFER, "batch_bytes": 256 * 1024, "late_after_s": 0}
    with (
        WorkerProcess(url, own_broker.url(), **settings) as worker,
        Publisher(own_broker.url(DEVICE_USER), "device") as device,
    ):
        wait_until(lambda: worker.said("broker connected"))
        for number in range(20):
            device.publish(f"citygauge/v1/water/m{number % 10}/reading", columns(number))
        committed(url, 20 * READINGS)
        before = memory_mb(worker.pid)
        if outage == "frozen":
            own_database.pause()
        else:
            own_database.kill()
        for number in range(20, MESSAGES):
            device.publish(f"citygauge/v1/water/m{number % 10}/reading", columns(number))
        device.settle()
        if outage == "frozen":
            own_database.resume()
        else:
            own_database.start()
        found = committed(url, MESSAGES * READINGS, 60)
        grown = (memory_mb(worker.pid, "VmHWM") - before) * 1024 * 1024
        worker.stop()
    backlog = MESSAGES * len(json.dumps(columns(MESSAGES)))
    assert grown < 4 * BUFFER + 8 * 1024 * 1024
    assert backlog > grown
    assert (found.received, found.stored) == (MESSAGES * READINGS, MESSAGES * READINGS)
    assert (found.duplicate, found.rejected, found.late) == (0, 0, 0)
    newest: dict[int, int] = {}
    with connect(url, "test", autocommit=True) as conn:
        for row in FeedReader(conn, "order").poll(1 << 30):
            for sensor, at in zip(
                row.batch.sensor.tolist(), row.batch.observed_us.tolist(), strict=True
            ):
                assert at > newest.get(sensor, 0)
                newest[sensor] = at


def test_no_transaction_has_more_bytes_of_payload_than_are_set(
    own_broker: EmbeddedBroker, database_url: str
) -> None:
    """Messages of 2 KiB wait; at most five fit into 10 KiB, and one of 20 KiB goes by itself."""
    register(database_url)
    settings = {"batch_bytes": 10 * 1024, "late_after_s": 0}
    large = {37, 38, 120}

    def payload(number: int) -> bytes:
        reading = {"time": START_US // 1_000_000 + number, "values": {"register": float(number)}}
        whole = {**reading, "units": {"register": "L"}}
        return json.dumps(whole).encode().ljust((20 if number in large else 2) * 1024)

    with Publisher(own_broker.url(DEVICE_USER), "device") as device:
        with WorkerProcess(database_url, own_broker.url(), **settings) as worker:
            wait_until(lambda: worker.said("broker connected"))
            worker.stop()
        for number in range(200):
            device.publish(f"citygauge/v1/water/m{number % 10}/reading", payload(number))
        device.settle()
        with WorkerProcess(database_url, own_broker.url(), **settings) as worker:
            found = committed(database_url, 200)
            worker.stop()
    assert (found.received, found.stored) == (200, 200)
    sizes = []
    with connect(database_url, "test", autocommit=True) as conn:
        for row in FeedReader(conn, "sizes").poll(1 << 30):
            numbers = [int(value) for value in row.batch.metrics["register_litres"]]
            sizes.append(len(numbers))
            assert sum(len(payload(number)) for number in numbers) <= 10 * 1024 or len(numbers) == 1
            assert len(numbers) == 1 or not large.intersection(numbers)
    assert max(sizes) == 5
