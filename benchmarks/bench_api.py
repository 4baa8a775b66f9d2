"""The query API on a city's history: questions of a traffic engineer, forms, live lists and exports, with their limits.

make bench-api [BENCH_ARGS="--rows 20000000 --keep DIR [--load]"]  ->  build/bench/api.json

It loads the readings into an embedded database (100 million by default: 16 GB), lets the keeper roll them up, and asks
the API over HTTP, one worker, warm. With a folder that keeps the database, loading and measuring are apart: a load
that was ended goes on, one that is complete is used again, and a folder with other readings is refused. Beside
milliseconds stands the processor time of API and database together: that one hardly depends on who else works here.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlencode

from benchmarks import report
from benchmarks.api_alerts import ask_alerts, raise_alerts
from benchmarks.api_city import (
    CORRIDOR,
    DIRECTION,
    END_US,
    METERS,
    MINUTE_US,
    ROAD,
    STATIONS,
    City,
    city_of,
    load,
    roll_up,
)
from benchmarks.api_http import Client, Latency, timed
from benchmarks.api_kept import Kept
from services.domain.catalogue import CATALOGUE, Domain
from services.domain.instant import DAY_US, isoformat
from services.embedded.database import EmbeddedDatabase
from services.store.api_keys import ApiKeyRepository
from services.store.connection import Connection, connect
from services.store.migrations import migrate

POINTS = 10_000
_KEY = "bench"
_COPY = "COPY (SELECT time, sensor, quality, {metrics} FROM {table}) TO '/dev/null' (FORMAT binary)"
_EXPORTS = 3
"""Rounds of COPY and export, the best of each counts; one of more than `_MANY` rows."""
_MANY = 10_000_000
_BACKENDS = """
    SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
       AND backend_type = 'client backend'
