"""The rules for roads: what raises them, what does not, when they clear, and that a faulty sensor is not believed."""

from __future__ import annotations

from copy import deepcopy
from functools import cache

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Condition, Rule, Severity
from services.domain.instant import DAY_US, SECOND_US
from services.domain.sensor import Sensor
from tests.oracles.feeds import START_US, batch, feed_road, stations

MINUTE = 2  # readings


def free(minutes: int, seed: int = 1) -> np.ndarray:
    return 105 + np.random.default_rng(seed).normal(0, 4, minutes * MINUTE)


def said(speed: np.ndarray, **facts: object) -> list[Condition]:
    return feed_road(Core(DetectorSettings(), stations(1)), speed, **facts)  # type: ignore[arg-type]


def rules(conditions: list[Condition]) -> list[tuple[Rule, Change]]:
    return [(c.rule, c.change) for c in conditions]


def test_free_traffic_is_left_in_peace() -> None:
    assert said(free(600)) == []


def test_congestion_is_told_within_minutes_and_cleared_with_a_deadband() -> None:
    speed = free(180)
    speed[60 * MINUTE : 100 * MINUTE] -= 70
    speed[100 * MINUTE : 120 * MINUTE] = around(68, 20)  # between both limits
    conditions = said(speed)
    assert rules(conditions) == [(Rule.CONGESTION, Change.RAISE), (Rule.CONGESTION, Change.CLEAR)]
    begin = START_US + (8 * 3600 + 60 * 60) * SECOND_US
    found, over = conditions
    assert 0 < found.at_us - begin <= 6 * 60 * SECOND_US
    assert begin <= found.onset_us < found.at_us
    assert over.at_us >= begin + 60 * 60 * SECOND_US
    assert over.evidence.numbers["vehicles_veh"] > 500
    assert over.evidence.numbers["delay_veh_h_per_km"] > 1


def test_a_short_dip_and_hours_without_vehicles_are_no_congestion() -> None:
    speed = free(60)
    speed[40:43] = 30
    assert said(speed) == []
    empty = np.full(120, np.nan)
    assert said(empty, count=0.0) == []


def test_evidence_says_which_share_of_the_readings_was_missing() -> None:
    speed = free(180)
    speed[60 * MINUTE : 100 * MINUTE] -= 70
    assert said(speed)[0].evidence.missing_share == 0
    speed[61 * MINUTE : 100 * MINUTE : 3] = np.nan
    assert said(speed)[0].evidence.missing_share == pytest.approx(1 / 3, abs=0.1)
    core = Core(DetectorSettings(), stations(1, cadence_s=30.0))
    at = [START_US + i * 30 * SECOND_US for i in range(200) if not 105 <= i < 120]
    frozen = [
        100.0 + (i % 7 if i < 100 else 0.5) for i in range(len(at))
    ]  # half of a quarter of an hour is lost
    told = core.step(batch(Domain.TRAFFIC, [0] * len(at), at, speed_km_per_h=frozen), at[-1])
    (stuck,) = [c for c in told if c.rule is Rule.STUCK]
    assert stuck.evidence.readings < 20
    assert stuck.evidence.missing_share == pytest.approx(0.5, abs=0.05)


def known_road(jam_of_every_day: bool) -> Core:
    """A station with days of habit from 08 to 12: nine with a jam from 10 to 11, or three without."""
    return deepcopy(_learned(jam_of_every_day))


@cache
def _learned(jam_of_every_day: bool) -> Core:
    core = Core(DetectorSettings(), stations(1))
    for day in range(0 if jam_of_every_day else 6, 9):
        speed = free(240, day)
        if jam_of_every_day:
            jam = 45 + np.random.default_rng(day).normal(0, 3, 60 * MINUTE)
            speed[120 * MINUTE : 180 * MINUTE] = jam
        feed_road(core, speed, start_us=START_US + day * DAY_US + 8 * 3600 * SECOND_US)
    return core


