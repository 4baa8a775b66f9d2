"""Bad input to the roads: no exception, no false alarm, and the other stations say what they would have said."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Condition
from services.domain.instant import DAY_US, HOUR_US, SECOND_US
from services.domain.sensor import Sensor
from tests.oracles.feeds import START_US, batch

ABSURD = st.sampled_from(
    [math.nan, math.inf, -math.inf, 1e12, -1e12, 1e300, -5.0, 0.0, -0.0, 5e-324, 70_000.0, 130.0]
)
JUMPS = st.sampled_from(
    [0, 0, 30, 30, 30, -3600, -40 * 86400, 3650 * 86400, -3650 * 86400, 86400, 1]
)
"""Seconds from one reading of the bad station to its next."""
METRICS = ("speed_km_per_h", "count_veh", "flow_veh_per_h", "occupancy_pct")
Row = tuple[int, int, float, float, float, float]


def road(count: int) -> Core:
    """The bad station is number 0, alone on its road; the others are neighbours on another one."""
    return Core(
        DetectorSettings(),
        [
            (
                k,
                Sensor(
                    f"S{k}",
                    SensorKind.TRAFFIC_STATION,
                    road="A1" if k else "B2",
                    position_m=800.0 * k,
                    cadence_s=30,
                ),
            )
            for k in range(count)
        ],
    )


def sound(readings: int, jam: bool) -> list[Row]:
    """Stations 1 to 3 of a road; a jam at station 1 towards the end."""
    random = np.random.default_rng(2)
    return [
        (
            k,
            START_US + 8 * HOUR_US + i * 30 * SECOND_US,
            100 + float(random.normal(0, 3)) - (60 if jam and k == 1 and i > readings // 2 else 0),
            float(random.poisson(12)),
            math.nan,
            math.nan,
        )
        for i in range(readings)
        for k in (1, 2, 3)
    ]


def as_batch(rows: list[Row]) -> ReadingBatch:
    columns = list(zip(*rows, strict=True))
    return batch(
        Domain.TRAFFIC, list(columns[0]), list(columns[1]),
        **{name: list(columns[2 + j]) for j, name in enumerate(METRICS)},
    )  # fmt: skip


def of(conditions: list[Condition], *subjects: str) -> list[Condition]:
    return [c for c in conditions if c.subject in subjects]


SPEEDS = ABSURD.filter(lambda value: not 0 <= value < 100)
"""A speed of 0 several times in a row is a jam."""
BAD = st.lists(st.tuples(JUMPS, SPEEDS, ABSURD, ABSURD, ABSURD), min_size=1, max_size=30)


@settings(max_examples=6)
@given(BAD, st.booleans())
def test_absurd_values_and_times_raise_nothing_and_leave_the_other_stations_alone(
    bad: list[tuple[int, float, float, float, float]], jam: bool
) -> None:
    good = sound(60, jam)
    mixed: list[Row] = []
    at = START_US + 8 * HOUR_US
    for i, row in enumerate(good):
        if i % 6 == 3 and i // 6 < len(bad):
            jump, *values = bad[i // 6]
            at += jump * SECOND_US
            mixed.append((0, at, *values))  # type: ignore[arg-type]
        mixed.append(row)
    core = road(4)
    said = core.step(as_batch(mixed), 0)
    others = ("S1", "S2", "S3")
    assert of(said, *others) == of(road(4).step(as_batch(good), 0), *others)
    assert of(said, "S0") == []


@settings(max_examples=4)
@given(st.integers(1, 8), st.sampled_from(METRICS), st.floats(-10, 200))
def test_one_reading_however_often_it_is_repeated_means_nothing(
    seed: int, metric: str, value: float
) -> None:
    at = START_US + seed * HOUR_US
    core = road(1)
    rows = batch(Domain.TRAFFIC, [0] * 300, [at] * 300, **{metric: [value] * 300})
    assert core.step(rows, at) == []


def test_ten_years_of_silence_end_no_station_and_begin_no_alarm() -> None:
    core = road(4)
    free = sound(200, False)
    assert core.step(as_batch(free), 0) == []
    later = [(k, at + 3650 * DAY_US, *values) for k, at, *values in free]
    assert core.step(as_batch(later), 0) == []  # type: ignore[arg-type]
    jammed = [(k, at + 3651 * DAY_US, *values) for k, at, *values in sound(200, True)]
    said = core.step(as_batch(jammed), 0)  # type: ignore[arg-type]
    assert {c.subject for c in said} == {"S1"}


def test_a_lone_station_is_compared_with_its_neighbour_again_after_a_pause() -> None:
    """Queues and incidents need the feed's pace: it must go on after a pause of more than an hour."""
    core = road(4)
    core.step(as_batch(sound(100, False)), 0)
    pause = [(k, at + 3 * HOUR_US, *values) for k, at, *values in sound(200, True)]
    said = core.step(as_batch(pause), 0)  # type: ignore[arg-type]
    assert "queue_km" in of(said, "S1")[-1].evidence.numbers
    assert {c.rule.value for c in of(said, "S1")} == {"congestion", "incident"}
