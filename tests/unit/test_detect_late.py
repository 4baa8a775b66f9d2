"""Which readings are late, what of the past was there without them, who is judged together; marks survive as bytes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.detect.late.groups import Places, groups
from services.detect.late.marks import CorruptMarks, Marks, description_changed, late_rows
from services.detect.late.memory_past import MemoryPast
from services.detect.watches.registry import ALONE
from services.domain.catalogue import Domain, SensorKind
from services.domain.sensor import Sensor
from tests.oracles.feeds import batch, meters

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=30)


@given(ROWS, st.lists(st.integers(0, 9), min_size=4, max_size=4))
def test_a_reading_is_late_when_its_sensor_spoke_of_a_later_time(
    rows: list[tuple[int, int]], newest: list[int]
) -> None:
    told = batch(Domain.WATER, [r[0] for r in rows], [r[1] for r in rows])
    known, wanted = dict(enumerate(newest)), []
    for place, (sensor, at) in enumerate(rows):
        if at <= known[sensor]:
            wanted.append(place)
        known[sensor] = max(known[sensor], at)
    before = np.array([newest[r[0]] for r in rows], np.int64)
    assert late_rows(told, before).tolist() == wanted


def two_metrics() -> tuple[Marks, MemoryPast]:
    nan = math.nan
    past, marks = MemoryPast(), Marks()
    past.add(batch(Domain.TRAFFIC, [0, 0], [10, 20], speed_km_per_h=[80, 81]))
    late = batch(Domain.TRAFFIC, [0, 0], [20, 15], speed_km_per_h=[nan, 79], count_veh=[7, nan])
    assert past.news(late).tolist() == [True, True]
    marks.add(late)
    past.add(late)
    return marks, past


def test_the_past_without_what_came_late_is_what_it_was() -> None:
    marks, past = two_metrics()
    [whole] = past(Domain.TRAFFIC, [0], 0, 100)
    assert whole.observed_us.tolist() == [10, 15, 20]
    assert np.nan_to_num(whole.metrics["count_veh"]).tolist() == [0, 0, 7]
    before = marks.without(whole)
    assert before.observed_us.tolist() == [10, 20]
    assert before.metrics["speed_km_per_h"].tolist() == [80, 81]
    assert np.isnan(before.metrics["count_veh"]).all()
    again = batch(Domain.TRAFFIC, [0], [20], speed_km_per_h=[55])
    assert past.news(again).tolist() == [False], "the first value wins"
    assert list(past(Domain.TRAFFIC, [1], 0, 100)) == []
    assert list(past(Domain.TRAFFIC, [0], 21, 100)) == []


def test_marks_survive_as_bytes_and_damaged_ones_are_refused() -> None:
    marks, _ = two_metrics()
    marks.change(4, Sensor("m4", SensorKind.WATER_METER, zone="North"))
    marks.change(5, None)
    marks.revision = 17
    data = marks.dumps()
    again = Marks.loads(data)
    assert (again.changed, again.revision) == (marks.changed, 17)
    assert again.dumps() == data
    assert again.numbers() == {0, 4, 5}
    assert (again.first_us([0]), again.arrived_us([0]), again.first_us([4])) == (15, 20, None)
    for bad in (b"", b"rubbish", data[:20], data[:-3]):
        with pytest.raises(CorruptMarks):
            Marks.loads(bad)
    again.done([0, 4])
    assert again.numbers() == {5}
    again.done([5])
    assert not again


def test_marks_set_apart_wait_until_they_are_forgotten_and_new_ones_stay() -> None:
    marks, _ = two_metrics()
    marks.add(batch(Domain.WATER, [4, 5], [7, 8]))
    marks.change(5, None)
    before = marks.dumps()
    apart = marks.set_apart([0, 5])
    assert (apart.numbers(), marks.numbers()) == ({0, 5}, {4})
    assert Marks.loads(marks.dumps()).numbers() == Marks.loads(before).numbers()
    marks.add(batch(Domain.WATER, [5], [6]))
    assert (apart.first_us([5]), marks.first_us([5])) == (8, 6), "it is judged another time"
    again = Marks.loads(marks.dumps())
    assert (again.first_us([0]), again.first_us([5]), 5 in again.changed) == (15, 6, True)
    marks.forget_apart(keep=[0])
    assert marks.numbers() == {0, 4, 5}, "another group waits for the first"
    assert (marks.first_us([0]), marks.first_us([5]), marks.changed) == (15, 6, {})
    marks.set_apart([0, 4, 5])
    assert not marks
    marks.forget_apart()
    assert Marks.loads(marks.dumps()).numbers() == set()


def test_of_very_many_late_readings_the_oldest_of_each_sensor_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.detect.late.marks.MOST_ROWS", 5)
    marks = Marks()
    marks.add(batch(Domain.WATER, [1, 1, 2], [7, 5, 9]))
    marks.add(batch(Domain.WATER, [2, 1, 2], [8, 6, 9]))
    assert len(marks.late[Domain.WATER]) == 2
    assert (marks.first_us([1]), marks.first_us([2])) == (5, 8)


def test_neighbours_are_judged_together_and_meters_alone() -> None:
    plain = dict(meters(3))
    zone = {
        10: Sensor("in", SensorKind.DMA_INLET, zone="Z"),
        11: Sensor("a", SensorKind.WATER_METER, zone="Z"),
        12: Sensor("b", SensorKind.WATER_METER, zone="Y"),
        20: Sensor("s0", SensorKind.TRAFFIC_STATION, road="A1", position_m=0),
        21: Sensor("s1", SensorKind.TRAFFIC_STATION, road="A1", position_m=800),
    }
    marks = Marks()
    marks.add(batch(Domain.WATER, [0, 1, 2, 11, 12], [1] * 5))
    marks.add(batch(Domain.TRAFFIC, [21], [1]))
    found = {group.numbers: group.marked for group in groups(marks, Places(plain | zone, ALONE), 3)}
    assert found == {(0, 1, 2): (0, 1, 2), (12,): (12,), (10, 11): (11,), (20, 21): (21,)}
    marks = Marks()
    marks.change(11, Sensor("a", SensorKind.WATER_METER, zone="X"))
    found = {group.numbers: group.marked for group in groups(marks, Places(zone, ALONE), 3)}
    assert found == {(11,): (11,), (10, 11): (11,)}, "its old place, and its new one"


def test_only_what_detectors_look_at_counts_as_another_description() -> None:
    old = Sensor("a", SensorKind.WATER_METER, zone="Z")
    assert not description_changed(old, Sensor("a", SensorKind.WATER_METER, "Elm 4", zone="Z"))
    assert description_changed(old, Sensor("a", SensorKind.WATER_METER, zone="Y"))