def ninth_day(core: Core, speed: np.ndarray) -> list[Condition]:
    return feed_road(core, speed, start_us=START_US + 9 * DAY_US + 8 * 3600 * SECOND_US)


def around(km_per_h: float, minutes: int) -> np.ndarray:
    """Speeds that scatter, as those of a sensor that is alive do."""
    return km_per_h + np.random.default_rng(7).normal(0, 1, minutes * MINUTE)


def changes(conditions: list[Condition]) -> list[tuple[Change, Severity]]:
    assert {c.rule for c in conditions} <= {Rule.CONGESTION}
    assert len({c.onset_us for c in conditions}) == sum(
        c.change is Change.RAISE for c in conditions
    )
    return [(c.change, c.severity) for c in conditions]


def test_a_jam_of_one_day_is_one_alert_that_says_it_is_unusual_and_that_of_every_day_is_not() -> (
    None
):
    speed = free(240, 99)
    speed[30 * MINUTE : 60 * MINUTE] = around(40, 30)
    speed[120 * MINUTE : 180 * MINUTE] = around(45, 60)
    conditions = ninth_day(known_road(True), speed)
    once, daily = (
        [c for c in conditions if c.change is change] for change in (Change.RAISE, Change.CLEAR)
    )
    assert [c.rule for c in once] == [c.rule for c in daily] == [Rule.CONGESTION] * 2
    told = [c.evidence.numbers for c in once]
    assert [c.severity for c in once] == [Severity.WARNING, Severity.INFO]
    assert [n["recurrent_1"] for n in told] == [0.0, 1.0]
    assert [n["unusual_1"] for n in told] == [1.0, 0.0]
    assert [n["below_limit_1"] for n in told] == [1.0, 1.0]
    assert [c.evidence.threshold for c in once] == [64.0, 64.0]


def test_traffic_far_below_its_habit_and_above_the_limit_is_told_for_information() -> None:
    speed = free(240, 99)
    speed[30 * MINUTE : 60 * MINUTE] = around(72, 30)
    conditions = ninth_day(known_road(False), speed)
    assert changes(conditions) == [
        (Change.RAISE, Severity.INFO), (Change.CLEAR, Severity.INFO),
    ]  # fmt: skip
    told = conditions[0].evidence
    assert told.numbers["below_limit_1"] == 0.0
    assert told.threshold == told.numbers["unusual_limit_km_per_h"]
    assert told.value is not None
    assert told.threshold is not None
    assert told.baseline is not None
    assert 64 < told.value < told.threshold < 0.75 * told.baseline + 0.1


def test_a_slowdown_that_becomes_a_jam_rises_in_severity_and_stays_one_alert_until_all_is_usual() -> (
    None
):
    speed = free(240, 99)
    speed[30 * MINUTE : 50 * MINUTE] = around(72, 20)  # far below the habit alone
    speed[50 * MINUTE : 80 * MINUTE] = around(50, 30)  # a jam
    speed[80 * MINUTE : 100 * MINUTE] = around(78, 20)  # no jam any more, but not as usual
    conditions = ninth_day(known_road(False), speed)
    assert changes(conditions) == [
        (Change.RAISE, Severity.INFO),
        (Change.UPDATE, Severity.WARNING),
        (Change.CLEAR, Severity.INFO),  # what it is now; the alert keeps its highest
    ]
    begin = START_US + 9 * DAY_US + 8 * 3600 * SECOND_US
    _, worse, over = conditions
    assert worse.evidence.numbers["below_limit_1"] == 1.0
    assert worse.evidence.threshold == 64.0
    assert 0 < worse.at_us - (begin + 50 * 60 * SECOND_US) <= 6 * 60 * SECOND_US
    assert over.at_us > begin + 100 * 60 * SECOND_US


def test_an_unusual_jam_does_not_stay_open_in_hours_that_have_no_habit() -> None:
    core = known_road(False)
    speed = free(480, 99)  # 08 to 16: nothing is known from 12 on
    speed[200 * MINUTE : 300 * MINUTE] = around(70, 100)
    conditions = ninth_day(core, speed)
    assert [c.change for c in conditions] == [Change.RAISE, Change.CLEAR]


