"""Whoever tails the feed sees every committed batch once, whatever the order in which transactions begin and end."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain
from services.store.connection import Connection, connect, transaction
from services.store.feed import FeedReader, append
from tests.waiting import PATIENCE_S, wait_until

WRITERS = 4


def batch(number: int, readings: int = 1) -> ReadingBatch:
    """A batch that can be told by its sensor number."""
    return ReadingBatch(
        Domain.WATER,
        np.full(readings, number, np.int32),
        np.arange(readings, dtype=np.int64),
        np.zeros(readings, np.int64),
        np.zeros(readings, np.int16),
        {"flow_litres_per_h": np.ones(readings)},
    )


def numbers(reader: FeedReader, most: int = 10**6) -> list[int]:
    return [int(row.batch.sensor[0]) for row in reader.poll(most)]


@pytest.fixture(scope="module")
def module_url(database_server: object, migrated_template: str) -> Iterator[str]:
    from services.embedded.database import EmbeddedDatabase

    assert isinstance(database_server, EmbeddedDatabase)
    url = database_server.clone(migrated_template)
    yield url
    database_server.drop(url.rpartition("/")[2])


@pytest.fixture(scope="module")
def connections(module_url: str) -> Iterator[list[Connection]]:
    opened = [connect(module_url, f"writer-{n}", autocommit=True) for n in range(WRITERS)]
    opened.append(connect(module_url, "reader", autocommit=True))
    yield opened
    for conn in opened:
        conn.close()


steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["append", "commit", "rollback"]), st.integers(0, WRITERS - 1)),
        st.tuples(st.just("poll"), st.integers(1, 5)),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=120)
@given(schedule=steps)
def test_any_interleaving_is_read_once_and_completely(
    connections: list[Connection], schedule: list[tuple[str, int]]
) -> None:
    *writers, own = connections
    for writer in writers:
        writer.execute("ROLLBACK")
    own.execute("TRUNCATE batch_feed")
    own.execute("TRUNCATE feed_position")
    reader = FeedReader(own, "test")
    open_batches: dict[int, list[int]] = {}
    committed: list[int] = []
    seen: list[int] = []
    next_number = 0
    for action, argument in schedule:
        match action:
            case "append":
                if argument not in open_batches:
                    writers[argument].execute("BEGIN")
                    open_batches[argument] = []
                next_number += 1
                append(writers[argument], batch(next_number))
                open_batches[argument].append(next_number)
            case "commit" | "rollback" if argument in open_batches:
                writers[argument].execute(action.upper())
                done = open_batches.pop(argument)
                committed += done if action == "commit" else []
            case "poll":
                seen += numbers(reader, argument)
                reader.advance()
            case "restart":
                reader = FeedReader(own, "test")
        assert len(seen) == len(set(seen)), "a batch was read twice"
        assert set(seen) <= set(committed), "a batch was read that is not committed"
    for writer in writers:
        writer.execute("ROLLBACK")
    while found := numbers(reader, 3):
        seen += found
    assert sorted(seen) == sorted(committed)


@settings(max_examples=40)
@given(
    consumed=st.integers(0, 6),
    left=st.integers(0, 6),
    later=st.integers(0, 6),
    shift=st.sampled_from([-1000, 10**12]),
    polls=st.integers(1, 9),
)
def test_no_batch_is_lost_when_the_database_moves_to_another_cluster(
    connections: list[Connection], consumed: int, left: int, later: int, shift: int, polls: int
) -> None:
    """Rows and positions of an old cluster have transaction ids that lie anywhere against the new one's."""
    *_, own = connections
    own.execute("TRUNCATE batch_feed")
    own.execute("TRUNCATE feed_position")
    reader = FeedReader(own, "test")
    for number in range(consumed):
        append(own, batch(number))
    assert numbers(reader) == list(range(consumed))
    reader.advance()
    for number in range(consumed, consumed + left):
        append(own, batch(number))
    for table in ("batch_feed", "feed_position"):
        own.execute(
            f"UPDATE {table} SET epoch = epoch - 1, xid = greatest(0, xid::text::bigint + %s)::text::xid8",
            (shift,),
        )
    for number in range(consumed + left, consumed + left + later):
        append(own, batch(number))
    reader = FeedReader(own, "test")
    seen: list[int] = []
    while found := numbers(reader, polls):
        seen += found
        reader.advance()
        reader = FeedReader(own, "test")
    assert seen == list(range(consumed, consumed + left + later))
    assert reader.lag().batches == 0
    append(own, batch(999))
    assert reader.lag().batches == 1
    assert numbers(reader) == [999]


def test_tailing_beside_many_writers_misses_and_repeats_nothing(module_url: str) -> None:
    """Writers commit in one order and take their transaction ids in another, as fast as they can."""
    writers, each = 8, 40
    start = threading.Barrier(writers + 1)
    failures: list[BaseException] = []
    seen: list[int] = []

    def write(number: int) -> None:
        random = np.random.default_rng(number)
        try:
            with connect(module_url, f"writer-{number}") as conn:
                start.wait(PATIENCE_S)
                for turn in range(each):
                    with transaction(conn):
                        if random.random() < 0.5:  # an id early, the row late
                            conn.execute("SELECT pg_current_xact_id()")
                        for _ in range(random.integers(0, 30)):
                            conn.execute("SELECT 1")
                        append(conn, batch(number * 1000 + turn, 3))
                        for _ in range(random.integers(0, 30)):
                            conn.execute("SELECT 1")
        except BaseException as error:
            failures.append(error)
            start.abort()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(writers)]
    with connect(module_url, "reader", autocommit=True) as own:
        own.execute("TRUNCATE batch_feed")
        reader = FeedReader(own, "tail")
        for thread in threads:
            thread.start()
        start.wait(PATIENCE_S)

        def all_seen() -> bool:
            seen.extend(numbers(reader, 20))
            return len(seen) >= writers * each or bool(failures)

        wait_until(all_seen, what="every batch to be read")
        for thread in threads:
            thread.join(PATIENCE_S)
        seen.extend(numbers(reader))
    assert failures == []
    assert sorted(seen) == sorted(n * 1000 + turn for n in range(writers) for turn in range(each))
    for n in range(writers):
        assert [s % 1000 for s in seen if s // 1000 == n] == list(range(each)), "one writer's order"
