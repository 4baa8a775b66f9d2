"""One run of one pipeline: a fresh broker, a fresh database, a probe to see it work, the load, and what came of it.

Before the load each sensor speaks once, so that nobody is measured while it compiles, connects, or meets its sensors.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from benchmarks import accounts, mqtt_wire
from benchmarks.load import Plan, Published
from benchmarks.payloads import FORMS, PROBE, WARM_VALUE, probe, topic_of
from benchmarks.peers import fetched
from benchmarks.peers.pipelines import Pipeline
from benchmarks.peers.programs import Running
from benchmarks.peers.tables import Observer
from services.domain.instant import isoformat
from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from services.embedded.database import EmbeddedDatabase

TEMPLATE: Final = "bench_template"
_READY_S: Final = 60.0
_STALLED_S: Final = 10.0
_PAUSE_S: Final = 0.5


class NotReady(RuntimeError):
    """A pipeline did not take the probe in time."""


class LoadFailed(RuntimeError):
    """The load generator gave up: the broker took or acknowledged nothing for too long."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run measured.

    Attributes:
        readings, message_bytes: what was published.
        readings_per_s: from the first publishing to the last commit (to the last receipt for those that only receive).
        cpu_us: account -> CPU microseconds a reading: service, database, broker, load.
        lag_p50_ms, lag_p99_ms: from publishing to commit; None for those that only receive.
        resident_peak_mb: the service's largest resident memory.
        missing, repeated: readings that were published and are not there, or are there more than once.
        publish_seconds: how long publishing took.
        foreign_cores: cores that everything else on the machine took meanwhile; the figures are to be trusted near 0.
    """

    readings: int
    message_bytes: int
    readings_per_s: float
    cpu_us: dict[str, float]
    lag_p50_ms: float | None
    lag_p99_ms: float | None
    resident_peak_mb: float | None
    missing: int
    repeated: int
    publish_seconds: float
    foreign_cores: float

    @property
    def outside_us(self) -> float:
        """CPU microseconds a reading outside the broker: service and database."""
        return self.cpu_us["service"] + self.cpu_us["database"]


class Bench:
    """The servers of all runs."""

    def __init__(self, database: EmbeddedDatabase) -> None:
        self._database = database
        self._database_pid = accounts.server_pid(database.folder)

    def run(self, pipeline: Pipeline, plan: Plan) -> Outcome:
        """One run.

        Raises:
            NotInstallable, NotReady, ProgramEnded, LoadFailed: the pipeline is not there, does not start, or dies.
        """
        url = self._database.clone(TEMPLATE)
        try:
            warm = warming(plan)
            with EmbeddedBroker() as broker, _load(broker.url(DEVICE_USER), warm, plan) as load:
                return self._measure(pipeline, warm, plan, broker=broker, url=url, load=load)
        finally:
            self._database.drop(url.rpartition("/")[2])

    def _measure(
        self,
        pipeline: Pipeline,
        warm: Plan,
        plan: Plan,
        *,
        broker: EmbeddedBroker,
        url: str,
        load: subprocess.Popen[str],
    ) -> Outcome:
        program = pipeline.program(1 + warm.messages + plan.messages, broker.url())
        environment = {"MQTT_URL": broker.url(), "DATABASE_URL": url, **program.environment}
        observer = None if pipeline.table is None else Observer(url, pipeline.table)
        with Running(
            program.command, environment, keep_output=pipeline.table is not None
        ) as service:
            _probe(pipeline, broker, service, observer)
            _await_all(service, observer, _publish(load), warm)
            self._settle(url)
            excluded = () if observer is None else (observer.pid,)
            servers = {
                "database": self._database_pid,
                "broker": accounts.server_pid(broker.folder),
            }
            service_us = service.cpu_us()
            before = accounts.snapshot(servers, excluded)
            published = _publish(load)
            _await_all(service, observer, published, plan)
            after = accounts.snapshot(servers, excluded)
            spent = after.since(before)
            spent["service"] = service.cpu_us() - service_us
            spent["load"] = published.cpu_us
            foreign_us = after.machine_us - before.machine_us - sum(spent.values())
            peak = service.resident_peak_bytes()
            lags: tuple[float | None, float | None] = (None, None)
            if observer is None:
                received = published.readings if service.ended else 0
                last_us, repeated = service.ended_at_us, 0
            else:
                stored = observer.facts()
                observer.close()
                last_us, received = stored.last_commit_us, stored.distinct
                lags = stored.lag_p50_ms, stored.lag_p99_ms
                repeated = stored.readings - stored.distinct
        return Outcome(
            published.readings,
            published.message_bytes,
            received / max(1e-6, (last_us - published.first_us) / 1e6),
            {name: cost / published.readings for name, cost in spent.items()},
            *lags,
            None if peak is None else peak / 1e6,
            published.readings - received,
            repeated,
            published.seconds,
            max(0.0, foreign_us / (after.at_us - before.at_us)),
        )

    @staticmethod
    def _settle(url: str) -> None:
        """Write out what earlier runs left, so that nobody pays for it in this one."""
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")


def warming(plan: Plan) -> Plan:
    """What is published before `plan`: each of its sensors once, as fast as it goes."""
    readings = FORMS[plan.form](plan.qos).readings
    messages = min(plan.messages, plan.sensors // readings)
    return dataclasses.replace(plan, messages=messages, rate=None, first_value=WARM_VALUE)


@contextmanager
def _load(url: str, *plans: Plan) -> Iterator[subprocess.Popen[str]]:
    """The load generator with its packets built."""
    facts = [dataclasses.asdict(plan) for plan in plans]
    environment = {**fetched.python_environment(), "MQTT_URL": url}
    command = [sys.executable, "-m", "benchmarks.load", json.dumps(facts)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "ready":
                raise LoadFailed("the load generator did not start")
            yield process
        finally:
            process.kill()


def _publish(load: subprocess.Popen[str]) -> Published:
    assert load.stdin is not None
    assert load.stdout is not None
    load.stdin.write("go\n")
    load.stdin.flush()
    line = load.stdout.readline()
    if not line:
        raise LoadFailed("the load generator ended before everything was published")
    facts: dict[str, Any] = json.loads(line)
    return Published(**facts)


def _probe(
    pipeline: Pipeline, broker: EmbeddedBroker, service: Running, observer: Observer | None
) -> None:
    """Wait until the pipeline has subscribed and, where it stores, has stored one reading."""
    link = mqtt_wire.connect(broker.url(DEVICE_USER), "probe", version=5)
    payload = probe(pipeline.form, isoformat(time.time_ns() // 1000))

    def taken() -> bool:
        service.check()
        return mqtt_wire.publish_probe(link, topic_of(PROBE), payload)

    def stored() -> bool:
        service.check()
        return observer is None or observer.probed()

    try:
        for what, true in (("subscribe", taken), ("store the probe", stored)):
            if not accounts.wait_until(true, _READY_S):
                raise NotReady(f"it did not {what} in {_READY_S:g} s: {service.said()[-800:]}")
    finally:
        link.close()


def _await_all(
    service: Running, observer: Observer | None, published: Published, plan: Plan
) -> None:
    """Wait until everything has arrived, or nothing more comes."""
    if observer is None:
        service.wait(_STALLED_S if plan.first_value > WARM_VALUE else _PAUSE_S)
        return
    last = (published.readings - 1) % plan.sensors
    count, changed = -1, time.monotonic()
    while time.monotonic() - changed < _STALLED_S:
        service.check()
        complete = accounts.wait_until(lambda: observer.has(last, published.last_us), 1.0)
        found = observer.count(plan.first_value)
        if complete and found >= published.readings:
            return
        if found != count:
            count, changed = found, time.monotonic()
        time.sleep(0.02)
