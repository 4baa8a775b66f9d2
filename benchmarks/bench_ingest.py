"""Measures ingest end to end on the embedded broker and database, against the broker's own delivery ceiling.

A backlog is published while nobody listens, and then drained: by a subscriber that only acknowledges (the ceiling),
and by the ingest worker. CPU is that of the worker's process and of all processes of the database, by /proc. Then
messages are published at a fixed rate and seen by a listener on the feed: the lag from publish to commit.

    python -m benchmarks.bench_ingest [--messages N] [--rate PER_S]
"""

from __future__ import annotations

import argparse
import os
import select
import socket
import struct
import threading
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.report import Cell, table, write
from services.domain.catalogue import SensorKind
from services.domain.sensor import Sensor
from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from services.embedded.database import EmbeddedDatabase
from services.ingest.inbox import Inbox
from services.ingest.mqtt import Link
from services.ingest.subscription import Subscription, client_id_of
from services.store.connection import connect, wait
from services.store.feed import CHANNEL, FeedReader
from services.store.migrations import migrate
from services.store.sensors import SensorRepository
from tests.ingest_worker import WorkerProcess, totals
from tests.waiting import wait_until

SENSORS = 2_000
TICK = os.sysconf("SC_CLK_TCK")
START_S = 1_793_000_000
CASES = {
    "one": "one reading a message",
    "one, plain paho": "the same, plain paho",
    "hundred": "100 readings a message",
}
"""Case -> its title in the table."""


class RawPublisher:
    """Publishes prepared packets at QoS 1 with a window, as cheaply as Python can."""

    def __init__(self, url: str, client_id: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        self._socket = socket.create_connection((parts.hostname, parts.port or 1883))
        user, password = unquote(parts.username or ""), parts.password or ""
        payload = b"".join(
            struct.pack("!H", len(each)) + each.encode() for each in (client_id, user, password)
        )
        head = b"\x00\x04MQTT\x05\xc2\x00\x00\x00"
        self._socket.sendall(b"\x10" + varint(len(head) + len(payload)) + head + payload)
        assert self._socket.recv(4096)[0] == 0x20

    def publish(self, messages: list[tuple[str, bytes]], window: int = 1_000) -> None:
        """Returns when the broker has acknowledged all of them."""
        sent = acknowledged = 0
        while acknowledged < len(messages):
            batch = messages[sent : min(sent + 200, acknowledged + window)]
            if batch:
                packets = [packet(t, p, (sent + k) % 65_535 + 1) for k, (t, p) in enumerate(batch)]
                self._socket.sendall(b"".join(packets))
                sent += len(batch)
            full = not batch
            while select.select([self._socket], [], [], 1.0 if full else 0.0)[0]:
                acknowledged += self._puback_bytes(self._socket.recv(65_536))
                full = False

    _rest = b""

    def _puback_bytes(self, data: bytes) -> int:
        """Pubacks in the stream: 4 bytes long, or 5 to 6 where the broker adds a reason (no subscribers)."""
        data = self._rest + data
        at = count = 0
        while at + 2 <= len(data) and at + 2 + data[at + 1] <= len(data):
            count += data[at] == 0x40
            at += 2 + data[at + 1]
        self._rest = data[at:]
        return count

    def close(self) -> None:
        """Leaves."""
        self._socket.close()


def varint(value: int) -> bytes:
    """MQTT's variable byte integer."""
    out = bytearray()
    while True:
        value, low = divmod(value, 128)
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def packet(topic: str, payload: bytes, mid: int) -> bytes:
    """PUBLISH at QoS 1."""
    name = topic.encode()
    body = struct.pack("!H", len(name)) + name + struct.pack("!H", mid) + b"\x00" + payload
    return b"\x32" + varint(len(body)) + body


def cpu_s(pid: int) -> float:
    """CPU seconds of one process and its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / TICK


def tree_cpu_s(root: int) -> float:
    """CPU seconds of a process, of its living children and of those that have ended."""
    total = cpu_s(root)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == root:
                total += cpu_s(int(entry.name))
        except OSError:
            continue
    return total


def rss_mb(pid: int) -> float:
    """Highest resident memory of a process, MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def messages(count: int, per_message: int, offset: int) -> list[tuple[str, bytes]]:
    """Distinct readings of meters: `per_message` successive ones of a meter in each message."""
    out = []
    for number in range(count):
        sensor, turn = number % SENSORS, number // SENSORS
        found = [
            b'{"time":%d,"values":{"register":%d.5},"units":{"register":"L"}}'
            % (START_S + offset + turn * per_message + k, number + k)
            for k in range(per_message)
        ]
        payload = found[0] if per_message == 1 else b"[" + b",".join(found) + b"]"
        out.append((f"citygauge/v1/water/m{sensor}/reading", payload))
    return out


def ceiling(mqtt_url: str, device_url: str, load: list[tuple[str, bytes]]) -> float:
    """Messages per second that the broker delivers to a subscriber who only acknowledges."""
    inbox = Inbox(1 << 20, 0, lambda: 0)
    wanted = Subscription(
        "ceiling", ("$share/ceiling/citygauge/#",), 1, 60, 3600, 20_000, 0.1, 1.0, True
    )
    link = Link(mqtt_url, wanted, inbox)
    wait_until(lambda: link.step(0.05) or link.connected, 10)
    link.close()
    publish(device_url, load)
    link = Link(mqtt_url, wanted, inbox)
    got, started = 0, 0.0
    while got < len(load):
        link.step(0.05)
        if len(inbox):
            started = started or time.perf_counter()
            taken = inbox.take(20_000, 1 << 30)
            got += len(taken.ids)
            link.acknowledge(taken)
            time.sleep(0.005)
    spent = time.perf_counter() - started
    link.close()
    forget(mqtt_url, "ceiling")
    return got / spent


def forget(mqtt_url: str, client_id: str) -> None:
    """Ends a session at the broker, so that it takes no share of later messages."""
    parts = urlsplit(mqtt_url)
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5)
    client.username_pw_set(unquote(parts.username or ""), parts.password)
    assert parts.hostname
    client.connect(parts.hostname, parts.port or 1883, clean_start=True)
    client.loop_start()
    wait_until(client.is_connected, 10)
    client.disconnect()
    client.loop_stop()


