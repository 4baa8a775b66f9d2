"""The core's promises: the cut of the feed, a dump in between, and absurd input change nothing that they should not."""

from __future__ import annotations

import math
from copy import deepcopy
from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.state import CorruptState
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Condition, Rule
from services.domain.instant import DAY_US, HOUR_US, SECOND_US
from services.domain.sensor import SHARDS, Sensor
from tests.oracles.feeds import START_US, batch, home, meters, pieces, stations

QUICK = DetectorSettings(
    continuous_min_h=4,
    continuous_vendor_h=12,
    stuck_min_days=1,
    silent_traffic_min=5,
    unusual_on_s=30,
)


def water_feed(seed: int, sensors: int = 3, hours: int = 24 * 18) -> ReadingBatch:
    """Meters with leaks, a stuck one, backflow, gaps, repeats and disorder, rows in the order of arrival."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(sensors):
        use = home(hours, seed + number)
        leak = random.integers(hours // 2, hours - 40)
        use[leak : leak + 40] += random.choice([0, 15, 500])
        if number == 1:
            use[leak:] = 0
        register = 5000 + np.cumsum(use)
        register[leak // 2 : leak // 2 + 2] -= random.choice([0, 30])
        for hour in range(hours):
            if random.random() > 0.03:
                jitter = int(random.integers(0, 600)) * SECOND_US
                rows.append((START_US + hour * HOUR_US + jitter, number, register[hour]))
    order = sorted(
        range(len(rows)), key=lambda i: rows[i][0] + int(random.integers(0, 2)) * 2 * HOUR_US
    )
    rows = [rows[i] for i in order]
    return batch(
        Domain.WATER,
        [r[1] for r in rows],
        [r[0] for r in rows],
        register_litres=[r[2] for r in rows],
    )


def road_feed(seed: int, sensors: int = 3, minutes: int = 400) -> ReadingBatch:
    """Stations with a jam, a hanging and a chattering sensor."""
    random = np.random.default_rng(seed)
    n = 2 * minutes
    rows = []
    for i in range(n):
        for number in range(sensors):
            speed = 100 + random.normal(0, 4) - 60 * (200 < i < 420 and number == 0)
            if number == 1 and i > 300:
                speed = 88.0
            if number == 2 and i > 600:
                speed = float(random.choice([20, 110]))
            rows.append(
                (
                    START_US + i * 30 * SECOND_US,
                    number,
                    speed,
                    float(random.poisson(9 - 4 * (200 < i < 420))),
                )
            )
    return batch(
        Domain.TRAFFIC, [r[1] for r in rows], [r[0] for r in rows],
        speed_km_per_h=[r[2] for r in rows], count_veh=[r[3] for r in rows],
    )  # fmt: skip


def corridor(count: int) -> list[tuple[int, Sensor]]:
    """Stations of one road, 800 m apart, so that neighbours are compared."""
    return [
        (
            i,
            Sensor(
                f"S{i}", SensorKind.TRAFFIC_STATION, road="A1", position_m=800.0 * i, cadence_s=30
            ),
        )
        for i in range(count)
    ]


def run(core: Core, feed: list[ReadingBatch]) -> list[Condition]:
    return [condition for part in feed for condition in core.step(part, 0)]


def shards(sensors: list[tuple[int, Sensor]]) -> list[int]:
    """The shards of the sensors, and one that is empty."""
    used = {sensor.shard for _, sensor in sensors}
    return [*sorted(used), min(set(range(SHARDS)) - used)]


def in_order(conditions: list[Condition]) -> list[Condition]:
    """By sensor and time: what a core says of one sensor keeps its order, between sensors there is none."""
    return sorted(conditions, key=lambda c: (c.subject, c.at_us, c.rule, c.change))


@settings(max_examples=6)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 2400), max_size=30), st.booleans())
def test_what_is_said_does_not_depend_on_how_the_feed_is_cut(
    seed: int, cuts: list[int], water: bool
) -> None:
    feed = water_feed(seed, hours=24 * 12) if water else road_feed(seed, minutes=250)
    sensors = meters(3) if water else corridor(3)
    whole, cut = Core(QUICK, sensors), Core(QUICK, sensors)
    said = run(whole, [feed])
    assert in_order(said) == in_order(run(cut, pieces(feed, cuts)))
    assert [whole.dumps(s) for s in shards(sensors)] == [cut.dumps(s) for s in shards(sensors)]


def test_a_feed_row_by_row_says_the_same_and_does_say_something() -> None:
    for feed, sensors in ((water_feed(3), meters(3)), (road_feed(3), corridor(3))):
        said = run(Core(QUICK, sensors), [feed])
        assert len({c.rule for c in said}) >= 2
        assert feed.domain is Domain.WATER or Rule.INCIDENT in {c.rule for c in said}
        assert in_order(said) == in_order(run(Core(QUICK, sensors), pieces(feed, range(len(feed)))))


@settings(max_examples=5)
@given(st.integers(0, 10_000), st.floats(0.05, 0.95), st.booleans())
def test_a_dump_and_load_in_mid_stream_continues_exactly(
    seed: int, where: float, water: bool
) -> None:
    feed = water_feed(seed, hours=24 * 12) if water else road_feed(seed, minutes=250)
    sensors = meters(3) if water else corridor(3)
    first, second = pieces(feed, [int(where * len(feed))])
    one = Core(QUICK, sensors)
    said = run(one, [first])
    one.tick(int(first.observed_us[-1]))
    other = Core(QUICK, list(reversed(sensors)))  # other rows, same numbers
    for shard in shards(sensors):
        other.loads(shard, one.dumps(shard))
    later = [*run(one, [second]), *one.tick(int(second.observed_us[-1]) + DAY_US)]
    again = [*run(other, [second]), *other.tick(int(second.observed_us[-1]) + DAY_US)]
    assert in_order(later) == in_order(again)
    assert all(c.rule for c in said)


def test_state_that_is_damaged_is_refused_and_changes_nothing() -> None:
    core = Core(QUICK, meters(2))
    run(core, [water_feed(5, sensors=2)])
    shard = meters(1)[0][1].shard
    good = core.dumps(shard)
    for bad in (
        b"",
        b"nonsense",
        good[:-3],
        good[:60] + b"\x00" + good[61:],
        good[: len(good) // 2],
    ):
        try:
            core.loads(shard, bad)
        except CorruptState:
            continue
        raise AssertionError("damaged state was taken")
    assert core.dumps(shard) == good


ABSURD = st.sampled_from(
    [math.nan, math.inf, -math.inf, 1e12, -1e12, 1e300, 0.0, -0.0, 5e-324, 70_000.0]
)
TIMES = st.sampled_from(
    [
        0,
        -DAY_US,
        START_US,
        START_US + HOUR_US,
        START_US - 40 * DAY_US,
        START_US + 3650 * DAY_US,
        2**62,
        -(2**62),
    ]
)


@cache
def before_and_after(water: bool) -> tuple[Core, list[Condition], ReadingBatch, list[Condition]]:
    """A core of two sensors that has heard half of one's feed and what it said; the rest, and what is said of that."""
    core = Core(QUICK, meters(2) if water else stations(2))
    feed = water_feed(9, 1, hours=24 * 9) if water else road_feed(9, 1, minutes=200)
    half, rest = pieces(feed, [len(feed) // 2])
    said = run(core, [half])
    return core, said, rest, run(deepcopy(core), [rest])


@settings(max_examples=25)
@given(st.lists(st.tuples(TIMES, ABSURD, ABSURD), min_size=1, max_size=40), st.booleans())
def test_absurd_readings_raise_nothing_and_leave_the_others_alone(
    rows: list[tuple[int, float, float]], water: bool
) -> None:
    names = ("register_litres", "consumption_litres") if water else ("speed_km_per_h", "count_veh")
    domain = Domain.WATER if water else Domain.TRAFFIC
    heard, said, rest, alone = before_and_after(water)
    absurd = batch(
        domain,
        [1] * len(rows),
        [r[0] for r in rows],
        **{names[0]: [r[1] for r in rows], names[1]: [r[2] for r in rows]},
    )
    got = said + run(deepcopy(heard), [absurd, rest])
    storm = [c for c in got if c.subject.endswith("1")]
    assert len(storm) <= 4
    assert in_order(said + alone) == in_order([c for c in got if c.subject.endswith("0")])


def test_a_million_duplicates_say_and_cost_nothing() -> None:
    core = Core(DetectorSettings(), meters(1))
    n = 200_000
    duplicates = batch(Domain.WATER, [0] * n, [START_US] * n, register_litres=[100.0] * n)
    assert core.step(duplicates.take(np.arange(2000)), 0) == []
    before = [core.dumps(s) for s in shards(meters(1))]
    assert core.step(duplicates.take(np.arange(3000)), 0) == []
    assert [core.dumps(s) for s in shards(meters(1))] == before


def test_a_clock_that_ran_ten_years_ahead_is_left_behind() -> None:
    core = Core(DetectorSettings(), stations(1))
    at = [
        START_US,
        START_US + 3650 * DAY_US,
        *(START_US + i * 30 * SECOND_US for i in range(1, 60)),
    ]
    speeds = [90.0, 90.0] + [20.0 + i % 3 for i in range(59)]
    said = core.step(
        batch(Domain.TRAFFIC, [0] * len(at), at, speed_km_per_h=speeds, count_veh=[9.0] * len(at)),
        0,
    )
    assert [c.rule.value for c in said if c.change.value == "raise"] == ["congestion"]


def test_unknown_sensors_are_skipped_and_new_ones_join_at_any_time() -> None:
    core = Core(QUICK, [])
    feed = water_feed(3)
    assert core.step(feed, 0) == []
    core.add_sensors(meters(3))
    assert in_order(run(core, [feed])) == in_order(run(Core(QUICK, meters(3)), [feed]))
    core.add_sensors(meters(3))
    assert len(core) == 3
