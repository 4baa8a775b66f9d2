"""Bad input through the zones: no exception, no false alarm, nothing lost for the zone next door, at any cadence."""

from __future__ import annotations

import time
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Condition, Rule
from services.domain.instant import DAY_US, HOUR_US
from services.domain.sensor import Sensor
from tests.oracles.feeds import START_US, batch, pieces
from tests.unit.test_detect_zones import WEEK_H, district

WEEKS = 6
HOURS = WEEKS * WEEK_H
NAMES = ("I", "O", "T", "P", "Q", "M")
"""Of a zone: inlet, outlet, tank, two loggers, one meter; a number each, then those of the zone next door."""


def zone(name: str) -> list[Sensor]:
    kinds = (
        SensorKind.DMA_INLET, SensorKind.DMA_OUTLET, SensorKind.TANK_LEVEL, SensorKind.PRESSURE,
        SensorKind.PRESSURE, SensorKind.WATER_METER,
    )  # fmt: skip
    return [
        Sensor(
            f"{name}{letter}", kind, zone=name, cadence_s=3600,
            area_m2=40.0 if kind is SensorKind.TANK_LEVEL else None,
        )
        for letter, kind in zip(NAMES, kinds, strict=True)
    ]  # fmt: skip


SENSORS = list(enumerate([*zone("A"), *zone("B")]))
Row = tuple[int, int, float]
"""Time, number of the sensor, value of the metric of its kind."""


def ordinary(seed: int, first: int, hours: int = HOURS, leak_from: int | None = None) -> list[Row]:
    """A zone in peace, or with a leak of 12 %."""
    random = np.random.default_rng(seed)
    flow = district(WEEKS, seed)[:hours]
    into = np.where(np.arange(hours) % 24 < 6, 1000.0, -1000.0 / 3)
    level = 3.0 + np.cumsum(into) / 40_000.0
    pressure = 400.0 - 6.0 * (flow / 10_000.0) ** 1.85
    if leak_from is not None:
        flow = flow + np.where(np.arange(hours) >= leak_from, 1200.0, 0.0)
    columns = [
        flow + into + 500.0, np.full(hours, 500.0), level, pressure + random.normal(0, 0.2, hours),
        pressure - 20 + random.normal(0, 0.2, hours), random.gamma(0.8, 20.0, hours),
    ]  # fmt: skip
    at = START_US + (np.arange(hours) + 1) * HOUR_US
    return [
        (int(at[h]), first + i, float(column[h]))
        for h in range(hours)
        for i, column in enumerate(columns)
    ]


def batch_of(rows: list[Row]) -> ReadingBatch:
    columns = ("flow_litres_per_h", "level_m", "pressure_kpa", "consumption_litres")
    of = dict(zip(NAMES, (0, 0, 1, 2, 2, 3), strict=True))
    kind = np.array([of[NAMES[number % len(NAMES)]] for _, number, _ in rows])
    value = np.array([value for _, _, value in rows])
    return batch(
        Domain.WATER,
        [number for _, number, _ in rows],
        [at for at, _, _ in rows],
        **{name: np.where(kind == k, value, np.nan) for k, name in enumerate(columns)},  # type: ignore[arg-type]
    )