def publish(device_url: str, load: list[tuple[str, bytes]]) -> None:
    """Publishes all of it and waits for the acknowledgements."""
    publisher = RawPublisher(device_url, f"device-{time.monotonic_ns()}")
    publisher.publish(load)
    publisher.close()


def drain(
    url: str,
    mqtt_url: str,
    device_url: str,
    postmaster: int,
    load: list[tuple[str, bytes]],
    **settings: object,
) -> dict[str, float]:
    """What the worker makes of a backlog."""
    with connect(url, "bench", autocommit=True) as conn:
        with WorkerProcess(
            url, mqtt_url, share_group="bench", late_after_s=0, **settings
        ) as worker:
            wait_until(lambda: worker.said("broker connected"), 20)
            idle = cpu_s(worker.pid)
            worker.stop()
        publish(device_url, load)
        before = totals(conn)
        last = conn.execute("SELECT coalesce(max(id), 0) FROM batch_feed").fetchone()
        assert last
        database = tree_cpu_s(postmaster)
        with WorkerProcess(
            url, mqtt_url, share_group="bench", late_after_s=0, **settings
        ) as worker:
            wait_until(lambda: totals(conn).messages - before.messages >= len(load), 40)
            mine = cpu_s(worker.pid) - idle  # the start is not the readings' cost
            memory = rss_mb(worker.pid)
            worker.stop()
        database = tree_cpu_s(postmaster) - database
        forget(mqtt_url, client_id_of(str(settings["worker"])))
        after = totals(conn)
        readings = after.stored - before.stored
        row = conn.execute(
            "SELECT extract(epoch FROM max(written_at) - min(written_at))::float8, sum(readings)::float8, count(*),"
            " (array_agg(readings ORDER BY id))[1] FROM batch_feed WHERE id > %s",
            last,
        ).fetchone()
        assert row
    spent = max(float(row[0]), 1e-3)
    later = float(row[1]) - float(row[3])
    return {
        "readings": readings,
        "readings_per_s": later / spent,
        "messages_per_s": later / spent * len(load) / readings,
        "worker_us": mine * 1e6 / readings,
        "database_us": database * 1e6 / readings,
        "batches": float(row[2]),
        "rss_mb": memory,
    }


