"""The year with holidays: its calendar, what homes do in it, the change of clocks, and how its weeks are counted."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np

from benchmarks.bench_holidays import figures, write_year
from services.detect.scoring.alert_lines import AlertLine
from services.detect.scoring.case_files import read_truth
from services.detect.scoring.matching import match
from services.domain.instant import DAY_US
from simulators.water.households import DAY_MIN, Household
from simulators.water.year import HolidayYear

YEAR = HolidayYear(2025, seed=3)


def test_holidays_are_where_calendars_have_them_and_whole_weeks_count() -> None:
    def day(month: int, of_month: int) -> int:
        return (date(2025, month, of_month) - date(2025, 1, 1)).days

    assert YEAR.public[day(12, 25)]
    assert not YEAR.public[day(12, 24)]
    assert YEAR.school[day(8, 1)]
    moving = [int(n) for n in np.flatnonzero(YEAR.public) if 80 < n < 110]
    assert [(date(2025, 1, 1) + timedelta(days=n)).weekday() for n in moving] == [4, 0]
    assert YEAR.holiday[day(4, 28) : day(5, 5)].all(), "the first of May is a Thursday"
    assert not YEAR.holiday[day(5, 12) : day(5, 19)].any()
    again, other = HolidayYear(2025, seed=3), HolidayYear(2025, seed=4)
    assert (again.holiday == YEAR.holiday).all()
    assert (other.public != YEAR.public).any() or (other.festival != YEAR.festival).any()


def test_a_restful_day_begins_late_and_a_festival_has_no_night() -> None:
    there, restful = np.ones(40), np.zeros(40, np.bool_)
    restful[20:] = True
    late = np.zeros((40, 24))
    late[39, :4] = 1.0
    draw = np.random.default_rng(1)
    home = (
        Household(4)
        .litres(0, there, draw, restful=restful, late=late)
        .reshape(40, 24, 60)
        .sum(axis=2)
    )
    workdays = np.arange(40) % 7 < 5
    early = home[:, 6:8].sum(axis=1)
    assert early[:20][workdays[:20]].mean() > 2 * early[20:][workdays[20:]].mean()
    assert home[39, :4].sum() > 3 * home[:39, :4].sum(axis=1).mean()


def test_the_clock_leaves_an_hour_out_in_spring_and_repeats_one_in_autumn() -> None:
    minute = np.arange(YEAR.days * DAY_MIN, dtype=np.float64)
    lived = YEAR.by_clock(minute, "Europe/Berlin")
    steps = np.diff(lived[: 364 * DAY_MIN])
    assert sorted(set(steps.tolist())) == [-59.0, 1.0, 61.0]
    spring, autumn = int(np.flatnonzero(steps == 61)[0]), int(np.flatnonzero(steps == -59)[0])
    assert lived[spring + 1] % DAY_MIN == 3 * 60, "at 2 it is 3"
    assert lived[autumn + 1] % DAY_MIN == 2 * 60, "at 3 it is 2"


def test_false_alarms_and_leaks_are_counted_in_the_weeks_in_which_they_are(tmp_path: Path) -> None:
    made = write_year(tmp_path, homes=4, seed=1)
    truth = read_truth(tmp_path)
    in_holidays = [
        bool(made.year.holiday[(e.start_us - made.start_us) // DAY_US]) for e in truth.events
    ]
    assert in_holidays == [True, False]
    august = made.start_us + 220 * DAY_US
    found = AlertLine("H000", "leak", "leak", truth.events[0].start_us + DAY_US)
    ordinary, holidays = figures(
        made, match(truth, [AlertLine("H003", "leak", "leak", august), found]), 4
    )
    assert ordinary[2:5] == [0, 0.0, "0 of 1"]
    assert holidays[2] == 1
    assert holidays[4:] == ["1 of 1", 24.0]
    assert int(str(ordinary[1])) + int(str(holidays[1])) == 4 * (365 - 63)
