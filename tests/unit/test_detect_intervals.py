"""Registers become consumption; rollover, exchange, backflow and wrong values are told apart and never alarm."""

from __future__ import annotations

import math

import numpy as np
import pytest

from services.detect.windows.blocks import Finished, HourBlocks
from services.detect.windows.intervals import Intervals, MeterIntervals
from services.domain.instant import DAY_US, HOUR_US
from services.domain.register import MeterEvent
from tests.oracles.feeds import START_US

ROW = np.array([0])
NAN = np.array([math.nan])
NONE = np.zeros(1)


def take(window: MeterIntervals, hour: float, register: float) -> Intervals:
    at = np.array([START_US + round(hour * HOUR_US)])
    return window.step(ROW, at, np.array([register]), NAN, NAN)


@pytest.fixture
def window() -> MeterIntervals:
    """A meter that has counted 10 L an hour for a day, up to 1230 L."""
    window = MeterIntervals()
    window.table.add(1)
    for hour in range(24):
        take(window, hour, 1000.0 + 10 * hour)
    return window


def test_differences_are_consumption_and_the_cadence_and_resolution_are_learned(
    window: MeterIntervals,
) -> None:
    got = take(window, 24, 1242.0)
    assert (got.litres[0], got.hours[0], bool(got.gap[0])) == (12.0, 1.0, False)
    assert window.table["cadence_us"][0] == pytest.approx(HOUR_US, rel=0.02)
    assert window.table["resolution"][0] == pytest.approx(10.0)


def test_a_gap_is_one_interval_and_known_as_such(window: MeterIntervals) -> None:
    got = take(window, 33, 1250.0)
    assert (got.litres[0], got.hours[0], bool(got.gap[0])) == (20.0, 10.0, True)


@pytest.mark.parametrize(
    ("before", "after", "event", "litres"),
    [
        (99_995.0, 7.0, MeterEvent.ROLLOVER, 12.0),
        (999_999.0, 0.0, MeterEvent.ROLLOVER, 1.0),
        (5_000.0, 4_980.0, MeterEvent.BACKFLOW, -20.0),
        (50_000.0, 3.0, MeterEvent.EXCHANGE, math.nan),
        (1_230.0, 1e12, MeterEvent.JUMP, math.nan),
        (50_000.0, 20_000.0, MeterEvent.EXCHANGE, math.nan),
    ],
)
def test_what_a_register_does_besides_counting(
    before: float, after: float, event: MeterEvent, litres: float
) -> None:
    window = MeterIntervals()
    window.table.add(1)
    take(window, 0, before)
    got = take(window, 1, after)
    assert MeterEvent(int(got.event[0])) is event
    assert got.litres[0] == pytest.approx(litres, nan_ok=True)
    follows = take(window, 2, after + 5)
    assert follows.litres[0] == pytest.approx(5.0)
    assert follows.event[0] == MeterEvent.NONE


def test_late_readings_do_not_enter_and_the_next_difference_covers_them(
    window: MeterIntervals,
) -> None:
    late = take(window, 12.5, 1125.0)
    assert late.late[0]
    assert math.isnan(late.litres[0])
    assert take(window, 24, 1240.0).litres[0] == 10.0


def test_a_clock_that_was_a_month_ahead_is_left_after_three_readings(
    window: MeterIntervals,
) -> None:
    take(window, 24 * 60, 1240.0)
    late = [bool(take(window, 24 + i, 1240.0 + i).late[0]) for i in range(4)]
    assert late == [True, True, False, False]


def test_reported_volumes_and_rates_are_taken_where_there_is_no_register() -> None:
    window = MeterIntervals()
    window.table.add(1)
    for hour in range(5):
        at = np.array([START_US + hour * HOUR_US])
        got = window.step(ROW, at, NAN, np.array([7.0]), NAN)
    assert (got.litres[0], got.hours[0]) == (7.0, 1.0)
    got = window.step(ROW, np.array([START_US + 5 * HOUR_US]), NAN, NAN, np.array([30.0]))
    assert got.litres[0] == pytest.approx(30.0)
    got = window.step(ROW, np.array([START_US + DAY_US]), NAN, np.array([8.0]), NAN)
    assert got.hours[0] == pytest.approx(1.0, rel=0.1), (
        "a volume stands for its own interval, not for the gap"
    )


def test_quarters_of_an_hour_add_up_to_blocks_of_an_hour() -> None:
    window, blocks = MeterIntervals(), HourBlocks()
    for table in (window.table, blocks.table):
        table.add(1)
    done = []
    for quarter in range(9):
        full = blocks.step(take(window, quarter / 4, 100.0 + quarter), NONE)
        done += list(zip(full.start_us, full.end_us, full.litres, full.hours, strict=True))
        assert (full.readings == 4).all()
    assert done == [
        (START_US, START_US + HOUR_US, 4.0, 1.0),
        (START_US + HOUR_US, START_US + 2 * HOUR_US, 4.0, 1.0),
    ]


def test_an_unknown_interval_breaks_the_block() -> None:
    window, blocks = MeterIntervals(), HourBlocks()
    for table in (window.table, blocks.table):
        table.add(1)
    for quarter, register in enumerate([90_000.0, 90_001.0, 90_002.0, 3.0, 4.0, 5.0, 6.0]):
        assert blocks.step(take(window, quarter / 4, register), NONE).at.size == 0
    full = blocks.step(take(window, 7 / 4, 7.0), NONE)
    assert (full.at.size, full.litres[0]) == (1, 4.0)


def test_a_stretch_without_a_step_bounds_what_can_be_leaking() -> None:
    window, blocks = MeterIntervals(), HourBlocks()
    for table in (window.table, blocks.table):
        table.add(1)

    def hour(first: int, steps: list[float]) -> Finished:
        for k, litres in enumerate(steps):
            registers[0] += litres
            taken = take(window, (first + k) / 4, registers[0])
            full = blocks.step(taken, window.table["resolution"][ROW])
        return full

    registers = [100.0]
    blocks.step(take(window, 0.0, 100.0), window.table["resolution"][ROW])
    steady = hour(1, [1.0, 1.0, 1.0, 1.0])
    assert (steady.rested[0], steady.zero[0], steady.least[0]) == (False, False, pytest.approx(4.0))
    seldom = hour(5, [0.0, 1.0, 0.0, 1.0])
    assert (seldom.rested[0], seldom.least[0]) == (False, pytest.approx(2.0)), "2 L/h do this"
    uses = hour(9, [9.0, 0.0, 0.0, 0.0])
    assert (uses.rested[0], uses.zero[0]) == (True, False), "no leak stands still for 45 minutes"
    assert uses.least[0] == pytest.approx(1.0 / 0.75)
    nothing = hour(13, [0.0, 0.0, 0.0, 0.0])
    assert (nothing.rested[0], nothing.zero[0], nothing.least[0]) == (True, True, 0.0)
