"""Travel time, delay and free speed of a road, by numbers that a person can check."""

import numpy as np
import pytest

from services.api.history import corridor

PLACES = np.array([0.0, 1000.0, 3000.0])


def test_a_station_stands_for_the_road_halfway_to_its_neighbours() -> None:
    assert corridor.lengths_m(PLACES).tolist() == [500.0, 1500.0, 1000.0]
    assert corridor.lengths_m(PLACES).sum() == 3000.0


def test_travel_time_is_the_sum_of_its_parts() -> None:
    speed = np.array([[90.0, 36.0], [90.0, 36.0], [90.0, 18.0]])
    seconds, share = corridor.travel_time_s(speed, PLACES)
    assert seconds.tolist() == pytest.approx([120.0, 50.0 + 150.0 + 200.0])
    assert share.tolist() == [1.0, 1.0]


def test_a_silent_station_is_interpolated_and_a_silent_road_unknown() -> None:
    speed = np.array([[36.0, np.nan], [np.nan, np.nan], [72.0, 72.0]])
    seconds, share = corridor.travel_time_s(speed, PLACES)
    between = (36.0 + 36.0 * 1000 / 3000) / 3.6
    assert seconds[0] == pytest.approx(50.0 + 1500 / between + 50.0)
    assert share.tolist() == pytest.approx([0.5, 1 / 3])
    assert np.isnan(seconds[1])


def test_a_standing_queue_takes_long_and_not_for_ever() -> None:
    seconds, _ = corridor.travel_time_s(np.zeros((3, 1)), PLACES)
    assert seconds[0] == pytest.approx(3600.0)


def test_free_speed_is_the_85th_percentile_of_what_was_measured() -> None:
    speed = np.array([np.arange(101.0), np.full(101, np.nan)])
    speed[0, 50] = np.nan
    free = corridor.free_speed(speed)
    assert free[0] == pytest.approx(np.nanpercentile(speed[0], 85))
    assert np.isnan(free[1])
