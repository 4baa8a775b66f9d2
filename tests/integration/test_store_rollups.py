"""Rollups against the readings themselves: the same answers, whatever is late, corrected, removed, or killed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.buckets import Buckets, Calendar, FixedBuckets, LocalBuckets
from services.domain.catalogue import Domain, SensorKind
from services.domain.instant import DAY_US, HOUR_US, from_us
from services.domain.quality import Quality
from services.domain.sensor import Sensor
from services.domain.statistic import Statistic
from services.store.connection import Connection, connect, transaction
from services.store.maintain import maintain
from services.store.maintain_settings import MaintainSettings
from services.store.query.summaries import level_of, summaries
from services.store.rollups.rollup import Rollups
from services.store.rollups.rollup_level import FINEST_OF_KIND, Level
from services.store.rollups.rollup_rows import mark
from services.store.sensors import SensorRepository
from tests.integration.rolling import (
    FLOW,
    KINDS,
    PRESSURE,
    SENSORS,
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


@pytest.fixture
def conn(edition_url: str) -> Iterator[Connection]:
    with connect(edition_url, "test", autocommit=True) as connection:
        yield connection


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


def remove(conn: Connection, hour_us: int) -> None:
    """Somebody removes the readings of an hour, and says so."""
    with transaction(conn):
        conn.execute(
            "DELETE FROM water_reading WHERE time >= %s AND time < %s",
            (from_us(hour_us), from_us(hour_us + HOUR_US)),
        )
        hours = np.full(len(SENSORS), hour_us, np.int64)
        mark(conn, Domain.WATER, np.array(SENSORS, np.int32), hours)


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
