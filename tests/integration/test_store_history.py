"""The history against plain loops over what was written."""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.catalogue import CATALOGUE, Domain
from services.domain.errors import InvalidInput
from services.domain.instant import DAY_US, HOUR_US, from_us, to_us
from services.store.connection import Connection, connect
from services.store.query.history import History
from services.store.writing.readings import ReadingWriter
from tests.oracles.readings import Row, batch_of, rows_of

FLOW, PRESSURE, LEVEL = "flow_litres_per_h", "pressure_kpa", "level_m"
T0 = to_us(datetime(2026, 3, 28, 12, tzinfo=UTC))  # the day before clocks change in Madrid
MADRID = ZoneInfo("Europe/Madrid")


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "test", autocommit=True) as connection:
        yield connection


@pytest.fixture
def history(conn: Connection) -> History:
    return History(conn)


def write(conn: Connection, rows: list[Row]) -> None:
    ReadingWriter(conn).write(batch_of(Domain.WATER, rows))


def follow_raw(
    history: History, sensors: list[int], start: int, end: int, limit: int, metrics: list[str]
) -> list[Row]:
    found: list[Row] = []
    after = None
    while True:
        page = history.raw(
            Domain.WATER,
            sensors,
            from_us(start),
            from_us(end),
            limit=limit,
            metrics=metrics,
            after=after,
        )
        assert len(page.batch) <= limit
        assert list(page.batch.metrics) == metrics
        assert len(page.stored_us) == len(page.batch)
        found += rows_of(page.batch)
        if (after := page.next) is None:
            return found
        assert len(page.batch), "a page with a next holds something"


histories = st.dictionaries(
    st.tuples(
        st.integers(1, 5),
        st.one_of(st.integers(0, 60), st.sampled_from([500, 501, 9000, 9001])).map(
            lambda h: T0 + h * HOUR_US // 3
        ),
    ),
    st.dictionaries(
        st.sampled_from([FLOW, PRESSURE, LEVEL]), st.integers(-9, 9).map(float), min_size=1
    ),
    max_size=80,
)


@settings(max_examples=50)
@given(
    stored=histories,
    sensors=st.lists(st.integers(1, 7), max_size=5),
    limit=st.integers(1, 30),
    span=st.sampled_from([(0, 10**4), (5, 8), (0, 21), (100, 3001), (20, 21)]),
    metrics=st.lists(st.sampled_from([FLOW, PRESSURE, LEVEL]), min_size=1, max_size=3, unique=True),
)
def test_pages_of_readings_are_the_sorted_rows(
    conn: Connection,
    history: History,
    stored: dict[tuple[int, int], dict[str, float]],
    sensors: list[int],
    limit: int,
    span: tuple[int, int],
    metrics: list[str],
) -> None:
    conn.execute("TRUNCATE water_reading")
    write(conn, [(sensor, at, 0, values) for (sensor, at), values in stored.items()])
    start, end = (T0 + hours * HOUR_US for hours in span)
    expected = [
        (sensor, at, 0, {name: values[name] for name in metrics if name in values})
        for (sensor, at), values in sorted(
            stored.items(), key=lambda item: (item[0][1], item[0][0])
        )
        if sensor in sensors and start <= at < end and set(metrics) & set(values)
    ]
    found = follow_raw(history, sensors, start, end, limit, metrics)
    assert [(s, t, q, dict(sorted(m.items()))) for s, t, q, m in found] == [
        (s, t, q, dict(sorted(m.items()))) for s, t, q, m in expected
    ]


