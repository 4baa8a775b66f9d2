"""The writer of readings against a dict that does the same one reading at a time."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.batch import ReadingBatch
from services.domain.catalogue import CATALOGUE, Domain
from services.domain.duplicates import DuplicatePolicy
from services.domain.instant import DAY_US
from services.domain.quality import Quality
from services.store.connection import Connection, connect, transaction
from services.store.writing.readings import ReadingWriter, Written
from tests.oracles.readings import DictStore, Outcome, Row, batch_of, rows_of
from tests.waiting import PATIENCE_S, wait_until

T0 = 1_795_309_200_000_000  # 2026-11-22 01:00 UTC
WATER = CATALOGUE[Domain.WATER]
FLOW, PRESSURE = "flow_litres_per_h", "pressure_kpa"


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "test", autocommit=True) as connection:
        yield connection


def stored(
    conn: Connection, domain: Domain = Domain.WATER
) -> dict[tuple[int, int], tuple[int, dict[str, float]]]:
    """Everything in the table of a domain, read without the code under test."""
    table = CATALOGUE[domain]
    columns = [metric.column for metric in table.metrics]
    rows = conn.execute(
        f"SELECT sensor, (extract(epoch FROM time) * 1000000)::bigint, quality, {', '.join(columns)} FROM {table.table}"
    )
    return {
        (row[0], row[1]): (
            row[2],
            {name: v for name, v in zip(columns, row[3:], strict=True) if v is not None},
        )
        for row in rows
    }


def check(written: Written, expected: Outcome) -> None:
    assert written[:5] == (
        expected.inserted,
        expected.merged,
        expected.duplicate,
        expected.conflicting,
        expected.late,
    )
    assert written.revised == expected.revised
    assert rows_of(written.accepted) == expected.accepted


values = st.one_of(st.sampled_from([0.0, 1.0, 2.0]), st.floats(allow_nan=False, width=64))


@st.composite
def batches(draw: st.DrawFn) -> list[Row]:
    """Few keys and few values, so that batches overlap; several chunks of the hypertable."""
    keys = draw(
        st.lists(
            st.tuples(
                st.integers(1, 4), st.sampled_from([0, 1, 3_600_000_000, 8 * DAY_US, -30 * DAY_US])
            ),
            min_size=1,
            max_size=8,
            unique=True,
        )
    )
    names = st.sampled_from([metric.column for metric in WATER.metrics][:4])
    return [
        (
            sensor,
            T0 + offset,
            draw(st.sampled_from([0, 1, 4, 9])),
            draw(st.dictionaries(names, values, min_size=1, max_size=4)),
        )
        for sensor, offset in keys
    ]


@settings(max_examples=60)
@given(history=st.lists(batches(), min_size=1, max_size=6))
def test_any_batches_are_stored_as_one_by_one(conn: Connection, history: list[list[Row]]) -> None:
    conn.execute("TRUNCATE water_reading")
    oracle = DictStore()
    writer = ReadingWriter(conn)
    for rows in history:
        with transaction(conn):
            written = writer.write(batch_of(Domain.WATER, rows))
        check(written, oracle.write(rows))
    assert stored(conn) == {key: (row.quality, row.metrics) for key, row in oracle.rows.items()}


@settings(max_examples=40)
@given(
    history=st.lists(batches(), min_size=1, max_size=6),
    policy=st.sampled_from([DuplicatePolicy.LAST, DuplicatePolicy.BOTH]),
)
def test_any_corrections_are_stored_as_one_by_one(
    conn: Connection, history: list[list[Row]], policy: DuplicatePolicy
) -> None:
    conn.execute("TRUNCATE water_reading, reading_revision")
    oracle = DictStore(revises=True)
    writer = ReadingWriter(conn, policy)
    for rows in history:
        with transaction(conn):
            written = writer.write(batch_of(Domain.WATER, rows))
        check(written, oracle.write(rows))
    assert stored(conn) == {key: (row.quality, row.metrics) for key, row in oracle.rows.items()}
    kept = conn.execute(
        "SELECT sensor, (extract(epoch FROM time) * 1000000)::bigint, metric, value, quality FROM reading_revision"
    ).fetchall()
    assert sorted(kept) == (sorted(oracle.replaced) if policy is DuplicatePolicy.BOTH else [])


@settings(max_examples=25)
@given(first=batches(), second=batches(), before=batches())
def test_two_interleaved_writers_store_as_one_after_the_other(
    database_url: str, conn: Connection, before: list[Row], first: list[Row], second: list[Row]
) -> None:
    """The second writes while the first has not committed: it waits where they meet, then sees the first's rows."""
    conn.execute("TRUNCATE water_reading")
    oracle = DictStore()
    oracle.write(before)
    ReadingWriter(conn).write(batch_of(Domain.WATER, before))
    results: list[Written] = []
    with connect(database_url, "one") as one, connect(database_url, "two") as two:
        pid = two.info.backend_pid

        def write_second() -> None:
            with transaction(two):
                results.append(ReadingWriter(two).write(batch_of(Domain.WATER, second)))

        def blocked_or_done() -> bool:
            row = conn.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", (pid,)).fetchone()
            return not thread.is_alive() or row == (True,)

        thread = threading.Thread(target=write_second)
        with transaction(one):
            written = ReadingWriter(one).write(batch_of(Domain.WATER, first))
            thread.start()
            wait_until(blocked_or_done, what="the second writer to wait or to finish")
            waited = thread.is_alive()
        thread.join(PATIENCE_S)
    if waited:
        check(written, oracle.write(first))
        check(results[0], oracle.write(second))
    else:  # they did not meet: any order gives the same
        check(results[0], oracle.write(second))
        check(written, oracle.write(first))
    assert stored(conn) == {key: (row.quality, row.metrics) for key, row in oracle.rows.items()}


