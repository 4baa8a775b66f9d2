"""Net inflow with storage: what a tank takes in or gives back is no leak; a leak is found beside it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Condition, Rule
from services.domain.instant import HOUR_US
from services.domain.sensor import Sensor
from tests.oracles.feeds import START_US, batch
from tests.unit.test_detect_zones import WEEK_H, district

AREA_M2 = 40.0
NIGHT_FILL = 4_000.0
"""L/h into the tank between 23 and 05 h, once it is operated so."""


def tank(area_m2: float | None = AREA_M2) -> Sensor:
    return Sensor("T", SensorKind.TANK_LEVEL, zone="Z", cadence_s=3600, area_m2=area_m2)


def pipe(name: str, kind: SensorKind = SensorKind.DMA_INLET) -> Sensor:
    return Sensor(name, kind, zone="Z", cadence_s=3600)


def feed(sensors: list[Sensor], columns: list[np.ndarray]) -> list[Condition]:
    """Flows in L/h by hour, or levels in m at the hours' ends, as one batch; NaN is a reading that never came."""
    hours, numbers = np.meshgrid(np.arange(len(columns[0])), np.arange(len(columns)), indexing="ij")
    values = np.stack(columns, axis=1)
    level = np.array([s.kind is SensorKind.TANK_LEVEL for s in sensors])[numbers]
    here = np.isfinite(values).ravel()
    whole: ReadingBatch = batch(
        Domain.WATER,
        numbers.ravel()[here],
        (START_US + (hours.ravel()[here] + 1) * HOUR_US),
        flow_litres_per_h=np.where(level, np.nan, values).ravel()[here],
        level_m=np.where(level, values, np.nan).ravel()[here],
    )
    core = Core(DetectorSettings(), list(enumerate(sensors)))
    return [c for c in core.step(whole, 0) if c.rule is not Rule.SILENT]


def filled(weeks: int, from_week: int) -> np.ndarray:
    """L/h into the tank: it fills at night and serves by day, from a week on (the pumps' new tariff)."""
    hour = np.arange(weeks * WEEK_H)
    night = (hour % 24 >= 23) | (hour % 24 < 5)
    return np.where(hour >= from_week * WEEK_H, np.where(night, NIGHT_FILL, -NIGHT_FILL / 3), 0.0)


def level_of(into: np.ndarray) -> np.ndarray:
    """Metres after each hour, read in centimetres."""
    return np.round(3.0 + np.cumsum(into) / 1000.0 / AREA_M2, 2)


def raised(said: list[Condition]) -> list[Condition]:
    return [c for c in said if c.change is Change.RAISE]


def test_a_tank_that_fills_at_night_is_no_leak_and_without_its_area_it_looks_like_one() -> None:
    flow, into = district(8), filled(8, 6)
    assert raised(feed([pipe("I"), tank()], [flow + into, level_of(into)])) == []
    assert raised(feed([pipe("I"), tank(None)], [flow + into, level_of(into)])) != []


def test_a_leak_beside_the_tank_is_found_with_its_litres() -> None:
    flow, into = district(8), filled(8, 3)
    begin = 6 * WEEK_H + 7
    leak = np.where(np.arange(len(flow)) >= begin, 900.0, 0.0)
    (found,) = raised(feed([pipe("I"), tank()], [flow + into + leak, level_of(into)]))
    assert found.rule is Rule.ZONE_LEAK
    assert found.at_us <= START_US + (begin + 96) * HOUR_US
    assert found.evidence.numbers["leak_litres_per_h"] == pytest.approx(900, rel=0.35)


def test_several_inlets_an_outlet_and_a_tank_make_one_net_inflow() -> None:
    flow, into = district(8), filled(8, 6)
    share = np.where(np.arange(len(flow)) < 6 * WEEK_H, 0.5, 0.8)
    through = np.where(np.arange(len(flow)) < 6 * WEEK_H, 0.0, 2500.0)
    entering = flow + into + through
    sensors = [pipe("A"), pipe("B"), pipe("O", SensorKind.DMA_OUTLET), tank()]
    columns = [entering * share, entering * (1 - share), through, level_of(into)]
    assert raised(feed(sensors, columns)) == []


@cache
def raised_with_silent(silent: str | None) -> list[Condition]:
    """What is raised of a zone with a leak when one part, or none, is silent from its beginning on."""
    flow, into = district(8), filled(8, 3)
    begin = 6 * WEEK_H
    flow[begin:] += 3000.0
    sensors = [pipe("A"), pipe("B"), pipe("O", SensorKind.DMA_OUTLET), tank()]
    columns = [0.5 * flow + into + 500, 0.5 * flow, np.full(len(flow), 500.0), level_of(into)]
    if silent is not None:
        columns[[s.id for s in sensors].index(silent)][begin:] = np.nan
    return raised(feed(sensors, columns))


@pytest.mark.parametrize("silent", ["A", "O", "T"])
def test_a_zone_of_which_one_part_is_silent_is_not_judged(silent: str) -> None:
    assert raised_with_silent(None) != []
    assert raised_with_silent(silent) == []


def test_holes_in_the_level_are_bridged_by_what_the_tank_holds_after_them() -> None:
    flow, into = district(8), filled(8, 3)
    level = level_of(into)
    level[np.random.default_rng(3).random(len(level)) < 0.1] = np.nan
    level[6 * WEEK_H : 6 * WEEK_H + 12] = np.nan
    assert raised(feed([pipe("I"), tank()], [flow + into, level])) == []