def said(core: Core, rows: list[Row], parts: int = 1) -> list[Condition]:
    whole = batch_of(rows)
    cuts = [len(whole) * k // parts for k in range(1, parts)]
    found = [c for part in pieces(whole, cuts) for c in core.step(part, 0)]
    return [c for c in found if c.rule in (Rule.ZONE_LEAK, Rule.BURST) and c.subject[1] == "I"]


@lru_cache(maxsize=1)
def two_zones() -> tuple[tuple[Row, ...], tuple[Condition, ...]]:
    """A zone in peace and one with a leak, and what is said of them."""
    rows = sorted(ordinary(1, 0) + ordinary(2, 6, leak_from=5 * WEEK_H))
    return tuple(rows), tuple(said(Core(DetectorSettings(), SENSORS), rows, parts=7))


ODD = st.sampled_from([float("nan"), float("inf"), -float("inf"), 1e12, -1e12, 1e300, 0.0, -1.0])
WHEN = st.one_of(
    st.integers(0, HOURS),
    st.sampled_from([HOURS + 10 * 365 * 24, -20 * 365 * 24, HOURS + 24 * 365 * 100]),
)
BAD = st.lists(st.tuples(WHEN, st.integers(0, 5), ODD, st.integers(1, 4)), max_size=25)


@settings(max_examples=3)
@given(BAD, st.integers(0, 99))
def test_absurd_readings_of_one_zone_raise_nothing_and_leave_the_zone_next_door_as_it_is(
    bad: list[tuple[int, int, float, int]], seed: int
) -> None:
    rows, alone = list(two_zones()[0]), two_zones()[1]
    random = np.random.default_rng(seed)
    for hour, number, value, times in bad:
        place = int(random.integers(0, len(rows)))
        at = START_US + hour * HOUR_US + int(random.integers(0, HOUR_US))
        rows[place:place] = [(at, number, value)] * times
    found = said(Core(DetectorSettings(), SENSORS), rows, parts=7)
    assert [c for c in found if c.subject == "AI"] == []
    there = [(c.change, c.rule, c.onset_us) for c in found if c.subject == "BI"]
    assert (Change.RAISE, Rule.ZONE_LEAK) in [each[:2] for each in there]
    assert there == [(c.change, c.rule, c.onset_us) for c in alone if c.subject == "BI"]


@pytest.mark.parametrize(
    "rows",
    [
        [(START_US, 0, 5.0)],
        [(START_US + h * HOUR_US, i, 0.0) for h in range(HOURS) for i in range(6)],
        [(START_US + h * HOUR_US, i, 7.0) for h in range(HOURS) for i in range(6)],
        [(START_US + (HOURS - h) * HOUR_US, i, 50.0 + h) for h in range(HOURS) for i in range(6)],
        [(START_US, 0, 5.0)] * 5_000,
        [(START_US + h * HOUR_US, i, 1e12) for h in range(HOURS) for i in range(6)],
    ],
    ids=["one reading", "zeros", "constant", "backwards", "duplicates", "1e12"],
)
def test_a_feed_that_says_nothing_raises_nothing(rows: list[Row]) -> None:
    core = Core(DetectorSettings(), SENSORS)
    assert said(core, rows, parts=3) == []
    core.dumps(SENSORS[0][1].shard)


def test_ten_years_of_silence_are_no_leak_and_the_zone_is_judged_again_after_them() -> None:
    core = Core(DetectorSettings(), SENSORS)
    assert said(core, ordinary(1, 0)) == []
    later = 10 * 365 * DAY_US // (7 * DAY_US) * 7 * DAY_US
    leak = ordinary(1, 0, leak_from=5 * WEEK_H)
    found = said(core, [(at + later, number, value) for at, number, value in leak])
    raises = [c for c in found if c.change is Change.RAISE]
    assert all(c.onset_us >= START_US + later + (5 * WEEK_H - 24) * HOUR_US for c in raises)
    assert Rule.ZONE_LEAK in [c.rule for c in raises]


def test_sensors_that_register_one_by_one_cost_the_same_each() -> None:
    core = Core(DetectorSettings())
    began = time.process_time()
    for number in range(12_000):
        kind = SensorKind.DMA_INLET if number % 40 == 0 else SensorKind.WATER_METER
        core.add_sensors([(number, Sensor(f"S{number}", kind, zone=f"Z{number // 40}"))])
    assert time.process_time() - began < 20, "relinking all zones at each would take minutes"


@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_a_zone_is_judged_at_every_usual_cadence(minutes: int) -> None:
    each = 60 // minutes
    flow = np.repeat(ordinary_flow(), each)
    at = START_US + (np.arange(len(flow)) + 1) * minutes * 60_000_000
    sensor = Sensor("I", SensorKind.DMA_INLET, cadence_s=60.0 * minutes)
    core = Core(DetectorSettings(), [(0, sensor)])
    found = core.step(batch(Domain.WATER, [0] * len(at), at, flow_litres_per_h=flow), 0)
    (told,) = [c for c in found if c.change is Change.RAISE and c.rule is Rule.ZONE_LEAK]
    assert 24 <= (told.at_us - START_US) / HOUR_US - 5 * WEEK_H <= 96


def ordinary_flow() -> np.ndarray:
    flow = district(WEEKS)
    flow[5 * WEEK_H :] += 1200.0
    return flow
