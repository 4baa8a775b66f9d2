"""A database with rollups, and the question asked in both ways: with them, and of the readings alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from services.domain.buckets import Buckets
from services.domain.catalogue import Domain, SensorKind
from services.domain.duplicates import DuplicatePolicy
from services.domain.instant import HOUR_US, from_us, to_us
from services.domain.sensor import Sensor
from services.domain.statistic import OF_VALUES, Statistic
from services.store import feed
from services.store.connection import Connection, transaction
from services.store.query.pieces import pieces_of, snapshot
from services.store.query.question import Block, Question
from services.store.query.summaries import summaries
from services.store.rollups.rollup import Rollups
from services.store.rollups.rollup_level import Level, relation
from services.store.sensors import SensorRepository
from services.store.writing.readings import ReadingWriter
from tests.oracles.readings import Row, batch_of
from tests.waiting import wait_until

FLOW, PRESSURE = "flow_litres_per_h", "pressure_kpa"
T0 = to_us(datetime(2026, 3, 2, tzinfo=UTC))
FROM_PARTS = tuple(each for each in Statistic if each not in OF_VALUES)
KINDS = (SensorKind.WATER_METER, SensorKind.PRESSURE, SensorKind.DMA_INLET)
SENSORS = [1, 2, 3, 4]


def describe(conn: Connection) -> None:
    """Sensors 1 to 3, of which rollups are kept from different levels on; 4 is a pressure that comes later."""
    sensors = [Sensor(f"m-{n}", kind, cadence_s=600.0) for n, kind in enumerate(KINDS, 1)]
    SensorRepository(conn).upsert(sensors)


def store(conn: Connection, rows: list[Row]) -> None:
    """As ingest does: the readings and the feed in one transaction; a later value replaces an earlier one."""
    batch = batch_of(Domain.WATER, rows)
    with transaction(conn):
        written = ReadingWriter(conn, DuplicatePolicy.LAST).write(batch)
        feed.append(conn, written.accepted)


def keep_up(conn: Connection, now_us: int, most: int = 5_000) -> Rollups:
    """A keeper that has nothing left to do."""
    keeper = Rollups(conn, most)
    wait_until(keeper.claim, what="the keeper before to be gone")
    for _ in range(200):
        if not keeper.round(from_us(now_us)).any:
            return keeper
    raise AssertionError("the keeper finds something to do for ever")


def question(start_us: int, end_us: int, buckets: Buckets, **changes: object) -> Question:
    asked = Question(
        Domain.WATER, SENSORS, [FLOW, PRESSURE], from_us(start_us), from_us(end_us), buckets, FROM_PARTS
    )  # fmt: skip
    return replace(asked, **changes)  # type: ignore[arg-type]


def both_ways(conn: Connection, asked: Question) -> tuple[list[Block], list[Block]]:
    """The answer with rollups, and from the readings alone, as it is inside somebody's transaction."""
    with transaction(conn):
        from_readings = list(summaries(conn, asked))
    return list(summaries(conn, asked)), from_readings


def check(conn: Connection, asked: Question) -> None:
    for found, expected in zip(*both_ways(conn, asked), strict=True):
        for metric in asked.metrics:
            for each in asked.statistics:
                np.testing.assert_allclose(
                    found.values[metric][each], expected.values[metric][each], rtol=1e-12, atol=1e-9,
                    err_msg=f"{metric} {each}",
                )  # fmt: skip
            np.testing.assert_allclose(found.coverage[metric], expected.coverage[metric])


def rolled_rows(conn: Connection, asked: Question, level: Level) -> int:
    """How many rollups an answer is made of."""
    with snapshot(conn):
        found = pieces_of(
            conn, asked, np.array(asked.sensors, np.int32),
            start_us=asked.start_us, end_us=asked.end_us, level=level,
        )  # fmt: skip
    return sum(len(rows.series) for rows in found.rolled)


def clear(conn: Connection) -> None:
    """An empty database, as far as rollups are concerned; numbers of sensors begin at 1 again."""
    rollups = ", ".join(relation(Domain.WATER, level) for level in Level)
    conn.execute(  # prepared, TimescaleDB 2.19 would change its tree and use names that are freed
        f"TRUNCATE water_reading, {rollups}, batch_feed, feed_position, rollup_dirty, rollup_sensor",
        prepare=False,
    )
    conn.execute("TRUNCATE sensor RESTART IDENTITY")


def every_ten_minutes(days: int, sensor: int) -> list[Row]:
    return [
        (sensor, T0 + n * HOUR_US // 6, 0, {FLOW: float(n % 17), PRESSURE: float(n % 5)})
        for n in range(days * 144)
    ]