"""


def range_of(days: float) -> dict[str, str]:
    """Parameters of the last days."""
    return {"start": isoformat(END_US - int(days * DAY_US)), "end": isoformat(END_US)}


def questions() -> dict[str, tuple[str, str, float]]:
    """Row of the table -> path, what is accepted, the most milliseconds of the 99th percentile."""
    every = [("sensor_id", f"T-{n:05}") for n in range(STATIONS)]
    speed = {"metrics": "speed_km_per_h"}
    year = urlencode({**range_of(365), **speed, "bucket": "PT1H", "limit": 10_000})
    day = urlencode(
        [*every, *{**range_of(1), **speed, "bucket": "PT15M", "limit": 100_000}.items()]
    )
    contour = urlencode({**range_of(1), "road": ROAD, "direction": DIRECTION, "bucket": "PT5M"})
    newest = urlencode({"domain": "water", "kind": "water_meter", "metrics": "register_litres"})
    arrow = "application/vnd.apache.arrow.stream"
    return {
        "a year of one sensor by hour": (f"/v1/sensors/T-00000/readings?{year}", "application/json", 50),
        f"a day of {STATIONS:,} sensors by 15 min": (f"/v1/readings?{day}", arrow, 200),
        f"contour of {CORRIDOR} stations' day by 5 min": (f"/v1/roads/contour?{contour}", "application/json", 300),
        f"latest of {METERS:,} sensors": (f"/v1/latest?{newest}", "application/json", 100),
    }  # fmt: skip


@contextmanager
def served(which: str, url: str) -> Iterator[tuple[str, int]]:
    """A server's address and process."""
    command = [sys.executable, "-m", "benchmarks.api_server", which, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip(), server.pid
        finally:
            server.kill()


class Bench:
    """One loaded database and what is measured on it."""

    def __init__(self, conn: Connection, url: str) -> None:
        self.conn, self.url = conn, url
        self.rows: list[list[report.Cell]] = []
        self.facts: dict[str, object] = {}

    def note(self, what: str, aim: str, *cells: report.Cell) -> None:
        """One row of the table: median, 99th percentile, processor time, and what counts."""
        self.rows.append([what, aim, *cells])
        print(f"  {what}: {', '.join(report.figure(cell) for cell in cells)}", flush=True)

    def figure(self, what: str, figure: float, aim: str = "") -> None:
        """One row that is no time of a request."""
        self.note(what, aim, None, None, None, figure)

    def backends(self) -> list[int]:
        """The database's processes that serve others than us."""
        return [pid for (pid,) in self.conn.execute(_BACKENDS)]

    def latency(
        self, client: Client, pid: int, path: str, accept: str, times: int
    ) -> tuple[Latency, int]:
        """Of one question; and the answer's bytes."""
        headers = {"Accept": accept}
        first = client.get(path, headers)
        if first.status != 200:
            raise SystemExit(f"{path[:200]} was answered {first.status}")
        found = timed(lambda: client.get(path, headers), times, [pid, *self.backends()])
        return found, first.size

    def ask(self, times: int) -> None:
        """Everything that the API answers."""
        secret = ApiKeyRepository(self.conn).create(f"{_KEY} {time.time_ns()}", ("read",))
        headers = {"Authorization": f"Bearer {secret}"}
        with served("ours", self.url) as (address, pid):
            client = Client(address, headers)
            for what, (path, accept, most) in questions().items():
                found, size = self.latency(client, pid, path, accept, times)
                self.facts[what] = {**asdict(found), "bytes": size}
                self.note(
                    what, f"p99 < {most:g} ms", found.p50_ms, found.p99_ms, found.cpu_ms, None
                )
            points = self._forms(client, pid, times)
            client.close()
            asked = ask_alerts(address, headers, pid)
            self.facts["alerts"] = asked.facts
            for row in asked.rows:
                self.note(*row)
        with served("peer", self.url) as (address, pid):
            client = Client(address, {})
            path = "/readings?" + urlencode({"sensor": 1, **_points()})
            found, _ = self.latency(client, pid, path, "application/json", times)
            ratio = found.cpu_ms / points.cpu_ms
            self.facts["response_model"] = asdict(found)
            self.note(
                f"{POINTS:,} points, FastAPI response_model, and its CPU over columns'", ">= 5",
                found.p50_ms, found.p99_ms, found.cpu_ms, ratio,
            )  # fmt: skip
            client.close()

    def _forms(self, client: Client, pid: int, times: int) -> Latency:
        """Raw points by columns and as Arrow: the same rows, interleaved; returns the columns'."""
        query = urlencode({**_points(), "metrics": "speed_km_per_h", "limit": POINTS})
        path = f"/v1/sensors/T-00000/readings?{query}"
        forms = {
            "Arrow": "application/vnd.apache.arrow.stream",
            "JSON by columns": "application/json",
        }
        found: dict[str, list[Latency]] = {name: [] for name in forms}
        for _ in range(3):
            for name, accept in forms.items():
                found[name].append(self.latency(client, pid, path, accept, times)[0])
        best = {name: min(each, key=lambda one: one.cpu_ms) for name, each in found.items()}
        self.facts["points"] = {name: asdict(each) for name, each in best.items()}
        for name, each in best.items():
            ratio = each.cpu_ms / best["Arrow"].cpu_ms
            aim = "<= 1.5" if name != "Arrow" else ""
            cells = (each.p50_ms, each.p99_ms, each.cpu_ms, ratio)
            self.note(f"{POINTS:,} points, {name}, and its CPU over Arrow's", aim, *cells)
        return best["JSON by columns"]

    def export(self, city: City) -> None:
        """All readings of the larger table to Parquet, through the command, against COPY of the same columns."""
        domain = Domain.WATER if city.meter_days > 60 else Domain.TRAFFIC
        found: list[Exported] = []
        copy_s: list[float] = []
        with tempfile.TemporaryDirectory() as folder:
            while len(found) < (1 if found and found[0].rows > _MANY else _EXPORTS):
                seconds, rows = self._copied(domain)
                copy_s.append(seconds)
                print(f"  exporting {rows:,} readings", flush=True)
                found.append(exported(self.url, domain, Path(folder) / "all.parquet", rows))
        best = min(found, key=lambda one: one.seconds)
        peak = max(one.peak_mb for one in found)
        self.facts["export"] = {
            **asdict(best), "rows_s": best.rows / best.seconds, "copy_rows_s": best.rows / min(copy_s), "peak_mb": peak,
            "rounds": [(copy, one.seconds) for copy, one in zip(copy_s, found, strict=True)],
        }  # fmt: skip
        self.figure("COPY of the same to nowhere by the server, rows/s", best.rows / min(copy_s))
        self.figure(f"export of {best.rows:,} rows to Parquet, rows/s", best.rows / best.seconds)
        self.figure("export, COPY's rows/s over its own", best.seconds / min(copy_s), "<= 3")
        self.figure("export, MB of memory", peak, "< 300")

    def _copied(self, domain: Domain) -> tuple[float, int]:
        """Seconds and rows of COPY of what an export of the domain holds, to nowhere."""
        table = CATALOGUE[domain]
        metrics = ", ".join(table.by_column)
        statement = _COPY.replace("{metrics}", metrics).replace("{table}", table.table)
        began = time.perf_counter()
        rows = self.conn.execute(statement.encode()).rowcount
        return time.perf_counter() - began, rows


@dataclass(frozen=True)
class Exported:
    """One export by the command: from its start as a process to its end; processor time and memory of the command."""

    rows: int
    seconds: float
    cpu_s: float
    peak_mb: float
    bytes: int


def exported(url: str, domain: Domain, file: Path, rows: int) -> Exported:
    """A year of all readings of the domain, of which there are so many."""
    command = [
        sys.executable, "-c", _PEAK, "export", str(file), "--replace", "--domain", domain,
        "--start", isoformat(END_US - 366 * DAY_US), "--end", isoformat(END_US),
    ]  # fmt: skip
    began = time.perf_counter()
    done = subprocess.run(
        command, env=_environment(url), capture_output=True, text=True, check=False
    )
    took = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"the export failed: {done.stderr[-600:]}")
    if f" {rows:,} rows" not in done.stdout:
        raise SystemExit(f"{rows:,} rows were there: {done.stdout[-600:]}")
    peak, cpu = map(float, done.stderr.rpartition("used=")[2].split()[:2])
    return Exported(rows, took, cpu, peak, file.stat().st_size)


