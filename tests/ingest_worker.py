"""An ingest worker and a publisher for tests: both real, the worker in a thread or as a process that can be killed."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from services.domain.catalogue import SensorKind
from services.domain.sensor import Sensor
from services.ingest.service import run
from services.ingest.settings import IngestSettings
from services.store.accounting import Account, totals
from services.store.connection import connect
from services.store.sensors import SensorRepository
from tests.tether import tethered
from tests.waiting import PATIENCE_S, wait_until

START_US = 1_795_309_200_000_000
"""2026-11-22T01:00:00Z."""
_CLOCK = time.time_ns
QUICK = {"reconnect_min_s": 0.05, "reconnect_max_s": 0.3, "heartbeat_s": 0.5, "metrics_port": 0}


class _Listener(logging.Handler):
    def __init__(self, text: str) -> None:
        super().__init__()
        self._text, self.heard = text, False

    def emit(self, record: logging.LogRecord) -> None:
        self.heard = self.heard or self._text in record.getMessage()


@contextmanager
def working(database_url: str, mqtt_url: str, **settings: object) -> Iterator[None]:
    """A worker in a thread, subscribed; at the end it is stopped orderly, and a failure of it fails the test.

    It has a share group of its own and leaves no session behind: the broker is everybody's.
    """
    stop, failures = threading.Event(), list[BaseException]()
    chosen = {"share_group": settings.get("worker", "alone"), "session_expiry_s": 0}
    listener = _Listener("broker connected")
    logger = logging.getLogger("citygauge.ingest")
    logger.setLevel(logging.INFO)
    logger.addHandler(listener)

    def target() -> None:
        try:
            run(IngestSettings(**{**QUICK, **chosen, **settings}), database_url, mqtt_url, stop)  # type: ignore[arg-type]
        except BaseException as error:  # told to the test's own thread
            failures.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    try:
        wait_until(lambda: listener.heard or failures, what="the worker's subscription")
        yield
    finally:
        stop.set()
        thread.join(PATIENCE_S)
        logger.removeHandler(listener)
    assert not thread.is_alive(), "the worker does not stop"
    if failures:
        raise failures[0]


class WorkerProcess:
    """A worker in a process of its own."""

    def __init__(self, database_url: str, mqtt_url: str, **settings: object) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._clock = Path(self._folder.name, "clock")
        arguments = {"settings": {**QUICK, **settings}, "database": database_url, "mqtt": mqtt_url}
        arguments["clock"] = str(self._clock)
        self._process = subprocess.Popen(
            tethered([sys.executable, "-m", "tests.ingest_worker"]),
            cwd=Path(__file__).parents[1],
            env={**os.environ, "WORKER": json.dumps(arguments)},
            stderr=subprocess.PIPE,
        )
        assert self._process.stderr is not None
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._lines.append(line.decode())

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def said(self, text: str) -> int:
        """How often its log says `text`."""
        return sum(text in line for line in self._lines)

    def set_clock(self, ahead_s: int) -> None:
        """Let its clock jump: from now on it is ahead of the machine's by so many seconds."""
        heard = self.said("clock")
        self._clock.write_text(str(ahead_s))
        self._process.send_signal(signal.SIGUSR1)
        wait_until(lambda: self.said("clock") > heard, what="the jump of its clock")

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Orderly."""
        self._end(signal.SIGTERM)
        assert self._process.returncode == 0, "".join(self._lines)

    def _end(self, how: signal.Signals) -> None:
        if self._process.poll() is None:
            self._process.send_signal(how)
        self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end(signal.SIGKILL)


class Publisher:
    """A device: plain paho, QoS 1, counts what the broker has acknowledged, comes back when the broker does."""

    def __init__(self, mqtt_url: str, client_id: str) -> None:
        parts = urlsplit(mqtt_url)
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5
        )
        self._client.username_pw_set(unquote(parts.username or ""), parts.password)
        self._client.max_inflight_messages = 500
        self._client.reconnect_delay_set(1, 1)
        self.published = self.acknowledged = 0
        self._client.on_publish = self._count
        assert parts.hostname
        assert parts.port
        self._client.connect(parts.hostname, parts.port, clean_start=False)
        self._client.loop_start()

    def _count(self, *_: object) -> None:
        self.acknowledged += 1

    def publish(self, topic: str, body: object, *, retain: bool = False) -> None:
        """Sends bytes as they are, anything else as JSON."""
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._client.publish(topic, payload, qos=1, retain=retain)
        self.published += 1

    def reading(self, sensor_id: str, second: int, value: float = 1.0, **more: object) -> None:
        """A register read of a water meter, `second` seconds after START_US."""
        self.publish(f"citygauge/v1/water/{sensor_id}/reading", {**body(second, value), **more})

    def settle(self, timeout: float = PATIENCE_S) -> None:
        """Waits until the broker has acknowledged everything."""
        wait_until(
            lambda: self.acknowledged == self.published, timeout, "the broker's acknowledgements"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def body(second: int, value: float = 1.0) -> dict[str, object]:
    """One reading in the native form."""
    return {
        "time": START_US // 1_000_000 + second,
        "values": {"register": value},
        "units": {"register": "L"},
    }


def register(database_url: str, count: int = 10) -> None:
    """Water meters m0 to m<count - 1>, and the traffic station t1."""
    sensors = [Sensor(f"m{place}", SensorKind.WATER_METER) for place in range(count)]
    with connect(database_url, "test") as conn:
        SensorRepository(conn).upsert([*sensors, Sensor("t1", SensorKind.TRAFFIC_STATION)])


def account(database_url: str) -> Account:
    """The account as it is committed."""
    with connect(database_url, "test") as conn:
        return totals(conn)


def committed(database_url: str, readings: int, timeout: float = PATIENCE_S) -> Account:
    """The account once it says that `readings` were received and nothing is in flight."""
    with connect(database_url, "test", autocommit=True) as conn:
        wait_until(
            lambda: (found := totals(conn)).received >= readings and found.in_flight == 0,
            timeout,
            f"{readings} readings in the account",
        )
        return totals(conn)


def rows(database_url: str, table: str = "water_reading") -> list[tuple[object, ...]]:
    """sensor id, seconds after START_US, register, battery, quality of each stored row."""
    query = (
        "SELECT s.id, extract(epoch FROM r.time)::bigint - 1795309200, r.register_litres, r.battery_pct, r.quality "
        f"FROM {table} r JOIN sensor s ON s.number = r.sensor ORDER BY 1, 2"
    )
    with connect(database_url, "test") as conn:
        return conn.execute(query).fetchall()  # type: ignore[call-overload, no-any-return]


def _jump(ahead_s: int) -> None:
    """Stands for a clock that was set: this process alone sees it."""
    clock, offset_ns = _CLOCK, ahead_s * 1_000_000_000
    time.time_ns = lambda: clock() + offset_ns
    logging.getLogger("citygauge.ingest").info("clock ahead_s=%d", ahead_s)


def main() -> None:
    """Runs the worker that the environment describes."""
    logging.basicConfig(level=logging.INFO)
    arguments = json.loads(os.environ["WORKER"])
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGUSR1, lambda *_: _jump(int(Path(arguments["clock"]).read_text())))
    run(IngestSettings(**arguments["settings"]), arguments["database"], arguments["mqtt"], stop)
    signal.signal(
        signal.SIGTERM, signal.SIG_IGN
    )  # a second one must not end an interpreter that ends


if __name__ == "__main__":
    main()
