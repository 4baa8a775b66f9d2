"""The newest credible time of a feed: it follows the many, whoever speaks first and whatever one clock says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from services.detect.pace import Pace
from services.domain.instant import DAY_US, HOUR_US, SECOND_US
from tests.oracles.feeds import START_US

YEAR_US = 365 * DAY_US
BIN_US = 30 * SECOND_US


def ends(pace: Pace, readings: list[tuple[int, int]], size: int = 1) -> list[int]:
    """The ends of bins, in seconds since the start; readings are (seconds, sensor), `size` of them in a batch."""
    found = []
    for i in range(0, len(readings), size):
        part = readings[i : i + size]
        at = START_US + np.array([second for second, _ in part], np.int64) * SECOND_US
        rows = np.array([who for _, who in part], np.intp)
        seen = 0
        for segment, end_us in pace.segments(at, rows):
            assert segment.tolist() == list(range(seen, seen + len(segment)))
            seen += len(segment)
            if end_us is not None:
                found.append((end_us - START_US) // SECOND_US)
        assert seen == len(part)
    return found


def feed(minutes: int, sensors: int = 4) -> list[tuple[int, int]]:
    return [(30 * i + k, k) for i in range(2 * minutes) for k in range(sensors)]


def test_bins_end_once_each_however_the_feed_is_cut() -> None:
    readings = feed(10)
    expected = [30 * i for i in range(1, 20)]
    for size in (1, 3, 7, len(readings)):
        assert ends(Pace(), readings, size) == expected


def test_a_first_reading_from_the_future_does_not_stall_the_looks() -> None:
    wrong = (YEAR_US // SECOND_US, 9)
    for size in (1, 5, 100):
        found = ends(Pace(), [wrong, *feed(10)], size)
        assert found == [30 * i for i in range(1, 20)]


def test_the_wrong_clock_may_go_on_speaking() -> None:
    readings = [
        r
        for i, r in enumerate(feed(10))
        for r in ([(YEAR_US // SECOND_US + i, 9), r] if i % 3 == 0 else [r])
    ]
    assert ends(Pace(), readings, 11) == [30 * i for i in range(1, 20)]


def test_what_is_late_does_not_turn_back_a_clock_that_two_have_confirmed() -> None:
    pace = Pace()
    assert ends(pace, feed(5)) == [30 * i for i in range(1, 10)]
    late = [(-int(DAY_US / SECOND_US) + 30 * i, k) for i in range(20) for k in range(4)]
    assert ends(pace, late) == []
    assert ends(pace, [(300, 0), (330, 1)]) == [300, 330]


def test_a_feed_of_one_sensor_has_bins() -> None:
    assert ends(Pace(), [(30 * i, 0) for i in range(8)]) == [60, 90, 120, 150, 180, 210]


def test_a_restart_does_not_bring_the_wrong_clock_back() -> None:
    early, later = Pace(), Pace()
    ends(early, [(YEAR_US // SECOND_US, 9)])
    ends(later, [(YEAR_US // SECOND_US, 9), *feed(3)])
    for order in ((early, later), (later, early)):
        restored = Pace()
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
        out += [(3600 * (h + ahead_h), 100 + k) for k in range(wrong) if h > 0]
        out += [(3600 * h, k) for k in range(sound)]
    return out


def now_h(pace: Pace) -> float:
    return (pace.clock_us - START_US) / HOUR_US


@pytest.mark.parametrize("ahead_h", [2, 30, 87_600])
@pytest.mark.parametrize("size", [1, 4, 1000])
def test_a_gateway_with_a_wrong_clock_is_not_believed_against_the_many(
    ahead_h: int, size: int
) -> None:
    pace, alone = Pace(HOUR_US), Pace(HOUR_US)
    found = ends(pace, city(range(30), ahead_h=ahead_h), size)
    assert found == ends(alone, city(range(30), wrong=0)) == [3600 * h for h in range(1, 30)]
    assert now_h(pace) == 29


def test_an_outage_ends_at_once_where_most_come_back_whatever_wrong_clocks_say() -> None:
    pace = Pace(HOUR_US)
    ends(pace, city(range(30)))
    ends(pace, city(range(100, 101)))
    assert now_h(pace) == 100


def test_an_outage_ends_when_few_that_came_back_have_gone_on_for_hours() -> None:
    pace = Pace(HOUR_US)
    ends(pace, city(range(30), wrong=0))
    back = city(range(100, 110), sound=2, wrong=0)
    ends(pace, back[:8])
    assert now_h(pace) == 29, "four that are silent might still go on where the clock stood"
    ends(pace, back[8:])
    assert now_h(pace) == 109


def test_those_that_go_on_turn_a_clock_back_that_few_have_set() -> None:
    for size in (1, 7):
        pace = Pace(HOUR_US)
        ends(pace, city(range(30), wrong=0))
        ends(pace, city(range(30, 45), sound=0), size)
        assert now_h(pace) == 44 + 87_600
        ends(pace, city(range(45, 50), wrong=0), size)
        assert now_h(pace) < 50
        ends(pace, city(range(50, 60)), size)
        assert now_h(pace) == 59


def test_a_lone_sensor_that_speaks_every_second_hour_moves_the_clock() -> None:
    pace = Pace(HOUR_US)
    ends(pace, [(7200 * i, 0) for i in range(20)])
    assert now_h(pace) >= 34


def test_a_pace_goes_on_from_its_state_in_the_midst_of_a_claim() -> None:
    readings = city(range(40)) + city(range(100, 101)) + city(range(101, 130), sound=0)
    whole = Pace(HOUR_US)
    ends(whole, readings)
    for cut in (0, 70, 150, 333, 430, 440, 460):
        first, second = Pace(HOUR_US), Pace(HOUR_US)
        ends(first, readings[:cut])
        every = np.arange(first.rivals.table.n)
        second.rivals.reserve(len(every))
        second.rivals.table.put(every, first.rivals.table.take(every))
        second.restore(json.loads(json.dumps(first.facts())))
        ends(second, readings[cut:], 9)
        assert second.facts() == whole.facts()