def test_latest_is_the_newest_of_each(conn: Connection, history: History) -> None:
    write(
        conn,
        [
            (1, T0, 0, {FLOW: 1.0}),
            (1, T0 + 30 * DAY_US, 1, {PRESSURE: 2.0}),
            (2, T0 + DAY_US, 0, {FLOW: 3.0}),
            (3, T0, 0, {FLOW: 9.0}),
        ],
    )
    page = history.latest(Domain.WATER, [2, 1, 7], metrics=[FLOW])
    assert rows_of(page.batch) == [(2, T0 + DAY_US, 0, {FLOW: 3.0}), (1, T0 + 30 * DAY_US, 1, {})]
    assert page.next is None
    whole = history.latest(Domain.WATER, [1])
    assert rows_of(whole.batch) == [(1, T0 + 30 * DAY_US, 1, {PRESSURE: 2.0})]
    assert list(whole.batch.metrics) == [
        metric.column for metric in CATALOGUE[Domain.WATER].metrics
    ]
    assert len(history.latest(Domain.TRAFFIC, [1]).batch) == 0
    assert len(history.latest(Domain.WATER, []).batch) == 0


def test_three_times_come_back_exactly(conn: Connection, history: History) -> None:
    write(conn, [(1, T0 + 1, 4, {FLOW: 0.1})])
    page = history.raw(Domain.WATER, [1], from_us(T0), from_us(T0 + 2), limit=5)
    assert page.batch.observed_us.tolist() == [T0 + 1]
    assert page.batch.received_us.tolist() == [T0 + 1_000_004]
    row = conn.execute("SELECT stored_at FROM water_reading").fetchone()
    assert row is not None
    assert page.stored_us.tolist() == [to_us(row[0])]
    assert page.batch.quality.dtype == np.int16
    span = (from_us(T0), from_us(T0 + 2))
    bare = history.raw(Domain.WATER, [1], *span, limit=5, stamps=False)
    assert rows_of(bare.batch) == rows_of(page.batch)
    assert bare.batch.received_us.tolist() == bare.stored_us.tolist() == [0]
    assert len(history.raw(Domain.WATER, [2], *span, limit=5, stamps=False).batch) == 0


def test_an_index_answers_not_a_scan(conn: Connection, history: History) -> None:
    """A question about one sensor must cost the same in a city of a hundred thousand."""
    conn.execute(
        "INSERT INTO water_reading (time, sensor, received_at, flow_litres_per_h) "
        "SELECT to_timestamp(%s) + h * interval '1 hour', s, now(), 1 "
        "FROM generate_series(0, 20) h, generate_series(1, 2000) s",
        (T0 // 1_000_000,),
    )
    conn.execute("ANALYZE water_reading")
    before = _scans(conn)
    history.raw(Domain.WATER, [7], from_us(T0), from_us(T0 + DAY_US), limit=100)
    history.latest(Domain.WATER, [7, 8])
    again = ReadingWriter(conn).write(batch_of(Domain.WATER, [(7, T0, 0, {FLOW: 2.0, LEVEL: 1.0})]))
    assert again.merged == 1
    assert _scans(conn) == before
    conn.execute("SELECT count(*) FROM water_reading")
    assert _scans(conn) > before, "the counter counts"


def _scans(conn: Connection) -> int:
    """Sequential scans of the readings' chunks so far."""
    conn.execute("SELECT pg_stat_force_next_flush()")
    row = conn.execute(
        "SELECT coalesce(sum(pg_stat_get_numscans(c.oid)), 0)::bigint FROM pg_class AS c "
        "WHERE c.relkind = 'r' AND c.relname LIKE '\\_hyper%'"
    ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 100_001}, "limit"),
        ({"metrics": ["speed_km_per_h"]}, "metrics"),
        ({"metrics": []}, "metrics"),
        ({"end": from_us(T0)}, "end"),
        ({"after": "W10"}, "after"),
        ({"after": "WzkyMjMzNzIwMzY4NTQ3NzU4MDcsMV0"}, "after"),
        ({"sensors": range(1001)}, "sensors"),
    ],
)
def test_wrong_questions_are_named(history: History, change: dict[str, object], field: str) -> None:
    question: dict[str, object] = {
        "sensors": [1],
        "start": from_us(T0),
        "end": from_us(T0 + 1),
        "limit": 1,
        **change,
    }
    with pytest.raises(InvalidInput) as caught:
        history.raw(Domain.WATER, **question)  # type: ignore[arg-type]
    assert caught.value.field == field