def test_a_value_that_never_changes_is_stuck_after_a_quarter_of_an_hour_and_zero_is_not() -> None:
    speed = free(120)
    speed[30 * MINUTE : 80 * MINUTE] = 88.0
    stuck = [c for c in said(speed) if c.rule is Rule.STUCK]
    assert [c.change for c in stuck] == [Change.RAISE, Change.CLEAR]
    begin = START_US + (8 * 3600 + 30 * 60) * SECOND_US
    assert stuck[0].onset_us == begin
    assert stuck[0].at_us == begin + 15 * 60 * SECOND_US
    assert said(np.zeros(240), count=0.0) == []


def test_a_sensor_that_contradicts_itself_is_told_and_its_congestion_is_not_believed() -> None:
    ghost = said(np.full(120, np.nan), count=0.0, occupancy=11.0 + np.arange(120) % 3)
    assert rules(ghost)[0] == (Rule.SENSOR_FAULT, Change.RAISE)
    assert "occupied_without_vehicles_min" in ghost[0].evidence.numbers
    locked = said(free(60), occupancy=97.0)
    assert "locked_on_min" in locked[0].evidence.numbers
    speed = free(240)
    speed[60 * MINUTE :] = np.where(np.random.default_rng(2).random(180 * MINUTE) < 0.5, 10, 110)
    speed[200 * MINUTE :] = np.where(np.arange(40 * MINUTE) % 2, 5, 60)
    chatter = said(speed)
    fault = next(c for c in chatter if c.rule is Rule.SENSOR_FAULT)
    assert "chatter_min" in fault.evidence.numbers
    assert not [
        c
        for c in chatter
        if c.rule is Rule.CONGESTION and c.change is Change.RAISE and c.at_us > fault.at_us
    ]


def test_a_jam_that_comes_and_goes_between_readings_five_minutes_apart_is_no_fault() -> None:
    speed = 105 + np.random.default_rng(1).normal(0, 4, 60)
    speed[30:42] = [62, 18, 12, 15, 14, 11, 16, 13, 12, 14, 55, 70]
    conditions = said(speed, step_s=300)
    assert Rule.SENSOR_FAULT not in {c.rule for c in conditions}
    begin = START_US + 8 * 3600 * SECOND_US + 31 * 300 * SECOND_US
    (jam,) = [c for c in conditions if c.rule is Rule.CONGESTION and c.change is Change.RAISE]
    assert jam.at_us - begin <= 300 * SECOND_US
    speed[30:60:2] = 15
    chattering = said(speed, step_s=300)
    assert (Rule.SENSOR_FAULT, Change.RAISE) in rules(chattering)


def test_zero_in_daytime_is_a_fault_only_where_traffic_is_usual() -> None:
    core = Core(DetectorSettings(), stations(1))
    for day in range(3):
        feed_road(core, free(120, day), start_us=START_US + day * DAY_US + 8 * 3600 * SECOND_US)
    dead = feed_road(
        core, np.full(120, np.nan), count=0.0, occupancy=0.0, start_us=START_US + 3 * DAY_US + 8 * 3600 * SECOND_US
    )  # fmt: skip
    assert rules(dead) == [(Rule.SENSOR_FAULT, Change.RAISE)]
    assert "zero_in_daytime_min" in dead[0].evidence.numbers


def test_counts_that_do_not_fit_speed_and_occupancy_are_a_fault() -> None:
    speed = free(240)
    count = np.full(len(speed), 10.0)
    occupancy = 100 * count * 120 * 6.0 / (speed * 1000) / 3
    assert said(speed, count=count, occupancy=occupancy) == []
    count[150 * MINUTE :] *= 3
    (fault,) = said(speed, count=count, occupancy=occupancy)
    assert (fault.rule, fault.change) == (Rule.SENSOR_FAULT, Change.RAISE)
    assert "misfit_min" in fault.evidence.numbers
    begin = START_US + (8 * 3600 + 150 * 60) * SECOND_US
    assert fault.at_us - begin <= 16 * 60 * SECOND_US


