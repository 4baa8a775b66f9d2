"""A backlog, a burst, and two workers: how fast ingest catches up, in how much memory, and who waits meanwhile.

Backlog: readings wait at the broker while no worker runs; then one starts while new readings keep coming. Burst: ten
times the usual rate for a while. Workers: the same backlog of single readings, drained by one and by two of them.
Every run has a fresh broker; delays are from publishing to commit. Ratios of one run travel, absolute figures do not.

    python -m benchmarks backlog [-- --readings 5000000 --burst-s 60]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg

from benchmarks import accounts, report
from benchmarks.load import Plan, Published
from benchmarks.payloads import FIRST_VALUE, FORMS, WARM_VALUE, Form
from benchmarks.peers import fetched
from benchmarks.peers.programs import Running
from benchmarks.peers.tables import SERVER_SETTINGS, prepare
from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from services.embedded.database import EmbeddedDatabase

SENSORS = 10_000
LIVE_VALUE = 9_000_000
"""Value of the first reading that is published while the backlog is drained."""
LONGEST_S = 900.0
COUNT = "SELECT coalesce(sum(stored), 0)::bigint FROM ingest_account"
DELAYS = """
    SELECT coalesce(max(extract(epoch FROM committed - time)), 0)::float8,
           coalesce(extract(epoch FROM max(committed) FILTER (WHERE committed - time > interval '1 second')), 0)::float8
      FROM (SELECT time, pg_xact_commit_timestamp(xmin) AS committed FROM water_reading
             WHERE register_litres >= %s) AS r
"""


@dataclass(frozen=True, slots=True)
class Drained:
    """What one run came to.

    Attributes:
        readings_per_s: from the start of the workers (or of the burst) until everything was stored.
        service_us: CPU microseconds of the workers for a reading.
        resident_mb: the largest of any worker.
        waited_s: the longest that a new reading waited for its commit.
        behind_s: how long new readings waited for more than a second.
        missing: readings that were published and not stored.
    """

    readings: int
    readings_per_s: float
    service_us: float
    resident_mb: float
    waited_s: float | None = None
    behind_s: float | None = None
    missing: int = 0


class Site:
    """A broker, a database, and what is started between them."""

    def __init__(self, database: EmbeddedDatabase, broker: EmbeddedBroker) -> None:
        self._broker = broker
        self._url = database.clone("bench_template")
        self._conn = psycopg.connect(self._url, autocommit=True)

    def workers(self, count: int, **settings: object) -> Running:
        """One worker process; `count` says under which number."""
        chosen = {"worker": f"bench-{count}", "late_after_s": 0, **settings}
        arguments = [f"{name}={value}" for name, value in chosen.items()]
        environment = {
            **fetched.python_environment(),
            "MQTT_URL": self._broker.url(),
            "DATABASE_URL": self._url,
        }
        command = [sys.executable, "-m", "benchmarks.peers.ours", *arguments]
        return Running(command, environment, keep_output=True)

    def subscribe(self, count: int, **settings: object) -> None:
        """Lets a worker make its session, and stop: what is published then waits for it."""
        with self.workers(count, when_stopped="keep", **settings):
            accounts.wait_until(lambda: self._working() > 0, 60)
            time.sleep(1.0)  # the subscription follows the first word to the database
        accounts.wait_until(lambda: self._working() == 0, 60)

    def _working(self) -> int:
        return self._one("SELECT count(*) FROM ingest_worker WHERE state = 'working'")

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
            yield process
            process.kill()

    def stored(self) -> int:
        """Readings so far."""
        return self._one(COUNT)

    def _one(self, query: str) -> int:
        row = self._conn.execute(query.encode()).fetchone()
        assert row is not None
        return int(row[0])

    def delays(self, first_value: int) -> tuple[float, float]:
        """The longest wait of the readings from a value on, and when the last of more than a second ended, seconds."""
        row = self._conn.execute(DELAYS, (first_value,)).fetchone()
        assert row is not None
        return float(row[0]), float(row[1])

    def close(self) -> None:
        """Ends its connection."""
        self._conn.close()


def go(process: subprocess.Popen[str]) -> None:
    """Begin to publish."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def done(process: subprocess.Popen[str]) -> Published:
    """What was published, once it is."""
    assert process.stdout is not None
    return Published(**json.loads(process.stdout.readline()))


@contextmanager
def site(database: EmbeddedDatabase) -> Iterator[Site]:
    """A fresh one."""
    with EmbeddedBroker() as broker:
        place = Site(database, broker)
        try:
            yield place
        finally:
            place.close()


