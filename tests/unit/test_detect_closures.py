"""A road on which nothing gets through: told soon, whatever the cadence; and what only looks like it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.words.sentences import sentence
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Condition, Rule
from services.domain.instant import SECOND_US
from services.domain.sensor import Sensor
from tests.oracles.feeds import START_US, batch

EIGHT_US = START_US + 8 * 3600 * SECOND_US
STATIONS, SPACING_M, VEH_PER_H = 5, 800.0, 2400.0
CADENCES = (20, 30, 60, 300)
BEGIN = 50  # minute of the event, within an hour that is known
Minute = float
Event = Callable[[Minute, int], tuple[float, float, float] | None]
"""(km/h, share of the traffic, occupancy %) at a minute and station; None is free traffic."""


@dataclass(frozen=True)
class Drive:
    """What happens on a road of its own, for so many minutes."""

    minutes: int
    event: Event
    occupancy: bool = True
    veh_per_h: float = VEH_PER_H
    silent: Callable[[Minute, int], bool] = lambda at, k: False


def road(number: int = 0) -> list[Sensor]:
    """The stations of one of several roads; subjects are told without the road's number."""
    return [
        Sensor(
            f"{number}:S{k}",
            SensorKind.TRAFFIC_STATION,
            road=f"A{number}",
            position_m=SPACING_M * k,
        )
        for k in range(STATIONS)
    ]


