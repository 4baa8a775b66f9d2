"""The newest credible time of a feed: it follows the many, whoever speaks first and whatever one clock says."""

from __future__ import annotations

import numpy as np

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
