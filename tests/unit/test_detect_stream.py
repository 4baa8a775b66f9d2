"""How a replay's time passes between the rows of the feed."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from services.detect.metrics import DetectMetrics
from services.detect.settings import Clock
from services.detect.stream import Stream
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain, SensorKind
from services.domain.sensor import Sensor
from services.store.feed import FeedRow, Position

HOUR_US = 3_600_000_000


class Recorder:
    """A core that only remembers when it was asked."""

    def __init__(self) -> None:
        self.ticks: list[int] = []
        self.believed_us = 1 << 62
        self.newest: dict[Domain, int] = {}

    def step(self, batch: ReadingBatch, now_us: int) -> list[Any]:
        newest = min(int(batch.observed_us.max()), self.believed_us)
        self.newest[batch.domain] = max(self.newest.get(batch.domain, 0), newest)
        return []

    def clock_us(self, domain: Domain) -> int:
        return self.newest[domain]

    def tick(self, now_us: int) -> list[Any]:
        self.ticks.append(now_us / HOUR_US)
        return []

    def newest_us(self, numbers: Any) -> Any:
        return np.zeros(len(numbers), np.int64)


def row(place: int, domain: Domain, hour: int) -> FeedRow:
    one = np.array([hour * HOUR_US])
    batch = ReadingBatch(domain, np.ones(1, np.int32), one, one, np.zeros(1, np.int16), {})
    return FeedRow(Position(1, place, place), batch)


def stream(
    clock: Clock, *rows: FeedRow, sensors: Sequence[Sensor] = ()
) -> tuple[Stream, list[int]]:
    core = Recorder()
    by_id = {sensor.id: sensor for sensor in sensors}
    roster: Any = SimpleNamespace(sensors=by_id, known=lambda batch: batch, core=core)
    made = Stream(roster, clock, DetectMetrics())
    made.feed(rows)
    return made, core.ticks


def ticks(clock: Clock, *rows: FeedRow) -> list[int]:
    return stream(clock, *rows)[1]


def test_the_streams_clock_is_asked_after_each_row() -> None:
    rows = [row(place, Domain.WATER, hour) for place, hour in enumerate((1, 30, 29, 60))]
    assert ticks(Clock.STREAM, *rows) == [1, 30, 30, 60]


def test_time_passes_only_up_to_what_every_domain_has_reached() -> None:
    order = ((Domain.WATER, 1), (Domain.TRAFFIC, 1), (Domain.WATER, 30), (Domain.TRAFFIC, 29))
    rows = [row(place, *which) for place, which in enumerate(order)]
    assert ticks(Clock.STREAM, *rows) == [1, 1, 1, 29]


def long(place: int, hours: list[float], sensors: list[int]) -> FeedRow:
    at = np.array([round(hour * HOUR_US) for hour in hours])
    n = len(at)
    who = np.array(sensors, np.int32)
    batch = ReadingBatch(Domain.WATER, who, at, at, np.zeros(n, np.int16), {})
    return FeedRow(Position(1, place, place), batch)


def test_time_passes_inside_a_row_too_up_to_what_it_has_told_everybody() -> None:
    day = [hour / 2 for hour in range(8)]
    assert ticks(Clock.STREAM, long(1, day, [1] * 8)) == [*day[1:], 3.5]
    # two hours of one sensor and then those of another: the second is not silent meanwhile
    apart = long(1, [0.5, 1, 1.5, 2, 0.5, 1, 1.5, 2], [1] * 4 + [2] * 4)
    assert ticks(Clock.STREAM, apart) == [1, 1.5, 2, 2]


def test_time_passes_no_further_than_the_core_believes_the_readings() -> None:
    made, asked = stream(Clock.STREAM, row(0, Domain.WATER, 1))
    made.roster.core.believed_us = 2 * HOUR_US  # type: ignore[attr-defined]
    made.feed([row(1, Domain.WATER, 87_600)])
    made.settle()
    assert asked == [1, 2, 2]


def test_on_the_wall_clock_rows_pass_no_time() -> None:
    assert ticks(Clock.WALL, row(1, Domain.WATER, 1), row(2, Domain.WATER, 30)) == []


def test_a_domain_that_others_left_behind_looks_silent_only_when_the_feed_is_drained() -> None:
    rows = [row(0, Domain.TRAFFIC, 1), row(1, Domain.WATER, 1), row(2, Domain.WATER, 30)]
    made, asked = stream(Clock.STREAM, *rows)
    made.tick_behind()
    assert asked == [1, 1, 1]
    assert not made.settled
    made.settle()
    assert asked == [1, 1, 1, 30]
    assert made.settled


def test_after_a_start_time_passes_as_far_as_alerts_were_told() -> None:
    made, asked = stream(Clock.STREAM, row(0, Domain.WATER, 30))
    made.catch_up(0)
    made.catch_up(29 * HOUR_US)
    assert asked == [30, 29]
    made, asked = stream(Clock.WALL, row(0, Domain.WATER, 30))
    made.catch_up(0)
    made.tick_behind()
    assert asked == [30, 30]


def test_a_registered_domain_that_has_not_spoken_since_the_start_holds_time_back_until_the_feed_is_drained() -> (
    None
):
    both = [Sensor("M", SensorKind.WATER_METER), Sensor("T", SensorKind.TRAFFIC_STATION)]
    made, asked = stream(Clock.STREAM, row(0, Domain.WATER, 30), sensors=both)
    assert asked == []
    made.settle()
    made.feed([row(1, Domain.WATER, 60), row(1, Domain.TRAFFIC, 59)])
    assert asked == [30, 30, 59]
