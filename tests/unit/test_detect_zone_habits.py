"""What a zone's habit must stand: weekends of their own, repairs, a second leak, silent and unmetered customers."""

from __future__ import annotations

import numpy as np
import pytest

from services.domain.condition import Change, Condition, Rule
from services.domain.sensor import Sensor
from tests.unit.test_detect_zones import WEEK_H, district, feed, hours_after, inlet, metered

_TOLD = (Change.RAISE, Change.WORSEN)


def of_the_zone(sensors: list[Sensor], columns: list[np.ndarray]) -> list[Condition]:
    return [c for c in feed(sensors, columns) if c.subject == "I"]


def leaks(flow: np.ndarray) -> list[Condition]:
    return [c for c in feed([inlet()], [flow]) if c.rule is Rule.ZONE_LEAK]


@pytest.mark.parametrize("share", [0.55, 1.45])
def test_weekends_that_use_far_less_or_more_are_no_burst_and_no_leak(share: float) -> None:
    flow = district(12, noise=0.01)
    flow[np.arange(len(flow)) // 24 % 7 >= 5] *= share
    assert feed([inlet()], [flow]) == []


def test_a_leak_that_was_part_of_the_habit_is_repaired_and_the_next_one_is_found() -> None:
    flow = district(12)
    flow[: 6 * WEEK_H] += 3000.0
    begin = 9 * WEEK_H
    flow[begin:] += 1200.0
    (raised,) = [c for c in leaks(flow) if c.change is Change.RAISE]
    assert 24 < hours_after(raised, begin) <= 120
    assert raised.evidence.numbers["leak_litres_per_h"] == pytest.approx(1200, rel=0.35)


@pytest.mark.parametrize("seed", range(3))
def test_after_the_repair_of_a_long_leak_that_ran_most_at_night_nothing_is_told(seed: int) -> None:
    flow = district(16, seed)
    begin, end = 4 * WEEK_H, 12 * WEEK_H
    pressed = 1.0 - 0.12 * (flow / flow.mean() - 1.0)
    flow[begin:end] += 3000.0 * pressed[begin:end]
    flow *= 1.0 + 0.001 * np.arange(len(flow)) / 24
    (raised,) = [c for c in leaks(flow) if c.change is Change.RAISE]
    assert hours_after(raised, begin) <= 96


def test_a_second_leak_on_top_of_the_first_is_told_once() -> None:
    flow = district(10)
    first, second = 4 * WEEK_H, 7 * WEEK_H
    flow[first:] += 1000.0
    flow[second:] += 1200.0
    raised, further = [c for c in leaks(flow) if c.change in _TOLD]
    assert raised.change is Change.RAISE
    assert further.change is Change.WORSEN
    assert 24 < hours_after(further, second) <= 96
    assert further.evidence.numbers["further_litres_per_h"] == pytest.approx(1200, rel=0.35)
    assert further.evidence.numbers["leak_litres_per_h"] == pytest.approx(2200, rel=0.35)


def test_a_customer_who_falls_silent_is_no_leak() -> None:
    sensors, columns = metered(6, 20)
    columns[3] = columns[3] * 3.0
    columns[0] = columns[0] + columns[3] * 2.0 / 3.0
    columns[3][3 * WEEK_H :] = np.nan
    assert of_the_zone(sensors, columns) == []


@pytest.mark.parametrize("seed", range(2))
def test_homes_without_a_meter_are_no_leak(seed: int) -> None:
    sensors, columns = metered(8, 16)
    random = np.random.default_rng(seed)
    hour = np.arange(8 * WEEK_H) % 24
    awake = np.where((hour >= 7) & (hour < 22), 1.0, 0.05)
    unseen = (random.random(len(hour)) < 0.4 * awake) * random.gamma(1.2, 25.0, len(hour))
    columns[0] = columns[0] + unseen
    assert of_the_zone(sensors, columns) == []
    columns[0][5 * WEEK_H :] += 90.0
    (raised,) = [c for c in of_the_zone(sensors, columns) if c.change is Change.RAISE]
    assert hours_after(raised, 5 * WEEK_H) <= 24
