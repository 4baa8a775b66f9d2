"""The nested NAB figure: its curves are the scorer's sums, and a category is never judged by what it chose itself."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from benchmarks.nab_nested import FACTOR, FIXED, GRID, Judge, curve, drawn, moved
from benchmarks.scorecard_nab import PROFILES, Series, nab_sum
from services.detect.anomaly.shape import Shape


def test_a_curve_holds_the_sums_of_the_scorer_at_every_threshold() -> None:
    random = np.random.default_rng(2)
    windows = ((300, 340), (600, 655))
    each = Series("a/b.csv", tuple(map(str, range(900))), np.zeros(900), windows)
    score = np.round(random.random(900) ** 8, 3)
    found = curve(each, score)
    for place in (0, 100, 350, 500, 700):
        want = nab_sum(each, score, GRID[place] - 1e-9, PROFILES["standard"])
        assert found[place] == pytest.approx(want)


def test_nested_takes_draw_and_threshold_from_the_other_categories() -> None:
    flat = np.full(len(GRID), -4.0)
    good, best = flat.copy(), flat.copy()
    good[100], best[200] = 2.0, 4.0
    judge = Judge({"one": 4, "two": 4, "empty": 0})
    draws = [{"one": good, "two": flat}, {"one": flat, "two": best}]
    # for "one" the other category prefers the second draw at its own threshold, which is worth nothing here
    assert judge.nested(draws) == {"one": 0.0, "two": 0.0}
    assert judge.own(draws[0]) == {"one": 75.0, "two": 0.0}
    assert judge.together({"one": 75.0, "two": 0.0}) == 37.5


def test_a_box_moves_every_number_but_those_of_the_layout() -> None:
    now = asdict(Shape())
    for shape in drawn(3):
        for name, value in asdict(shape).items():
            if name in FIXED:
                assert value == now[name]
                continue
            low, high = np.min(np.abs(value)), np.max(np.abs(value))
            assert low >= np.min(np.abs(now[name])) / FACTOR / 1.01, name
            assert high <= max(np.max(np.abs(now[name])), 1.0) * FACTOR * 1.01, name
    assert moved(Shape(), {"gain": 0.5}).gain == pytest.approx(1 + (Shape().gain - 1) / 2)
