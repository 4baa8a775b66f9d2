"""The rules for zones, each on a small district: what raises it, what does not, how much is lost, when it clears."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Condition, Rule
from services.domain.instant import HOUR_US
from services.domain.sensor import Sensor
from tests.oracles.feeds import START_US, batch

WEEK_H = 7 * 24


def district(weeks: int, seed: int = 1, noise: float = 0.02) -> np.ndarray:
    """L/h by hour: nights of 40 % of the mean, weekends of their own, a red noise of demand."""
    random = np.random.default_rng(seed)
    hour = np.arange(weeks * WEEK_H)
    shape = 1.0 - 0.6 * np.cos((hour % 24 - 3) / 24 * 2 * np.pi)
    shape *= np.where((hour // 24) % 7 >= 5, 1.08, 1.0)
    red = np.zeros(len(hour))
    for i, shock in enumerate(random.normal(0, noise, len(hour))):
        red[i] = 0.7 * red[i - 1] + shock if i else shock
    return 10_000.0 * shape * (1.0 + red)


def feed(sensors: list[Sensor], columns: list[np.ndarray]) -> list[Condition]:
    """Flows of the sensors hour by hour through a core; NaN is an hour without a reading."""
    core = Core(DetectorSettings(), list(enumerate(sensors)))
    out: list[Condition] = []
    for hour in range(len(columns[0])):
        at = START_US + (hour + 1) * HOUR_US
        rows = [(i, column[hour]) for i, column in enumerate(columns) if np.isfinite(column[hour])]
        numbers, values = [i for i, _ in rows], [value for _, value in rows]
        whole = batch(Domain.WATER, numbers, [at] * len(rows), flow_litres_per_h=values)
        out += [c for c in core.step(whole, at) if c.rule is not Rule.SILENT]
    return out


def inlet(name: str = "I", zone: str | None = None) -> Sensor:
    return Sensor(name, SensorKind.DMA_INLET, zone=zone, cadence_s=3600)


def hours_after(condition: Condition, hour: int) -> float:
    return (condition.at_us - START_US) / HOUR_US - hour


SEEDS = range(4)


@cache
def said_of_ordinary_districts() -> list[Condition]:
    """Of all of them, each a zone of its own."""
    zones = [inlet(f"I{seed}", f"Z{seed}") for seed in SEEDS]
    return feed(zones, [district(10, seed) for seed in SEEDS])


@pytest.mark.parametrize("seed", SEEDS)
def test_an_ordinary_district_is_left_in_peace(seed: int) -> None:
    assert [c for c in said_of_ordinary_districts() if c.subject == f"I{seed}"] == []


def test_a_leak_is_told_within_days_with_its_litres_and_clears_with_the_repair() -> None:
    flow = district(10)
    begin, end = 5 * WEEK_H + 30, 7 * WEEK_H + 40
    flow[begin:end] += 900.0
    conditions = [c for c in feed([inlet()], [flow]) if c.rule is Rule.ZONE_LEAK]
    assert [c.change for c in conditions if c.change is not Change.UPDATE] == [
        Change.RAISE,
        Change.CLEAR,
    ]
    raised, over = conditions[0], conditions[-1]
    assert 24 < hours_after(raised, begin) <= 96
    assert raised.evidence.numbers["leak_litres_per_h"] == pytest.approx(900, rel=0.35)
    assert 24 < hours_after(over, end) <= 120
    assert over.onset_us == raised.onset_us
    assert over.evidence.numbers["litres_so_far"] == pytest.approx(900 * (end - begin), rel=0.45)


def test_a_holiday_is_no_leak() -> None:
    flow = district(8)
    day = slice(6 * WEEK_H + 48, 6 * WEEK_H + 72)
    flow[day] = flow[6 * WEEK_H - 24 : 6 * WEEK_H]
    assert feed([inlet()], [flow]) == []


def test_the_flushing_of_a_hydrant_is_no_burst() -> None:
    flow = district(6)
    flow[5 * WEEK_H + 34 : 5 * WEEK_H + 36] += 3000.0
    assert feed([inlet()], [flow]) == []


def test_a_season_that_moves_all_hours_alike_is_no_leak() -> None:
    flow = district(14, noise=0.01)
    flow *= 1.0 + 0.06 * np.sin(np.arange(len(flow)) / len(flow) * 2 * np.pi)
    assert feed([inlet()], [flow]) == []


def test_gaps_neither_raise_nor_hide_a_leak() -> None:
    flow = district(8)
    flow[4 * WEEK_H : 4 * WEEK_H + 60] = np.nan
    flow[np.random.default_rng(2).random(len(flow)) < 0.03] = np.nan
    assert feed([inlet()], [flow]) == []
    begin = 6 * WEEK_H
    flow[begin:] += 1200.0
    (raised,) = [
        c for c in feed([inlet()], [flow]) if c.rule is Rule.ZONE_LEAK and c.change is Change.RAISE
    ]
    assert hours_after(raised, begin) <= 120


def test_what_leaves_through_an_outlet_is_no_leak_of_the_zone() -> None:
    flow = district(8)
    through = np.zeros(len(flow))
    through[6 * WEEK_H :] = 2500.0
    sensors = [inlet("I", "Z"), Sensor("O", SensorKind.DMA_OUTLET, zone="Z", cadence_s=3600)]
    assert feed(sensors, [flow + through, through]) == []
    assert feed([inlet("I", "Z")], [flow + through]) != []


def test_two_inlets_of_a_zone_that_share_anew_are_no_leak() -> None:
    flow = district(8)
    share = np.where(np.arange(len(flow)) < 6 * WEEK_H, 0.5, 0.8)
    assert feed([inlet("A", "Z"), inlet("B", "Z")], [flow * share, flow * (1 - share)]) == []


def metered(weeks: int, count: int = 12) -> tuple[list[Sensor], list[np.ndarray]]:
    random = np.random.default_rng(5)
    homes = [random.gamma(0.8, 25.0, weeks * WEEK_H) for _ in range(count)]
    sensors = [inlet("I", "Z")] + [
        Sensor(f"M{i}", SensorKind.WATER_METER, zone="Z", cadence_s=3600) for i in range(count)
    ]
    entry = np.sum(homes, axis=0) * random.normal(1.0, 0.01, weeks * WEEK_H) + 20.0
    return sensors, [entry, *homes]


def test_the_balance_of_a_metered_zone_finds_a_small_leak_in_hours() -> None:
    sensors, columns = metered(5)
    assert [c for c in feed(sensors, columns) if c.subject == "I"] == []
    begin, end = 3 * WEEK_H + 13, 4 * WEEK_H
    columns[0][begin:end] += 50.0
    said = [c for c in feed(sensors, columns) if c.subject == "I"]
    raised, over = (c for c in said if c.change is not Change.UPDATE)
    assert (raised.change, over.change) == (Change.RAISE, Change.CLEAR)
    assert 3 <= hours_after(raised, begin) <= 12
    assert raised.evidence.numbers["leak_litres_per_h"] == pytest.approx(50, rel=0.3)
    assert over.evidence.numbers["litres_so_far"] == pytest.approx(50 * (end - begin), rel=0.3)
    assert 0 <= hours_after(over, end) <= 12


def test_more_use_by_customers_is_no_leak_in_the_balance() -> None:
    sensors, columns = metered(5)
    columns[3][3 * WEEK_H :] += 80.0
    columns[0][3 * WEEK_H :] += 80.0
    assert [c for c in feed(sensors, columns) if c.subject == "I"] == []


def late_risers(weeks: int, holidays: tuple[int, ...]) -> np.ndarray:
    """L/h of homes that rise at 6 h on working days, and at 9 h, all together, at weekends and on holidays."""
    random = np.random.default_rng(11)
    work = np.array([4.0] * 6 + [14, 18, 14] + [9.0] * 9 + [13, 15, 13] + [7.0] * 3)
    rest = np.array([4.0] * 8 + [12, 19, 19, 16] + [11.0] * 6 + [13, 14, 13] + [8.0] * 3)
    days = [rest if day % 7 >= 5 or day in holidays else work for day in range(weeks * 7)]
    return 1000.0 * np.concatenate(days) * (1.0 + random.normal(0, 0.02, weeks * WEEK_H))


def test_a_public_holiday_is_no_burst_and_hides_none() -> None:
    holiday = 7 * 7 + 2
    flow = late_risers(8, (holiday,))
    assert feed([inlet()], [flow]) == []
    flow[holiday * 24 + 9 :] += 5_000.0
    told = [c for c in feed([inlet()], [flow]) if c.rule is Rule.BURST]
    assert 0 < hours_after(told[0], holiday * 24 + 9) <= 9
