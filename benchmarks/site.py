"""A broker, a database, workers and publishers of a run that is about more than one of each, and what they cost.

It starts and stops them and adds up their CPU and memory; what is published when is the benchmark's business.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import psycopg

from benchmarks import accounts
from benchmarks.load import Plan, Published
from benchmarks.peers import fetched
from benchmarks.peers.programs import Running
from benchmarks.peers.tables import prepare
from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from services.embedded.database import EmbeddedDatabase

SENSORS: Final = 10_000
TEMPLATE: Final = "bench_template"
_COUNT: Final = "SELECT coalesce(sum(stored), 0)::bigint FROM ingest_account"
_BY_WORKER: Final = """
    SELECT sum(stored)::bigint, sum(duplicate)::bigint FROM ingest_account GROUP BY worker ORDER BY worker
"""
_WORKING: Final = "SELECT count(*) FROM ingest_worker WHERE state = 'working'"
_DELAYS: Final = """
    SELECT coalesce(max(extract(epoch FROM committed - time)), 0)::float8,
           coalesce(extract(epoch FROM max(committed) FILTER (WHERE committed - time > interval '1 second')), 0)::float8
      FROM (SELECT time, pg_xact_commit_timestamp(xmin) AS committed FROM water_reading
             WHERE register_litres >= %s) AS r
"""
_LAST: Final = """
    SELECT extract(epoch FROM max(pg_xact_commit_timestamp(xmin)))::float8 FROM water_reading
     WHERE register_litres < %s
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a stretch of time cost.

    Attributes:
        seconds: its length.
        cores: account (worker 1, ..., database, broker) -> CPU seconds a second; foreign: everything else here.
        megabytes: account -> the largest resident memory; of the database with shared pages counted once.
    """

    seconds: float
    cores: dict[str, float]
    megabytes: dict[str, float]


class Watch:
    """Adds up CPU and memory of the workers, the database and the broker while its `with` block lasts."""

    def __init__(self, roots: dict[str, int], own: int) -> None:
        self._roots, self._own = roots, own
        self._peaks = dict.fromkeys(roots, 0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._over.wait(0.5):
            for name, root in self._roots.items():
                self._peaks[name] = max(self._peaks[name], accounts.shared_out_bytes(root))

    def __enter__(self) -> Self:
        self._before = accounts.snapshot(self._roots, (self._own,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def cost(self) -> Cost:
        """Since the beginning of the block."""
        after = accounts.snapshot(self._roots, (self._own,))
        spent = after.since(self._before)
        elapsed = max(1, after.at_us - self._before.at_us)
        foreign = after.machine_us - self._before.machine_us - sum(spent.values())
        cores = {name: cost / elapsed for name, cost in spent.items()}
        peaks = {name: each / 1e6 for name, each in self._peaks.items()}
        return Cost(elapsed / 1e6, {**cores, "all else": foreign / elapsed}, peaks)


class Site:
    """A broker, a fresh database, and what is started between them."""

    def __init__(self, database: EmbeddedDatabase, broker: EmbeddedBroker) -> None:
        self._broker, self._database = broker, database
        self._url = database.clone(TEMPLATE)
        self._conn = psycopg.connect(self._url, autocommit=True)

    def worker(self, number: int, **settings: object) -> Running:
        """A worker process, with its defaults unless `settings` say otherwise."""
        chosen = {"worker": f"bench-{number}", "late_after_s": 0, **settings}
        arguments = [f"{name}={value}" for name, value in chosen.items()]
        environment = {
            **fetched.python_environment(),
            "MQTT_URL": self._broker.url(),
            "DATABASE_URL": self._url,
        }
        command = [sys.executable, "-m", "benchmarks.peers.ours", *arguments]
        return Running(command, environment, keep_output=True)

    def watch(self, workers: Sequence[Running]) -> Watch:
        """Watches the servers and these workers."""
        roots = {f"worker {number + 1}": each.pid for number, each in enumerate(workers)}
        roots["database"] = accounts.server_pid(self._database.folder)
        roots["broker"] = accounts.server_pid(self._broker.folder)
        return Watch(roots, self._conn.info.backend_pid)

    def subscribe(self, number: int, **settings: object) -> None:
        """Lets a worker make its session, and stop: what is published then waits for it."""
        with self.worker(number, when_stopped="keep", **settings) as worker:
            await_subscription(worker)
            accounts.wait_until(lambda: self._one(_WORKING) > 0, 60)
        accounts.wait_until(lambda: self._one(_WORKING) == 0, 60)

    @contextmanager
    def load(self, plan: Plan) -> Iterator[subprocess.Popen[str]]:
        """A publisher with its packets built, which waits for `go`."""
        environment = {
            **fetched.python_environment(),
            "MQTT_URL": self._broker.url(DEVICE_USER),
        }
        command = [sys.executable, "-m", "benchmarks.load", json.dumps([dataclasses.asdict(plan)])]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                yield process
            finally:
                process.kill()

    def stored(self) -> int:
        """Readings so far."""
        return self._one(_COUNT)

    def by_worker(self) -> list[tuple[int, int]]:
        """Readings that each worker stored, and that it found stored already."""
        return self._conn.execute(_BY_WORKER.encode()).fetchall()

    def _one(self, query: str) -> int:
        row = self._conn.execute(query.encode()).fetchone()
        assert row is not None
        return int(row[0])

    def delays(self, first_value: int) -> tuple[float, float]:
        """The longest wait of the readings from a value on, and when the last of more than a second ended, seconds."""
        row = self._conn.execute(_DELAYS, (first_value,)).fetchone()
        assert row is not None
        return float(row[0]), float(row[1])

    def last_commit_s(self, below_value: int) -> float:
        """When the last reading with a value below that was committed, seconds since 1970."""
        row = self._conn.execute(_LAST, (below_value,)).fetchone()
        assert row is not None
        return float(row[0])

    def close(self) -> None:
        """Ends its connection and removes its database."""
        self._conn.close()
        self._database.drop(self._url.rpartition("/")[2])


def await_subscription(worker: Running) -> None:
    """Waits until the worker has its subscription. Raises ProgramEnded."""

    def connected() -> bool:
        worker.check()
        return "broker connected" in worker.said()

    accounts.wait_until(connected, 60)


def go(process: subprocess.Popen[str]) -> None:
    """Begin to publish."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def done(process: subprocess.Popen[str]) -> Published:
    """What was published, once it is. Raises RuntimeError where the publisher died."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("the load generator ended before everything was published")
    return Published(**json.loads(line))


def make_template(database: EmbeddedDatabase) -> None:
    """The database that each site begins with: the schema and the sensors."""
    database.create_template(TEMPLATE, lambda url: prepare(url, SENSORS))


@contextmanager
def site(database: EmbeddedDatabase) -> Iterator[Site]:
    """A fresh one."""
    with EmbeddedBroker() as broker:
        place = Site(database, broker)
        try:
            yield place
        finally:
            place.close()


def wait_for(place: Site, expected: int, longest_s: float) -> None:
    """Waits until so many readings are stored, or nothing more comes for long."""
    until, count, changed = time.monotonic() + longest_s, -1, time.monotonic()
    while (now := time.monotonic()) < until and now - changed < 60:
        found = place.stored()
        if found >= expected:
            return
        if found != count:
            count, changed = found, now
        time.sleep(0.2)
