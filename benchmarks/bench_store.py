"""What storing costs: index order, wide against narrow rows, the writer's paths, ways to read columns back.

Run `python -m benchmarks store [-- --readings N]`: it starts the embedded database, prints a table and writes
build/bench/store.json. CPU is counted for this process and for the database's backend; background work of the
server (checkpoints, WAL writer) is not in it. Figures of one machine compare with each other, not with another's.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from psycopg import sql

from benchmarks import report
from services.domain.batch import ReadingBatch
from services.domain.catalogue import CATALOGUE, Domain
from services.domain.instant import from_us
from services.embedded.database import EmbeddedDatabase
from services.store import feed
from services.store.accounting import Counts
from services.store.connection import Connection, connect, transaction
from services.store.migrations import migrate
from services.store.query.history import History
from services.store.wire import POSTGRES_EPOCH_US, copy_stream
from services.store.writing.at_once import store_new
from services.store.writing.readings import ReadingWriter

COMMIT = 10_000
SENSORS = 10_000
T0 = 1_795_309_200_000_000
METRICS = ("count_veh", "speed_km_per_h", "occupancy_pct")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Line:
    """One row of the table; microseconds are for one reading (three metrics), bytes on disk too."""

    what: str
    client_us: float
    server_us: float
    elapsed_us: float
    disk_bytes: float | None = None


def batches(readings: int, seed: int = 1) -> Iterator[ReadingBatch]:
    """Every sensor once a minute, shuffled, times of a minute spread over its seconds."""
    random = np.random.default_rng(seed)
    for minute in range(readings // COMMIT):
        sensor = random.permutation(np.arange(1, SENSORS + 1, dtype=np.int32))
        at = T0 + minute * 60_000_000 + random.integers(0, 60, SENSORS) * 1_000_000
        metrics = {name: random.random(SENSORS) for name in METRICS}
        yield ReadingBatch(
            Domain.TRAFFIC, sensor, at, at + 500_000, np.zeros(SENSORS, np.int16), metrics
        )


def narrow_stream(batch: ReadingBatch) -> bytes:
    """One row for each metric: (time, sensor, metric, quality, received_at, value)."""
    n, k = len(batch), len(batch.metrics)
    names = [
        ("time", ">i8"),
        ("sensor", ">i4"),
        ("metric", ">i2"),
        ("quality", ">i2"),
        ("received", ">i8"),
    ]
    names.append(("value", ">f8"))
    row = np.dtype(
        [
            ("fields", ">i2"),
            *(f for name, kind in names for f in ((f"{name}_size", ">i4"), (name, kind))),
        ]
    )
    rows = np.empty(n * k, row)
    rows["fields"] = len(names)
    for name, kind in names:
        rows[f"{name}_size"] = np.dtype(kind).itemsize
    rows["time"] = np.repeat(batch.observed_us - POSTGRES_EPOCH_US, k)
    rows["sensor"] = np.repeat(batch.sensor, k)
    rows["metric"] = np.tile(np.arange(k), n)
    rows["quality"] = 0
    rows["received"] = np.repeat(batch.received_us - POSTGRES_EPOCH_US, k)
    rows["value"] = np.column_stack(list(batch.metrics.values())).ravel()
    return b"PGCOPY\n\xff\r\n\0" + bytes(8) + rows.tobytes() + b"\xff\xff"


def server_cpu_s(conn: Connection) -> float:
    """CPU seconds of the connection's backend so far."""
    fields = Path(f"/proc/{conn.info.backend_pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(what: str, conn: Connection, readings: int, work: Callable[[], object]) -> Line:
    server, client, started = server_cpu_s(conn), time.process_time(), time.perf_counter()
    work()
    elapsed, client = time.perf_counter() - started, time.process_time() - client
    server = server_cpu_s(conn) - server
    return Line(
        what, *(round(1e6 * seconds / readings, 2) for seconds in (client, server, elapsed))
    )


WIDE = ", ".join(f"{metric.column} float8" for metric in CATALOGUE[Domain.TRAFFIC].metrics)
FIXED = "time timestamptz NOT NULL, sensor int NOT NULL"
TIMES = "quality smallint NOT NULL DEFAULT 0, received_at timestamptz NOT NULL, stored_at timestamptz DEFAULT now()"
LAYOUTS: dict[str, tuple[bool, str, str | None]] = {
    "wide, no index": (True, "", None),
    "wide, unique (time, sensor)": (True, "", "time, sensor"),
    "wide, unique (sensor, time)": (True, "", "sensor, time"),
    "wide, unique (sensor, time), BRIN (time)": (True, "brin", "sensor, time"),
    "narrow, no index": (False, "", None),
    "narrow, unique (time, sensor, metric)": (False, "", "time, sensor, metric"),
    "narrow, unique (sensor, metric, time)": (False, "", "sensor, metric, time"),
}


def layout(conn: Connection, what: str, data: list[ReadingBatch]) -> Line:
    """COPY into a table of this layout, one commit a batch, sorted as the writer sorts."""
    wide, brin, unique = LAYOUTS[what]
    columns = WIDE if wide else "metric smallint NOT NULL, value float8"
    conn.execute("DROP TABLE IF EXISTS bench")
    conn.execute(sql.SQL(f"CREATE TABLE bench ({FIXED}, {TIMES}, {columns})"))
    conn.execute(
        "SELECT create_hypertable('bench', by_range('time', interval '7 days'), create_default_indexes => false)"
    )
    if unique:
        conn.execute(sql.SQL(f"CREATE UNIQUE INDEX ON bench ({unique})"))
    if brin:
        conn.execute(
            "CREATE INDEX ON bench USING brin (time) WITH (pages_per_range = 32, autosummarize = on)"
        )
    names = f"time, sensor, quality, received_at, {', '.join(METRICS)}"
    if not wide:
        names = "time, sensor, metric, quality, received_at, value"

    def work() -> None:
        for batch in data:
            ordered = batch.take(np.lexsort((batch.observed_us, batch.sensor)))
            stream = copy_stream(ordered) if wide else narrow_stream(ordered)
            with conn.cursor().copy(f"COPY bench ({names}) FROM STDIN (FORMAT binary)") as copy:
                copy.write(stream)

    readings = sum(map(len, data))
    line = measure(what, conn, readings, work)
    row = conn.execute("SELECT hypertable_size('bench')").fetchone()
    assert row is not None
    return replace(line, disk_bytes=round(row[0] / readings, 1))


def writer_paths(conn: Connection, data: list[ReadingBatch]) -> Iterator[Line]:
    """What `ReadingWriter` takes for new batches and for each way of meeting stored readings."""
    readings = sum(map(len, data))
    writer = ReadingWriter(conn)

    def write(chosen: list[ReadingBatch], and_feed: bool = False) -> None:
        for batch in chosen:
            with transaction(conn):
                written = writer.write(batch)
                if and_feed:
                    feed.append(conn, written.accepted)

    flow = {"flow_veh_per_h": np.ones(COMMIT)}
    mixed = [replace(b, observed_us=b.observed_us + np.arange(len(b)) % 2) for b in data]
    yield measure("writer: all new", conn, readings, lambda: write(data))
    yield measure("writer: the same again", conn, readings, lambda: write(data))
    yield measure("writer: every second one new", conn, readings, lambda: write(mixed))
    later = [replace(b, observed_us=b.observed_us + 10**13) for b in data]
    yield measure("writer and feed: all new", conn, readings, lambda: write(later, and_feed=True))
    others = [replace(b, metrics=flow) for b in data]
    yield measure("writer: another metric of stored ones", conn, readings, lambda: write(others))


def small_batches(conn: Connection, data: list[ReadingBatch], size: int) -> Iterator[Line]:
    """A slow stream: batches of few readings with their rows of the feed and the account, both ways in turn."""
    writer, count = ReadingWriter(conn), 0

    def parts() -> Iterator[ReadingBatch]:
        nonlocal count
        for start in range(0, 200 * size, size):
            count += 1
            part = data[0].take(np.arange(start, start + size) % len(data[0]))
            yield replace(part, observed_us=part.observed_us - 10**13 - count)

    counts = Counts(received=size, messages=size, stored=size)

    def long_way() -> None:
        for part in parts():
            with transaction(conn):
                written = writer.write(part)
                feed.append_and_account(conn, [written.accepted], "bench", counts)

    def at_once() -> None:
        for part in parts():
            store_new(conn, part, "bench", counts)

    ways = {"writer, feed and account": long_way, "the same in one statement": at_once}
    for what, work in ways.items():
        work()
        yield measure(f"{what}: batches of {size}", conn, 200 * size, work)


def read_paths(conn: Connection, points: int = 100_000) -> Iterator[Line]:
    """Three ways to get one sensor's readings as columns; microseconds are for one point."""
    at = T0 + np.arange(points) * 60_000_000
    own = ReadingBatch(
        Domain.WATER,
        np.ones(points, np.int32),
        at,
        at,
        np.zeros(points, np.int16),
        {"flow_litres_per_h": np.random.default_rng(1).random(points)},
    )
    ReadingWriter(conn).write(own)
    conn.execute("ANALYZE water_reading")
    start, end = from_us(T0), from_us(T0 + 10**15)
    columns = "sensor, time, received_at, quality, stored_at, coalesce(flow_litres_per_h, 'NaN')"
    query = f"SELECT {columns} FROM water_reading WHERE sensor = 1 AND time >= %s AND time < %s ORDER BY time"

    def pages() -> None:
        History(conn).raw(
            Domain.WATER, [1], start, end, limit=points, metrics=["flow_litres_per_h"]
        )

    def copied() -> None:
        with conn.cursor().copy(f"COPY ({query}) TO STDOUT (FORMAT binary)", (start, end)) as copy:
            b"".join(copy)

    def fetched() -> None:
        rows = conn.execute(query, (start, end)).fetchall()
        np.array([row[5] for row in rows])

    pages()
    yield measure("read: arrays by array_agg (History.raw)", conn, points, pages)
    yield measure("read: binary COPY, bytes only", conn, points, copied)
    yield measure("read: fetchall and one numpy column", conn, points, fetched)


def main(arguments: list[str]) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks store --", description=__doc__)
    parser.add_argument("--readings", type=int, default=300_000, help="readings for each line")
    readings = max(COMMIT, parser.parse_args(arguments).readings)
    data = list(batches(readings))
    lines: list[Line] = []
    with EmbeddedDatabase() as server:
        url = server.create("bench")
        migrate(url)
        with connect(url, "citygauge-bench", autocommit=True) as conn:
            lines += [layout(conn, what, data) for what in LAYOUTS]
            lines += writer_paths(conn, data)
            for size in (1, 10, 100):
                lines += small_batches(conn, data, size)
            lines += read_paths(conn)
            version = conn.info.server_version
    print(
        f"{readings:,} readings of {len(METRICS)} metrics, {COMMIT:,} a commit, PostgreSQL {version // 10_000}"
    )
    print(f"{'':<42}{'client':>8}{'server':>8}{'elapsed':>9}  us a reading   bytes on disk")
    for line in lines:
        disk = "" if line.disk_bytes is None else f"{line.disk_bytes:>20.0f}"
        print(
            f"{line.what:<42}{line.client_us:>8.2f}{line.server_us:>8.2f}{line.elapsed_us:>9.2f}{disk:>32}"
        )
    shown = [asdict(line) for line in lines]
    report.write("store", {"readings": readings, "commit": COMMIT, "lines": shown})


if __name__ == "__main__":
    main(sys.argv[1:])
