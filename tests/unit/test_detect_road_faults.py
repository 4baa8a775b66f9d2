"""Faulty traffic sensors at every cadence and with every set of metrics: found in time, not believed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Condition, Rule
from services.domain.instant import DAY_US, HOUR_US, SECOND_US
from services.domain.sensor import Sensor
from tests.oracles.feeds import START_US, batch

MORNING_US = START_US + 8 * HOUR_US
Readings = dict[str, np.ndarray]
Fault = Callable[[Readings, int, np.random.Generator], None]
FAULTS = (Rule.SENSOR_FAULT, Rule.STUCK)


def traffic(n: int, step_s: int, random: np.random.Generator) -> Readings:
    """Free traffic of 1,800 vehicles an hour whose metrics fit each other."""
    speed = 104 + random.normal(0, 4, n)
    count = random.poisson(1800 * step_s / 3600, n).astype(float)
    occupancy = 100 * count * 6.0 / (speed / 3.6 * step_s) / 3
    return {
        "speed_km_per_h": np.where(count > 0, speed, np.nan),
        "count_veh": count,
        "occupancy_pct": occupancy,
    }


def frozen(r: Readings, i: int, _: np.random.Generator) -> None:
    for column in r.values():
        column[i:] = column[i - 1]


def locked(r: Readings, i: int, random: np.random.Generator) -> None:
    r["occupancy_pct"][i:] = random.uniform(95, 100, len(r["count_veh"]) - i)


def ghost(r: Readings, i: int, _: np.random.Generator) -> None:
    r["count_veh"][i:] = 0
    r["speed_km_per_h"][i:] = np.nan


def dead(r: Readings, i: int, _: np.random.Generator) -> None:
    r["count_veh"][i:] = 0
    r["occupancy_pct"][i:] = 0
    r["speed_km_per_h"][i:] = np.nan


def noisy(r: Readings, i: int, random: np.random.Generator) -> None:
    n = len(r["count_veh"]) - i
    r["speed_km_per_h"][i:] = np.where(np.arange(n) % 2, 30, 110) + random.normal(0, 5, n)


def doubled(r: Readings, i: int, _: np.random.Generator) -> None:
    r["count_veh"][i:] *= 3


ALL = ("speed_km_per_h", "count_veh", "occupancy_pct")
CASES: list[tuple[Fault, tuple[str, ...], Rule]] = [
    (frozen, ALL, Rule.STUCK),
    (frozen, ("speed_km_per_h",), Rule.STUCK),
    (frozen, ("count_veh",), Rule.STUCK),
    (locked, ALL, Rule.SENSOR_FAULT),
    (ghost, ALL, Rule.SENSOR_FAULT),
    (dead, ALL, Rule.SENSOR_FAULT),
    (dead, ("count_veh",), Rule.SENSOR_FAULT),
    (dead, ("speed_km_per_h", "occupancy_pct"), Rule.SENSOR_FAULT),
    (dead, ("occupancy_pct",), Rule.SENSOR_FAULT),
    (ghost, ("speed_km_per_h", "occupancy_pct"), Rule.SENSOR_FAULT),
    (noisy, ("speed_km_per_h",), Rule.SENSOR_FAULT),
    (doubled, ALL, Rule.SENSOR_FAULT),
    (doubled, ("count_veh", "occupancy_pct"), Rule.SENSOR_FAULT),
]
SOUND = (ALL, ALL[:1], ALL[1:2], ALL[1:], ALL[:2], ALL[::2], ALL[2:])


def sensors(count: int, step_s: int) -> Core:
    return Core(
        DetectorSettings(),
        [(k, Sensor(f"S{k}", SensorKind.TRAFFIC_STATION, cadence_s=step_s)) for k in range(count)],
    )


def feed(core: Core, each: list[Readings], step_s: int, start_us: int) -> list[Condition]:
    """One day of several sensors, side by side; a metric that a sensor does not have is missing."""
    n = len(each[0]["count_veh"])
    at = np.repeat(start_us + np.arange(n) * step_s * SECOND_US, len(each))
    columns = {
        name: np.stack([r.get(name, np.full(n, np.nan)) for r in each], axis=1).reshape(-1)
        for name in ALL
    }
    number = np.tile(np.arange(len(each)), n)
    return core.step(batch(Domain.TRAFFIC, number.tolist(), at.tolist(), **columns), int(at[-1]))  # type: ignore[arg-type]


def day(
    step_s: int, minutes: int, metrics: tuple[str, ...], fault: Fault | None, seed: int
) -> Readings:
    random = np.random.default_rng(seed)
    readings = traffic(minutes * 60 // step_s, step_s, random)
    if fault is not None:
        fault(readings, 60 * 60 // step_s, random)
    return {"count_veh": np.full(len(readings["count_veh"]), np.nan)} | {
        name: readings[name] for name in metrics
    }


@pytest.mark.parametrize("step_s", [20, 60, 300, 900])
def test_every_fault_is_found_soon_at_every_cadence(step_s: int) -> None:
    """Within a quarter of an hour where readings come each minute or more often, else within nine readings."""
    core = sensors(len(CASES), step_s)
    told: list[Condition] = []
    warm = 1 if step_s < 300 else 2 if step_s < 900 else 5
    minutes = 60 + max(20, 10 * step_s // 60)
    for d in range(warm + 1):
        each = [
            day(step_s, minutes, metrics, fault if d == warm else None, 100 * d + k)
            for k, (fault, metrics, _) in enumerate(CASES)
        ]
        told += feed(core, each, step_s, MORNING_US + d * DAY_US)
    begin_us = MORNING_US + warm * DAY_US + (60 * 60 // step_s) * step_s * SECOND_US
    limit_us = max(15 * 60 + 2 * step_s, 9 * step_s) * SECOND_US
    for k, (fault, metrics, rule) in enumerate(CASES):
        name = (fault.__name__, metrics)
        mine = [c for c in told if c.subject == f"S{k}"]
        raised = [c for c in mine if c.change is Change.RAISE]
        found = [c for c in raised if c.rule in FAULTS]
        assert rule in {c.rule for c in found}, name
        # a quarter of an hour at 40 km/h is a jam until the readings after it contradict it
        looks_like = {Rule.CONGESTION} if fault is noisy and step_s == 900 else set()
        assert {c.rule for c in raised} <= {*FAULTS, *looks_like}, name
        assert 0 <= min(c.at_us for c in found) - begin_us <= limit_us, name


@pytest.mark.parametrize(("fault", "readings"), [(frozen, 4), (noisy, 5)])
@pytest.mark.parametrize("step_s", [300, 900])
def test_where_readings_are_rare_those_that_all_metrics_prove_are_few(
    fault: Fault, readings: int, step_s: int
) -> None:
    core = sensors(1, step_s)
    warm = 2 if step_s < 900 else 5
    told = [
        condition
        for d in range(warm + 1)
        for condition in feed(
            core, [day(step_s, 180, ALL, fault if d == warm else None, d)], step_s, MORNING_US + d * DAY_US
        )
    ]  # fmt: skip
    begin_us = MORNING_US + warm * DAY_US + (60 * 60 // step_s) * step_s * SECOND_US
    found = [c for c in told if c.change is Change.RAISE]
    assert {c.rule for c in found} <= set(FAULTS)
    assert 0 <= found[0].at_us - begin_us < readings * step_s * SECOND_US


@pytest.mark.parametrize("step_s", [20, 60, 300, 900])
def test_a_sound_sensor_is_no_fault_whatever_it_measures(step_s: int) -> None:
    core = sensors(len(SOUND), step_s)
    for d in range(2):
        each = [day(step_s, 240, metrics, None, 50 * d + k) for k, metrics in enumerate(SOUND)]
        assert feed(core, each, step_s, MORNING_US + d * DAY_US) == []


def test_a_speed_that_is_carried_over_while_no_vehicle_passes_is_no_hanging_sensor() -> None:
    random = np.random.default_rng(3)
    readings = traffic(240, 30, random)
    readings["count_veh"][100:200] = 0
    readings["speed_km_per_h"][100:200] = readings["speed_km_per_h"][99]
    told = feed(sensors(1, 30), [{k: readings[k] for k in ALL[:2]}], 30, MORNING_US)
    assert [c for c in told if c.rule is Rule.STUCK] == []


def corridor(
    random: np.random.Generator, readings: int, event: Callable[[int, int, list[float]], None]
) -> tuple[Core, list[Condition]]:
    """Five stations 900 m apart for `readings` half minutes; `event` changes [speed, count] by reading and station."""
    core = Core(
        DetectorSettings(),
        [
            (
                k,
                Sensor(
                    f"S{k}",
                    SensorKind.TRAFFIC_STATION,
                    road="A1",
                    position_m=900.0 * k,
                    cadence_s=30,
                ),
            )
            for k in range(5)
        ],
    )
    rows = []
    for i in range(readings):
        for k in range(5):
            values = [105 + random.normal(0, 4), float(random.poisson(15))]
            event(i, k, values)
            rows.append((k, MORNING_US + i * 30 * SECOND_US, *values))
    told = core.step(
        batch(
            Domain.TRAFFIC, [r[0] for r in rows], [r[1] for r in rows],
            speed_km_per_h=[r[2] for r in rows], count_veh=[r[3] for r in rows],
        ),
        0,
    )  # fmt: skip
    return core, told


def test_a_noisy_sensor_raises_no_jam_and_no_incident_and_is_nobodys_neighbour() -> None:
    random = np.random.default_rng(8)

    def event(i: int, k: int, values: list[float]) -> None:
        if i >= 200 and k == 2:
            values[0] = float(random.uniform(5, 60) if i % 2 else random.uniform(90, 130))

    _, told = corridor(random, 360, event)
    assert {(c.rule, c.subject) for c in told} == {(Rule.SENSOR_FAULT, "S2")}


def test_a_hanging_sensor_is_told_once_and_suppresses_the_jam_at_itself_alone() -> None:
    random = np.random.default_rng(9)

    def event(i: int, k: int, values: list[float]) -> None:
        if i >= 120 and k == 3:
            values[0] = 88.0
        if i >= 200 and k in (2, 3):
            values[0] = 88.0 if k == 3 else 30 + float(random.normal(0, 2))

    _, told = corridor(random, 360, event)
    assert [(c.rule, c.change) for c in told if c.subject == "S3"] == [(Rule.STUCK, Change.RAISE)]
    jams = {c.subject for c in told if c.rule is Rule.CONGESTION}
    assert jams == {"S2"}
    incidents = [c for c in told if c.rule is Rule.INCIDENT]
    assert {c.subject for c in incidents} == {
        "S2"
    }  # its neighbour is not to be believed: that beyond it is asked
    assert all(c.evidence.numbers["downstream_km_per_h"] > 95 for c in incidents)


def test_vehicles_that_do_not_come_out_are_an_incident_before_any_queue_is_seen() -> None:
    random = np.random.default_rng(10)

    def event(i: int, k: int, values: list[float]) -> None:
        if i >= 200 and k >= 3:
            values[1] = float(random.poisson(7))

    _, told = corridor(random, 260, event)
    (found,) = [c for c in told if c.change is Change.RAISE]
    assert (found.rule, found.subject) == (Rule.INCIDENT, "S2")
    assert found.at_us - (MORNING_US + 200 * 30 * SECOND_US) <= 5 * 60 * SECOND_US
    numbers = found.evidence.numbers
    assert numbers["by_storage_1"] == 1
    assert numbers["stored_veh"] >= 25
    assert found.evidence.value is not None
    assert found.evidence.threshold is not None
    assert found.evidence.value <= found.evidence.threshold


def test_a_sensor_that_counts_too_little_is_no_incident() -> None:
    random = np.random.default_rng(11)

    def event(i: int, k: int, values: list[float]) -> None:
        if i >= 200 and k == 3:
            values[1] = float(random.poisson(7))

    _, told = corridor(random, 400, event)
    assert [c for c in told if c.rule is Rule.INCIDENT] == []
