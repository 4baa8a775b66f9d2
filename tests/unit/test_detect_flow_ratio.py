"""A station that counts too few or too many vehicles is told by its neighbours' counts; ramps and holidays are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from benchmarks.made_road import START, STATIONS, Fault, Plan, Road
from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.detectors.flow_ratio import Around, FlowRatio
from services.detect.table import NEVER, Array
from services.detect.windows.hour_of_week import slot_of_local
from services.detect.windows.ratio_habit import RatioHabit, part_of_week
from services.detect.windows.slots import SlotBaseline
from services.detect.words.sentences import sentence
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Condition, Rule
from services.domain.instant import DAY_US, HOUR_US, SECOND_US, to_us
from services.domain.sensor import Sensor
from tests.oracles.feeds import START_US

ROWS = np.arange(5)
LATER = 9 * 24
"""Hours of learning: a week and a weekend."""
Alter = Callable[[int, Array], Array]


def profile(hour: int) -> float:
    return (
        300.0 + 2700.0 * float(np.sin(np.pi * ((hour % 24) - 4) / 20)) if hour % 24 >= 5 else 90.0
    )


def told(
    change: Alter,
    hours: int = LATER + 30,
    slow: Alter | None = None,
    heard: Alter | None = None,
    ramp: Alter | None = None,
    seed: int = 1,
) -> dict[int, tuple[int, int]]:
    """Station -> hours at which a miscount began to be told and was over, of five on one road, hour by hour.

    Args:
        change: vehicles counted of those that pass; ramp: vehicles that pass of those on the road; by hour.
        slow: share of the hour with slow traffic; heard: share of it that readings cover.
    """
    draw = np.random.default_rng(seed)
    ratio, flows = FlowRatio(), SlotBaseline(alpha=0.15, winsor=4.0, floor=30.0, shrink=1.0)
    for table in (*ratio.tables.values(), flows.table):
        table.add(5)
    ratio.link(np.array([1, 2, 3, 4, -1]))
    around = Around(np.zeros(5, np.bool_), lambda rows, at_us: slot_of_local(at_us), flows.level)
    found: dict[int, tuple[int, int]] = {}
    for hour in range(hours):
        at_us = START_US + hour * HOUR_US + 450 * SECOND_US
        weekend = 0.6 if hour // 24 % 7 >= 5 else 1.0
        through = np.full(5, float(draw.poisson(profile(hour) * weekend)))
        on = through if ramp is None else ramp(hour, through)
        passed = draw.binomial((on * draw.normal(1.0, 0.01, 5)).astype(int), 0.97).astype(float)
        counted = np.rint(change(hour, passed))
        lasts = np.ones(5) if heard is None else heard(hour, np.ones(5))
        held = np.zeros(5) if slow is None else slow(hour, np.zeros(5))
        for part in range(10):
            ratio.take(ROWS, lasts / 10, counted * lasts / 10, held > part / 10)
        flows.learn(ROWS, slot_of_local(np.full(5, at_us)), counted, np.ones(5))
        ratio.look(at_us + HOUR_US, lambda: around)
        for row in np.flatnonzero(ratio.since_us(ROWS) != NEVER).tolist():
            found[row] = (found.get(row, (hour, hour))[0], hour)
    return found


def at(station: int, factor: float, since: int = LATER + 9, until: int = 10**6) -> Alter:
    def change(hour: int, counted: Array) -> Array:
        return np.where((station == ROWS) & (since <= hour < until), factor * counted, counted)

    return change


def sound(hour: int, counted: Array) -> Array:
    return counted


@pytest.mark.parametrize("factor", [0.5, 0.67, 0.7, 1.4, 2.0])
@pytest.mark.parametrize("station", [1, 2, 3])
def test_lost_and_doubled_counts_are_told_after_two_hours_and_over_after_two(
    station: int, factor: float
) -> None:
    found = told(at(station, factor, until=LATER + 15))
    assert found == {station: (LATER + 10, LATER + 15)}


def test_a_slow_drift_is_told_before_it_is_grown() -> None:
    def change(hour: int, counted: Array) -> Array:
        gone = 0.45 * min(max(hour - LATER, 0) / (8 * 24), 1.0)
        return np.where(ROWS == 2, (1 - gone) * counted, counted)

    found = told(change, LATER + 8 * 24)
    assert set(found) == {2}
    assert found[2][0] <= LATER + 6 * 24


def test_small_losses_and_the_ends_of_the_road_are_not_told() -> None:
    for station, factor in ((2, 0.87), (2, 1.12), (0, 0.5), (4, 0.5)):
        assert told(at(station, factor)) == {}, (station, factor)
    assert told(lambda hour, n: np.where((ROWS == 2) | (ROWS == 3), at(2, 0.5)(hour, n), n)), (
        "alone it is"
    )
    both = told(lambda hour, n: at(3, 0.6)(hour, at(2, 0.6)(hour, n)))
    assert both == {}, "which of two neighbours is wrong nobody can say"


def test_what_ramps_do_is_habit_and_what_all_stations_see_is_traffic() -> None:
    def ramps(hour: int, on: Array) -> Array:
        leaves = 0.3 + 0.15 * np.sin(2 * np.pi * hour / 24)
        return on * np.array([1.0, 1.0, 1 - leaves, 1.1, 1.1])

    def closed(hour: int, on: Array) -> Array:
        """The ramp between stations 1 and 2 is closed for good."""
        return ramps(hour, on) if hour < LATER + 9 else on * np.array([1.0, 1.0, 1.0, 1.4, 1.4])

    def holiday(hour: int, on: Array) -> Array:
        """Half of the traffic, and nobody takes the exits of the interchange."""
        quiet = hour // 24 in {9, 10}
        return 0.5 * on * np.array([1.0, 1.0, 0.97, 1.1, 1.1]) if quiet else ramps(hour, on)

    def match(hour: int, on: Array) -> Array:
        return on * np.where(LATER + 9 <= hour < LATER + 12, 1.5, 1.0)

    for name, ramp in (
        ("ramps", ramps),
        ("closed", closed),
        ("holiday", holiday),
        ("match", match),
    ):
        assert told(sound, LATER + 48, ramp=ramp) == {}, name
    assert set(told(at(2, 0.6), ramp=ramps)) == {2}


def test_hours_of_slow_traffic_and_with_little_data_are_not_judged() -> None:
    def jam(hour: int, share: Array) -> Array:
        return np.where((ROWS == 1) & (hour >= LATER), 0.5, share)

    def silent(hour: int, share: Array) -> Array:
        return np.where((ROWS == 3) & (hour >= LATER), 0.5, share)

    assert told(at(2, 0.5), slow=jam) == {}
    assert told(at(2, 0.5), heard=silent) == {}
    lost = told(
        sound, heard=lambda hour, share: np.where((ROWS == 2) & (hour >= LATER), 0.8, share)
    )
    assert lost == {}, "a fifth of the readings lost is no fifth of the vehicles"
    night = told(at(2, 0.6, LATER, LATER + 5))
    assert night == {}, "too few vehicles"


@pytest.mark.parametrize("seed", range(3))
def test_a_month_of_sound_counts_tells_nothing(seed: int) -> None:
    assert told(sound, 31 * 24, seed=seed + 10) == {}


def test_the_habit_is_robust_and_told_for_each_part_of_the_week() -> None:
    assert part_of_week(np.array([0, 2, 3, 23, 119, 120, 167])).tolist() == [0, 0, 1, 7, 7, 8, 15]
    habit, draw = RatioHabit(), np.random.default_rng(5)
    habit.table.add(1)
    row, slot = np.array([0]), np.array([3])
    assert np.isnan(habit.expected(row, slot)[0][0])
    for i in range(400):
        habit.learn(
            row, slot, np.array([0.2 + draw.normal(0, 0.05) + (5.0 if i % 40 == 39 else 0.0)])
        )
    level, spread, visits = (x[0] for x in habit.expected(row, slot))
    assert level == pytest.approx(0.2, abs=0.02)
    assert spread == pytest.approx(0.05, abs=0.015)
    assert visits == 255
    assert np.isnan(habit.expected(row, np.array([4]))[0][0])


def road_sensors(road: Road) -> list[tuple[int, Sensor]]:
    return [
        (
            k,
            Sensor(
                f"S{k}", SensorKind.TRAFFIC_STATION, road="A1", position_m=k * road.plan.spacing_m
            ),
        )
        for k in range(STATIONS)
    ]


def by_hour(road: Road) -> Iterator[ReadingBatch]:
    steps = HOUR_US // (road.plan.step_s * SECOND_US)
    for begin in range(0, len(road.at_s), steps):
        some = slice(begin, begin + steps)
        sent = road.sent[some].reshape(-1)
        at_us = np.repeat(to_us(START) + road.at_s[some] * SECOND_US, STATIONS)[sent]
        rows = np.tile(np.arange(STATIONS, dtype=np.int32), len(road.at_s[some]))[sent]
        metrics = {
            "count_veh": road.count,
            "speed_km_per_h": road.speed,
            "occupancy_pct": road.occupancy,
        }
        yield ReadingBatch(
            Domain.TRAFFIC, rows, at_us, at_us, np.zeros(len(rows), np.int16),
            {name: values[some].reshape(-1)[sent] for name, values in metrics.items()},
        )  # fmt: skip


CUT_H = 4 * 24 + 10
"""In the hour that ends then the fault has begun, and it is not told yet."""


def test_on_a_road_the_alert_tells_the_counts_and_a_restart_in_between_changes_nothing() -> None:
    road = Road(3, Plan(900, days=6), (Fault("lost_lane", 5, 4.4, 4.8, 0.66),))
    sensors = road_sensors(road)
    core = Core(DetectorSettings(), sensors)
    restarted = Core(DetectorSettings(), sensors[::-1])
    said: list[Condition] = []
    again: list[Condition] = []
    for i, batch in enumerate(by_hour(road)):
        said += core.step(batch, 0)
        if i > CUT_H:
            again += restarted.step(batch, 0)
        elif i == CUT_H:
            restarted.loads(sensors[0][1].shard, core.dumps(sensors[0][1].shard))
    faults = [c for c in said if c.rule is Rule.SENSOR_FAULT]
    assert [(c.subject, c.change) for c in faults] == [("S5", Change.RAISE), ("S5", Change.CLEAR)]
    assert faults == [c for c in again if c.rule is Rule.SENSOR_FAULT]
    raised, cleared = faults
    begin_us = to_us(START) + round(4.4 * DAY_US)
    assert begin_us - HOUR_US < raised.onset_us < begin_us + HOUR_US
    assert raised.at_us <= begin_us + 4 * HOUR_US
    assert cleared.at_us <= to_us(START) + round(4.8 * DAY_US) + 4 * HOUR_US
    evidence, numbers = raised.evidence, raised.evidence.numbers
    assert evidence.value is not None
    assert evidence.threshold is not None
    assert evidence.value < evidence.threshold <= 0.8
    assert numbers["share_1"] == pytest.approx(0.66, abs=0.07)
    assert evidence.readings == pytest.approx(3 * 4, abs=2)
    assert 0 <= evidence.missing_share <= 0.25
    for side, name in (("upstream", "S4"), ("downstream", "S6")):
        shown = numbers["counted_veh_per_h"] / numbers[f"{name}_{side}_veh_per_h"]
        assert shown == pytest.approx(numbers[f"{side}_ratio_1"], abs=0.01)
        off = np.log(numbers[f"{side}_ratio_1"] / numbers[f"{side}_usual_ratio_1"])
        assert off <= -np.log(numbers[f"{side}_limit_factor_1"]) + 0.01
    words = sentence(raised, sensors[5][1])
    assert words.startswith("The sensor miscounts: station S5, A1 at 4.0 km counts about 3")
    assert "% too few vehicles since" in words
    assert " upstream at S4, " in words
    assert " downstream at S6. Its traffic alarms are held back. " in words


def test_jams_at_a_station_that_miscounts_are_held_back_and_elsewhere_told() -> None:
    road = Road(3, Plan(900, days=5), (Fault("lost_counts", 5, 3.35, 5.0, 0.5),))
    evening = (road.at_s > 4.6 * 86400) & (road.at_s < 4.8 * 86400)
    road.speed[np.ix_(evening, [1, 5])] = 25.0 + np.arange(int(evening.sum()))[:, None] % 3
    core = Core(DetectorSettings(), road_sensors(road))
    said = [c for batch in by_hour(road) for c in core.step(batch, 0)]
    jams = {
        c.subject
        for c in said
        if c.rule is Rule.CONGESTION and c.at_us > to_us(START) + round(4.6 * DAY_US)
    }
    assert "S1" in jams
    assert "S5" not in jams
