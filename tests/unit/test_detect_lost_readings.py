"""Readings that were lost on the way: the next one counts the vehicles of its own interval, and not of all since."""

from __future__ import annotations

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.windows.vehicles import Vehicles, own_us
from services.domain.catalogue import Domain, SensorKind
from services.domain.instant import HOUR_US, SECOND_US
from services.domain.sensor import Sensor
from tests.oracles.feeds import START_US, batch

STATIONS = 6
MINUTE_US = 60 * SECOND_US
NAN = np.nan


@pytest.mark.parametrize("step_s", [60, 300])
def test_free_traffic_of_which_every_tenth_message_is_lost_is_left_in_peace(step_s: int) -> None:
    """Without speeds: they are estimated of the vehicles that pass, so half of those is a jam."""
    random = np.random.default_rng(step_s)
    core = Core(
        DetectorSettings(),
        [
            (k, Sensor(f"S{k}", SensorKind.TRAFFIC_STATION, road="R", position_m=800.0 * k))
            for k in range(STATIONS)
        ],
    )
    steps = max(8 * 3600 // step_s, 120)
    count = random.poisson(1800 * step_s / 3600, (steps, STATIONS)).astype(float)
    speed = 104 + random.normal(0, 4, count.shape)
    occupancy = 100 * count * 6.0 / (speed / 3.6 * step_s) / 3
    rows = np.argwhere(random.random(count.shape) >= 0.1)
    at_us = START_US + 8 * HOUR_US + rows[:, 0] * step_s * SECOND_US
    conditions = core.step(
        batch(
            Domain.TRAFFIC, rows[:, 1].tolist(), at_us.tolist(),
            count_veh=count[tuple(rows.T)].tolist(), occupancy_pct=occupancy[tuple(rows.T)].tolist(),
        ),
        0,
    )  # fmt: skip
    assert conditions == []


def test_a_reading_stands_for_one_interval() -> None:
    dt_min = np.array([5, 7, 10, 60, 0, 0])
    cadence_min = np.array([5, 5, 5, 5, 5, 0])
    own = own_us(dt_min * MINUTE_US, cadence_min * float(MINUTE_US))
    np.testing.assert_array_equal(own, np.array([5, 7, 5, 5, 5, 0]) * MINUTE_US)


def test_vehicles_are_estimated_only_of_sensors_that_never_told_any() -> None:
    vehicles, rows = Vehicles(), np.arange(4)
    vehicles.table.add(4)
    hour = np.full(4, HOUR_US)
    told = vehicles.passed(
        rows, hour, np.array([900.0, NAN, NAN, NAN]), np.array([60.0, 60.0, NAN, NAN]),
        np.array([9.0, 9.0, 9.0, NAN]),
    )  # fmt: skip
    np.testing.assert_allclose(told, [900.0, 900.0, 1500.0, NAN])
    later = vehicles.passed(
        rows, hour, np.full(4, NAN), np.full(4, NAN), np.array([9.0, 9.0, 9.0, 40.0])
    )
    np.testing.assert_allclose(later, [NAN, 0.0, 1500.0, 40 / 9 * 1500])
