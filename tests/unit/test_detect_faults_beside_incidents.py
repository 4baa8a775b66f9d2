"""Incidents beside detectors that are faulty, and detectors that break beside incidents: each is told for itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.windows.thin_traffic import ThinTraffic
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Condition, Rule
from services.domain.instant import SECOND_US
from services.domain.sensor import Sensor
from tests.oracles.feeds import START_US, batch

MORNING_US = START_US + 8 * 3600 * SECOND_US
STATIONS, READINGS, BREAKS, BLOCKED = 6, 400, 160, 200
Said = list[float]
"""km/h, vehicles, %."""
Event = Callable[[np.random.Generator, int, int, Said], None]
"""Changes what a station says at a reading."""


def occupancy(said: Said) -> float:
    """% of a half minute that so many vehicles of 6 m at such a speed cover three lanes."""
    return 100 * said[1] * 6.0 / (said[0] / 3.6 * 30) / 3


def told(roads: int, event: Event) -> list[Condition]:
    """What is told of roads with stations 700 m apart and 2,160 vehicles an hour; each road is a seed."""
    sensors = [
        (
            STATIONS * r + k,
            Sensor(f"R{r}S{k}", SensorKind.TRAFFIC_STATION, road=f"R{r}", position_m=700.0 * k, cadence_s=30),
        )
        for r in range(roads)
        for k in range(STATIONS)
    ]  # fmt: skip
    random = np.random.default_rng(17)
    rows = []
    for i in range(READINGS):
        for r in range(roads):
            for k in range(STATIONS):
                speed, count = 104 + random.normal(0, 3), float(random.poisson(18))
                said = [speed, count, occupancy([speed, count])]
                event(random, i, k, said)
                if np.isfinite(said).any():
                    speed = said[0] if said[1] > 0 else np.nan
                    rows.append(
                        (STATIONS * r + k, MORNING_US + i * 30 * SECOND_US, speed, *said[1:])
                    )
    number, at, speeds, counts, occupancies = zip(*rows, strict=True)
    return Core(DetectorSettings(), sensors).step(
        batch(
            Domain.TRAFFIC, list(number), list(at), speed_km_per_h=list(speeds), count_veh=list(counts),
            occupancy_pct=list(occupancies),
        ),
        0,
    )  # fmt: skip


def raised(found: list[Condition], rule: Rule) -> dict[str, float]:
    """Subject -> minutes since the first reading, of what was raised first."""
    minutes: dict[str, float] = {}
    for c in found:
        if c.rule is rule and c.change is Change.RAISE:
            minutes.setdefault(c.subject, (c.at_us - MORNING_US) / (60 * SECOND_US))
    return minutes


def queue(random: np.random.Generator, i: int, k: int, said: Said) -> None:
    """Behind station 2 two of three lanes are blocked."""
    if i >= BLOCKED and k == 2:
        said[:] = [18 + random.normal(0, 2), float(random.poisson(9)), 45 + random.normal(0, 3)]
    if i >= BLOCKED and k > 2:
        said[1] = float(random.poisson(9))
        said[2] = occupancy(said)


def test_a_queue_is_told_although_the_next_detector_is_faulty_or_silent() -> None:
    def hangs(random: np.random.Generator, i: int, k: int, said: Said) -> None:
        queue(random, i, k, said)
        if i >= BREAKS and k == 3:
            said[:] = [99.0, 8.0, 1.5]

    def silent(random: np.random.Generator, i: int, k: int, said: Said) -> None:
        queue(random, i, k, said)
        if i >= BREAKS and k == 3:
            said[:] = [np.nan] * 3

    for fault in (hangs, silent):
        incidents = raised(told(6, fault), Rule.INCIDENT)
        assert set(incidents) == {f"R{r}S2" for r in range(6)}
        assert all(0 < at - BLOCKED / 2 <= 4 for at in incidents.values())


def test_a_detector_whose_speeds_become_noise_raises_no_incident_and_no_jam() -> None:
    def noise(random: np.random.Generator, i: int, k: int, said: Said) -> None:
        if i >= BREAKS and k == 2:
            said[0] = float(random.uniform(5, 140))

    found = told(24, noise)
    assert raised(found, Rule.INCIDENT) == {}
    assert raised(found, Rule.CONGESTION) == {}
    assert set(raised(found, Rule.SENSOR_FAULT)) == {f"R{r}S2" for r in range(24)}


def test_a_detector_that_breaks_while_an_incident_is_told_there_is_faulty_all_the_same() -> None:
    locks = BLOCKED + 20

    def locked(random: np.random.Generator, i: int, k: int, said: Said) -> None:
        queue(random, i, k, said)
        if i >= locks and k == 2:
            said[:] = [np.nan, 0.0, 100.0]

    found = told(4, locked)
    assert set(raised(found, Rule.INCIDENT)) == {f"R{r}S2" for r in range(4)}
    faults = raised(found, Rule.SENSOR_FAULT)
    assert set(faults) == {f"R{r}S2" for r in range(4)}
    assert all(0 < at - locks / 2 <= 15 for at in faults.values())


def test_a_low_speed_is_belied_by_thin_traffic_alone() -> None:
    thin = ThinTraffic()
    thin.table.add(5)
    rows, dt_us = np.arange(5), np.full(5, 30e6)
    habit = np.log(np.full(5, 4.0 * 100.0 * 30e6 / 20.0))
    habit[4] = np.nan
    speed = np.array([30.0, 30.0, 90.0, 30.0, 30.0])
    occupancy = np.array([4.0, 25.0, 4.0, np.nan, 4.0])
    belied = thin.push(rows, dt_us, np.full(5, 20.0), speed, occupancy, habit)
    assert belied.tolist() == [True, False, False, False, False]
    assert thin.doubtful(rows).tolist() == [True, False, False, False, False]
    for _ in range(2):
        thin.push(rows, dt_us, np.full(5, 20.0), np.full(5, 100.0), np.full(5, 4.0), habit)
    assert not thin.doubtful(rows).any()


def test_a_low_speed_that_stays_is_believed_whatever_the_occupancy_says() -> None:
    thin = ThinTraffic()
    thin.table.add(1)
    row, dt_us = np.arange(1), np.full(1, 30e6)
    habit = np.log(np.full(1, 4.0 * 100.0 * 30e6 / 20.0))
    said = [
        bool(thin.push(row, dt_us, np.full(1, 20.0), np.full(1, 30.0), np.full(1, 4.0), habit)[0])
        for _ in range(12)
    ]
    assert said == [True] * said.index(False) + [False] * (12 - said.index(False))
    assert said.index(False) <= 8
    assert not thin.doubtful(row).any()
