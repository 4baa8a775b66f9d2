"""Several workers on one subscription: whoever leaves, dies or is forgotten, each published reading is stored once."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from services.ingest.forget import StillNeeded, forget
from services.ingest.settings import IngestSettings
from services.store import membership
from services.store.connection import Connection, connect
from services.store.feed import FeedReader
from tests.ingest_worker import Publisher, WorkerProcess, account, committed, register, rows
from tests.waiting import PATIENCE_S, wait_until

SENSORS = 20
GROUP = "city"


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "test", autocommit=True) as connection:
        register(database_url, SENSORS)
        yield connection


@pytest.fixture
def device(own_broker: EmbeddedBroker) -> Iterator[Publisher]:
    with Publisher(own_broker.url(DEVICE_USER), "device") as publisher:
        yield publisher


def publish(device: Publisher, start: int, stop: int) -> None:
    for number in range(start, stop):
        device.reading(f"m{number % SENSORS}", number // SENSORS, float(number))


def started(url: str, broker: EmbeddedBroker, name: str, **more: object) -> WorkerProcess:
    settings = {"worker": name, "share_group": GROUP, "batch_messages": 200, "receive_maximum": 50}
    settings |= {"take_over_after_s": 0} | more
    return WorkerProcess(url, broker.url(), **settings)


def subscribed(*workers: WorkerProcess) -> None:
    wait_until(
        lambda: all(worker.said("broker connected") for worker in workers), what="the subscriptions"
    )


def states(conn: Connection) -> dict[str, str]:
    return {each.name: each.state.value for each in membership.members(conn)}


def stored_once(url: str, readings: int) -> None:
    assert sorted(row[2] for row in rows(url)) == [float(n) for n in range(readings)]  # type: ignore[type-var]


def test_three_workers_of_which_one_dies_and_one_leaves(
    own_broker: EmbeddedBroker, database_url: str, conn: Connection, device: Publisher
) -> None:
    n = 6_000
    with (
        started(database_url, own_broker, "a") as a,
        started(database_url, own_broker, "b") as b,
        started(database_url, own_broker, "c") as c,
    ):
        subscribed(a, b, c)
        wait_until(lambda: states(conn) == dict.fromkeys("abc", "working"))
        publish(device, 0, n // 3)
        wait_until(lambda: account(database_url).received > 500)
        a.kill()
        publish(device, n // 3, 2 * n // 3)
        b.stop()
        assert b.said("left the share group") == 1
        assert states(conn) == {"a": "working", "c": "working"}
        publish(device, 2 * n // 3, n)
        device.settle()
        waiting = n - account(database_url).received
        assert waiting > 0  # the broker keeps a share for the one that died
        conn.execute(
            "UPDATE ingest_worker SET seen_at = seen_at - interval '2 minutes' WHERE worker = 'a'"
        )
        wait_until(lambda: c.said("workers forget a"), what="the word about the absent one")
        done = subprocess.run(
            [sys.executable, "-m", "services.cli", "workers", "forget", "a"],
            env={
                **os.environ,
                "DATABASE_URL": database_url,
                "MQTT_URL": own_broker.url(),
                "CITYGAUGE_INGEST_SHARE_GROUP": GROUP,
            },
            capture_output=True,
            text=True,
            check=True,
        )
        assert "a is forgotten" in done.stdout
        assert "its session is ended" in done.stdout
        assert states(conn) == {"c": "working"}
        found = committed(database_url, n)
        c.stop()
        assert c.said("left the share group") == 0
    assert states(conn) == {"c": "stopped"}
    assert (found.received, found.stored, found.duplicate, found.rejected) == (n, n, 0, 0)
    stored_once(database_url, n)


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_what_a_worker_has_not_acknowledged_reaches_the_table_without_it(
    own_broker: EmbeddedBroker,
    database_url: str,
    conn: Connection,
    device: Publisher,
    end: str,
) -> None:
    """It holds fifty messages and the broker hundreds more for it; stopped, it hands over; killed, it is relieved."""
    n = 2_000
    with (
        started(database_url, own_broker, "a") as a,
        started(database_url, own_broker, "b", take_over_after_s=60) as b,
    ):
        subscribed(a, b)
        wait_until(lambda: states(conn) == dict.fromkeys("ab", "working"))
        os.kill(a.pid, signal.SIGSTOP)
        publish(device, 0, n)
        device.settle()
        wait_until(lambda: account(database_url).received >= n // 2, what="the share of b")
        assert account(database_url).received == n // 2
        if end == "killed":
            a.kill()
            conn.execute(
                "UPDATE ingest_worker SET seen_at = seen_at - interval '2 minutes' WHERE worker = 'a'"
            )
        else:
            os.kill(a.pid, signal.SIGTERM)
            os.kill(a.pid, signal.SIGCONT)
        found = committed(database_url, n)
        wait_until(lambda: states(conn) == {"b": "working"}, what="its place to be given up")
        if end == "killed":
            wait_until(lambda: b.said("took over worker=a") > 0, what="the relief")
        publish(device, n, n + 100)
        device.settle()
        found = committed(database_url, n + 100)
        b.stop()
    assert (found.received, found.stored, found.duplicate) == (n + 100, n + 100, 0)
    stored_once(database_url, n + 100)


def test_a_worker_that_is_only_silent_takes_its_place_back(
    own_broker: EmbeddedBroker, database_url: str, conn: Connection, device: Publisher
) -> None:
    """Frozen for long it is relieved; awake again it goes on, and what both had is stored once."""
    n = 1_000
    with (
        started(database_url, own_broker, "a") as a,
        started(database_url, own_broker, "b", take_over_after_s=60) as b,
    ):
        subscribed(a, b)
        wait_until(lambda: states(conn) == dict.fromkeys("ab", "working"))
        os.kill(a.pid, signal.SIGSTOP)
        publish(device, 0, n)
        device.settle()
        conn.execute(
            "UPDATE ingest_worker SET seen_at = seen_at - interval '2 minutes' WHERE worker = 'a'"
        )
        wait_until(lambda: b.said("its session is ended"), what="the relief")
        wait_until(lambda: account(database_url).stored == n, what="what came")
        wait_until(lambda: states(conn) == {"b": "working"}, what="its place to be given up")
        os.kill(a.pid, signal.SIGCONT)
        wait_until(lambda: a.said("broker connected") >= 2, what="its return")
        wait_until(
            lambda: (
                [each.subscription for each in membership.members(conn)]
                == ["$share/city/citygauge/v1/+/+/reading"] * 2
            ),
            what="its place",
        )
        publish(device, n, 2 * n)
        device.settle()
        wait_until(lambda: account(database_url).stored == 2 * n, what="the rest")
        a.stop()
        b.stop()
    stored_once(database_url, 2 * n)


def test_one_worker_after_a_restart_goes_on_in_the_order_of_each_sensor(
    own_broker: EmbeddedBroker, database_url: str, conn: Connection, device: Publisher
) -> None:
    n = 2_000
    for part in range(2):
        with started(database_url, own_broker, "only") as worker:
            subscribed(worker)
            assert worker.said("session=resumed") == part
            publish(device, part * n // 2, (part + 1) * n // 2)
            if part == 0:
                wait_until(lambda: account(database_url).received > 100)
            else:
                device.settle()
                found = committed(database_url, n)
            worker.stop()
            assert worker.said("left the share group") == 0
    assert (found.stored, found.late) == (n, 0)
    seen: dict[int, int] = {}
    for row in FeedReader(conn, "order").poll(1 << 30):
        for sensor, time in zip(
            row.batch.sensor.tolist(), row.batch.observed_us.tolist(), strict=True
        ):
            assert time > seen.get(sensor, 0)
            seen[sensor] = time
    assert len(seen) == SENSORS


def test_nobody_leaves_as_the_last(
    own_broker: EmbeddedBroker, database_url: str, conn: Connection, device: Publisher
) -> None:
    """Both stop at once: one of them keeps its session, and what is published then waits there."""
    with (
        started(database_url, own_broker, "a") as a,
        started(database_url, own_broker, "b") as b,
    ):
        subscribed(a, b)
        wait_until(lambda: len(states(conn)) == 2)
        for worker in (a, b):
            os.kill(worker.pid, 15)
        a.stop()
        b.stop()
        assert a.said("left the share group") + b.said("left the share group") == 1
    (last,) = states(conn)
    assert states(conn) == {last: "stopped"}
    publish(device, 0, 100)
    device.settle()
    with started(database_url, own_broker, last) as worker:
        assert committed(database_url, 100).stored == 100
        worker.stop()


def test_a_worker_that_is_needed_is_not_forgotten(
    own_broker: EmbeddedBroker, database_url: str, conn: Connection
) -> None:
    settings = IngestSettings(worker="a", share_group=GROUP)
    url = own_broker.url()
    with started(database_url, own_broker, "a") as a:
        subscribed(a)
        with pytest.raises(StillNeeded, match="alive; stop it first"):
            forget(settings, database_url, url, longest_s=PATIENCE_S)
        a.stop()
    with pytest.raises(StillNeeded, match="no other worker"):
        forget(settings, database_url, url, longest_s=PATIENCE_S)
    done = forget(settings, database_url, url, longest_s=PATIENCE_S, force=True)
    assert (done.known, done.messages, done.ended) == (True, 0, True)
    done = forget(settings, database_url, url, longest_s=PATIENCE_S, force=True)
    assert (done.known, done.messages, done.ended) == (False, 0, True)


def test_two_workers_without_a_share_group_are_told_that_both_take_everything(
    own_broker: EmbeddedBroker, database_url: str, conn: Connection, device: Publisher
) -> None:
    with (
        started(database_url, own_broker, "a", share_group="") as a,
        started(database_url, own_broker, "b", share_group="") as b,
    ):
        subscribed(a, b)
        publish(device, 0, 100)
        device.settle()
        found = committed(database_url, 200)
        wait_until(
            lambda: a.said("set share_group") + b.said("set share_group"), what="the word about it"
        )
    assert (found.stored, found.duplicate) == (100, 100)
