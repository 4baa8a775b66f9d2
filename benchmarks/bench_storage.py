"""Bytes on disk for a stored reading: its row, its index, and what is left of both once its chunk is compressed.

Run `python -m benchmarks storage [-- --days N]`: it starts the embedded database, writes a week of water meters (an
hourly register) and of traffic stations (count, speed and occupancy each minute) through the product's own writer,
prints a table and writes build/bench/storage.json. Compression needs the Community edition of TimescaleDB, whose
module Debian does not ship: where it is missing its rows are left out, saying so.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta

import numpy as np

from benchmarks import report
from services.domain.batch import ReadingBatch
from services.domain.catalogue import CATALOGUE, Domain
from services.domain.instant import DAY_US, from_us
from services.embedded.database import EmbeddedDatabase
from services.embedded.prefix import ensure_prefix
from services.store.connection import Connection, connect, transaction
from services.store.maintain import chunks, maintain
from services.store.maintain_settings import MaintainSettings
from services.store.migrations import migrate
from services.store.writing.readings import ReadingWriter

METERS, STATIONS = 3_000, 50
T0 = 1_794_528_000_000_000
"""A Friday, 2026-11-13 00:00 UTC."""
_HOUR_US, _MINUTE_US = 3_600_000_000, 60_000_000
_MINUTES_AT_ONCE = 20
_SIZES = """
    SELECT coalesce(sum(d.table_bytes + coalesce(d.toast_bytes, 0)), 0)::bigint,
           coalesce(sum(d.index_bytes), 0)::bigint, coalesce(sum(d.total_bytes), 0)::bigint
      FROM chunks_detailed_size(%s::text::regclass) AS d
"""


@dataclass(frozen=True)
class Line:
    """One row of the table: bytes for one reading; wal_bytes: written to the log while it was stored."""

    what: str
    readings: int
    table_bytes: float
    index_bytes: float
    total_bytes: float
    wal_bytes: float | None = None


def water(days: int) -> Iterator[ReadingBatch]:
    """Each meter's register once an hour, in whole litres; a household draws nothing in most hours."""
    random = np.random.default_rng(1)
    sensor = np.arange(1, METERS + 1, dtype=np.int32)
    register = random.integers(0, 2_000_000, METERS).astype(float)
    seconds = random.integers(0, 3_600, METERS) * 1_000_000
    for hour in range(24 * days):
        register += random.poisson(12, METERS) * (random.random(METERS) < 0.4)
        at = T0 + hour * _HOUR_US + seconds
        order = random.permutation(METERS)
        yield ReadingBatch(
            Domain.WATER,
            sensor[order],
            at[order],
            at[order] + 800_000,
            np.zeros(METERS, np.int16),
            {"register_litres": register[order]},
        )


def traffic(days: int) -> Iterator[ReadingBatch]:
    """Each station once a minute, with the numbers of digits that loops send."""
    random = np.random.default_rng(2)
    rows = STATIONS * _MINUTES_AT_ONCE
    sensor = np.tile(np.arange(1, STATIONS + 1, dtype=np.int32), _MINUTES_AT_ONCE)
    minute = np.repeat(np.arange(_MINUTES_AT_ONCE), STATIONS)
    for start in range(0, 24 * 60 * days, _MINUTES_AT_ONCE):
        at = T0 + (start + minute) * _MINUTE_US
        day = 0.5 - 0.5 * np.cos(2 * np.pi * (start / 1_440))
        counted = random.poisson(2 + 20 * day, rows).astype(float)
        yield ReadingBatch(
            Domain.TRAFFIC,
            sensor,
            at,
            at + 1_200_000,
            np.zeros(rows, np.int16),
            {
                "count_veh": counted,
                "speed_km_per_h": np.round(random.normal(55 - 10 * day, 4, rows), 1),
                "occupancy_pct": np.round(counted * 0.6 + random.random(rows), 1),
            },
        )


def measure(days: int, *, community: bool) -> Iterator[Line]:
    """The rows of one edition."""
    name = "Community" if community else "Apache"
    license_ = {"timescaledb.license": "timescale"} if community else {}
    with EmbeddedDatabase(unsafe=True, settings=license_) as server:
        url = server.create()
        migrate(url)
        with connect(url, "citygauge-bench", autocommit=True) as conn:
            for domain, make in ((Domain.WATER, water), (Domain.TRAFFIC, traffic)):
                before, readings = _wal(conn), 0
                for batch in make(days):
                    with transaction(conn):
                        readings += ReadingWriter(conn).write(batch).inserted
                written = (_wal(conn) - before) / readings
                yield _line(conn, domain, f"{domain.value}, {name}", readings, written)
                if community:
                    settings = MaintainSettings(compress_after_days={domain: 1})
                    now = from_us(T0 + (days + 30) * DAY_US) + timedelta(days=1)
                    for done in maintain(conn, settings, now, dry_run=False):
                        assert not done.why_not, done
                    assert all(each.compressed for each in chunks(conn, domain))
                    yield _line(conn, domain, f"{domain.value}, {name}, compressed", readings)


def _line(
    conn: Connection, domain: Domain, what: str, readings: int, wal: float | None = None
) -> Line:
    row = conn.execute(_SIZES, (CATALOGUE[domain].table,)).fetchone()
    assert row is not None
    table, index, total = (each / readings for each in row)
    return Line(what, readings, table, index, total, wal)


def _wal(conn: Connection) -> int:
    row = conn.execute("SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint").fetchone()
    assert row is not None
    return int(row[0])


def main(arguments: list[str]) -> int:
    """The command: see the module's first lines."""
    parser = argparse.ArgumentParser(prog="benchmarks storage")
    parser.add_argument("--days", type=int, default=7, choices=range(1, 8))
    days = parser.parse_args(arguments).days
    lines = list(measure(days, community=False))
    library = ensure_prefix().postgres("postgres").parents[1] / "lib"
    if list(library.glob("timescaledb-tsl-*.so")):
        lines += measure(days, community=True)
    else:
        print("The Community edition's module is not installed: its rows are left out.")
    head = ["bytes a reading", "readings", "table", "index", "on disk", "WAL"]
    rows: list[list[report.Cell]] = [
        [
            each.what,
            each.readings,
            each.table_bytes,
            each.index_bytes,
            each.total_bytes,
            each.wal_bytes,
        ]
        for each in lines
    ]
    print(report.table(f"Storage of {days} days of readings", head, rows))
    report.write("storage", {"days": days, "lines": [asdict(each) for each in lines]})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