def corridor_feed(core: Core, blocked: range, queue: range, start_us: int) -> list[Condition]:
    """Four stations 800 m apart, 30 s, two hours: behind S2 the road is blocked, or is a bottleneck as ever."""
    random = np.random.default_rng(start_us % 1000)
    rows = []
    for i in range(240):
        for k in range(4):
            speed, count = 105 + random.normal(0, 4), random.poisson(12)
            if i in blocked and k == 2:
                speed, count = 25 + random.normal(0, 4), random.poisson(6)
            if i in blocked and k == 3:
                count = random.poisson(6)
            if i in queue and k == 1:
                speed = 40 + random.normal(0, 3)
            rows.append((k, start_us + i * 30 * SECOND_US, speed, float(count)))
    return core.step(
        batch(
            Domain.TRAFFIC, [r[0] for r in rows], [r[1] for r in rows],
            speed_km_per_h=[r[2] for r in rows], count_veh=[r[3] for r in rows],
        ),
        0,
    )  # fmt: skip


def corridor() -> Core:
    return Core(
        DetectorSettings(),
        [
            (k, Sensor(f"S{k}", SensorKind.TRAFFIC_STATION, road="A1", position_m=800.0 * k))
            for k in range(4)
        ],
    )


def test_an_incident_is_told_at_the_station_upstream_within_three_minutes_and_dissolves() -> None:
    start = START_US + 8 * 3600 * SECOND_US
    conditions = corridor_feed(corridor(), range(120, 180), range(0), start)
    incidents = [c for c in conditions if c.rule is Rule.INCIDENT]
    assert [(c.subject, c.change) for c in incidents] == [
        ("S2", Change.RAISE),
        ("S2", Change.CLEAR),
    ]
    began = start + 120 * 30 * SECOND_US
    assert 0 < incidents[0].at_us - began <= 180 * SECOND_US
    assert incidents[0].evidence.numbers["downstream_km_per_h"] > 90


def test_the_queue_of_every_day_is_a_learned_bottleneck_and_no_incident() -> None:
    core = corridor()
    said = [
        corridor_feed(
            core, range(0), range(100, 160), START_US + day * DAY_US + 8 * 3600 * SECOND_US
        )
        for day in range(6)
    ]
    last = [c for day in said[2:] for c in day if c.rule is Rule.INCIDENT]
    assert last == []


def test_a_jam_that_grows_from_downstream_is_no_incident_here() -> None:
    core = corridor()
    start = START_US + 8 * 3600 * SECOND_US
    rows = []
    for i in range(240):
        for k in range(4):
            jammed = i > 100 + 8 * (3 - k)  # the tail moves upstream, S3 first
            rows.append(
                (k, start + i * 30 * SECOND_US, 25.0 + k if jammed else 105.0 + i % 5, 11.0)
            )
    conditions = core.step(
        batch(
            Domain.TRAFFIC, [r[0] for r in rows], [r[1] for r in rows],
            speed_km_per_h=[r[2] for r in rows], count_veh=[r[3] for r in rows],
        ),
        0,
    )  # fmt: skip
    assert not [c for c in conditions if c.rule is Rule.INCIDENT]
    assert [c for c in conditions if c.rule is Rule.CONGESTION]


def test_one_reading_of_a_quarter_of_an_hour_that_is_slow_is_a_jam() -> None:
    core = Core(DetectorSettings(), [(0, Sensor("S", SensorKind.TRAFFIC_STATION))])
    speeds = [104.0, 101.0, 106.0, 103.0, 105.0, 22.0]
    conditions = core.step(
        batch(
            Domain.TRAFFIC,
            [0] * len(speeds),
            [START_US + (i + 1) * 900 * SECOND_US for i in range(len(speeds))],
            speed_km_per_h=speeds,
        ),
        0,
    )
    assert [(c.rule, c.change) for c in conditions] == [(Rule.CONGESTION, Change.RAISE)]
