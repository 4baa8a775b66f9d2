"""A queue's head, length and cost, against a plain reckoning; speed from counts and occupancy; the words for it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.detectors.bottleneck import Queues
from services.detect.words.sentences import sentence
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Condition, Rule
from services.domain.instant import HOUR_US, SECOND_US
from services.domain.sensor import Sensor
from tests.oracles.feeds import START_US, batch

MORNING_US = START_US + 8 * HOUR_US
STEP_S = 30


def plain_queue(
    km: list[float], jammed: list[bool], delay: list[float], at: int
) -> tuple[float, float, float]:
    """Length in km, head in km and delay in vehicle-hours of the queue around a station, by walking along the road."""
    gaps = [b - a if b - a <= 3 else None for a, b in itertools.pairwise(km)]

    def length(i: int) -> float:
        sides = [gaps[i - 1] if i else None, gaps[i] if i < len(gaps) else None]
        known = [x for x in sides if x is not None]
        return sum(known) / len(known)

    members, head = [at], at
    while head + 1 < len(km) and gaps[head] is not None and jammed[head + 1]:
        head += 1
        members.append(head)
    tail = at
    while tail > 0 and gaps[tail - 1] is not None and jammed[tail - 1]:
        tail -= 1
        members.append(tail)
    return sum(map(length, members)), km[head], sum(length(i) * delay[i] for i in members)


@pytest.mark.parametrize("seed", range(30))
def test_queues_are_those_of_a_walk_along_the_road(seed: int) -> None:
    random = np.random.default_rng(seed)
    n = int(random.integers(2, 14))
    km = np.cumsum(random.choice([0.5, 0.8, 1.0, 2.9, 4.0], n)).round(2).tolist()
    jammed = (random.random(n) < 0.6).tolist()
    delay = (random.random(n) * 20).round(2).tolist()
    gaps = np.diff(km)
    queues = Queues()
    queues.table.add(n)
    queues.link(np.arange(n), np.append(gaps <= 3, False), np.array(km) * 1000)
    queues.look(np.array(jammed), np.array(delay))
    for i in range(n):
        alone = (i == 0 or gaps[i - 1] > 3) and (i == n - 1 or gaps[i] > 3)
        told = queues.numbers(i, delay[i])
        if alone:
            assert told == {}
            continue
        length, head, lost = plain_queue(km, jammed, delay, i)
        assert told["queue_km"] == pytest.approx(length, abs=0.006)
        assert told["bottleneck_at_km"] == pytest.approx(head, abs=0.006)
        assert told["delay_vehicle_h"] == pytest.approx(lost, abs=0.06)
        assert told["bottleneck_here_1"] == float(head == km[i])
    queues.look(np.zeros(n, bool), np.zeros(n))
    assert not any(queues.table[name][:n].any() for name in ("down_km", "up_km", "up_delay"))


def sensors(count: int) -> list[tuple[int, Sensor]]:
    return [
        (k, Sensor(f"S{k}", SensorKind.TRAFFIC_STATION, road="A1", position_m=1000.0 * k, cadence_s=STEP_S))
        for k in range(count)
    ]  # fmt: skip


def feed(core: Core, speed: np.ndarray, vehicles: float) -> list[Condition]:
    """Speeds (readings, stations) and one count."""
    n, stations = speed.shape
    at = np.repeat(MORNING_US + np.arange(n) * STEP_S * SECOND_US, stations).tolist()
    number = np.tile(np.arange(stations), n).tolist()
    count = np.full(n * stations, vehicles).tolist()
    return core.step(
        batch(Domain.TRAFFIC, number, at, speed_km_per_h=speed.reshape(-1).tolist(), count_veh=count), 0
    )  # fmt: skip


def test_a_jam_tells_its_bottleneck_length_and_delay_in_vehicle_hours() -> None:
    random = np.random.default_rng(5)
    speed = 100 + random.normal(0, 2, (400, 5))
    for k, begin in ((3, 200), (2, 220), (1, 240)):  # the queue grows upstream, its head is S3
        speed[begin:300, k] = 40 + random.normal(0, 2, 300 - begin)
    core = Core(DetectorSettings(), sensors(5))
    told = [c for c in feed(core, speed, 20.0) if c.rule is Rule.CONGESTION]
    raised = {c.subject: c for c in told if c.change is Change.RAISE}
    over = {c.subject: c for c in told if c.change is Change.CLEAR}
    assert set(raised) == {"S1", "S2", "S3"}
    first, last = raised["S3"].evidence.numbers, raised["S1"].evidence.numbers
    assert (first["bottleneck_here_1"], first["bottleneck_at_km"], first["queue_km"]) == (1, 3, 1)
    assert (last["bottleneck_here_1"], last["bottleneck_at_km"], last["queue_km"]) == (0, 3, 3)
    hours = [
        300 - 200,
        300 - 220,
        300 - 240,
    ]  # 20 vehicles each half minute, 1 km, from 100 to 40 km/h
    lost = sum(20 * n * (1 / 40 - 1 / 100) for n in hours)
    assert over["S3"].evidence.numbers["delay_vehicle_h"] == pytest.approx(lost, rel=0.15)
    words = sentence(raised["S1"], sensors(5)[1][1])
    assert "The queue is 3.0 km long and begins just downstream of the station at 3.0 km" in words
    assert "vehicle-hours lost so far" in words
    here = sentence(raised["S3"], sensors(5)[3][1])
    assert "The queue is 1.0 km long and begins just downstream of this station" in here
    assert "vehicle-hours were lost in this queue" in sentence(over["S3"], sensors(5)[3][1])


def test_a_station_alone_tells_its_delay_for_each_kilometre_only() -> None:
    speed = np.full((200, 1), 100.0) + np.random.default_rng(1).normal(0, 2, (200, 1))
    speed[120:] -= 60
    core = Core(DetectorSettings(), [(0, Sensor("S0", SensorKind.TRAFFIC_STATION))])
    found = next(c for c in feed(core, speed, 20.0) if c.rule is Rule.CONGESTION)
    assert "queue_km" not in found.evidence.numbers
    assert found.evidence.numbers["delay_veh_h_per_km"] > 0


def test_counts_and_occupancy_alone_tell_a_jam() -> None:
    random = np.random.default_rng(6)
    n = 300
    speed = 100 + random.normal(0, 4, n)
    speed[200:] = 25 + random.normal(0, 2, 100)
    count = random.poisson(14, n).astype(float)
    occupancy = 100 * count * 6.5 / (speed / 3.6 * STEP_S) / 3
    at = [MORNING_US + i * STEP_S * SECOND_US for i in range(n)]
    core = Core(DetectorSettings(), sensors(1))
    told = core.step(
        batch(Domain.TRAFFIC, [0] * n, at, count_veh=count.tolist(), occupancy_pct=occupancy.tolist()), 0
    )  # fmt: skip
    (found,) = told
    assert (found.rule, found.change) == (Rule.CONGESTION, Change.RAISE)
    assert 0 < found.at_us - at[200] <= 6 * 60 * SECOND_US
    assert found.evidence.value is not None
    assert found.evidence.value < 64
