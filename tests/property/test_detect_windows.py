"""Each window equals its slow oracle, whatever the values, the missing ones, and the way a stream is cut."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.detect.windows.cusum import Cusum
from services.detect.windows.exponential import Exponential
from services.detect.windows.hour_of_week import LocalClock
from services.detect.windows.rolling import Rolling
from services.detect.windows.slots import SlotBaseline
from services.detect.windows.tail import Tail
from services.detect.windows.timed import TimedMean
from tests.oracles import windows as oracle

VALUES = st.one_of(st.floats(-1e6, 1e6), st.just(math.nan), st.just(math.inf), st.just(0.0))
ROW = np.array([0])
BOTH = np.array([0, 1])


@given(st.lists(VALUES, max_size=60), st.integers(1, 9), st.sampled_from([0.0, 1e9]))
def test_rolling_equals_the_statistics_of_the_last_values(
    values: list[float], width: int, offset: float
) -> None:
    window = Rolling(width)
    window.table.add(2)
    shifted = [x + offset for x in values]
    for x in shifted:
        window.push(BOTH, np.array([x, -x]))  # the neighbour must not matter
    want = oracle.rolling(shifted, width)
    got = {
        "count": window.count(ROW)[0],
        "mean": window.mean(ROW)[0],
        "variance": window.variance(ROW)[0],
        "minimum": window.minimum(ROW)[0],
        "maximum": window.maximum(ROW)[0],
        "median": window.median_mad(ROW)[0][0],
        "mad": window.median_mad(ROW)[1][0],
        "q90": window.quantile(ROW, 0.9)[0],
    }
    spread = max((abs(x) for x in values if math.isfinite(x)), default=1.0) + 1.0
    for name, expected in want.items():
        size = spread * spread if name == "variance" else spread + offset
        assert got[name] == pytest.approx(expected, rel=1e-9, abs=1e-9 * size, nan_ok=True), name


def test_rolling_keeps_its_digits_far_from_zero_and_for_long() -> None:
    window = Rolling(60)
    window.table.add(1)
    random = np.random.default_rng(7)
    values = 1e9 + random.normal(0, 0.01, 5000)
    for x in values:
        window.push(ROW, np.array([x]))
    assert window.variance(ROW)[0] == pytest.approx(np.var(values[-60:], ddof=1), rel=1e-4)
    assert window.mean(ROW)[0] == pytest.approx(values[-60:].mean(), abs=1e-6)


@given(st.lists(VALUES, max_size=60), st.floats(0.01, 1.0))
def test_exponential_equals_the_formula(values: list[float], alpha: float) -> None:
    window = Exponential(alpha)
    window.table.add(2)
    for x in values:
        window.push(BOTH, np.array([x, 1.0]))
    mean, variance = oracle.exponential(values, alpha)
    assert window.mean(ROW)[0] == pytest.approx(mean, rel=1e-9, abs=1e-6, nan_ok=True)
    assert window.variance(ROW)[0] == pytest.approx(variance, rel=1e-9, abs=1e-6)


@given(st.lists(st.one_of(st.floats(-20, 20), st.just(math.nan)), max_size=60))
def test_cusum_equals_pages_sum_and_knows_its_beginning(z: list[float]) -> None:
    window = Cusum(k=0.5, h=5.0, clip=5.0)
    window.table.add(2)
    for i, x in enumerate(z):
        window.push(BOTH, np.array([x, 3.0]), np.array([i, i]))
    assert window.table["sum"][0] == pytest.approx(oracle.cusum(z, 0.5, 5.0), abs=1e-9)
    if z:
        assert window.table["since_us"][1] == 0
        assert (window.table["since_us"][0] >= 0) == (window.table["sum"][0] > 0)


@given(
    st.lists(
        st.tuples(st.integers(1, 400), st.one_of(st.floats(0, 200), st.just(math.nan))),
        min_size=1,
        max_size=50,
    )
)
def test_timed_mean_equals_the_mean_of_the_span(steps: list[tuple[int, float]]) -> None:
    window = TimedMean(300, width=8)
    window.table.add(1)
    times: list[int] = []
    values: list[float] = []
    got = math.nan
    for step, x in steps:
        times.append((times[-1] if times else 0) + step)
        values.append(x)
        got = window.push(ROW, np.array([times[-1]]), np.array([x]))[0][0]
    want = oracle.timed_mean(times, values, 300, 8)
    assert got == pytest.approx(want, rel=1e-5, abs=1e-4, nan_ok=True)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 167),
            st.one_of(st.floats(0, 1000), st.just(math.nan)),
            st.sampled_from([0.0, 0.01, 0.3, 1.0]),
        ),
        max_size=80,
    ),
    st.integers(0, 167),
    st.sampled_from([3.0, math.inf]),
)
def test_slot_baseline_equals_its_plain_version(
    visits: list[tuple[int, float, float]], asked: int, winsor: float
) -> None:
    window = SlotBaseline(alpha=0.15, winsor=winsor, floor=2.0, shrink=1.0)
    window.table.add(2)
    plain = oracle.Slots(0.15, winsor, 2.0, 1.0)
    for slot, value, share in visits:
        window.learn(BOTH, np.array([slot, asked]), np.array([value, 5.0]), np.array([share, 1.0]))
        plain.learn(slot, value, share)
    level, spread, _ = window.expected(ROW, np.array([asked]))
    want_level, want_spread = plain.expected(asked)
    assert level[0] == pytest.approx(want_level, rel=1e-3, abs=0.05, nan_ok=True)
    assert spread[0] == pytest.approx(want_spread, rel=1e-3, abs=0.05, nan_ok=True)


def test_slot_baseline_stays_under_four_kilobytes_and_frozen_rows_learn_nothing() -> None:
    window = SlotBaseline()
    assert window.table.bytes_per_row <= 4096
    window.table.add(1)
    window.learn(ROW, np.array([5]), np.array([7.0]), np.array([0.0]))
    assert np.isnan(window.expected(ROW, np.array([5]))[0][0])


ZONES = st.sampled_from(
    ["UTC", "Europe/Madrid", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]
)


@given(st.lists(st.tuples(st.integers(946_684_800, 2_500_000_000), ZONES), min_size=1, max_size=20))
def test_hour_of_week_is_local_with_daylight_saving(moments: list[tuple[int, str]]) -> None:
    clock = LocalClock()
    zone = np.array([clock.zone(name) for _, name in moments])
    us = np.array([second * 1_000_000 for second, _ in moments])
    want = [oracle.hour_of_week(second * 1_000_000, name) for second, name in moments]
    assert clock.slot(zone, us).tolist() == want


def test_hour_of_week_skips_and_repeats_an_hour_with_the_clocks() -> None:
    clock = LocalClock()
    zone = np.zeros(4, np.intp)
    clock.zone("Europe/Madrid")
    spring = 1_774_742_400  # 2026-03-29 00:00 UTC, 01:00 in Madrid; at 01:00 UTC it becomes 03:00
    us = (spring + 3600 * np.arange(4)) * 1_000_000
    assert (clock.slot(zone, us) % 24).tolist() == [1, 3, 4, 5]


@given(st.lists(st.floats(0, 3000), min_size=30, max_size=200))
def test_tail_quantile_is_within_a_half_octave(values: list[float]) -> None:
    window = Tail(decay=0.999999)
    window.table.add(1)
    for x in values:
        window.learn(ROW, np.array([x]))
    true = float(np.quantile(values, 0.95, method="inverted_cdf"))
    got = window.quantile(ROW, 0.95)[0]
    assert max(true, 1.0) * 0.99 <= got <= max(true, 1.0) * 2.01