def _finish(place: Site, workers: Sequence[Running], expected: int, started: float) -> Drained:
    accounts.wait_until(lambda: place.stored() >= expected, LONGEST_S, 0.2)
    seconds, stored = time.time() - started, place.stored()
    cost = sum(worker.cpu_us() for worker in workers) / max(1, stored)
    peak = max(worker.resident_peak_bytes() or 0 for worker in workers) / 1e6
    return Drained(stored, stored / seconds, cost, peak, missing=expected - stored)


def backlog(database: EmbeddedDatabase, readings: int, live_per_s: float, live_s: float) -> Drained:
    """Readings in columns wait at the broker; a worker starts while others keep coming."""
    columns = FORMS[Form.COLUMNS](1).readings
    plan = Plan(
        readings // columns, Form.COLUMNS, sensors=SENSORS, first_value=WARM_VALUE + SENSORS
    )
    live = Plan(int(live_per_s * live_s), rate=live_per_s, sensors=SENSORS, first_value=LIVE_VALUE)
    with site(database) as place:
        place.subscribe(1)
        with place.load(plan) as load:
            go(load)
            waiting = done(load).readings
        with place.load(live) as load, place.workers(1) as worker:
            started = time.time()
            go(load)
            published = done(load).readings
            result = _finish(place, [worker], waiting + published, started)
            waited, until = place.delays(LIVE_VALUE)
    return dataclasses.replace(result, waited_s=waited, behind_s=max(0.0, until - started))


def burst(database: EmbeddedDatabase, usual_per_s: float, seconds: float) -> Drained:
    """Ten times the usual rate for a while, in between the usual one."""
    with site(database) as place, ExitStack() as stack:
        worker = stack.enter_context(place.workers(1))
        accounts.wait_until(lambda: place._working() > 0, 60)  # noqa: SLF001 - of this file
        time.sleep(1.0)
        count = int(usual_per_s * (seconds + 10))
        usual = Plan(count, rate=usual_per_s, sensors=SENSORS, first_value=LIVE_VALUE)
        peak = Plan(int(10 * usual_per_s * seconds), rate=10 * usual_per_s, sensors=SENSORS)
        first, second = (stack.enter_context(place.load(plan)) for plan in (usual, peak))
        started = time.time()
        go(first)
        time.sleep(3.0)
        go(second)
        published = done(first).readings + done(second).readings
        result = _finish(place, [worker], published, started)
        waited, until = place.delays(FIRST_VALUE)
    return dataclasses.replace(result, waited_s=waited, behind_s=max(0.0, until - started - 3.0))


def shared(database: EmbeddedDatabase, readings: int, count: int) -> Drained:
    """Single readings wait at the broker for `count` workers, which start together."""
    with site(database) as place:
        for number in range(count):
            place.subscribe(number, share_group="bench")
        with place.load(Plan(readings, sensors=SENSORS)) as load:
            go(load)
            waiting = done(load).readings
        with ExitStack() as stack:
            started = time.time()
            workers = [
                stack.enter_context(place.workers(number, share_group="bench"))
                for number in range(count)
            ]
            return _finish(place, workers, waiting, started)


def main(arguments: Sequence[str]) -> None:
    """Measure, print the table, write build/bench/backlog.json."""
    parser = argparse.ArgumentParser(
        "bench-backlog", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--readings", type=int, default=1_000_000, help="of the backlog")
    parser.add_argument("--live-per-s", type=float, default=200.0, help="while it is drained")
    parser.add_argument("--live-s", type=float, default=20.0)
    parser.add_argument("--usual-per-s", type=float, default=1_000.0, help="the burst is ten times")
    parser.add_argument("--burst-s", type=float, default=10.0)
    parser.add_argument("--singles", type=int, default=150_000, help="of one and two workers")
    options = parser.parse_args(arguments)
    results: dict[str, Drained] = {}
    with EmbeddedDatabase(settings=SERVER_SETTINGS) as database:
        database.create_template("bench_template", lambda url: prepare(url, SENSORS))
        for count in (1, 2):
            name = f"{options.singles:,} single readings waiting, {count} worker" + "s" * (
                count > 1
            )
            results[name] = shared(database, options.singles, count)
        name = f"{options.readings:,} readings waiting in columns"
        results[name] = backlog(database, options.readings, options.live_per_s, options.live_s)
        name = f"{10 * options.usual_per_s:,.0f}/s for {options.burst_s:g} s"
        results[name] = burst(database, options.usual_per_s, options.burst_s)
    head = ("run", "readings/s", "service us", "MB", "longest wait s", "behind s", "missing")
    rows = [
        (name, r.readings_per_s, r.service_us, r.resident_mb, r.waited_s, r.behind_s, r.missing)
        for name, r in results.items()
    ]
    print(report.table("Catching up (start of the process included)", head, rows))
    report.write("backlog", {name: dataclasses.asdict(found) for name, found in results.items()})


if __name__ == "__main__":
    main(sys.argv[1:])
