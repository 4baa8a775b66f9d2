"""Who builds the rollups: afterwards, in pieces, killed in their midst, and the process that does it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from services.domain.buckets import FixedBuckets
from services.domain.catalogue import Domain, SensorKind
from services.domain.instant import DAY_US, HOUR_US, from_us, to_us
from services.domain.quality import Quality
from services.domain.sensor import Sensor
from services.store import feed
from services.store.connection import Connection, connect
from services.store.edition import Edition, edition
from services.store.rollups.rollup import Rollups
from services.store.rollups.rollup_level import Level, relation
from services.store.sensors import SensorRepository
from services.store.writing.readings import ReadingWriter
from tests.integration.rolling import (
    FLOW,
    PRESSURE,
    T0,
    check,
    clear,
    describe,
    every_ten_minutes,
    keep_up,
    question,
    rolled_rows,
    store,
)
from tests.oracles.readings import batch_of
from tests.tether import tethered
from tests.waiting import PATIENCE_S, wait_until


@pytest.fixture
def conn(edition_url: str) -> Iterator[Connection]:
    with connect(edition_url, "test", autocommit=True) as connection:
        yield connection


def test_what_was_there_before_the_keeper_is_built(conn: Connection) -> None:
    """As after an upgrade: readings of months, of which the feed knows nothing any more."""
    clear(conn)
    describe(conn)
    rows = every_ten_minutes(20, 2)
    ReadingWriter(conn).write(batch_of(Domain.WATER, rows))
    store(conn, [(2, T0 + 21 * DAY_US, 0, {FLOW: 1.0})])
    keeper = keep_up(conn, T0 + 22 * DAY_US)
    assert keeper.waiting(from_us(T0 + 22 * DAY_US)) == (0, 0)
    days = question(T0, T0 + 22 * DAY_US, FixedBuckets(86_400))
    assert rolled_rows(conn, days, Level.DAY) == 21
    check(conn, days)


def contents(conn: Connection) -> dict[Level, list[tuple[object, ...]]]:
    """All rollups of water, to the last bit."""
    return {
        level: conn.execute(
            f"SELECT * FROM {relation(Domain.WATER, level)} ORDER BY sensor, bucket"
        ).fetchall()
        for level in Level
    }


def test_what_is_built_is_what_would_have_been_kept(conn: Connection) -> None:
    """To the last bit: by a keeper that was there, in one piece afterwards, and in many."""
    if edition(conn) is Edition.COMMUNITY:
        pytest.skip("continuous aggregates are TimescaleDB's own work")
    clear(conn)
    describe(conn)
    random = np.random.default_rng(5)
    rows = [
        (sensor, at + int(random.integers(0, 9)), 0, {FLOW: random.normal(), PRESSURE: random.normal()})
        for sensor in (1, 2, 3)
        for _, at, _, _ in every_ten_minutes(9, sensor)
    ]  # fmt: skip
    for hour in range(0, 9 * 24, 27):
        span = T0 + hour * HOUR_US, T0 + (hour + 27) * HOUR_US
        store(conn, [row for row in rows if span[0] <= row[1] < span[1]])
        keep_up(conn, span[1])
    now = T0 + 10 * DAY_US
    keep_up(conn, now)
    kept = contents(conn)
    assert [len(kept[level]) for level in Level] == [0, 2 * 9 * 24, 3 * 9]
    for most in (500, 1_000_000):
        conn.execute("DELETE FROM rollup_sensor")
        for level in Level:
            conn.execute(f"DELETE FROM {relation(Domain.WATER, level)}")
        keep_up(conn, now, most)
        assert contents(conn) == kept


def test_what_comes_between_two_pieces_is_rolled_up(conn: Connection) -> None:
    """Late readings of sensors that are planned but whose turn has not come, older and newer than all that they had."""
    clear(conn)
    describe(conn)
    ReadingWriter(conn).write(
        batch_of(Domain.WATER, every_ten_minutes(10, 1) + every_ten_minutes(10, 2))
    )
    now = T0 + 40 * DAY_US
    keeper = Rollups(conn, most=200)
    assert keeper.claim()
    while not keeper.round(from_us(now)).built:
        pass
    assert keeper.waiting(from_us(now))[1] > 1
    days = question(T0 - 30 * DAY_US, T0 + 40 * DAY_US, FixedBuckets(86_400))
    for value, late in (
        (7, (-20, 9, 30)),
        (8, (-20, 9)),
    ):  # twice: what needed no mark may need one now
        at = {day: T0 + day * DAY_US + value for day in late}
        store(conn, [(s, at[day], 0, {FLOW: float(value)}) for s in (1, 2) for day in late])
        for _ in range(2):
            while not keeper.round(from_us(now)).built:
                pass
    while keeper.round(from_us(now)).any:
        pass
    assert rolled_rows(conn, days, Level.DAY) == 2 * 12
    check(conn, days)


def test_an_idle_keeper_does_not_ask_the_whole_register(conn: Connection) -> None:
    """Who is new is asked when the register has changed, and then at once."""
    clear(conn)
    describe(conn)
    keeper = keep_up(conn, T0)
    conn.execute(
        "DELETE FROM rollup_sensor WHERE sensor = 1"
    )  # nobody but the keeper may: it shows who asks
    assert not keeper.round(from_us(T0)).any
    SensorRepository(conn).upsert([Sensor("m-4", SensorKind.PRESSURE, cadence_s=600.0)])
    assert keeper.round(from_us(T0)).begun == 2


def test_a_second_keeper_waits(edition_url: str, conn: Connection) -> None:
    assert Rollups(conn).claim()
    with connect(edition_url, "test", autocommit=True) as other:
        assert not Rollups(other).claim()


KEEPER = """
import sys
from datetime import datetime
from services.store.connection import connect
from services.store.rollups.rollup import Rollups
with connect(sys.argv[1], "keeper", autocommit=True) as conn:
    keeper = Rollups(conn)
    while not keeper.claim():
        pass
    while True:
        keeper.round(datetime.fromisoformat(sys.argv[2]))
