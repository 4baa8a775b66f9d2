"""The parts of the joint score's benchmark: average precision, and deviations that missing values do not touch."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.joint_pairs import average_precision, deviations


def test_average_precision_is_the_mean_share_of_true_ones_above_each() -> None:
    true = np.array([False, True, False, True])
    assert average_precision(true, np.array([0.9, 0.8, 0.1, 0.7])) == pytest.approx(
        (1 / 2 + 2 / 3) / 2
    )
    assert average_precision(true, np.array([0.0, 1.0, 0.1, 0.7])) == 1.0


def test_deviations_start_late_and_skip_what_is_missing() -> None:
    random = np.random.default_rng(1)
    grid = random.normal(10.0, 1.0, (300, 2))
    grid[200] = 30.0
    holes = np.insert(grid, np.arange(0, 300, 3), np.nan, axis=0)
    found = deviations(grid)
    assert found[:51].max() == 0.0
    assert found[200].min() > 10.0
    kept = np.isfinite(holes).all(axis=1)
    assert np.allclose(deviations(holes)[kept], found)
    assert deviations(holes)[~kept].max() == 0.0