def many(sensors: int, times: int, **metrics: float) -> ReadingBatch:
    n = sensors * times
    return ReadingBatch(
        Domain.WATER,
        np.tile(np.arange(1, sensors + 1, dtype=np.int32), times),
        T0 + np.repeat(np.arange(times, dtype=np.int64), sensors) * 60_000_000,
        np.full(n, T0 + 9, np.int64),
        np.zeros(n, np.int16),
        {name: np.full(n, value) for name, value in metrics.items()},
    )


def test_times_and_quality_come_through_exactly(conn: Connection) -> None:
    row: Row = (7, T0 + 123_457, int(Quality.LATE | Quality.ESTIMATED), {FLOW: 0.1 + 0.2})
    written = ReadingWriter(conn).write(batch_of(Domain.WATER, [row]))
    assert written.late == 1
    found = conn.execute(
        "SELECT time = to_timestamp(1795309200) + interval '123457 us', sensor, quality, flow_litres_per_h, "
        "received_at - time, stored_at > now() - interval '1 hour' FROM water_reading"
    ).fetchone()
    assert found is not None
    assert found[:4] == (True, 7, 5, 0.1 + 0.2)
    assert found[4].total_seconds() == 1.000003
    assert found[5]


def test_metrics_that_arrive_apart_are_merged_and_qualities_joined(conn: Connection) -> None:
    writer = ReadingWriter(conn)
    writer.write(batch_of(Domain.WATER, [(1, T0, 4, {FLOW: 5.0})]))
    written = writer.write(batch_of(Domain.WATER, [(1, T0, 1, {FLOW: 6.0, PRESSURE: 300.0})]))
    assert written[:5] == (0, 1, 0, 1, 1)
    assert rows_of(written.accepted) == [(1, T0, 1, {PRESSURE: 300.0})]
    assert stored(conn) == {(1, T0): (5, {FLOW: 5.0, PRESSURE: 300.0})}


def test_nothing_is_written_when_the_caller_rolls_back(conn: Connection) -> None:
    writer = ReadingWriter(conn)
    with pytest.raises(ZeroDivisionError), transaction(conn):  # noqa: PT012
        writer.write(many(3, 3, flow_litres_per_h=1.0))
        writer.write(many(3, 4, flow_litres_per_h=1.0))
        _ = 1 / 0
    assert stored(conn) == {}


def test_empty_batch_is_nothing(conn: Connection) -> None:
    assert ReadingWriter(conn).write(many(0, 0))[:5] == (0, 0, 0, 0, 0)


def test_repeated_keys_and_empty_readings_are_refused(conn: Connection) -> None:
    twice = [(1, T0, 0, {FLOW: 1.0}), (2, T0, 0, {FLOW: 1.0}), (1, T0, 0, {PRESSURE: 1.0})]
    with pytest.raises(ValueError, match="twice"):
        ReadingWriter(conn).write(batch_of(Domain.WATER, twice))
    with pytest.raises(ValueError, match="without any value"):
        ReadingWriter(conn).write(batch_of(Domain.WATER, [(1, T0, 0, {FLOW: 1.0}), (2, T0, 0, {})]))


@pytest.mark.parametrize("domain", Domain)
def test_every_metric_of_the_catalogue_is_written(conn: Connection, domain: Domain) -> None:
    metrics = {metric.column: float(n) for n, metric in enumerate(CATALOGUE[domain].metrics)}
    ReadingWriter(conn).write(batch_of(domain, [(1, T0, 0, metrics)]))
    assert stored(conn, domain) == {(1, T0): (0, metrics)}


def test_whole_batch_again_is_all_duplicates(conn: Connection) -> None:
    batch = many(500, 20, flow_litres_per_h=1.5, pressure_kpa=2.5)
    writer = ReadingWriter(conn)
    assert writer.write(batch)[:3] == (10_000, 0, 0)
    again = writer.write(batch)
    assert again[:5] == (0, 0, 10_000, 0, 0)
    assert len(again.accepted) == 0


def test_colliding_writers_share_the_work_without_deadlock(
    database_url: str, conn: Connection
) -> None:
    """Eight writers, shuffled batches over the same keys and metrics: each metric of each key is accepted once."""
    writers, rounds = 8, 6
    barrier = threading.Barrier(writers)
    accepted: list[list[Row]] = [[] for _ in range(writers)]
    failures: list[BaseException] = []

    def run(number: int) -> None:
        random = np.random.default_rng(number)
        try:
            with connect(database_url, f"writer-{number}") as own:
                writer = ReadingWriter(own)
                for _ in range(rounds):
                    names = [
                        metric.column for metric in WATER.metrics if random.random() < 0.6
                    ] or [FLOW]
                    whole = many(40, 30, **dict.fromkeys(names, 1.0))
                    chosen = random.permutation(len(whole))[: random.integers(1, len(whole))]
                    barrier.wait(PATIENCE_S)
                    with transaction(own):
                        written = writer.write(whole.take(chosen))
                    accepted[number] += rows_of(written.accepted)
        except BaseException as error:
            failures.append(error)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert failures == []
    told = [
        (sensor, at, name)
        for rows in accepted
        for sensor, at, _, metrics in rows
        for name in metrics
    ]
    assert len(told) == len(set(told)), "a metric of a reading was accepted twice"
    kept = {
        (sensor, at, name)
        for (sensor, at), (_, metrics) in stored(conn).items()
        for name in metrics
    }
    assert set(told) == kept
