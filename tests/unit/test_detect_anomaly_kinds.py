"""The general score is calm on clean series of many kinds, irregular or not, and tells a shift in each of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from services.detect.anomaly.score import AnomalyScore
from services.domain.instant import DAY_US, SECOND_US

Values = NDArray[np.float64]
Times = NDArray[np.int64]
START_US = 1_770_000_000 * SECOND_US
N, SERIES, SHIFT = 2880, 6, 2400
"""Ten days of five minutes, six clean series and six with a shift on the ninth."""


def rush(at: Times, random: np.random.Generator) -> Values:
    """0 to 1 and more: two rush hours, each day of its own size."""
    hour = at % DAY_US / DAY_US * 24
    size = random.normal(1.0, 0.15, 20)[(at - at[0]) // DAY_US % 20]
    rush: Values = size * (np.exp(-(((hour - 17) / 1.2) ** 2)) + 0.7 * np.exp(-((hour - 8) ** 2)))
    return rush


def speed(at: Times, random: np.random.Generator) -> Values:
    return np.round(105 - 50 * rush(at, random) + random.normal(0, 3, len(at)))


def occupancy(at: Times, random: np.random.Generator) -> Values:
    """Percent, which cannot be below 0 nor above 100."""
    x = (3 + 20 * rush(at, random)) * np.exp(random.normal(0, 0.15, len(at)))
    return np.clip(np.round(x, 1), 0, 100)


def counts(at: Times, random: np.random.Generator) -> Values:
    return random.poisson(10 + 80 * rush(at, random)).astype(np.float64)


def full_scale(at: Times, random: np.random.Generator) -> Values:
    """A level that sticks at its upper end for hours of each day."""
    day = at % DAY_US / DAY_US
    return np.clip(60 + 55 * np.sin(2 * np.pi * day) + random.normal(0, 4, len(at)), 0, 100)


def trend(at: Times, random: np.random.Generator) -> Values:
    return np.arange(len(at)) * 0.01 + random.normal(0, 1, len(at))


def noise(at: Times, random: np.random.Generator) -> Values:
    return random.normal(0, 1, len(at))


def times(form: str, random: np.random.Generator) -> Times:
    """(N,) stamps: every five minutes, a random third of such, with days missing, or each twice."""
    step = 300 * SECOND_US
    every = START_US + np.arange(3 * N, dtype=np.int64) * step
    match form:
        case "thinned":
            return every[np.sort(random.permutation(3 * N)[:N])]
        case "blocks":
            kept = np.delete(np.arange(3 * N), np.r_[500:900, 1400:2200])
            return every[kept[:N]]
        case "twice":
            return np.repeat(every[: N // 2], 2)
        case _:
            return every[:N]


KINDS: tuple[Callable[[Times, np.random.Generator], Values], ...] = (
    speed, occupancy, counts, full_scale, trend, noise,
)  # fmt: skip


@pytest.mark.parametrize("form", ["even", "thinned", "blocks", "twice"])
def test_clean_series_are_calm_and_a_shift_is_told(form: str) -> None:
    stamps, values = [], []
    for kind in KINDS:
        for i in range(SERIES):
            random = np.random.default_rng([3, i])
            at = times(form, random)
            x = kind(at, random)
            shifted = x.copy()
            away = 6 * np.std(x) * (1 if np.mean(x) < 50 else -1)
            shifted[SHIFT : SHIFT + 12] += away
            stamps += [at, at]
            values += [x, shifted]
    scorer = AnomalyScore()
    scorer.add(len(values))
    rows = np.arange(len(values))
    found = np.stack(
        [
            scorer.step(rows, at, x)
            for at, x in zip(np.stack(stamps, axis=1), np.stack(values, axis=1), strict=True)
        ],
        axis=1,
    )
    assert np.isfinite(found).all()
    assert 0.0 <= found.min() <= found.max() < 1.0
    told = (found >= 0.5).reshape(len(KINDS), SERIES, 2, N)
    for kind, clean, strange in zip(KINDS, told[:, :, 0], told[:, :, 1], strict=True):
        after = strange[:, SHIFT : SHIFT + 24]
        assert clean.sum(axis=1).mean() <= N / 200, (kind, "one value in 200, no more")
        assert after.any(axis=1).all(), (kind, "each shift is told")
        assert after.sum(axis=1).max() <= 6, (kind, "and not at every value")