"""


def test_a_keeper_that_is_killed_leaves_nothing_wrong(edition_url: str, conn: Connection) -> None:
    """Killed again and again while it builds, marks and rolls up, with readings coming in and being corrected."""
    clear(conn)
    describe(conn)
    SensorRepository(conn).upsert([Sensor("m-4", SensorKind.PRESSURE, cadence_s=600.0)])
    ReadingWriter(conn).write(batch_of(Domain.WATER, every_ten_minutes(10, 1)))
    now = from_us(T0 + 30 * DAY_US)
    days = question(T0, T0 + 12 * DAY_US, FixedBuckets(86_400))
    hours = question(T0 + 1, T0 + 12 * DAY_US - 1, FixedBuckets(7200), exclude=Quality.IMPLAUSIBLE)
    random = np.random.default_rng(7)
    for kill in range(4):
        arguments = [sys.executable, "-c", KEEPER, edition_url, now.isoformat()]
        with subprocess.Popen(tethered(arguments)) as keeper:
            try:
                for _ in range(3):
                    before = position(conn)
                    some = random.choice(12 * 144, 400, replace=False)
                    store(conn, [(int(random.integers(2, 5)), T0 + int(n) * HOUR_US // 6, int(random.choice([0, 2])),
                                  {FLOW: float(random.integers(0, 9))}) for n in some])  # fmt: skip
                    if kill % 2:
                        follows(conn, before)
                    check(conn, days)
            finally:
                keeper.kill()
        check(conn, hours)
    keep_up(conn, to_us(now))
    check(conn, days)
    check(conn, hours)
    assert rolled_rows(conn, days, Level.DAY) == 10 + 3 * 12


def position(conn: Connection) -> object:
    return feed.committed_position(conn, "rollup")


def follows(conn: Connection, before: object) -> None:
    wait_until(lambda: position(conn) != before, what="the keeper to follow")


def test_the_process_of_the_detectors_keeps_them(edition_url: str, conn: Connection) -> None:
    """And ends when it is told to."""
    clear(conn)
    describe(conn)
    store(conn, every_ten_minutes(3, 2))
    days = question(T0, T0 + 3 * DAY_US, FixedBuckets(86_400))
    environment = {**os.environ, "DATABASE_URL": edition_url, "CITYGAUGE_DETECT_METRICS_PORT": "0"}
    command = [sys.executable, "-m", "services.cli", "detect"]
    with subprocess.Popen(tethered(command), env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: rolled_rows(conn, days, Level.DAY) == 3, what="three days rolled up")
            process.terminate()
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()
    check(conn, days)
