"""Lag from publishing the reading that proves an alert to the alert's commit, under a steady load; prints a table.

Ten thousand meters speak at a given rate through the real broker, ingest and detection; among them, fifty times a
second at most, a meter's register falls, which one reading proves. A listener hears of the alert as the API does.

    python -m benchmarks alert_lag [-- --rates 1000 5000 10000 --seconds 12]  ->  build/bench/alert_lag.json
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from typing import Any, Final

import numpy as np

from benchmarks import mqtt_wire
from benchmarks.accounts import resident_peak_bytes, wait_until
from benchmarks.load import Plan
from benchmarks.payloads import sensor_id, topic_of
from benchmarks.peers.programs import Running
from benchmarks.report import Cell, table, write
from services.domain.catalogue import SensorKind
from services.domain.sensor import Sensor
from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from services.embedded.database import EmbeddedDatabase
from services.store.alerting.alerts import CHANNEL, AlertRepository
from services.store.connection import connect, wait
from services.store.migrations import migrate
from services.store.sensors import SensorRepository

METERS: Final = 10_000
PROOFS_PER_S: Final = 50
FIRST: Final = "first"
HIGH, LOW = 9_000_000.0, 8_999_900.0
"""A register before and after 100 litres ran backwards."""


def now_us() -> int:
    """The wall clock, microseconds since 1970."""
    return time.time_ns() // 1000


class Proofs:
    """Meters whose registers fall, one after the other, and when each was published; FIRST shows that all is up."""

    def __init__(self, url: str, count: int) -> None:
        self._link = mqtt_wire.connect(url, "proofs")
        self.ids = [f"proof{number:04d}" for number in range(count)]
        self.published_us: dict[str, int] = {}

    def say(self, sensor: str, at_us: int, litres: float) -> None:
        """Publish one register reading at QoS 1 and wait for the broker's acknowledgement."""
        payload = json.dumps(
            {"time": at_us, "values": {"register": litres}, "units": {"register": "L"}}
        )
        body = mqtt_wire.text(topic_of(sensor)) + b"\0\1" + payload.encode()
        self._link.sendall(mqtt_wire.packet(mqtt_wire.PUBLISH_QOS_1, body))
        self._link.recv(4)

    def before(self) -> None:
        """Every meter's reading of an hour ago."""
        for sensor in (*self.ids, FIRST):
            self.say(sensor, now_us() - 3_600_000_000, HIGH)

    def run(self, seconds: float) -> None:
        """Let all fall, evenly over the time."""
        begin = time.monotonic()
        for place, sensor in enumerate(self.ids):
            time.sleep(max(0.0, begin + place * seconds / len(self.ids) - time.monotonic()))
            at = now_us()
            self.published_us[sensor] = at
            self.say(sensor, at, LOW)

    def close(self) -> None:
        """Leave."""
        self._link.close()


def listen(url: str, heard_us: dict[str, int], stop: threading.Event) -> None:
    """Note when each subject's alert is first heard of."""
    with connect(url, "bench-listener", autocommit=True) as conn:
        repository = AlertRepository(conn)
        position = repository.last_position()
        while not stop.is_set():
            wait(conn, CHANNEL, 0.2, stop)
            at = now_us()
            events = repository.events_after(position, limit=10_000)
            for stored in events:
                position = stored.position
                alert = repository.get(stored.event.alert_id)
                heard_us.setdefault(alert.subject, at)


def measure(rate: int, seconds: float) -> dict[str, Any]:
    """One rate on fresh servers.

    Raises:
        SystemExit: an alert did not come, or the load did not keep its rate.
    """
    count = int(PROOFS_PER_S * seconds)
    with EmbeddedDatabase() as server, EmbeddedBroker() as broker:
        url, device = server.create(), broker.url(DEVICE_USER)
        migrate(url)
        proofs = Proofs(device, count)
        sensors = [Sensor(name, SensorKind.WATER_METER) for name in (*proofs.ids, FIRST)]
        sensors += [Sensor(sensor_id(n), SensorKind.WATER_METER) for n in range(METERS)]
        with connect(url, "bench") as conn:
            SensorRepository(conn).upsert(sensors)
        environment = {"DATABASE_URL": url, "MQTT_URL": broker.url()}
        program = [sys.executable, "-m", "services.cli"]
        heard: dict[str, int] = {}
        stop = threading.Event()
        listener = threading.Thread(target=listen, args=(url, heard, stop))
        with (
            Running([*program, "ingest"], environment, keep_output=False) as ingest,
            Running([*program, "detect"], environment, keep_output=False) as detect,
        ):
            listener.start()
            try:
                if not wait_until(lambda: "broker connected" in ingest.said(), 30):
                    raise SystemExit(f"ingest did not begin: {ingest.said()[-800:]}")
                proofs.before()
                plans = [Plan(messages=int(rate * seconds), rate=rate, sensors=METERS)]
                load = _load(device, plans)
                proofs.say(FIRST, now_us(), LOW)
                if not wait_until(lambda: FIRST in heard, 25):
                    raise SystemExit(
                        f"no first alert in 60 s: {ingest.said()[-800:]} {detect.said()[-800:]}"
                    )
                assert load.stdin
                assert load.stdout
                load.stdin.write("\n")
                load.stdin.flush()
                proofs.run(seconds)
                took = json.loads(load.stdout.readline())["seconds"]
                load.communicate(timeout=10)
                wait_until(lambda: len(heard.keys() & set(proofs.ids)) == count, 20)
                memory = {
                    "ingest": resident_peak_bytes(ingest.pid) / 1e6,
                    "detect": resident_peak_bytes(detect.pid) / 1e6,
                }
            finally:
                stop.set()
                listener.join()
                proofs.close()
    lags = [
        (heard[name] - proofs.published_us[name]) / 1000 for name in proofs.ids if name in heard
    ]
    if len(lags) < count:
        raise SystemExit(f"{count - len(lags)} of {count} alerts did not come at {rate}/s")
    others = len(heard) - count - 1
    return {
        "rate": rate, "kept_rate": rate * seconds / took, "alerts": count, "other_alerts": others,
        "p50_ms": float(np.percentile(lags, 50)), "p99_ms": float(np.percentile(lags, 99)),
        "ingest_mb": memory["ingest"], "detect_mb": memory["detect"],
    }  # fmt: skip


def _load(url: str, plans: list[Plan]) -> subprocess.Popen[str]:
    described = [{name: getattr(plan, name) for name in plan.__slots__} for plan in plans]
    load = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load", json.dumps(described)],
        env={**os.environ, "MQTT_URL": url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert load.stdout
    load.stdout.readline()
    return load


def main() -> None:
    """Measure each rate, print, write build/bench/alert_lag.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rates", type=int, nargs="*", default=[1_000, 5_000, 10_000])
    parser.add_argument("--seconds", type=float, default=12.0)
    options = parser.parse_args()
    results = [measure(rate, options.seconds) for rate in options.rates]
    head = ("readings/s", "kept", "alerts", "p50", "p99", "ingest MB", "detect MB")
    names = ("rate", "kept_rate", "alerts", "p50_ms", "p99_ms", "ingest_mb", "detect_mb")
    rows: list[list[Cell]] = [[f"{r['rate']:,}", *(r[name] for name in names[1:])] for r in results]
    print(table("From publishing to the alert's commit, ms, under load", head, rows))
    write("alert_lag", {"results": results})


if __name__ == "__main__":
    main()
