"""The parts of the rollups' keeper that need no database: how pieces are cut, paced, and what is known to be marked."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.domain.catalogue import Domain
from services.domain.instant import DAY_US, HOUR_US
from services.store.query.columns import Spans
from services.store.rollups.building import Piece
from services.store.rollups.marks import Marks, keys_of, of_keys
from services.store.rollups.pace import Pace

HOURS = st.sets(st.tuples(st.integers(1, 5), st.integers(0, 6)))


def keys(pairs: set[tuple[int, int]]) -> np.ndarray:
    sensor = np.array([s for s, _ in pairs], np.int32)
    hour = np.array([h for _, h in pairs], np.int64)
    return np.sort(keys_of(sensor, hour * HOUR_US + 1))


@given(
    steps=st.lists(st.tuples(st.sampled_from(["add", "remove", "forget"]), HOURS), max_size=12),
    asked=HOURS,
    most=st.sampled_from([10, 1_000]),
)
def test_no_hour_is_known_that_was_not_marked(
    steps: list[tuple[str, set[tuple[int, int]]]], asked: set[tuple[int, int]], most: int
) -> None:
    """And none is forgotten while there is room."""
    marks, known, forgotten = Marks(most), set[tuple[int, int]](), False
    for step, pairs in steps:
        if step == "add":
            known |= pairs
            marks.add(Domain.WATER, keys(pairs))
            forgotten |= len(known) > most
        elif step == "remove":
            known -= pairs
            marks.remove(Domain.WATER, keys(pairs))
        else:
            sensors = {s for s, _ in pairs}
            known = {(s, h) for s, h in known if s not in sensors}
            marks.forget(Domain.WATER, np.array(sorted(sensors), np.int32))
    new = set(marks.new(Domain.WATER, keys(asked)).tolist())
    assert new >= set(keys(asked - known).tolist())
    assert forgotten or new == set(keys(asked - known).tolist())
    assert len(marks.new(Domain.TRAFFIC, keys(asked))) == len(asked)


def test_a_key_is_a_sensor_and_an_hour() -> None:
    sensor, hour = of_keys(keys({(3, 490_000), (2_000_000, 1)}))
    assert sensor.tolist() == [3, 2_000_000]
    assert hour.tolist() == [490_000 * HOUR_US, HOUR_US]


def test_a_piece_is_cut_by_the_readings_it_expects() -> None:
    spans = Spans(np.arange(1, 6, dtype=np.int32), np.zeros(5, np.int64), np.full(5, DAY_US))
    piece = Piece(Domain.WATER, spans, np.zeros(5, np.int16), np.array([10.0, 20, 30, 500, 1]))
    parts = []
    rest: Piece | None = piece
    while rest is not None:
        part, rest = rest.split(60.0)
        parts.append(part.spans.sensor.tolist())
    assert parts == [[1, 2, 3], [4], [5]]


def test_the_amount_of_work_follows_what_it_takes() -> None:
    pace = Pace(1_000, 100, 50_000)
    for _ in range(20):
        pace.took(pace.amount, pace.amount / 20_000)
    assert np.isclose(pace.amount, 4_000)
    pace.took(10, 0.02)  # mostly what any piece costs: nothing follows
    assert np.isclose(pace.amount, 4_000)
    pace.took(10, 60.0)
    assert np.isclose(pace.amount, 2_000)
    for _ in range(20):
        pace.took(pace.amount, 60.0)
    assert pace.amount == 100
    for _ in range(20):
        pace.took(pace.amount, 0.0)
    assert pace.amount == 50_000