def readings(step_s: int, drive: Drive) -> list[tuple[int, int, float, float, float]]:
    """(seconds, station, km/h, vehicles, occupancy %); each stands for the time since the one before, by its
    ten-second parts."""
    random = np.random.default_rng(step_s)
    rows = []
    for i in range(drive.minutes * 60 // step_s):
        for k in range(STATIONS):
            speeds, covered, count = [], [], 0
            for part in range(step_s // 10):
                at = (i * step_s + part * 10) / 60
                speed, share, occ = drive.event(at, k) or (105.0, 1.0, 7.0)
                came = random.poisson(share * drive.veh_per_h / 360)
                speeds += [speed] * came
                covered.append(occ if share < 1 else 7.0 * came / max(drive.veh_per_h / 360, 1e-9))
                count += came
            if drive.silent((i * step_s) / 60, k):
                continue
            mean = float(np.mean(speeds)) + random.normal(0, 3) if speeds else np.nan
            mean = max(mean, 3.0) if speeds else mean
            occupied = float(np.mean(covered)) if drive.occupancy else np.nan
            rows.append(((i + 1) * step_s, k, mean, float(count), occupied))
    return rows


def told_of(step_s: int, *drives: Drive) -> list[list[Condition]]:
    """What is said of each drive; they are roads of one core, which costs little more than one."""
    known = [sensor for number in range(len(drives)) for sensor in road(number)]
    core = Core(DetectorSettings(), list(enumerate(known)))
    rows = sorted(
        (at, number * STATIONS + k, *values)
        for number, drive in enumerate(drives)
        for at, k, *values in readings(step_s, drive)
    )
    metrics = {
        "speed_km_per_h": [r[2] for r in rows],
        "count_veh": [r[3] for r in rows],
        "occupancy_pct": [r[4] for r in rows],
    }
    times = [EIGHT_US + r[0] * SECOND_US for r in rows]
    told = core.step(batch(Domain.TRAFFIC, [r[1] for r in rows], times, **metrics), 0)
    found: list[list[Condition]] = [[] for _ in drives]
    for condition in told:
        number, _, station = condition.subject.partition(":")
        found[int(number)].append(replace(condition, subject=station))
    return found


def closure(after: int, begin: float, lasts: float, arrives: float = 2.0) -> Event:
    """No vehicle passes behind station `after`; its queue arrives there after `arrives` minutes and grows."""
    end = begin + lasts

    def event(at: Minute, k: int) -> tuple[float, float, float] | None:
        if k > after:
            travel = (k - after) * 0.46
            return (np.nan, 0.0, 0.0) if begin + travel <= at < end + travel else None
        stands = begin + arrives + 6 * (after - k)
        moves = end + 1.5 + 3 * (after - k)
        if stands <= at < moves:
            return 8.0, 0.3 if at < stands + 0.5 else 0.0, 60.0
        return (55.0, 0.9, 20.0) if stands < moves <= at < moves + 8 else None

    return event


def incidents(told: list[Condition]) -> list[tuple[str, Change]]:
    return [(c.subject, c.change) for c in told if c.rule is Rule.INCIDENT]


def closures(told: list[Condition]) -> list[str]:
    return [c.subject for c in told if "closed_1" in c.evidence.numbers]


def faults(told: list[Condition]) -> list[str]:
    return [c.subject for c in told if c.rule in (Rule.SENSOR_FAULT, Rule.STUCK)]


CLOSURES = ((1, 40), (2, 20), (3, 30))
"""Behind which station, and for how many minutes."""


@cache
def told_of_closures(step_s: int) -> dict[tuple[int, int, bool], list[Condition]]:
    cases = [(*each, occupancy) for each in CLOSURES for occupancy in (True, False)]
    drives = [
        Drive(BEGIN + 100, closure(after, BEGIN, lasts), occupancy)
        for after, lasts, occupancy in cases
    ]
    return dict(zip(cases, told_of(step_s, *drives), strict=True))


@pytest.mark.parametrize("step_s", CADENCES)
@pytest.mark.parametrize("occupancy", [True, False])
@pytest.mark.parametrize(("after", "lasts"), CLOSURES)
def test_a_closed_road_is_told_within_minutes_of_its_queue_and_clears(
    step_s: int, after: int, lasts: int, occupancy: bool
) -> None:
    told = told_of_closures(step_s)[after, lasts, occupancy]
    subject = f"S{after}"
    assert incidents(told) == [(subject, Change.RAISE), (subject, Change.CLEAR)]
    assert faults(told) == []  # neither the emptied stations nor those in the standing queue
    found, over = (c for c in told if c.rule is Rule.INCIDENT)
    begin = EIGHT_US + BEGIN * 60 * SECOND_US
    # the queue needs 120 s; five minutes without occupancy hide it until it reaches the next station
    further = 360 if step_s == 300 and not occupancy else 0
    assert found.at_us - begin <= (max(300, 2 * step_s + 30) + further) * SECOND_US
    assert begin <= found.onset_us + step_s * SECOND_US
    assert found.onset_us < found.at_us
    assert over.at_us - begin <= (lasts + 40) * 60 * SECOND_US


def test_the_sentence_says_that_nothing_gets_through() -> None:
    (told,) = told_of(30, Drive(BEGIN + 30, closure(3, BEGIN, 30)))
    (found,) = [c for c in told if c.rule is Rule.INCIDENT]
    assert found.evidence.numbers["closed_1"] == 1
    words = sentence(found, road()[3])
    assert "no vehicle has come out downstream for" in words
    assert "The road may be closed" in words


DEAD = (2, STATIONS - 1)


@cache
def told_of_dead_counters(step_s: int) -> dict[int, list[Condition]]:
    def dies(dead: int) -> Event:
        return lambda at, k: (np.nan, 0.0, 0.0) if k == dead and at >= BEGIN else None

    told = told_of(step_s, *(Drive(BEGIN + 45, dies(dead)) for dead in DEAD))
    return dict(zip(DEAD, told, strict=True))


@pytest.mark.parametrize("step_s", CADENCES)
@pytest.mark.parametrize("dead", DEAD)
def test_a_counter_that_dies_to_zero_in_free_traffic_is_a_fault_and_no_incident(
    step_s: int, dead: int
) -> None:
    told = told_of_dead_counters(step_s)[dead]
    assert incidents(told) == []
    assert set(faults(told)) == {f"S{dead}"}


@pytest.mark.parametrize(("step_s", "occupancy"), [(30, True), (30, False), (300, False)])
def test_two_counters_that_die_together_are_no_closure(step_s: int, occupancy: bool) -> None:
    def die(dead: tuple[int, int]) -> Event:
        return lambda at, k: (np.nan, 0.0, 0.0) if k in dead and at >= BEGIN else None

    drives = [Drive(BEGIN + 40, die(dead), occupancy) for dead in ((3, 4), (1, 2))]
    assert [incidents(told) for told in told_of(step_s, *drives)] == [[], []]


TRAVELS = (0.0, 0.5, 6.0)
"""Minutes from station to station."""


@cache
def told_of_empty_roads(step_s: int) -> dict[float, list[Condition]]:
    def empties(travel: float) -> Event:
        return lambda at, k: (np.nan, 0.0, 0.0) if at >= BEGIN + travel * k else None

    drives = [Drive(BEGIN + 40, empties(travel), occupancy=False) for travel in TRAVELS]
    return dict(zip(TRAVELS, told_of(step_s, *drives), strict=True))


@pytest.mark.parametrize("step_s", [60, 300])
@pytest.mark.parametrize("travel", TRAVELS)
def test_a_road_that_empties_or_a_feed_of_zeros_is_no_closure(step_s: int, travel: float) -> None:
    """Closed before its first station, or all counters die at once."""
    assert incidents(told_of_empty_roads(step_s)[travel]) == []


@pytest.mark.parametrize("step_s", CADENCES)
def test_a_dead_counter_inside_a_queue_that_flows_on_is_no_closure(step_s: int) -> None:
    def event(at: Minute, k: int) -> tuple[float, float, float] | None:
        if k == 2 and at >= BEGIN + 5:
            return np.nan, 0.0, 0.0
        return (30.0 + k, 0.85, 25.0) if at >= BEGIN + 3 * (4 - k) else None

    (told,) = told_of(step_s, Drive(BEGIN + 40, event))
    assert incidents(told) == []


@pytest.mark.parametrize("step_s", CADENCES)
def test_a_neighbour_that_is_silent_is_no_closure(step_s: int) -> None:
    def event(at: Minute, k: int) -> tuple[float, float, float] | None:
        return (20.0, 0.4, 40.0) if k == 2 and BEGIN + 10 <= at < BEGIN + 30 else None

    (told,) = told_of(step_s, Drive(BEGIN + 45, event, silent=lambda at, k: k >= 3 and at >= BEGIN))
    assert incidents(told) == []


@pytest.mark.parametrize("step_s", CADENCES)
def test_a_night_without_vehicles_is_no_closure(step_s: int) -> None:
    def event(at: Minute, k: int) -> tuple[float, float, float] | None:
        return (30.0 if k == 2 and at >= BEGIN - 2 else 105.0, max(0.0, 1 - at / BEGIN), 0.0)

    (told,) = told_of(step_s, Drive(BEGIN + 90, event, veh_per_h=600.0))
    assert closures(told) == []


@pytest.mark.parametrize("step_s", CADENCES)
def test_a_queue_that_grows_from_downstream_is_no_closure(step_s: int) -> None:
    def event(at: Minute, k: int) -> tuple[float, float, float] | None:
        begin = BEGIN + 4 * (STATIONS - 1 - k)
        return (25.0, 0.6, 35.0) if begin <= at < BEGIN + 50 else None

    (told,) = told_of(step_s, Drive(BEGIN + 65, event))
    assert closures(told) == []