def lag(url: str, mqtt_url: str, device_url: str, rate: int, seconds: float) -> dict[str, float]:
    """Milliseconds from publish to the moment a listener of the feed hears of the commit."""
    found: list[float] = []
    stop = threading.Event()
    total = int(rate * seconds)
    with connect(url, "bench", autocommit=True) as conn:
        reader = FeedReader(conn, "bench")
        while reader.poll(1_000_000):
            pass

        def listen() -> None:
            while len(found) < total and not stop.is_set():
                wait(conn, CHANNEL, 0.2, stop)
                heard = time.time() * 1e6
                for row in reader.poll(100_000):
                    found.extend(((heard - row.batch.observed_us) / 1000).tolist())

        with WorkerProcess(url, mqtt_url, share_group="bench", late_after_s=0) as worker:
            wait_until(lambda: worker.said("broker connected"), 20)
            thread = threading.Thread(target=listen)
            thread.start()
            publisher = RawPublisher(device_url, "paced")
            step = max(1, rate // 200)
            began = time.perf_counter()
            for number in range(0, total, step):
                due = began + number / rate
                time.sleep(max(0.0, due - time.perf_counter()))
                now = time.time_ns() // 1000
                publisher.publish(
                    [
                        (
                            f"citygauge/v1/water/m{(number + k) % SENSORS}/reading",
                            b'{"time":%d,"values":{"register":1},"units":{"register":"L"}}'
                            % (now + k),
                        )
                        for k in range(step)
                    ]
                )
            try:
                wait_until(lambda: len(found) >= total // step * step, 15)
            finally:
                stop.set()
                thread.join()
            publisher.close()
            worker.stop()
    forget(mqtt_url, client_id_of("ingest-1"))
    return {"p50_ms": float(np.percentile(found, 50)), "p99_ms": float(np.percentile(found, 99))}


def main() -> None:
    """Prints the table and writes build/bench/ingest.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=120_000)
    parser.add_argument("--rates", type=int, nargs="*", default=[100, 5_000])
    options = parser.parse_args()
    results: dict[str, dict[str, float]] = {}
    with EmbeddedDatabase() as server, EmbeddedBroker() as broker:
        url = server.create()
        migrate(url)
        sensors = [Sensor(f"m{k}", SensorKind.WATER_METER) for k in range(SENSORS)]
        with connect(url, "bench") as conn:
            SensorRepository(conn).upsert(sensors)
        with connect(url, "bench") as conn:
            pid_file = conn.execute("SHOW data_directory").fetchone()
        assert pid_file
        postmaster = int((Path(str(pid_file[0])) / "postmaster.pid").read_text().split()[0])
        mqtt, device = broker.url(), broker.url(DEVICE_USER)
        n, hundred = options.messages, max(1, options.messages // 50)
        results["ceiling"] = {"messages_per_s": ceiling(mqtt, device, messages(n, 1, 0))}
        cases = [("one", n, 1, {}), ("one, plain paho", n // 4, 1, {"fast_reader": False})]
        cases.append(("hundred", hundred, 100, {}))
        for place, (name, count, per, settings) in enumerate(cases):
            load = messages(count, per, 10_000 * (place + 1))
            worker = f"bench-{place}"
            results[name] = drain(url, mqtt, device, postmaster, load, worker=worker, **settings)  # type: ignore[arg-type]
        for rate in options.rates:
            results[f"lag at {rate}/s"] = lag(url, mqtt, device, rate, 3.0)
    show(results)
    write("ingest", {"results": results})


def show(results: dict[str, dict[str, float]]) -> None:
    """Print the two tables."""
    ceiling_per_s = results["ceiling"]["messages_per_s"]
    rows: list[list[Cell]] = [["broker's ceiling", ceiling_per_s, None, 1.0, None, None, None]]
    for name, title in CASES.items():
        found = results[name]
        rows.append(
            [
                title,
                found["messages_per_s"],
                found["readings_per_s"],
                found["messages_per_s"] / ceiling_per_s if name != "hundred" else None,
                found["worker_us"],
                found["database_us"],
                found["rss_mb"],
            ]
        )
    head = ("draining a backlog, QoS 1", "messages/s", "readings/s", "of ceiling")
    costs = ("service us", "database us", "service MB")
    print(table("Ingest (us: CPU microseconds a reading)", (*head, *costs), rows))
    lags: list[list[Cell]] = [
        [name.removeprefix("lag at "), found["p50_ms"], found["p99_ms"]]
        for name, found in results.items()
        if name.startswith("lag")
    ]
    print("\n" + table("Lag from publish to commit, ms", ("messages", "p50", "p99"), lags))


if __name__ == "__main__":
    main()
