"""The windows in plain Python, one sensor at a time, recomputed from the whole history at every step."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np


def rolling(history: Sequence[float], width: int) -> dict[str, float]:
    """Statistics of the last `width` finite values."""
    last = [x for x in history if math.isfinite(x)][-width:]
    if not last:
        return {"count": 0, "mean": math.nan, "variance": math.nan, "minimum": math.nan,
                "maximum": math.nan, "median": math.nan, "mad": math.nan, "q90": math.nan}  # fmt: skip
    median = statistics.median(last)
    return {
        "count": len(last),
        "mean": math.fsum(last) / len(last),
        "variance": statistics.variance(last) if len(last) > 1 else math.nan,
        "minimum": min(last),
        "maximum": max(last),
        "median": median,
        "mad": statistics.median([abs(x - median) for x in last]),
        "q90": float(np.quantile(last, 0.9)),
    }


def exponential(history: Sequence[float], alpha: float) -> tuple[float, float]:
    """Mean and variance: d = x - m; m += a d; v = (1 - a)(v + a d^2), with a = 1/n at first."""
    mean, variance, n = math.nan, 0.0, 0
    for x in history:
        if not math.isfinite(x):
            continue
        n += 1
        a = max(alpha, 1 / n)
        if n == 1:
            mean = x
            continue
        d = x - mean
        mean += a * d
        variance = (1 - a) * (variance + a * d * d)
    return mean, variance


def cusum(history: Sequence[float], k: float, clip: float) -> float:
    """Page's upper sum."""
    total = 0.0
    for z in history:
        if not math.isnan(z):
            total = max(0.0, total + min(max(z, -clip), clip) - k)
    return total


def timed_mean(times: Sequence[int], values: Sequence[float], span_us: int, width: int) -> float:
    """Mean of the newest `width` finite values that are not older than the span."""
    newest = [(t, x) for t, x in zip(times, values, strict=True) if math.isfinite(x)][-width:]
    inside = [x for t, x in newest if times[-1] - span_us < t <= times[-1]]
    return sum(inside) / len(inside) if inside else math.nan


def hour_of_week(us: int, time_zone: str) -> int:
    """0 is Monday 00 h local."""
    local = datetime.fromtimestamp(us / 1e6, UTC).astimezone(ZoneInfo(time_zone))
    return local.weekday() * 24 + local.hour


class Slots:
    """The slot baseline of one sensor, in float64."""

    def __init__(self, alpha: float, winsor: float, floor: float, shrink: float) -> None:
        self.alpha, self.winsor, self.floor, self.shrink = alpha, winsor, floor, shrink
        self.level, self.spread, self.weight = [0.0] * 168, [0.0] * 168, [0.0] * 168

    def learn(self, slot: int, value: float, share: float) -> None:
        if not math.isfinite(value) or share <= 0:
            return
        share = min(share, 1.0)
        m, s, w = self.level[slot], self.spread[slot], self.weight[slot]
        a = max(self.alpha * share, share / (w + share))
        d = value - m
        if math.isfinite(self.winsor) and w >= 1:
            limit = self.winsor * max(s, self.floor)
            d = max(-limit, min(limit, d))
        self.level[slot] = value if w <= 0 else m + a * d
        deviation = 0.0 if w <= 0 else abs(d) * 1.2533
        self.spread[slot] = s + a * (deviation - s)
        self.weight[slot] = w + share

    def expected(self, slot: int) -> tuple[float, float]:
        hours = [day * 24 + slot % 24 for day in range(7)]
        weights = [self.weight[h] * (1 + self.shrink * (h == slot)) for h in hours]
        total = sum(weights)
        if total <= 0:
            return math.nan, math.nan
        pooled_m = sum(w * self.level[h] for w, h in zip(weights, hours, strict=True)) / total
        pooled_s = sum(w * self.spread[h] for w, h in zip(weights, hours, strict=True)) / total
        own = self.weight[slot] / (self.weight[slot] + self.shrink)
        return (
            own * self.level[slot] + (1 - own) * pooled_m,
            max(own * self.spread[slot] + (1 - own) * pooled_s, self.floor),
        )