_PEAK = """
import resource, sys
from services.cli import main
try:
    main()
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"used={used.ru_maxrss / 1e3} {used.ru_utime + used.ru_stime}", file=sys.stderr)
"""


def _environment(url: str) -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": url}


def _points() -> dict[str, str]:
    return {"start": isoformat(END_US - POINTS * MINUTE_US), "end": isoformat(END_US)}


def main(arguments: list[str]) -> int:
    """The command: see the module's first lines."""
    parser = argparse.ArgumentParser(prog="benchmarks api")
    parser.add_argument(
        "--rows", type=int, default=100_000_000, help="readings, at least 2.2 million"
    )
    parser.add_argument("--requests", type=int, default=200, help="of each question")
    parser.add_argument(
        "--keep", type=Path, help="a folder: keeps the database, uses what is there, and goes on"
    )
    parser.add_argument("--load", action="store_true", help="only load and roll up")
    options = parser.parse_args(arguments)
    city = city_of(options.rows)
    settings = {"shared_buffers": "1GB", "max_wal_size": "4GB"}
    with EmbeddedDatabase(options.keep, unsafe=True, settings=settings) as server:
        url = server.create()
        migrate(url)
        with connect(url, "citygauge-bench", autocommit=True) as conn:
            kept = Kept(conn, city.fingerprint)
            load(conn, city, kept)
            roll_up(conn, kept)
            progress = kept.progress()
            bench = Bench(conn, url)
            bench.figure("loading, rows/s, when it was", city.readings / progress.load_s)
            bench.figure("rolling up, readings/s, when it was", city.readings / progress.roll_s)
            if options.load:
                return 0
            raise_alerts(conn)
            bench.ask(options.requests)
            bench.export(city)
    head = ["", "aim", "p50 ms", "p99 ms", "CPU ms", "figure"]
    print(report.table(f"The API on {city.readings:,} readings", head, bench.rows))
    report.write(
        "api", {**asdict(city), "readings": city.readings, **asdict(progress), **bench.facts}
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
