"""Days and halves of days of seldom read meters: jitter, lost readings, and how many parts a day has."""

from __future__ import annotations

import numpy as np
import pytest

from services.detect.windows.blocks import Blocks
from services.detect.windows.day_parts import DayParts, Parts, parts_of_day
from services.domain.instant import HOUR_US

TWO = np.array([True])


def finished(ends_h: list[float], rates: list[float], every_h: float = 12) -> list[Parts]:
    """The parts of one meter whose blocks begin at 0 and end at the given hours."""
    days, out = DayParts(), []
    days.table.add(1)
    begin = 0.0
    for end, rate in zip(ends_h, rates, strict=True):
        hours = np.array([end - begin])
        no = np.zeros(1, np.bool_)
        block = Blocks(
            np.zeros(1, np.intp), np.array([round(begin * HOUR_US)]), np.array([round(end * HOUR_US)]),
            rate * hours, hours, no, no, hours, no, no, np.minimum(hours, every_h), np.ones(1, np.int32),
        )  # fmt: skip
        _, part = days.add(block, np.array([every_h]), TWO)
        if part is not None:
            out.append(part)
        begin = end
    return out


def test_a_day_ends_with_each_half_whatever_the_jitter() -> None:
    parts = finished([12, 24.6, 35.5, 48, 60.4], [10, 20, 10, 20, 10])
    assert [bool(part.half[0]) for part in parts] == [False, True, False, True, False]
    assert [round(float(part.day[0]), 1) for part in parts] == [10, 15.1, 15.4, 15.3, 15.0]
    assert [int(part.day_us[0] / HOUR_US) for part in parts] == [0, 0, 12, 24, 35]


def test_a_lost_reading_turns_no_half_around() -> None:
    lost_one = finished([12, 24, 48, 60], [10, 20, 15, 10])
    assert [bool(part.half[0]) for part in lost_one] == [False, True, True, False]
    assert [bool(part.long[0]) for part in lost_one] == [False, False, True, False]
    assert float(lost_one[2].day[0]) == 15
    lost_two = finished([12, 24, 60, 72], [10, 20, 14, 20])
    assert [bool(part.half[0]) for part in lost_two] == [False, True, False, True]


@pytest.mark.parametrize(
    ("every_h", "parts"), [(3, 2), (4, 2), (6, 2), (8, 1), (11.5, 2), (12, 2), (16, 1), (24, 1), (168, 1)]
)  # fmt: skip
def test_a_day_has_two_parts_where_readings_fill_its_half(every_h: float, parts: int) -> None:
    assert parts_of_day(np.array([every_h])) == [parts]


def test_finer_readings_fill_halves() -> None:
    parts = finished([6, 12, 18, 24], [1, 3, 5, 7], every_h=6)
    assert [float(part.rate[0]) for part in parts] == [2, 6]
    assert float(parts[1].day[0]) == 4
