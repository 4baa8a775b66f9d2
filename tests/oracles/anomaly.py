"""The general anomaly score in plain Python, one series at a time, value after value."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field

import numpy as np

from services.detect.anomaly.shape import Shape

DAY_US = 86_400_000_000


class Mean:
    """Exponential mean without the pull of its beginning."""

    def __init__(self, span: float) -> None:
        self.a, self.sum, self.n = 1 / span, 0.0, 0

    def push(self, x: float) -> float:
        self.sum = (1 - self.a) * self.sum + self.a * x
        self.n += 1
        return self.value

    @property
    def value(self) -> float:
        return self.sum / (1 - (1 - self.a) ** self.n) if self.n else math.nan


class Season:
    """Level by slot of a period."""

    def __init__(self, slots: int, period_us: int, shift_us: int, alpha: float) -> None:
        self.slots, self.period, self.shift, self.alpha = slots, period_us, shift_us, alpha
        self.level, self.visits = [0.0] * slots, [0] * slots

    def expect_and_learn(self, at_us: int, x: float) -> float:
        slot = (at_us + self.shift) % self.period * self.slots // self.period
        n = self.visits[slot]
        expected = self.level[slot] if n else math.nan
        self.visits[slot] = n = min(n + 1, 255)
        share = 1.0 if n == 1 else self.alpha / (1 - (1 - self.alpha) ** n)
        self.level[slot] += share * (x - self.level[slot])
        return expected


@dataclass
class Bins:
    """Places of values on a scale that is linear near the middle and logarithmic far out."""

    middle: float
    width: float

    @classmethod
    def of(cls, first: list[float]) -> Bins:
        middle = sorted(first)[len(first) // 2]
        distance = sorted(abs(x - middle) for x in first)
        width = max(distance[3 * len(first) // 4], 0.5 * math.fsum(distance) / len(distance))
        if width <= 1e-9 * abs(middle):
            width = max(abs(middle) * 0.01, 1e-3)
        return cls(middle, width)

    def place(self, x: float, share: float, bins: int) -> int:
        y = math.asinh((x - self.middle) / self.width) / share + 1e-9
        return min(max(math.floor(y) + bins // 2, 0), bins - 1)


class Novelty:
    """How rare a bin is in its context."""

    def __init__(self, contexts: int, shape: Shape) -> None:
        self.s = shape
        self.counts = [[0] * shape.bins for _ in range(contexts)]

    def judge_and_learn(self, context: int, place: int) -> float:
        s, row = self.s, self.counts[context]
        wide = 1 + 2 * s.blur

        def near(counts: list[int]) -> float:
            left = counts[place - 1] if place > 0 else 0
            right = counts[place + 1] if place < s.bins - 1 else 0
            return counts[place] + s.blur * (left + right)

        every = [sum(c[i] for c in self.counts) for i in range(s.bins)]
        anywhere = (near(every) + 0.5) / (sum(every) * wide + 0.5 * s.bins)
        here = (near(row) + s.prior * anywhere) / (sum(row) * wide + s.prior)
        row[place] += 1
        if sum(every) + 1 >= s.halve_at:
            self.counts = [[c // 2 for c in r] for r in self.counts]
        return -math.log10(here)


@dataclass
class Peaks:
    """Chance of a value by the peaks over a threshold."""

    shape: Shape
    held: list[tuple[float, int]] = field(default_factory=list)
    pending: list[tuple[float, int]] = field(default_factory=list)
    n: int = 0
    base: float = 0.0
    fit: tuple[float, float, float, float, float] | None = None

    def surprise_and_learn(self, g: float) -> float:
        g = float(np.float32(g))
        out = self._surprise(g)
        s = self.shape
        self.base = (1 - s.base_alpha) * self.base + s.base_alpha * g
        self.pending.append((g, self.n))
        self.n += 1
        if self.n % s.block == 0:
            fresh = [(x, i) for x, i in self.held if self.n - i <= s.memory] + self.pending
            self.held = sorted(fresh, key=lambda e: -e[0])[: s.peaks]
            self.pending = []
            if self.n >= s.first:
                self._fit()
        return out

    def _fit(self) -> None:
        s = self.shape
        count = min(self.n, s.memory)
        k = min(s.peaks, max(10, int(s.tail_share * count)))
        top = [x for x, _ in self.held[:k]]
        threshold = top[-1]
        excess = [x - threshold for x in top[:-1]]
        mean = math.fsum(excess) / len(excess)
        variance = statistics.pvariance(excess)
        shape, scale = 0.0, 0.0
        if mean > 0:
            variance = max(variance, 1e-12 * mean * mean)
            shape = min(max(0.5 * (1 - mean * mean / variance), s.least_shape), 1.0)
            scale = mean * (1 - shape)
        middle = self.base / (1 - (1 - s.base_alpha) ** self.n)
        self.fit = (threshold, scale, shape, k / count, middle)

    def _surprise(self, g: float) -> float:
        if self.fit is None:
            return 0.0
        threshold, scale, shape, share, middle = self.fit
        if g > threshold:
            if scale <= 0:
                chance = share * 0.3
            else:
                y = (g - threshold) / scale
                if abs(shape) < 1e-6:
                    tail = math.exp(-y)
                else:
                    b = 1 + shape * y
                    tail = b ** (-1 / shape) if b > 0 else 0.0
                chance = share * max(tail, 1e-15)
        else:
            reach = threshold - middle
            way = (g - middle) / reach if reach > 1e-6 * abs(threshold) else 0.0
            chance = share ** max(way, 0.0)
        return -math.log10(max(chance, 1e-15))


class Look:
    """The series at one pace: seven signals, joined."""

    def __init__(self, s: Shape, pace: float, factor: float) -> None:
        self.s, self.factor = s, factor
        self.season, self.turn, self.week, self.level = (
            Mean(max(span * pace, 1.0))
            for span in (s.season_span, s.turn_span, s.week_span, s.level_span)
        )
        self.rare = [Mean(max(span * pace, 1.0)) for span in s.rare_spans]
        self.by_hour, self.by_level = Novelty(24, s), Novelty(1, s)
        self.values: Bins | None = None
        self.levels: Bins | None = None
        self.peaks = [Peaks(s) for _ in range(7)]
        self.first: list[tuple[int, float, float]] = []

    def push(self, at_us: int, x: float, least: float, week: float, young: bool) -> float:
        """What the seven signals surprise; nothing while the series is young."""
        near, lately, level = self.season.push(least), self.turn.push(least), self.level.push(x)
        early = (abs(near), abs(near - lately), abs(self.week.push(week)))
        e = [p.surprise_and_learn(g) for p, g in zip(self.peaks, early, strict=False)]
        if young:
            self.first.append((at_us, x, level))
            if len(self.first) == self.s.first:
                self.values = Bins.of([x for _, x, _ in self.first])
                self.levels = Bins.of([level for _, _, level in self.first])
                for each in self.first:
                    self._rarity(*each)
            return 0.0
        e += self._rarity(at_us, x, level)
        return float(math.fsum(v**2.5 for v in [max(e[0], e[1]), *e[2:]]) ** 0.4)

    def _rarity(self, at_us: int, x: float, level: float) -> list[float]:
        s = self.s
        assert self.values
        assert self.levels
        hour = at_us % DAY_US * 24 // DAY_US
        rare = self.by_hour.judge_and_learn(
            hour, self.values.place(x, s.value_bin * self.factor, s.bins)
        )
        new = self.by_level.judge_and_learn(
            0, self.levels.place(level, s.level_bin * self.factor, s.bins)
        )
        late = (*(mean.push(rare) for mean in self.rare), new)
        return [p.surprise_and_learn(g) for p, g in zip(self.peaks[3:], late, strict=True)]


class Score:
    """The whole score of one series."""

    def __init__(self, shape: Shape | None = None) -> None:
        s = self.s = shape or Shape()
        self.n = 0
        self.day = Season(s.day_slots, DAY_US, 0, s.day_alpha)
        self.week = Season(168, 7 * DAY_US, 3 * DAY_US, s.week_alpha)
        self.looks = [Look(s, *each) for each in zip(s.paces, s.bin_factors, strict=True)]
        self.told, self.told_n, self.told_us = 0.0, 0, 0

    def push(self, at_us: int, x: float) -> float:
        if not abs(x) <= 1e13:
            return 0.0
        day, week = self.day.expect_and_learn(at_us, x), self.week.expect_and_learn(at_us, x)
        off_day = 0.0 if math.isnan(day) else x - day
        off_week = off_day if math.isnan(week) else x - week
        least = off_week if abs(off_week) < abs(off_day) else off_day
        self.n += 1
        young = self.n <= self.s.first
        found = [look.push(at_us, x, least, off_week, young) for look in self.looks]
        return 0.0 if young else self._news(at_us, math.fsum(found) / len(found))

    def _news(self, at_us: int, whole: float) -> float:
        s = self.s
        holds = self.n - self.told_n <= s.hold_values and at_us - self.told_us <= s.hold_us
        score = 1 - 2 ** (-whole / s.half)
        if whole > (self.told * s.gain if holds else 0.0):
            self.told, self.told_n, self.told_us = whole, self.n, at_us
            return score
        return s.old_news * score
