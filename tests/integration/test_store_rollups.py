"""Rollups against the readings themselves: the same answers, whatever is late, corrected, removed, or killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.buckets import Buckets, Calendar, FixedBuckets, LocalBuckets
from services.domain.catalogue import Domain, SensorKind
from services.domain.duplicates import DuplicatePolicy
from services.domain.instant import DAY_US, HOUR_US, from_us, to_us
from services.domain.quality import Quality
from services.domain.sensor import Sensor
from services.domain.statistic import OF_VALUES, Statistic
from services.store import feed
from services.store.connection import Connection, connect, transaction
from services.store.edition import Edition, edition
from services.store.maintain import maintain
from services.store.maintain_settings import MaintainSettings
from services.store.query.pieces import pieces_of, snapshot
from services.store.query.question import Block, Question
from services.store.query.summaries import level_of, summaries
from services.store.rollups.rollup import Rollups
from services.store.rollups.rollup_level import FINEST_OF_KIND, Level, relation
from services.store.rollups.rollup_rows import mark
from services.store.sensors import SensorRepository
from services.store.writing.readings import ReadingWriter
from tests.oracles.readings import Row, batch_of
from tests.tether import tethered
from tests.waiting import PATIENCE_S, wait_until

FLOW, PRESSURE = "flow_litres_per_h", "pressure_kpa"
T0 = to_us(datetime(2026, 3, 2, tzinfo=UTC))
FROM_PARTS = tuple(each for each in Statistic if each not in OF_VALUES)
KINDS = (SensorKind.WATER_METER, SensorKind.PRESSURE, SensorKind.DMA_INLET)
SENSORS = [1, 2, 3, 4]


@pytest.fixture(params=["database_url", "community_url"], ids=["apache", "community"])
def edition_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of each edition."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
def conn(edition_url: str) -> Iterator[Connection]:
    with connect(edition_url, "test", autocommit=True) as connection:
        yield connection


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


BUCKETS: tuple[Buckets, ...] = (
    FixedBuckets(300),
    FixedBuckets(900),
    FixedBuckets(3600),
    FixedBuckets(21_600),
    FixedBuckets(86_400),
    LocalBuckets(Calendar.DAY, "Europe/Madrid"),
    LocalBuckets(Calendar.HOUR, "Asia/Kolkata"),
    LocalBuckets(Calendar.WEEK, "UTC"),
)
readings = st.dictionaries(
    st.tuples(
        st.sampled_from(SENSORS),
        st.one_of(
            st.integers(0, 3 * 144), st.sampled_from([140, 141, 142, 143, 144, 145, 300, 301])
        ).map(lambda n: T0 + n * HOUR_US // 6),
    ),
    st.tuples(
        st.dictionaries(
            st.sampled_from([FLOW, PRESSURE]), st.integers(-9, 9).map(float), min_size=1
        ),
        st.sampled_from([0, 0, 2]),
    ),
    min_size=1,
    max_size=60,
)
steps = st.one_of(
    st.tuples(st.just("store"), readings),
    st.tuples(st.just("keep"), st.integers(0, 100)),
    st.tuples(st.just("round"), st.integers(0, 100)),
    st.tuples(st.just("remove"), st.integers(0, 70)),
    st.tuples(st.just("describe"), st.sampled_from([*KINDS])),
)


@settings(max_examples=25)
@given(
    stream=st.lists(steps, min_size=3, max_size=9),
    span=st.sampled_from([(0, 72), (7, 51), (23, 26), (0, 24)]),
    offset=st.sampled_from([0, 1_234_567, 20 * 60_000_000]),
    buckets=st.sampled_from(BUCKETS),
    exclude=st.sampled_from([Quality.GOOD, Quality.IMPLAUSIBLE]),
)
def test_answers_are_those_of_the_readings(
    conn: Connection,
    stream: list[tuple[str, object]],
    span: tuple[int, int],
    offset: int,
    buckets: Buckets,
    exclude: Quality,
) -> None:
    clear(conn)
    describe(conn)
    keeper = Rollups(conn, most=200)
    assert keeper.claim()
    start, end = (T0 + hours * HOUR_US + offset for hours in span)
    asked = question(start, end, buckets, exclude=exclude)
    for step, value in stream:
        if step == "store":
            rows = [(s, at, q, values) for (s, at), (values, q) in value.items()]  # type: ignore[attr-defined]
            store(conn, rows)
        elif step == "keep":
            keeper = keep_up(conn, T0 + value * HOUR_US)  # type: ignore[operator]
        elif step == "round":
            keeper.round(from_us(T0 + value * HOUR_US))  # type: ignore[operator]
        elif step == "remove":
            remove(conn, T0 + value * HOUR_US)  # type: ignore[operator]
        else:
            SensorRepository(conn).upsert([Sensor("m-4", value, cadence_s=600.0)])  # type: ignore[arg-type]
        check(conn, asked)
    keep_up(conn, T0 + 100 * HOUR_US)
    check(conn, asked)


def clear(conn: Connection) -> None:
    """An empty database, as far as rollups are concerned; numbers of sensors begin at 1 again."""
    rollups = ", ".join(relation(Domain.WATER, level) for level in Level)
    conn.execute(  # prepared, TimescaleDB 2.19 would change its tree and use names that are freed
        f"TRUNCATE water_reading, {rollups}, batch_feed, feed_position, rollup_dirty, rollup_sensor",
        prepare=False,
    )
    conn.execute("TRUNCATE sensor RESTART IDENTITY")


def remove(conn: Connection, hour_us: int) -> None:
    """Somebody removes the readings of an hour, and says so."""
    with transaction(conn):
        conn.execute(
            "DELETE FROM water_reading WHERE time >= %s AND time < %s",
            (from_us(hour_us), from_us(hour_us + HOUR_US)),
        )
        hours = np.full(len(SENSORS), hour_us, np.int64)
        mark(conn, Domain.WATER, np.array(SENSORS, np.int32), hours)


def every_ten_minutes(days: int, sensor: int) -> list[Row]:
    return [
        (sensor, T0 + n * HOUR_US // 6, 0, {FLOW: float(n % 17), PRESSURE: float(n % 5)})
        for n in range(days * 144)
    ]


@pytest.mark.parametrize(
    ("buckets", "level"),
    [
        (FixedBuckets(60), None),
        (FixedBuckets(900), Level.FIVE_MINUTES),
        (FixedBuckets(5400), Level.FIVE_MINUTES),
        (FixedBuckets(10_800), Level.HOUR),
        (LocalBuckets(Calendar.DAY, "Europe/Madrid"), Level.HOUR),
        (LocalBuckets(Calendar.DAY, "Asia/Kolkata"), Level.FIVE_MINUTES),
        (LocalBuckets(Calendar.DAY, "UTC"), Level.DAY),
    ],
)
def test_the_coarsest_level_that_is_exact_is_asked(buckets: Buckets, level: Level | None) -> None:
    asked = question(T0, T0 + 5 * DAY_US, buckets)
    assert level_of(asked, asked.edges_us()) is level
    weighted = replace(asked, statistics=[Statistic.AVG, Statistic.P50])
    assert level_of(weighted, weighted.edges_us()) is None


def test_rollups_answer_what_they_can(conn: Connection) -> None:
    """A late reading sends one hour back to the readings, not a day and not the other sensors."""
    clear(conn)
    describe(conn)
    store(conn, every_ten_minutes(4, 1) + every_ten_minutes(4, 2))
    keep_up(conn, T0 + 5 * DAY_US)
    days = question(T0, T0 + 4 * DAY_US, FixedBuckets(86_400), exclude=Quality.GOOD)
    hours = replace(days, buckets=FixedBuckets(3600))
    assert rolled_rows(conn, days, Level.DAY) == 2 * 4
    assert rolled_rows(conn, hours, Level.HOUR) == 4 * 24  # no hours of household meters are kept
    store(conn, [(2, T0 + 30 * HOUR_US + 1, 0, {FLOW: 99.0})])
    assert rolled_rows(conn, days, Level.DAY) == 4 + 3 + 2  # its hours before and after, added up
    assert rolled_rows(conn, hours, Level.HOUR) == 4 * 24 - 1
    check(conn, days)
    keep_up(conn, T0 + 5 * DAY_US)
    assert rolled_rows(conn, days, Level.DAY) == 2 * 4
    check(conn, days)
    block = next(summaries(conn, days))
    assert block.values[FLOW][Statistic.MAX][1, 1] == 99.0


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


def test_a_damaged_batch_of_the_feed_makes_nothing_wrong(conn: Connection) -> None:
    clear(conn)
    describe(conn)
    store(conn, every_ten_minutes(3, 2))
    keep_up(conn, T0 + 4 * DAY_US)
    for value in (50.0, 60.0):
        store(conn, [(2, T0 + 5 * HOUR_US, 0, {FLOW: value})])
    conn.execute(
        "UPDATE batch_feed SET columns = '\\x00' WHERE id = (SELECT max(id) FROM batch_feed)"
    )
    days = question(T0, T0 + 3 * DAY_US, FixedBuckets(86_400))
    check(conn, days)
    keep_up(conn, T0 + 4 * DAY_US)
    check(conn, days)
    assert rolled_rows(conn, days, Level.DAY) == 3


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
                        wait_until(
                            lambda before=before: position(conn) != before,
                            what="the keeper to follow",
                        )
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


def test_every_kind_says_from_which_level_on_it_is_rolled_up() -> None:
    assert set(FINEST_OF_KIND) == set(SensorKind)


def test_a_range_that_ends_now_has_its_newest_readings(conn: Connection) -> None:
    """The hour that is not over yet comes from the readings, the rest from rollups."""
    clear(conn)
    describe(conn)
    store(conn, every_ten_minutes(2, 2)[:-1])
    now = T0 + 2 * DAY_US - HOUR_US // 2
    keep_up(conn, now)
    store(conn, every_ten_minutes(2, 2)[-1:])
    keep_up(conn, now)
    hours = question(T0, T0 + 2 * DAY_US, FixedBuckets(3600))
    assert rolled_rows(conn, hours, Level.HOUR) == 47
    check(conn, hours)
    assert keep_up(conn, now).waiting(from_us(now) + timedelta(hours=2)) == (1, 0)


def test_rollups_of_dropped_readings_are_gone_with_them(conn: Connection) -> None:
    """Readings beyond their retention: no answer holds what is not there any more."""
    clear(conn)
    describe(conn)
    store(conn, every_ten_minutes(40, 2))
    now = T0 + 41 * DAY_US
    keep_up(conn, now)
    days = question(T0, T0 + 40 * DAY_US, FixedBuckets(86_400))
    assert rolled_rows(conn, days, Level.DAY) == 40
    retention = MaintainSettings(retention_days={Domain.WATER: 20})
    dropped = next(maintain(conn, retention, from_us(now), dry_run=False))
    assert dropped.count > 0
    row = conn.execute("SELECT count(*) FROM water_reading").fetchone()
    assert row is not None
    kept = row[0] // 144
    assert 20 <= kept < 40
    check(conn, days)
    assert rolled_rows(conn, days, Level.DAY) == kept
    store(conn, [(2, T0 + HOUR_US, 0, {FLOW: 7.0})])
    keep_up(conn, now)
    check(conn, days)
    assert rolled_rows(conn, days, Level.DAY) == kept + 1


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
