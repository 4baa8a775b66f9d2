"""Judging again in slices: where it pauses for the live feed changes nothing of what it finds and leaves behind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.late.before import Before
from services.detect.late.heard import Heard
from services.detect.late.pieces import pieces as cut
from services.domain.alert import EventKind
from services.domain.batch import ReadingBatch, concatenate
from services.domain.catalogue import Domain
from services.domain.sensor import Sensor
from tests.oracles.feeds import START_US, batch, meters, pieces
from tests.oracles.late_city import City, in_time
from tests.property.test_detect_core import QUICK, corridor, road_feed, shards, water_feed
from tests.property.test_detect_zones import SENSORS, batch_of, ordinary

SEARCH = [phase for phase in Phase if phase is not Phase.shrink]  # an example takes seconds
Sensors = list[tuple[int, Sensor]]


def case(kind: str, seed: int) -> tuple[DetectorSettings, Sensors, ReadingBatch]:
    """Sensors and their readings in the order of time, in which something happens."""
    match kind:
        case "meters":
            return QUICK, meters(3), in_time(water_feed(seed, hours=24 * 12))
        case "road":
            return QUICK, corridor(3), in_time(road_feed(seed, minutes=250))
        case _:
            rows = ordinary(seed, 0, leak_from=24 * 36) + ordinary(seed + 1, 6)
            return DetectorSettings(), SENSORS, in_time(batch_of(sorted(rows)))


def state(core: Core, sensors: Sensors) -> list[bytes]:
    return [core.dumps(shard) for shard in shards(sensors)]


class Until:
    """The live core as it was when the judging began."""

    def __init__(self, core: Core, numbers: Sequence[int]) -> None:
        self._newest = core.newest_us(np.array(numbers, np.int64))

    def newest_us(self, numbers: np.ndarray) -> np.ndarray:
        return self._newest


@pytest.mark.parametrize("kind", ["meters", "zone", "road"])
@settings(max_examples=3, phases=SEARCH)
@given(
    seed=st.integers(0, 10_000),
    late=st.tuples(st.floats(0.3, 0.6), st.floats(0.02, 0.2)),
    live=st.lists(st.integers(0, 60), min_size=1, max_size=40),
    steps=st.lists(st.integers(1, 50), min_size=1, max_size=40),
)
def test_what_late_data_reveal_does_not_depend_on_the_slices_of_judging(
    kind: str, seed: int, late: tuple[float, float], live: list[int], steps: list[int]
) -> None:
    limits, sensors, feed = case(kind, seed)
    n = len(feed)
    span = np.zeros(n, np.bool_)
    span[int(late[0] * n) : int((late[0] + late[1]) * n)] = True
    span &= feed.sensor == sensors[0][0]
    soon = int(0.85 * n)
    before = feed.take(~span & (np.arange(n) < soon))
    rest = pieces(feed.take(np.arange(soon, n)), np.cumsum(live).tolist())
    sliced, whole = City(limits, sensors), City(limits, sensors)
    for city in (sliced, whole):
        city.hear(before)
        city.hear(feed.take(span))
        assert city.marks
    [group] = sliced.groups()
    begun = Until(
        whole.core, group.numbers
    )  # of a road it is the past that counts, at the first slice
    judging, turn, arrived = sliced.judged(group), 0, 0
    while next(judging, None) is None:
        if turn % steps[turn % len(steps)] == 0 and arrived < len(rest):
            sliced.hear(rest[arrived])
            whole.hear(rest[arrived])
            arrived += 1
        turn += 1
    next(judging, None)
    live_core = begun if kind == "road" else whole.core
    outcome = whole.reevaluation().judge(
        group,
        whole.marks.set_apart(group.marked),
        whole.sensors,
        live_core,
        whole.clock_us,  # type: ignore[arg-type]
    )
    whole.take(outcome)
    assert sliced.log == whole.log
    assert state(sliced.core, sensors) == state(whole.core, sensors)
    assert not sliced.marks
    for left in rest[arrived:]:
        sliced.hear(left)
        whole.hear(left)
    assert sliced.log == whole.log
    ids = [event.alert_id for event in sliced.log if event.kind is EventKind.RAISED]
    assert len(ids) == len(set(ids)), "none is raised twice"


READINGS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20_000)), max_size=60)


@given(READINGS, st.booleans())
def test_pieces_are_the_whole_in_its_order_and_end_before_a_third_word(
    rows: list[tuple[int, int]], water: bool
) -> None:
    domain = Domain.WATER if water else Domain.TRAFFIC
    whole = batch(domain, [r[0] for r in rows], [START_US + r[1] * 1_000_000 for r in rows])
    parts = list(cut(whole))
    assert all(len(part) for part in parts)
    if parts:
        assert concatenate(parts).dumps() == whole.dumps()
    look_us = (3600 if water else 30) * 1_000_000
    for part in parts:
        assert len(set((part.observed_us // look_us).tolist())) == 1
        assert np.bincount(part.sensor).max() <= 3


def test_a_large_round_is_cut_too() -> None:
    many = batch(Domain.WATER, list(range(5_000)), [START_US] * 5_000)
    assert [len(part) for part in cut(many)] == [2_000, 2_000, 1_000]


@given(READINGS, st.lists(st.integers(0, 59), max_size=20))
def test_the_past_before_what_came_late_is_that_of_a_plain_search(
    rows: list[tuple[int, int]], chosen: list[int]
) -> None:
    rows = list(dict.fromkeys(rows))
    values = np.arange(len(rows), dtype=float)
    count = np.where(values % 3 == 0, np.nan, values)
    whole = batch(
        Domain.TRAFFIC, [r[0] for r in rows], [r[1] for r in rows],
        speed_km_per_h=values, count_veh=count,
    )  # fmt: skip
    places = sorted({place for place in chosen if place < len(rows)})
    late = whole.take(np.array(places, np.intp))
    hidden = np.arange(len(late)) % 2 == 0  # of every other one the speed was there before
    late.metrics["speed_km_per_h"][~hidden] = np.nan
    found = Before(late if places else None).without(whole)
    wanted = []
    for place, (sensor, at) in enumerate(rows):
        came = place in places
        speed = came and bool(hidden[places.index(place)])
        kept_count = np.isfinite(count[place]) and not came
        if not speed or kept_count:
            wanted.append((sensor, at, not speed, bool(kept_count)))
    columns = (
        found.sensor, found.observed_us, np.isfinite(found.metrics["speed_km_per_h"]),
        np.isfinite(found.metrics["count_veh"]),
    )  # fmt: skip
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == wanted


def test_what_the_live_core_takes_is_heard_of_the_group_alone_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.detect.late.heard.MOST_READINGS", 3)
    heard = Heard(Domain.WATER, [1, 3])
    heard.add(batch(Domain.WATER, [0, 1, 2, 3, 9], [1, 2, 3, 4, 5]))
    heard.add(batch(Domain.TRAFFIC, [1], [6]))
    heard.add(batch(Domain.WATER, [2, 9], [7, 8]))
    assert [part.sensor.tolist() for part in heard.parts] == [[1, 3]]
    assert not heard.full
    heard.add(batch(Domain.WATER, [3], [9]))
    assert heard.full
