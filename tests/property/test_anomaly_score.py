"""The general anomaly score equals its slow oracle, whatever the values, the gaps, and the way a stream is cut."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.detect.anomaly.score import AnomalyScore
from services.detect.anomaly.shape import Shape
from services.domain.instant import DAY_US, HOUR_US
from tests.oracles.anomaly import Score

SMALL = Shape(
    first=12, day_slots=24, bins=8, halve_at=40, peaks=12, memory=40, block=4,
    hold_values=6, hold_us=20 * HOUR_US,
)  # fmt: skip
"""The same machine with short memories, so that short streams meet every forgetting."""
VALUES = st.one_of(
    st.floats(-1e3, 1e3), st.sampled_from([0.0, 0.0, 5.0, math.nan, math.inf, 1e12, 1e14, -1e-9])
)
STREAM = st.lists(st.tuples(VALUES, st.sampled_from([1, 1, 3, 30, -2])), min_size=1, max_size=90)


def scored(shape: Shape, at: NDArray[np.int64], x: NDArray[np.float64], size: int) -> list[float]:
    scorer = AnomalyScore(shape)
    scorer.add(3)
    rows = np.full(len(x), 1, np.intp)
    out: list[float] = []
    for i in range(0, len(x), size):
        part = slice(i, i + size)
        out += scorer.step(rows[part], at[part], x[part]).tolist()
    return out


def times(hours: list[int]) -> NDArray[np.int64]:
    return 1_770_000_000_000_000 + np.cumsum(np.array(hours, np.int64)) * HOUR_US


@settings(max_examples=25)
@given(STREAM, st.integers(1, 40))
def test_it_equals_the_oracle_however_the_stream_is_cut(
    stream: list[tuple[float, int]], size: int
) -> None:
    x, at = np.array([v for v, _ in stream]), times([h for _, h in stream])
    oracle = Score(SMALL)
    want = [oracle.push(int(t), float(v)) for t, v in zip(at, x, strict=True)]
    got = scored(SMALL, at, x, size)
    assert got == scored(SMALL, at, x, len(x)), "the cut must not matter at all"
    # equal but for rounding, which a bin's edge or the limit of a fit may make a step of
    far = [i for i, (a, b) in enumerate(zip(got, want, strict=True)) if abs(a - b) > 1e-6]
    assert not far, (far[:3], [(got[i], want[i]) for i in far[:3]])


def test_it_equals_the_oracle_on_days_of_a_real_kind() -> None:
    at, x = days(1, 900, seed=5)
    x[700:712] += 300.0
    x[750:] *= 0.2
    oracle = Score()
    want = [oracle.push(int(t), float(v)) for t, v in zip(at[0], x, strict=True)]
    assert scored(Shape(), at[0], x, 1000) == pytest.approx(want, abs=1e-9)


def test_neighbours_and_missing_values_do_not_matter() -> None:
    at, x = days(1, 600, seed=9)
    alone = scored(Shape(), at[0], x, 50)
    scorer = AnomalyScore()
    scorer.add(3)
    holes = np.where(np.arange(1200) % 2 == 0, np.nan, np.repeat(x, 2))
    rows, got = np.array([0, 1, 2]), []
    for i, t in enumerate(np.repeat(at[0], 2)):
        found = scorer.step(
            rows, np.full(3, t), np.array([1e12 * (-1) ** i, holes[i], np.inf if i % 3 else 0.0])
        )
        got.append(float(found[1]))
    assert got[1::2] == alone
    assert max(got[::2]) == 0.0, "what is missing scores nothing"


def days(count: int, n: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(count, n) times every ten minutes, and n values with a day's rhythm."""
    random = np.random.default_rng(seed)
    at = 1_770_000_000_000_000 + np.arange(n, dtype=np.int64) * 600_000_000
    x = 100 + 40 * np.sin(2 * np.pi * (at % DAY_US) / DAY_US) + random.normal(0, 4, n)
    return np.tile(at, (count, 1)), x
