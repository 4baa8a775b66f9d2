"""What the alerts for roads say of their data: readings, the share that is missing, value beyond limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Condition, Rule
from services.domain.instant import DAY_US, HOUR_US, SECOND_US
from services.domain.sensor import Sensor
from tests.oracles.feeds import START_US, batch

STEP_US = 30 * SECOND_US
MORNING_US = START_US + 8 * HOUR_US
Values = tuple[float, float, float]
"""Speed in km/h, vehicles in the half-minute, occupancy in %."""


def road(count: int) -> Core:
    return Core(
        DetectorSettings(),
        [
            (
                k,
                Sensor(
                    f"S{k}",
                    SensorKind.TRAFFIC_STATION,
                    road="A1",
                    position_m=800.0 * k,
                    cadence_s=30,
                ),
            )
            for k in range(count)
        ],
    )


def usual(random: np.random.Generator) -> Values:
    """Free traffic whose metrics fit each other."""
    speed, count = 105 + random.normal(0, 4), float(random.poisson(12))
    return speed, count, 100 * count * 120 * 6.0 / (speed * 1000) / 3


def feed(
    core: Core,
    readings: int,
    event: Callable[[int, int, Values], Values],
    lost: Callable[[int], bool],
    start_us: int = MORNING_US,
    stations: int = 1,
) -> list[Condition]:
    """Readings every half minute; `event` changes them by reading and station, `lost` says which do not come."""
    random = np.random.default_rng(4)
    rows = []
    for i in range(readings):
        for k in range(stations):
            values = event(i, k, usual(random))
            if not lost(i):
                rows.append((k, start_us + i * STEP_US, *values))
    number, at, speed, count, occupancy = (list(column) for column in zip(*rows, strict=True))
    return core.step(
        batch(
            Domain.TRAFFIC, number, at,
            speed_km_per_h=speed, count_veh=count, occupancy_pct=occupancy,
        ),
        at[-1],
    )  # fmt: skip


def ghost(i: int, _: int, v: Values) -> Values:
    return (np.nan, 0.0, 4.0 + i % 3) if i >= 100 else v


def locked(i: int, _: int, v: Values) -> Values:
    return (v[0], v[1], 96.0 + i % 3) if i >= 100 else v


def dead(_: int, __: int, ___: Values) -> Values:
    return np.nan, 0.0, 0.0


def chatter(i: int, _: int, v: Values) -> Values:
    return (20.0 if i % 2 else 110.0, v[1], v[2]) if i >= 100 else v


def misfit(i: int, _: int, v: Values) -> Values:
    return (v[0], 4 * v[1], v[2]) if i >= 100 else v


def frozen(i: int, _: int, v: Values) -> Values:
    return (88.0, v[1], v[2]) if i >= 100 else v


def jam(i: int, _: int, v: Values) -> Values:
    return (v[0] - 70, v[1], v[2] * 3) if i >= 100 else v


def blocked(i: int, k: int, v: Values) -> Values:
    if i >= 100 and k == 2:
        return v[0] - 80, 5.0, 40.0
    return (v[0], 5.0, v[2] / 2) if i >= 100 and k == 3 else v


SIGNS: Mapping[str, tuple[Callable[[int, int, Values], Values], int]] = {
    "occupied_without_vehicles": (ghost, 15),
    "locked_on": (locked, 10),
    "zero_in_daytime": (dead, 15),
    "chatter": (chatter, 0),
    "misfit": (misfit, 10),
}


def raised(rule: Rule, conditions: list[Condition]) -> Condition:
    return next(c for c in conditions if c.rule is rule and c.change is Change.RAISE)


def some_lost(i: int) -> bool:
    """Every fourth reading, once the event has begun."""
    return i >= 100 and i % 4 == 3


def whole(_: int) -> bool:
    return False


@pytest.mark.parametrize("sign", SIGNS)
def test_every_sign_of_a_faulty_sensor_tells_its_readings_and_what_is_missing(sign: str) -> None:
    event, minutes = SIGNS[sign]

    def told(lost: Callable[[int], bool]) -> Condition:
        core = road(1)
        start = MORNING_US
        if sign == "zero_in_daytime":
            for day in range(3):
                feed(core, 240, lambda _, __, v: v, lambda _: False, MORNING_US + day * DAY_US)
            start += 3 * DAY_US
        if sign == "zero_in_daytime":
            return raised(Rule.SENSOR_FAULT, feed(core, 90, event, lambda i: lost(i + 100), start))
        return raised(Rule.SENSOR_FAULT, feed(core, 190, event, lost, start))

    full, gaps = told(whole).evidence, told(some_lost).evidence
    for evidence in (full, gaps):
        assert f"{sign}_min" in evidence.numbers
        assert evidence.window_s >= 60 * minutes
    assert full.missing_share == 0
    assert full.readings == full.window_s / 30 + 1
    assert gaps.missing_share == pytest.approx(0.25, abs=0.06)
    assert gaps.readings == pytest.approx(0.75 * (gaps.window_s / 30 + 1), abs=2)
    if full.threshold is not None:
        assert full.value is not None
        assert full.value > full.threshold or sign == "misfit"
    if sign == "misfit":
        assert full.value is not None
        assert full.threshold == 0.5
        assert full.value < 0.5
    if sign == "zero_in_daytime":
        assert full.value == 0
        assert full.baseline is not None
        assert full.baseline >= 30


def test_a_hanging_sensor_tells_its_readings_and_what_is_missing() -> None:
    full = raised(Rule.STUCK, feed(road(1), 190, frozen, whole)).evidence
    gaps = raised(Rule.STUCK, feed(road(1), 190, frozen, some_lost)).evidence
    assert (full.readings, full.missing_share, full.value) == (31, 0, 88.0)
    assert full.numbers["unchanged_min"] >= full.numbers["limit_min"]
    assert gaps.missing_share == pytest.approx(0.25, abs=0.03)
    assert gaps.readings == 24


def test_a_jam_tells_its_readings_and_what_is_missing() -> None:
    full = raised(Rule.CONGESTION, feed(road(1), 190, jam, whole)).evidence
    gaps = raised(Rule.CONGESTION, feed(road(1), 190, jam, some_lost)).evidence
    assert (full.readings, full.missing_share) == (10, 0)
    assert 0.1 <= gaps.missing_share <= 0.3
    assert gaps.readings == round(10 * (1 - gaps.missing_share))
    for evidence in (full, gaps):
        assert evidence.value is not None
        assert evidence.threshold is not None
        assert evidence.value < evidence.threshold


def test_half_minutes_without_a_vehicle_are_not_missing() -> None:
    def thin(i: int, k: int, v: Values) -> Values:
        return jam(i, k, v) if i % 3 else (np.nan, 0.0, 0.0)

    found = raised(Rule.CONGESTION, feed(road(1), 190, thin, whole)).evidence
    assert found.readings < 10
    assert found.missing_share == 0


def test_an_incident_tells_the_readings_of_both_stations_and_what_is_missing() -> None:
    full = raised(Rule.INCIDENT, feed(road(4), 190, blocked, whole, stations=4)).evidence
    gaps = raised(
        Rule.INCIDENT, feed(road(4), 190, blocked, lambda i: i == 101, stations=4)
    ).evidence
    assert full.missing_share == 0
    assert full.readings == 2 * full.window_s / 30
    assert gaps.missing_share > 0
    assert gaps.readings == round((1 - gaps.missing_share) * 2 * gaps.window_s / 30)
    for evidence in (full, gaps):
        assert evidence.value is not None
        assert evidence.threshold is not None
        assert evidence.value <= evidence.threshold


def test_a_silent_station_has_no_reading_and_all_are_missing() -> None:
    core = road(1)
    feed(core, 100, lambda _, __, v: v, whole)
    (found,) = core.tick(MORNING_US + 100 * STEP_US + HOUR_US)
    evidence = found.evidence
    assert found.rule is Rule.SILENT
    assert (evidence.readings, evidence.missing_share) == (0, 1.0)
    assert evidence.value is not None
    assert evidence.threshold is not None
    assert evidence.value > evidence.threshold


def test_what_ends_a_fault_tells_its_own_readings() -> None:
    def passing(i: int, k: int, v: Values) -> Values:
        return locked(i, k, v) if i < 140 else v

    told = feed(road(1), 190, passing, lambda i: i == 150)
    (over,) = [c for c in told if c.change is Change.CLEAR and c.rule is Rule.SENSOR_FAULT]
    assert over.evidence.window_s == 600
    assert over.evidence.readings == 20
    assert over.evidence.missing_share == pytest.approx(1 / 21, abs=1e-3)
