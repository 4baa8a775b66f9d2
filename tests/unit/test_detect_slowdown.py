"""A station where traffic is slow though the road has room: told as a warning, at every cadence; and what is not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.words.sentences import sentence
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Condition, Rule, Severity
from services.domain.instant import DAY_US, SECOND_US
from services.domain.sensor import Sensor
from tests.oracles.feeds import START_US, batch

STATIONS = 5
EIGHT_US = START_US + 8 * 3600 * SECOND_US
BEGIN, END = 45, 80
"""Minutes of the second day."""
Slower = Callable[[float, int], float]
"""km/h by which a station is slower at a minute of the second day."""


def road() -> list[Sensor]:
    return [
        Sensor(f"S{k}", SensorKind.TRAFFIC_STATION, road="A1", position_m=1000.0 * k)
        for k in range(STATIONS)
    ]


def drive(
    step_s: int,
    slower: Slower,
    calm_veh_per_h: float = 2200.0,
    first_day: bool = True,
    counts: bool = True,
    always: bool = False,
) -> list[Condition]:
    """A rush of one hour at 3,600 veh/h on the first day, then 110 minutes of the second."""
    random = np.random.default_rng(step_s)
    core = Core(DetectorSettings(), list(enumerate(road())))
    told: list[Condition] = []
    for day, minutes, flow in ((0, 60, 3600.0), (1, 110, calm_veh_per_h)):
        if day == 0 and not first_day:
            continue
        looks = np.arange(1, minutes * 60 // step_s + 1)
        at = np.repeat(looks * step_s, STATIONS)
        k = np.tile(np.arange(STATIONS), len(looks))
        count = random.poisson(flow * step_s / 3600, len(at))
        speed = (
            102.0 - 2.0 * (k % 2) + random.normal(0, 12, len(at)) / np.sqrt(np.maximum(count, 1))
        )
        if day or always:
            speed -= [slower(second / 60, int(row)) for second, row in zip(at, k, strict=True)]
        metrics = {"speed_km_per_h": speed.tolist()}
        if counts:
            metrics["count_veh"] = count.astype(float).tolist()
        times = EIGHT_US + day * DAY_US + at * SECOND_US
        told += core.step(batch(Domain.TRAFFIC, k.tolist(), times.tolist(), **metrics), 0)
    return told


def blocked(minute: float, k: int) -> float:
    return 14.0 if k == 2 and BEGIN <= minute < END else 0.0


@pytest.mark.parametrize("step_s", [20, 30, 60, 300])
def test_a_slow_station_on_a_road_with_room_is_a_warning_that_ends_with_it(step_s: int) -> None:
    raised, cleared = drive(step_s, blocked)
    assert (raised.rule, raised.subject, raised.change) == (Rule.INCIDENT, "S2", Change.RAISE)
    assert raised.severity is Severity.WARNING
    begin = EIGHT_US + DAY_US + BEGIN * 60 * SECOND_US
    assert begin - 300 * SECOND_US <= raised.onset_us < raised.at_us
    assert raised.at_us - begin <= max(360, 3 * step_s + 60) * SECOND_US
    assert cleared.change is Change.CLEAR
    assert cleared.at_us <= begin + (END - BEGIN + 30) * 60 * SECOND_US


def test_its_evidence_redraws_the_decision_and_the_sentence_says_it() -> None:
    raised = drive(30, blocked)[0]
    numbers = raised.evidence.numbers
    assert numbers["slowed_1"] == 1
    assert 6 <= numbers["excess_km_per_h"] <= 20
    assert 0.4 <= numbers["filled_1"] <= 0.8
    assert raised.evidence.threshold is not None
    assert raised.evidence.baseline == pytest.approx(raised.evidence.threshold + 6.0, abs=0.2)
    words = sentence(raised, road()[2])
    assert words.startswith("Something stands in the way of traffic near station S2")
    assert "% full" in words


@pytest.mark.parametrize(
    ("why", "told"),
    [
        ("all stations are slow: weather", lambda: drive(30, lambda minute, _: 14.0 * (minute >= BEGIN))),
        ("the road is full: a bottleneck", lambda: drive(30, blocked, calm_veh_per_h=3400.0)),
        ("nobody knows yet what the road can carry", lambda: drive(30, blocked, first_day=False)),
        ("nothing is counted", lambda: drive(30, blocked, counts=False)),
        ("it lasts one minute", lambda: drive(30, lambda m, k: 14.0 * (k == 2 and BEGIN <= m < BEGIN + 1))),
        ("it has always been so", lambda: drive(30, lambda _, k: 14.0 * (k == 2), always=True)),
    ],
)  # fmt: skip
def test_what_is_no_slowdown(why: str, told: Callable[[], list[Condition]]) -> None:
    assert told() == [], why


def test_a_queue_that_follows_makes_the_same_alert_critical() -> None:
    def grows(minute: float, k: int) -> float:
        if k == 2 and minute >= BEGIN + 15:
            return 75.0
        return blocked(minute, k)

    told = [c for c in drive(30, grows) if c.rule is Rule.INCIDENT]
    assert [(c.change, c.severity) for c in told[:2]] == [
        (Change.RAISE, Severity.WARNING),
        (Change.UPDATE, Severity.CRITICAL),
    ]
    assert told[0].subject == told[1].subject == "S2"
