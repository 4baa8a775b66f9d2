"""The embedded servers keep what they promise: durability, isolation, and no orphans."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from services.embedded.database import EmbeddedDatabase
from services.embedded.errors import FolderInUse, StartFailed
from services.embedded.prefix import Prefix
from services.embedded.processes import free_port
from tests.embedded_fixtures import memory, rows
from tests.tether import tethered
from tests.waiting import PATIENCE_S, wait_until

CHECKOUT = Path(__file__).parents[2]


def alive(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


class Client:
    """An MQTT 5 client whose events can be waited for."""

    def __init__(
        self, url: str | None, port: int, client_id: str = "", *, keep: bool = False
    ) -> None:
        self.messages: Queue[tuple[str, bytes]] = Queue()
        self.connected: Queue[bool] = Queue()
        self.subscribed: Queue[bool] = Queue()
        self.mqtt = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5
        )
        if url is not None:
            parts = urlsplit(url)
            self.mqtt.username_pw_set(parts.username, parts.password)
        self.mqtt.on_connect = lambda c, u, f, reason, p: self.connected.put(not reason.is_failure)
        self.mqtt.on_subscribe = lambda c, u, m, reasons, p: self.subscribed.put(
            not any(reason.is_failure for reason in reasons)
        )
        self.mqtt.on_message = lambda c, u, message: self.messages.put(
            (message.topic, bytes(message.payload))
        )
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 3600 if keep else 0
        self.mqtt.connect("127.0.0.1", port, clean_start=not keep, properties=properties)
        self.mqtt.loop_start()

    def subscribe(self, topic: str) -> bool:
        self.mqtt.subscribe(topic, qos=1)
        return self.subscribed.get(timeout=PATIENCE_S)

    def publish(self, topic: str, payload: bytes) -> None:
        self.mqtt.publish(topic, payload, qos=1).wait_for_publish(PATIENCE_S)

    def close(self) -> None:
        self.mqtt.disconnect()
        self.mqtt.loop_stop()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("timezone", "UTC"),
        ("jit", "off"),
        ("listen_addresses", "127.0.0.1"),
        ("password_encryption", "scram-sha-256"),
        ("timescaledb.license", "apache"),
    ],
)
def test_the_database_has_the_settings_that_promises_need(
    durable_database: EmbeddedDatabase, setting: str, value: str
) -> None:
    assert rows(durable_database.create(), f"SHOW {setting}") == [(value,)]


@pytest.fixture(scope="module")
def durable_database(prefix: Prefix) -> Iterator[EmbeddedDatabase]:
    """One durable server for the tests that only look."""
    with EmbeddedDatabase(within=memory()) as server:
        yield server


def test_the_database_refuses_a_wrong_password(durable_database: EmbeddedDatabase) -> None:
    url = urlsplit(durable_database.url("postgres"))
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://postgres:wrong@127.0.0.1:{url.port}/postgres")


def test_a_committed_row_survives_the_kill_of_the_server(own_database: EmbeddedDatabase) -> None:
    url = own_database.create()
    rows(url, "CREATE TABLE kept AS SELECT 7 AS number")
    own_database.kill()
    assert not own_database.running
    own_database.start()
    assert rows(url, "SELECT number FROM kept") == [(7,)]


def test_a_restart_keeps_port_and_password(own_database: EmbeddedDatabase) -> None:
    url = own_database.create()
    own_database.restart()
    assert own_database.url() == url
    assert rows(url, "SELECT 1") == [(1,)]


def test_a_given_folder_is_used_again_by_the_next_process(
    prefix: Prefix, given_folder: Path
) -> None:
    with EmbeddedDatabase(given_folder) as first:
        rows(first.create(), "CREATE TABLE kept AS SELECT 7 AS number")
    with EmbeddedDatabase(given_folder) as second:
        assert rows(second.create(), "SELECT number FROM kept") == [(7,)]


def test_a_folder_belongs_to_one_server_at_a_time(own_database: EmbeddedDatabase) -> None:
    second = EmbeddedDatabase(own_database.folder)
    second.predecessor_timeout = 0.0
    with pytest.raises(FolderInUse):
        second.start()
    assert own_database.running


def test_a_pid_file_that_names_a_stranger_is_forgotten(own_database: EmbeddedDatabase) -> None:
    own_database.kill()
    pid_file = own_database.folder / "data" / "postmaster.pid"
    lines = pid_file.read_text().split("\n")
    pid_file.write_text("\n".join([str(os.getppid()), *lines[1:]]))
    own_database.start()
    assert rows(own_database.url("postgres"), "SELECT 1") == [(1,)]


def test_a_temporary_folder_goes_with_its_server(prefix: Prefix) -> None:
    with EmbeddedDatabase() as server:
        folder = server.folder
        assert folder.is_dir()
    assert not folder.exists()


def test_a_paused_database_answers_nothing_until_it_is_resumed(
    own_database: EmbeddedDatabase,
) -> None:
    answer: Queue[object] = Queue()
    with psycopg.connect(own_database.url("postgres"), autocommit=True) as connection:
        own_database.pause()
        asking = threading.Thread(target=lambda: answer.put(connection.execute("SELECT 1")))
        asking.start()
        asking.join(0.3)
        assert asking.is_alive()
        own_database.resume()
        answer.get(timeout=PATIENCE_S)
        asking.join()


def test_a_paused_database_can_be_stopped(own_database: EmbeddedDatabase) -> None:
    own_database.pause()
    own_database.stop()
    assert not own_database.running


def test_a_server_that_cannot_start_shows_what_it_said(prefix: Prefix) -> None:
    server = EmbeddedDatabase(within=memory(), settings={"shared_buffers": "many"})
    with pytest.raises(StartFailed, match="shared_buffers"):
        server.start()
    assert not server.running


def test_a_free_port_is_none_that_the_system_lends_to_connections() -> None:
    lent, _ = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    assert {port < int(lent) for port in (free_port() for _ in range(20))} == {True}


def test_a_port_that_is_taken_is_said_to_be(prefix: Prefix, broker: EmbeddedBroker) -> None:
    database = EmbeddedDatabase(within=memory(), port=broker.port)
    for server in (EmbeddedBroker(port=broker.port), database):
        with pytest.raises(StartFailed, match="ddress already in use"):
            server.start()


def test_a_child_that_holds_the_pipe_does_not_keep_the_server_from_stopping(
    own_broker: EmbeddedBroker,
) -> None:
    assert own_broker._process is not None
    pipe = own_broker._process._runner.stdin
    assert pipe is not None
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[pipe.fileno()]) as holder:
        own_broker._process.stop()
        assert holder.poll() is None
        assert not own_broker.running
        holder.communicate()


def test_clones_of_a_template_share_its_content_and_nothing_else(
    database_server: EmbeddedDatabase,
) -> None:
    def prepare(url: str) -> None:
        rows(url, "CREATE TABLE n AS SELECT 1 AS v")

    database_server.create_template("numbers", prepare)
    first, second = database_server.clone("numbers"), database_server.clone("numbers")
    rows(first, "INSERT INTO n VALUES (2)")
    assert rows(first, "SELECT count(*) FROM n") == [(2,)]
    assert rows(second, "SELECT count(*) FROM n") == [(1,)]


def test_an_empty_database_has_timescaledb(empty_database_url: str) -> None:
    assert rows(
        empty_database_url, "SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'"
    ) == [("timescaledb",)]


def test_the_broker_refuses_whom_it_does_not_know(broker: EmbeddedBroker) -> None:
    for url in (None, "mqtt://device:wrong@127.0.0.1", "mqtt://stranger:wrong@127.0.0.1"):
        client = Client(url, broker.port)
        assert client.connected.get(timeout=PATIENCE_S) is False
        client.close()


def test_devices_publish_on_their_topics_and_read_nothing(
    broker: EmbeddedBroker, mqtt_url: str, device_mqtt_url: str
) -> None:
    service, device = Client(mqtt_url, broker.port), Client(device_mqtt_url, broker.port)
    assert service.subscribe("$share/acl/citygauge/acl/#")
    assert service.subscribe("elsewhere/acl/#")
    device.subscribe("citygauge/acl/#")
    device.publish("elsewhere/acl/1", b"refused")
    device.publish("citygauge/acl/1", b"taken")
    assert service.messages.get(timeout=PATIENCE_S) == ("citygauge/acl/1", b"taken")
    service.publish("elsewhere/acl/2", b"by a service")
    assert service.messages.get(timeout=PATIENCE_S) == ("elsewhere/acl/2", b"by a service")
    device.publish("citygauge/acl/3", b"taken")  # its acknowledgement comes behind whatever came
    assert device.messages.empty()
    service.close()
    device.close()


def test_queued_messages_survive_a_restart_of_the_broker(own_broker: EmbeddedBroker) -> None:
    port = own_broker.port
    service = Client(own_broker.url(), port, "keeper", keep=True)
    assert service.subscribe("citygauge/kept/#")
    service.close()
    device = Client(own_broker.url(DEVICE_USER), port)
    for number in range(2000):
        device.publish("citygauge/kept/1", str(number).encode())
    device.close()
    own_broker.restart()
    assert own_broker.port == port
    service = Client(own_broker.url(), port, "keeper", keep=True)
    received = [int(service.messages.get(timeout=PATIENCE_S)[1]) for _ in range(2000)]
    assert received == list(range(2000))
    service.close()


def test_a_killed_broker_comes_back_on_its_port(own_broker: EmbeddedBroker) -> None:
    port = own_broker.port
    own_broker.kill()
    assert not own_broker.running
    own_broker.start()
    assert own_broker.port == port
    client = Client(own_broker.url(), port)
    assert client.connected.get(timeout=PATIENCE_S) is True
    client.close()


def test_a_killed_guardian_takes_its_server_along(prefix: Prefix) -> None:
    with EmbeddedBroker() as server:
        assert server._process is not None
        pid, guardian = server._process.pid, server._process._runner.pid
        os.kill(guardian, signal.SIGKILL)
        wait_until(lambda: not alive(pid), what="the end of the broker")


@pytest.mark.parametrize(
    ("manner", "number"),
    [
        ("plain", signal.SIGKILL),
        ("paused", signal.SIGKILL),
        ("plain", signal.SIGTERM),
        ("unwinding", signal.SIGTERM),
        ("plain", signal.SIGINT),
    ],
)
def test_no_server_outlives_its_parent(prefix: Prefix, manner: str, number: int) -> None:
    parent = subprocess.Popen(
        tethered([sys.executable, "-m", "tests.integration.embedded_parent", manner]),
        stdout=subprocess.PIPE,
        cwd=CHECKOUT,
    )
    assert parent.stdout is not None
    with parent.stdout as output:
        said = json.loads(output.readline())
    try:
        # two guardians, two servers and the database's lasting processes; a passing worker may have ended already
        assert sum(map(alive, said["pids"])) > 6
        parent.send_signal(number)
        parent.wait(PATIENCE_S)
    finally:
        parent.kill()  # one that did not heed the signal must not stay behind
    wait_until(lambda: not any(map(alive, said["pids"])), what="the end of every server process")


def test_what_a_killed_parent_left_is_swept_by_the_next(prefix: Prefix) -> None:
    parent = subprocess.Popen(
        tethered([sys.executable, "-m", "tests.integration.embedded_parent", "plain"]),
        stdout=subprocess.PIPE,
        cwd=CHECKOUT,
    )
    assert parent.stdout is not None
    with parent.stdout as output:
        said = json.loads(output.readline())
    parent.kill()
    parent.wait(PATIENCE_S)
    wait_until(lambda: not any(map(alive, said["pids"])), what="the end of every server process")
    with EmbeddedBroker():
        assert not any(Path(folder).exists() for folder in said["folders"])


def test_a_folder_that_is_being_removed_is_nobody_elses_to_sweep(
    prefix: Prefix, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = shutil.rmtree
    removed: list[Path] = []

    def beside_another_sweep(folder: Path) -> None:
        removed.append(folder)
        with EmbeddedBroker():  # sweeps what nobody holds before it starts
            assert (folder / "lock").exists()
            monkeypatch.setattr(shutil, "rmtree", remove)
        remove(folder)

    with EmbeddedBroker() as broker:
        folder = broker.folder
        monkeypatch.setattr(shutil, "rmtree", beside_another_sweep)
    assert removed == [folder]
    assert not folder.exists()
