"""Vehicles held up between two stations that see free traffic: told by the counts of both; and what only looks so.

Many roads of other demand, spacing and cadence go through one core: each is a seed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.windows.segment_count import SegmentCount
from services.detect.words.sentences import sentence
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Condition, Rule
from services.domain.instant import DAY_US, HOUR_US, SECOND_US
from services.domain.sensor import Sensor
from tests.oracles.feeds import START_US, batch
from tests.oracles.vehicles import Blockage, Floats, counts

MORNING_US = START_US + 9 * HOUR_US
STATIONS, MINUTES = 5, 85
BEGIN_S = 60 * 60.0
Miscount = Callable[[np.random.Generator, Floats], None]
"""Changes the (steps, stations) counts of a road in place."""


def sensors(roads: int) -> list[tuple[int, Sensor]]:
    return [
        (
            STATIONS * r + k,
            Sensor(
                f"R{r}S{k}", SensorKind.TRAFFIC_STATION, road=f"R{r}", position_m=spacing(r) * k
            ),
        )
        for r in range(roads)
        for k in range(STATIONS)
    ]


def spacing(road: int) -> float:
    return 500.0 + 100 * (road % 5)


def told(
    roads: int,
    blocked: bool,
    step_s: int = 30,
    miscount: Miscount = lambda random, seen: None,
    lost: float = 0.0,
    waits_s: float = 35.0,
    behind: int = 2,
    slower_km_per_h: float = 0.0,
) -> list[Condition]:
    """What is told of incidents; a day with more traffic has gone before, and half an hour of it today.

    What blocks the road is behind station `behind`, and traffic there is slower by so much.
    """
    core = Core(DetectorSettings(), sensors(roads))
    steps = MINUTES * 60 // step_s
    rows: list[tuple[int, int, float, float]] = []
    for r in range(roads):
        random = np.random.default_rng([r, step_s])
        usual = random.uniform(1500, 3000)
        swings = np.exp(np.cumsum(random.normal(0, 0.007, MINUTES + 6)))
        rush = np.where(np.arange(MINUTES + 6) < 35, 1.5, 1.0)
        place = spacing(r) * (behind + random.uniform(0.1, 0.9))
        for day in range(2):
            today = blocked and day == 1
            stop = Blockage(place, BEGIN_S, BEGIN_S + 1200, waits_s) if today else None
            stations_m = np.array([spacing(r) * k + 10.0 for k in range(STATIONS)])
            seen, speed = counts(random, stations_m, step_s, steps, usual * swings * rush, stop)
            if day:
                miscount(random, seen[round(BEGIN_S / step_s) :])
            if today:
                speed[round(BEGIN_S / step_s) :, behind] -= slower_km_per_h
            sent = random.random(seen.shape) >= lost
            rows += [
                (day * DAY_US + (i + 1) * step_s * SECOND_US, STATIONS * r + k, seen[i, k], speed[i, k])
                for i, k in np.argwhere(sent).tolist()
            ]  # fmt: skip
    rows.sort(key=lambda row: row[:2])
    found = core.step(
        batch(
            Domain.TRAFFIC, [row[1] for row in rows], [MORNING_US + row[0] for row in rows],
            count_veh=[row[2] for row in rows], speed_km_per_h=[row[3] for row in rows],
        ),
        0,
    )  # fmt: skip
    return [c for c in found if c.rule is Rule.INCIDENT]


def surplus(found: list[Condition]) -> list[Condition]:
    return [c for c in found if "by_surplus_1" in c.evidence.numbers]


def minutes_after(c: Condition) -> float:
    return (c.at_us - MORNING_US - DAY_US - BEGIN_S * SECOND_US) / (60 * SECOND_US)


@pytest.mark.parametrize(
    ("step_s", "lost", "least"), [(30, 0.0, 23), (20, 0.0, 23), (30, 0.02, 10)]
)
def test_vehicles_held_up_in_free_traffic_are_told_within_minutes(
    step_s: int, lost: float, least: int
) -> None:
    found = [
        c for c in told(24, blocked=True, step_s=step_s, lost=lost) if c.change is Change.RAISE
    ]
    on_time = [c for c in found if 0 < minutes_after(c) <= 5]
    assert {c.subject[-2:] for c in on_time} == {"S2"}
    assert len({c.subject for c in on_time}) >= least
    assert surplus(found) == surplus(on_time)


@pytest.mark.parametrize("step_s", [30, 60, 300])
def test_free_traffic_is_no_incident(step_s: int) -> None:
    assert told(24, blocked=False, step_s=step_s) == []


def undercounts(random: np.random.Generator, seen: Floats) -> None:
    seen[:, 3] = random.binomial(seen[:, 3].astype(int), 0.66)


def overcounts(random: np.random.Generator, seen: Floats) -> None:
    seen[:, 2] += random.binomial(seen[:, 2].astype(int), 0.5)


def overcounts_first(random: np.random.Generator, seen: Floats) -> None:
    seen[:, 0] += random.binomial(seen[:, 0].astype(int), 0.5)


def undercounts_last(random: np.random.Generator, seen: Floats) -> None:
    seen[:, -1] = random.binomial(seen[:, -1].astype(int), 0.66)


def dies(random: np.random.Generator, seen: Floats) -> None:
    seen[:, 3] = 0.0


@pytest.mark.parametrize("miscount", [undercounts, overcounts, dies])
def test_a_station_that_begins_to_miscount_is_no_incident(miscount: Miscount) -> None:
    assert surplus(told(24, blocked=False, miscount=miscount)) == []


@pytest.mark.parametrize("behind", [0, STATIONS - 2])
def test_at_the_ends_of_a_road_vehicles_are_held_up_where_traffic_is_slower_too(
    behind: int,
) -> None:
    found = [
        c for c in told(24, blocked=True, behind=behind, slower_km_per_h=8.0)
        if c.change is Change.RAISE and 0 < minutes_after(c) <= 8
    ]  # fmt: skip
    assert {c.subject[-2:] for c in surplus(found)} == {f"S{behind}"}
    assert len({c.subject for c in surplus(found)}) >= 8
    assert surplus(told(24, blocked=True, behind=behind)) == []


@pytest.mark.parametrize("miscount", [overcounts_first, undercounts_last])
def test_vehicles_are_not_missed_where_nobody_proves_the_counter(miscount: Miscount) -> None:
    assert told(24, blocked=False, miscount=miscount) == []


def test_few_vehicles_are_a_warning_whose_sentence_says_how_many() -> None:
    found = [c for c in told(6, blocked=True) if c.change is Change.RAISE]
    for c in found:
        evidence = c.evidence
        assert evidence.numbers["by_surplus_1"] == 1
        assert evidence.metric == "count_veh"
        assert evidence.value is not None
        assert evidence.threshold is not None
        assert evidence.value >= evidence.threshold >= 8
        assert (c.severity.value == "critical") == (evidence.value >= 25)
        words = sentence(c, dict(sensors(6))[STATIONS * int(c.subject[1]) + 2])
        assert f"{int(evidence.value + 0.5)} vehicles more than usual" in words
    assert len(found) >= 5


def test_the_surplus_is_what_was_held_back_whatever_the_stamps() -> None:
    """Station 1 is told its counts 12 s later than station 0: the time of travel takes that up."""
    for shift_s in (0, 12):
        segments = SegmentCount()
        segments.table.add(2)
        rows, beyond = np.array([0, 1]), np.array([1, 1])
        ones, flows = np.ones(2), np.array([True, False])
        for look in range(1, 121):
            at = np.array([30 * look, 30 * look + shift_s - 30 * (shift_s > 0)]) * SECOND_US
            came = np.array([15.0, 15.0 if look != 100 else 5.0])
            segments.take(rows, at, came)
            segments.look(
                rows, beyond, 30 * ones, 800 * ones, 100 * ones, 0 * ones, flows, look < 99 * ones
            )  # fmt: skip
            surplus = float(segments.surplus(rows)[0])
            if 50 < look < 100:
                assert abs(surplus) < 0.1
            if look == 100:
                assert surplus == pytest.approx(10.0, abs=0.1)
        assert surplus == pytest.approx(10 / 1.1**20, abs=0.1)
