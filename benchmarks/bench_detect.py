"""Readings a second of the rolling core and of all detectors of a domain, on one core; prints a table, writes JSON.

python -m benchmarks detect [-- --batches N]  ->  build/bench/detect.json
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from benchmarks.report import write
from services.detect.anomaly.score import AnomalyScore
from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.rounds import Rounds
from services.detect.windows.exponential import Exponential
from services.detect.windows.rolling import Rolling
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain, SensorKind
from services.domain.instant import HOUR_US, SECOND_US
from services.domain.sensor import Sensor

BATCH = 10_000
START_US = 1_772_409_600 * SECOND_US
RING = 60


def rate(work: Callable[[int], int], batches: int, rounds: int = 3) -> float:
    """Median over the rounds of readings a second of processor time (the machine may be shared)."""
    found = []
    for r in range(rounds):
        begin = time.process_time()
        done = sum(work(r * batches + i) for i in range(batches))
        found.append(done / (time.process_time() - begin))
    return statistics.median(found)


def rolling(sensors: int, batches: int) -> tuple[float, int]:
    """Ring of 60 with mean and variance, EW mean and variance; random sensors, repeats split into rounds."""
    ring, level = Rolling(RING, "f4"), Exponential(0.05)
    for table in (ring.table, level.table):
        table.add(sensors)
    rounds = Rounds()
    rounds.reserve(sensors)
    random = np.random.default_rng(1)
    feed = [(random.integers(0, sensors, BATCH), random.normal(50, 5, BATCH)) for _ in range(16)]

    def work(i: int) -> int:
        rows, values = feed[i % len(feed)]
        for part in rounds.split(rows):
            ring.push(rows[part], values[part])
            level.push(rows[part], values[part])
        return len(rows)

    rate(work, 8, 1)
    return rate(work, batches), ring.table.bytes_per_row + level.table.bytes_per_row


def water(sensors: int, batches: int) -> tuple[float, int]:
    """Hourly registers of all meters in turn, every rule on."""
    core = Core(
        DetectorSettings(),
        [
            (i, Sensor(f"M{i}", SensorKind.WATER_METER, time_zone="Europe/Madrid"))
            for i in range(sensors)
        ],
    )
    random = np.random.default_rng(2)
    register = np.full(sensors, 1000.0)
    turns = max(1, sensors // BATCH)
    prepared = []
    for i in range(4 * batches + 2 * turns):
        hour, part = divmod(i, turns)
        rows = np.arange(part * BATCH, min((part + 1) * BATCH, sensors))
        use = (
            random.gamma(1.2, 18.0, len(rows)).round()
            * (random.random(len(rows)) < 0.6)
            * (hour % 24 >= 6)
        )
        register[rows] += use
        prepared.append(
            _batch(
                Domain.WATER,
                rows,
                START_US + hour * HOUR_US,
                {"register_litres": register[rows].copy()},
            )
        )
    feed = iter(prepared)

    def work(_: int) -> int:
        batch = next(feed)
        core.step(batch, 0)
        return len(batch)

    rate(work, 2 * turns, 1)
    return rate(work, batches), core.bytes_per_sensor()["water_meter"]


def traffic(sensors: int, batches: int) -> tuple[float, int]:
    """30-second readings of all stations in turn, every rule on."""
    core = Core(
        DetectorSettings(),
        [
            (i, Sensor(f"S{i}", SensorKind.TRAFFIC_STATION, road=f"R{i // 50}", position_m=800.0 * (i % 50)))
            for i in range(sensors)
        ],
    )  # fmt: skip
    random = np.random.default_rng(3)
    turns = max(1, sensors // BATCH)
    prepared = []
    for i in range(4 * batches + 2 * turns):
        turn, part = divmod(i, turns)
        rows = np.arange(part * BATCH, min((part + 1) * BATCH, sensors))
        n = len(rows)
        prepared.append(
            _batch(
                Domain.TRAFFIC,
                rows,
                START_US + 8 * HOUR_US + turn * 30 * SECOND_US,
                {
                    "count_veh": random.poisson(9, n).astype(float),
                    "speed_km_per_h": random.normal(100, 5, n),
                    "occupancy_pct": random.uniform(4, 9, n),
                },
            )
        )
    feed = iter(prepared)

    def work(_: int) -> int:
        batch = next(feed)
        core.step(batch, 0)
        return len(batch)

    rate(work, 2 * turns, 1)
    return rate(work, batches), core.bytes_per_sensor()["traffic_station"]


def general(series: int, batches: int) -> tuple[float, int]:
    """The general score of series that came to their 130th value and more, all in turn; no part of the live core."""
    scorer = AnomalyScore()
    scorer.add(series)
    random = np.random.default_rng(4)
    feed = [random.normal(50, 5, series) for _ in range(16)]
    rows = np.arange(series)

    def work(i: int) -> int:
        at = np.full(series, START_US + i * 300 * SECOND_US)
        scorer.step(rows, at, feed[i % len(feed)])
        return series

    for i in range(128):
        work(i)
    tables = scorer.tables.values()
    size = sum(table.bytes_per_row * table.n for table in tables) // series
    return rate(lambda i: work(128 + i), batches), size


def _batch(
    domain: Domain, rows: np.ndarray, at_us: int, metrics: dict[str, np.ndarray]
) -> ReadingBatch:
    n = len(rows)
    at = np.full(n, at_us, np.int64)
    return ReadingBatch(domain, rows.astype(np.int32), at, at, np.zeros(n, np.int16), metrics)


def main() -> None:
    """Run everything and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--batches", type=int, default=40, help="batches of 10,000 readings in each of three rounds"
    )
    batches = parser.parse_args().batches
    results = []
    print(f"{'what':<28} {'sensors':>8} {'readings/s':>12} {'us each':>8} {'bytes a sensor':>15}")
    for name, bench, counts in (
        ("rolling core", rolling, (10_000, 100_000)),
        ("water, every detector", water, (10_000, 100_000)),
        ("traffic, every detector", traffic, (10_000, 100_000)),
        ("general score, asked for", general, (10_000,)),
    ):
        for sensors in counts:
            speed, size = bench(sensors, batches)
            print(f"{name:<28} {sensors:>8} {speed:>12,.0f} {1e6 / speed:>8.3f} {size:>15}")
            results.append(
                {
                    "name": name,
                    "sensors": sensors,
                    "readings_per_s": round(speed),
                    "bytes_per_sensor": size,
                }
            )
    write("detect", {"batch": BATCH, "results": results})


if __name__ == "__main__":
    main()
