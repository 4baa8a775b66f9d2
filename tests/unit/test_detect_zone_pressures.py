"""Pressure confirmation: a leak told earlier and placed, and pressures that raise nothing by themselves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.words.sentences import sentence
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Condition, Rule
from services.domain.instant import DAY_US, HOUR_US
from services.domain.sensor import Sensor
from tests.oracles.feeds import START_US, batch
from tests.unit.test_detect_zones import WEEK_H, district

LOGGERS = ("P0", "P1", "P2", "P3")
BEGIN = 5 * WEEK_H + 7
SENSORS = [
    Sensor("I", SensorKind.DMA_INLET, zone="Z", cadence_s=3600),
    *(Sensor(name, SensorKind.PRESSURE, zone="Z", cadence_s=3600) for name in LOGGERS),
]


def pressures(demand: np.ndarray, leak: np.ndarray, at: int = 1, seed: int = 9) -> list[np.ndarray]:
    """kPa at each logger: head less what the demand costs, less what the leak costs on the branch of logger `at`."""
    random = np.random.default_rng(seed)
    found = []
    for i in range(len(LOGGERS)):
        flow = (demand + leak) / 10_000.0
        branch = (4.0 if i == at else 0.3) * leak / 1000.0
        noise = random.normal(0.0, 0.15, len(demand))
        found.append(400.0 + 20 * i - (6.0 + i) * flow**1.85 - branch + noise)
    return found


def feed(columns: list[np.ndarray]) -> list[Condition]:
    """What is said of a zone: the inlet's L/h and the loggers' kPa by hour; NaN is a reading that never came."""
    (said,) = feed_each(columns)
    return said


def feed_each(*zones: list[np.ndarray]) -> list[list[Condition]]:
    """The same of several zones of one core, which cost little more than one; subjects are told as in `SENSORS`."""
    sensors, columns, pressure = [], [], []
    for place, zone in enumerate(zones):
        for kind, column in zip(SENSORS, zone, strict=False):
            name = f"{kind.id}:{place}" if place else kind.id
            sensors.append(dataclasses.replace(kind, id=name, zone=f"Z{place}"))
            columns.append(column)
            pressure.append(kind.kind is SensorKind.PRESSURE)
    count = len(columns)
    hour = np.repeat(np.arange(len(columns[0])), count)
    number = np.tile(np.arange(count), len(columns[0]))
    values = np.stack(columns, axis=1).ravel()
    here = np.isfinite(values)
    of_pressure = np.array(pressure)[number]
    whole = batch(
        Domain.WATER,
        number[here],
        (START_US + (hour + 1) * HOUR_US)[here],
        flow_litres_per_h=np.where(of_pressure, np.nan, values)[here],
        pressure_kpa=np.where(of_pressure, values, np.nan)[here],
    )
    core = Core(DetectorSettings(), list(enumerate(sensors)))
    found: list[list[Condition]] = [[] for _ in zones]
    for said in core.step(whole, 0):
        name, _, of = said.subject.partition(":")
        if said.rule is not Rule.SILENT:
            found[int(of or 0)].append(dataclasses.replace(said, subject=name))
    return found


def raised(said: list[Condition]) -> list[Condition]:
    return [c for c in said if c.change is Change.RAISE]


def leaking(litres_per_h: float, weeks: int = 7) -> np.ndarray:
    return np.where(np.arange(weeks * WEEK_H) >= BEGIN, litres_per_h, 0.0)


@pytest.mark.parametrize("at", [0, 2])
def test_a_leak_that_the_pressures_confirm_is_told_earlier_surer_and_placed(at: int) -> None:
    flow, leak = district(7, noise=0.03), leaking(250.0)
    said = feed_each([flow + leak, *pressures(flow, leak, at)], [flow + leak])
    found, alone = (raised(each)[0] for each in said)
    assert found.rule is Rule.ZONE_LEAK
    assert found.at_us <= alone.at_us - DAY_US
    assert found.at_us <= START_US + (BEGIN + 72) * HOUR_US
    assert found.evidence.numbers["confidence_1"] >= 0.8 > 0.75 > alone.score
    told = {k: v for k, v in found.evidence.numbers.items() if k.endswith("_beyond_model_kpa")}
    assert min(told, key=lambda name: told[name]) == f"P{at}_beyond_model_kpa"
    assert f"at pressure logger P{at} it is " in sentence(found, SENSORS[0])
    assert "% sure" in sentence(found, SENSORS[0])


def test_pressures_alone_raise_nothing() -> None:
    flow, none = district(7, noise=0.03), np.zeros(7 * WEEK_H)
    late = np.arange(len(flow)) >= BEGIN
    calm = pressures(flow, none)
    pumped = [p - np.where(late & (np.arange(len(flow)) % 24 < 8), 15.0, 0.0) for p in calm]
    valve = [p - (30.0 if i == 2 else 0.0) * late for i, p in enumerate(calm)]
    broken = [np.where(late & (i == 1), 0.0, p) for i, p in enumerate(calm)]
    drifting = [p - (i == 0) * late * np.arange(len(flow)) * 0.01 for i, p in enumerate(calm)]
    cases = (calm, pumped, valve, broken, drifting)
    said = feed_each(*([flow, *columns] for columns in cases))
    assert [raised(each) for each in said] == [[]] * len(cases)


def test_a_flushing_and_a_holiday_that_the_pressures_feel_raise_nothing() -> None:
    flow, extra = district(7), np.zeros(7 * WEEK_H)
    extra[BEGIN + 27 : BEGIN + 29] = 3000.0
    holiday = flow.copy()
    day = slice(6 * WEEK_H + 48, 6 * WEEK_H + 72)
    holiday[day] = flow[6 * WEEK_H - 24 : 6 * WEEK_H]
    shifted = pressures(holiday, np.zeros(len(flow)))
    shifted[3][day] -= 1.5  # people are somewhere else
    flushed = [flow + extra, *pressures(flow, extra)]
    assert [raised(each) for each in feed_each(flushed, [holiday, *shifted])] == [[], []]


def test_more_demand_everywhere_is_no_accord() -> None:
    flow = district(7, noise=0.03)
    more = flow * np.where(np.arange(len(flow)) >= BEGIN, 1.04, 1.0)
    assert raised(feed([more, *pressures(more, np.zeros(len(flow)))])) == []


def test_silent_loggers_change_nothing_for_the_flow() -> None:
    flow, leak = district(7), leaking(900.0)
    columns = pressures(flow, leak)
    for column in columns:
        column[BEGIN - WEEK_H :] = np.nan
    columns[0][:] = np.nan
    with_silent, by_itself = map(raised, feed_each([flow + leak, *columns], [flow + leak]))
    (alone,) = by_itself
    assert [c.at_us for c in with_silent] == [alone.at_us]
    assert with_silent[0].evidence.numbers["confidence_1"] == pytest.approx(alone.score, abs=1e-3)
