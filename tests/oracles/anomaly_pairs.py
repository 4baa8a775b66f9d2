"""The joint score of a pair of values in plain Python."""

from __future__ import annotations

import math

from services.detect.anomaly.shape import Shape
from tests.oracles.anomaly import DAY_US, Mean, Peaks

TAILS = Shape(first=96, memory=5000, block=32)
"""The tails of pairs begin sooner and forget sooner than those of single series."""


class Moments:
    """Mean and covariance of a slot."""

    def __init__(self) -> None:
        self.n, self.m = 0, [0.0] * 5

    def learn(self, x: float, y: float, pull: float, alpha: float) -> None:
        a = max(alpha, 1 / (self.n + 1))
        pull = pull if self.n else 1.0
        dx, dy = (x - self.m[0]) * pull, (y - self.m[1]) * pull
        old = self.m
        self.m = [
            old[0] + a * dx,
            old[1] + a * dy,
            (1 - a) * (old[2] + a * dx * dx),
            (1 - a) * (old[3] + a * dx * dy),
            (1 - a) * (old[4] + a * dy * dy),
        ]
        self.n += 1


class Pair:
    """The whole score of one station."""

    def __init__(self, span: float = 400.0, shrink: float = 20.0) -> None:
        self.alpha, self.shrink = 1 / span, shrink
        self.hours, self.day = [Moments() for _ in range(24)], Moments()
        self.mean = Mean(5)
        self.peaks = [Peaks(TAILS) for _ in range(2)]

    def push(self, at_us: int, flow: float, occupancy: float) -> float:
        if not (0 <= flow <= 1e13 and 0 <= occupancy <= 1e13):
            return 0.0
        x, y = math.sqrt(flow), math.sqrt(occupancy)
        hour = self.hours[at_us % DAY_US * 24 // DAY_US]
        own = hour.n / (hour.n + self.shrink)
        mx, my, xx, xy, yy = (
            own * a + (1 - own) * b for a, b in zip(hour.m, self.day.m, strict=True)
        )
        xx, yy = xx + 1e-4 * (mx * mx + 1e-6), yy + 1e-4 * (my * my + 1e-6)
        determinant = max(xx * yy - xy * xy, 1e-6 * xx * yy)
        dx, dy = x - mx, y - my
        distance = math.sqrt(
            max((yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / determinant, 0.0)
        )
        known = self.day.n >= self.shrink
        pull = min(1.0, 3.0 / max(distance, 3.0)) if known else 1.0
        hour.learn(x, y, pull, self.alpha)
        self.day.learn(x, y, pull, self.alpha)
        if not known:
            return 0.0
        found = [
            p.surprise_and_learn(g)
            for p, g in zip(self.peaks, (distance, self.mean.push(distance)), strict=True)
        ]
        return 1 - 2 ** (-math.sqrt(sum(v * v for v in found)) / 4)
