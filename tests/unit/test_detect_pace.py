"""The newest credible time of a feed: it follows the many, whoever speaks first and whatever one clock says."""

from __future__ import annotations

import numpy as np
import pytest

from services.detect.pace import BIN_US, Pace, words
from services.domain.instant import DAY_US, HOUR_US, SECOND_US
from tests.oracles import clocks
from tests.oracles.clocks import Said, pace_of, state
from tests.oracles.feeds import START_US

YEAR_US = 365 * DAY_US


def road() -> Pace:
    return pace_of(10, BIN_US)


def ends(pace: Pace, readings: list[tuple[int, int]], size: int = 1) -> list[int]:
    """The ends of bins, in seconds since the start; readings are (seconds, sensor), `size` of them in a batch."""
    at_us = [START_US + second * SECOND_US for second, _ in readings]
    said = [Said(who, at, at) for at, (_, who) in zip(at_us, readings, strict=True)]
    return clocks.ends(pace, said, range(0, len(said), size))


def feed(minutes: int, sensors: int = 4) -> list[tuple[int, int]]:
    return [(30 * i + k, k) for i in range(2 * minutes) for k in range(sensors)]


def test_bins_end_once_each_however_the_feed_is_cut() -> None:
    readings = feed(10)
    expected = [30 * i for i in range(1, 20)]
    for size in (1, 3, 7, len(readings)):
        assert ends(road(), readings, size) == expected


def test_a_first_reading_from_the_future_does_not_stall_the_looks() -> None:
    wrong = (YEAR_US // SECOND_US, 9)
    for size in (1, 5, 100):
        found = ends(road(), [wrong, *feed(10)], size)
        assert found == [30 * i for i in range(1, 20)]


def test_the_wrong_clock_may_go_on_speaking() -> None:
    readings = [
        r
        for i, r in enumerate(feed(10))
        for r in ([(YEAR_US // SECOND_US + i, 9), r] if i % 3 == 0 else [r])
    ]
    assert ends(road(), readings, 11) == [30 * i for i in range(1, 20)]


def test_what_is_late_does_not_turn_back_a_clock_that_two_have_confirmed() -> None:
    pace = road()
    assert ends(pace, feed(5)) == [30 * i for i in range(1, 10)]
    late = [(-int(DAY_US / SECOND_US) + 30 * i, k) for i in range(20) for k in range(4)]
    assert ends(pace, late) == []
    assert ends(pace, [(300, 0), (330, 1)]) == [300, 330]


def test_a_feed_of_one_sensor_has_bins() -> None:
    assert ends(road(), [(30 * i, 0) for i in range(8)]) == [60, 90, 120, 150, 180, 210]


def test_a_restart_does_not_bring_the_wrong_clock_back() -> None:
    early, later = road(), road()
    ends(early, [(YEAR_US // SECOND_US, 9)])
    ends(later, [(YEAR_US // SECOND_US, 9), *feed(3)])
    for order in ((early, later), (later, early)):
        restored = road()
        for each in order:
            restored.restore(each.facts())
        assert restored.clock_us < START_US + HOUR_US
        assert restored.facts() == later.facts()


def city(
    hours: range, sound: int = 6, wrong: int = 5, ahead_h: int = 87_600
) -> list[tuple[int, int]]:
    """Hourly readings: a gateway of sensors with a wrong clock, one after the other, and then sound ones."""
    out = []
    for h in hours:
        out += [(3600 * (h + ahead_h), 10 + k) for k in range(wrong) if h > 0]
        out += [(3600 * h, k) for k in range(sound)]
    return out


def now_h(pace: Pace) -> float:
    return (pace.clock_us - START_US) / HOUR_US


@pytest.mark.parametrize("ahead_h", [2, 30, 87_600])
@pytest.mark.parametrize("size", [1, 4, 1000])
def test_a_gateway_with_a_wrong_clock_is_not_believed_against_the_many(
    ahead_h: int, size: int
) -> None:
    pace = pace_of(15)
    assert ends(pace, city(range(30), ahead_h=ahead_h), size) == [3600 * h for h in range(1, 30)]
    assert now_h(pace) == 29


def test_an_outage_ends_at_once_where_most_come_back_whatever_wrong_clocks_say() -> None:
    pace = pace_of(15)
    ends(pace, city(range(30)))
    ends(pace, city(range(100, 101)))
    assert now_h(pace) == 100


def test_an_outage_ends_when_few_that_came_back_have_gone_on_for_hours() -> None:
    pace = pace_of(15)
    ends(pace, city(range(30), wrong=0))
    back = city(range(100, 110), sound=2, wrong=0)
    ends(pace, back[:6])
    assert now_h(pace) == 29, "four that are silent might still go on where the clock stood"
    ends(pace, back[6:])
    assert now_h(pace) == 109


def test_those_that_go_on_turn_a_clock_back_that_few_have_set() -> None:
    for size in (1, 7):
        pace = pace_of(15)
        ends(pace, city(range(30), wrong=0))
        ends(pace, city(range(30, 45), sound=0), size)
        assert now_h(pace) == 44 + 87_600
        ends(pace, city(range(45, 50), wrong=0), size)
        assert now_h(pace) == 49
        ends(pace, city(range(50, 60)), size)
        assert now_h(pace) == 59


@pytest.mark.parametrize("pause_h", [1, 2, 5, 24, 100])
def test_a_lone_sensor_is_believed_after_every_pause(pause_h: int) -> None:
    pace = pace_of(1)
    for i in range(1, 12):
        ends(pace, [(3600 * pause_h * i, 0)])
        assert now_h(pace) == pause_h * i


def test_after_an_outage_the_first_that_is_heard_in_time_is_believed() -> None:
    """As the live service hears it: the receipt agrees with the reading's own time."""
    pace = pace_of(6)
    ends(pace, city(range(30), wrong=0))
    at_us = START_US + 50 * HOUR_US
    clocks.ends(pace, [Said(2, at_us, at_us + SECOND_US)])
    assert now_h(pace) == 50


def test_an_old_archive_does_not_turn_back_a_clock_that_receipts_vouch_for() -> None:
    pace = pace_of(3)
    now = [START_US + h * HOUR_US for h in range(5)]
    clocks.ends(pace, [Said(0, at, at + SECOND_US) for at in now])
    before = state(pace)
    archive = [Said(k, at - 300 * DAY_US, now[-1] + SECOND_US) for at in now for k in range(3)]
    clocks.ends(pace, archive, range(0, len(archive), 4))
    assert state(pace) == before


def test_what_a_reading_says_of_the_time_is_bounded_by_its_receipt() -> None:
    at = np.array([0, 0, 0, HOUR_US, 0])
    received = np.array([0, 1, HOUR_US + 1, 5, -DAY_US])
    said_us, vouched = words(at, received)
    assert said_us.tolist() == [0, 0, 0, 5, -DAY_US]
    assert vouched.tolist() == [False, True, False, True, True]
