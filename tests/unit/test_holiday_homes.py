"""Simulated homes over the holidays: the empty ones use nothing, guests use more, and the truth says which."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from services.domain.instant import DAY_US, HOUR_US, parse_time, to_us
from simulators.scenario import WaterScenario, load_scenario
from simulators.water.calendar import Calendar
from simulators.water.homes import Homes
from simulators.water.model import WaterModel

HOMES = 40
DECEMBER_US = to_us(datetime(2025, 12, 20, tzinfo=UTC))
DAYS = 14


def by_day(calendar: Calendar | None) -> np.ndarray:
    """(DAYS, HOMES) litres of the days from 20 December on."""
    homes = Homes(HOMES, 120.0, "UTC", 3, calendar)
    hours = [homes.litres(DECEMBER_US + k * HOUR_US, HOUR_US) for k in range(DAYS * 24)]
    return np.array(hours).reshape(DAYS, 24, HOMES).sum(axis=1)


def test_who_is_away_uses_nothing_and_guests_use_more() -> None:
    calendar = Calendar(HOMES, 3, "UTC")
    there = np.array(
        [calendar.day(datetime(2025, 12, 20 + k, tzinfo=UTC).date())[0] for k in range(10)]
    )
    lived, plain = by_day(calendar)[:10], by_day(None)[:10]
    assert (there == 0).any()
    assert (there > 1).any()
    assert (lived[there == 0] == 0).all()
    assert lived[there > 1].sum() > 1.3 * plain[there > 1].sum()
    assert 0.8 < lived[there == 1].sum() / plain[there == 1].sum() < 1.25


@pytest.mark.parametrize("holidays", [True, False])
def test_the_truth_lists_absences_and_guests_of_the_simulated_time(holidays: bool) -> None:
    scenario = WaterScenario(homes=HOMES, cadence_s=3600, time_zone="UTC", holidays=holidays)
    model = WaterModel(scenario, 3, DECEMBER_US, DECEMBER_US)
    model.clock_us = DECEMBER_US + DAYS * DAY_US
    benign = model.truth()["benign"]
    assert isinstance(benign, list)
    calendar = Calendar(HOMES, 3, "UTC")
    told = np.ones((DAYS, HOMES), bool)
    for each in benign:
        first, last = ((parse_time(each[end]) - DECEMBER_US) // DAY_US for end in ("start", "end"))
        told[max(first, 0) : last, model.meters.index(each["series"][0])] = False
    days = [
        calendar.day(datetime.fromtimestamp((DECEMBER_US + k * DAY_US) / 1e6, UTC).date())[0]
        for k in range(DAYS)
    ]
    usual = np.array(days) == 1
    assert (told == (usual if holidays else True)).all()
    assert {each["kind"] for each in benign} == ({"vacation", "guests"} if holidays else set())


def test_the_shipped_scenario_has_holidays() -> None:
    scenario = load_scenario("holidays")
    assert scenario.water is not None
    assert scenario.water.holidays
