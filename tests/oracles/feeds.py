"""Feeds of readings for tests of the detectors: meters and stations with habits, and what goes wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from services.detect.core import Core
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Condition
from services.domain.instant import HOUR_US, SECOND_US
from services.domain.sensor import Sensor

START_US = 1_772_409_600 * SECOND_US
"""Monday 2 March 2026, 00:00 UTC."""


def meters(count: int, **facts: object) -> list[tuple[int, Sensor]]:
    """Numbered meters M0, M1, ..."""
    return [(i, Sensor(f"M{i}", SensorKind.WATER_METER, **facts)) for i in range(count)]  # type: ignore[arg-type]


def stations(count: int, **facts: object) -> list[tuple[int, Sensor]]:
    """Numbered stations S0, S1, ..."""
    return [(i, Sensor(f"S{i}", SensorKind.TRAFFIC_STATION, **facts)) for i in range(count)]  # type: ignore[arg-type]


def batch(
    domain: Domain, sensor: Sequence[int], at_us: Sequence[int], **metrics: Sequence[float]
) -> ReadingBatch:
    """A batch of rows in the order given; metrics by column name."""
    n = len(sensor)
    return ReadingBatch(
        domain,
        np.array(sensor, np.int32).reshape(n),
        np.array(at_us, np.int64).reshape(n),
        np.array(at_us, np.int64).reshape(n),
        np.zeros(n, np.int16),
        {name: np.array(column, np.float64).reshape(n) for name, column in metrics.items()},
    )


def pieces(whole: ReadingBatch, cuts: Iterable[int]) -> list[ReadingBatch]:
    """The batch cut before the given rows."""
    edges = sorted({0, len(whole), *(c for c in cuts if 0 < c < len(whole))})
    return [whole.take(np.arange(a, b)) for a, b in pairwise(edges)]


def home(hours: int, seed: int = 1, sleeps: bool = True) -> np.ndarray:
    """Litres in each hour of a home that rests from 00 to 06 and now and then by day."""
    random = np.random.default_rng(seed)
    use = random.gamma(1.2, 18.0, hours).round() * (random.random(hours) < 0.7)
    if sleeps:
        use[np.arange(hours) % 24 < 6] = 0
    return use


def feed_hourly(
    core: Core, use: Mapping[int, np.ndarray], start_us: int = START_US, tick: bool = True
) -> list[Condition]:
    """Feed registers of meters hour by hour; NaN is an hour without a reading (its litres still flow)."""
    out: list[Condition] = []
    register = dict.fromkeys(use, 10000.0)
    for hour in range(max(len(column) for column in use.values())):
        at = start_us + hour * HOUR_US
        rows = []
        for number, column in use.items():
            if hour < len(column) and np.isfinite(column[hour]):
                register[number] += float(column[hour])
                rows.append((number, register[number]))
        numbers, values = [r[0] for r in rows], [r[1] for r in rows]
        out += core.step(batch(Domain.WATER, numbers, [at] * len(rows), register_litres=values), at)
        if tick:
            out += core.tick(at)
    return out


def feed_road(
    core: Core,
    speed: Sequence[float] | np.ndarray,
    count: Sequence[float] | np.ndarray | float = 10.0,
    occupancy: Sequence[float] | np.ndarray | float | None = None,
    number: int = 0,
    step_s: int = 30,
    start_us: int = START_US + 8 * HOUR_US,
) -> list[Condition]:
    """Feed one station at a fixed pace; NaN is a missing metric."""
    n = len(speed)
    at = [start_us + i * step_s * SECOND_US for i in range(n)]
    metrics = {"speed_km_per_h": np.asarray(speed, float), "count_veh": np.broadcast_to(count, n)}
    if occupancy is not None:
        metrics["occupancy_pct"] = np.broadcast_to(occupancy, n)
    return core.step(batch(Domain.TRAFFIC, [number] * n, at, **metrics), at[-1])
