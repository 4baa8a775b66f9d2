"""What a zone's alert says of its data: readings of its window counted, missing ones named, a value past the limit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Condition, Rule
from services.domain.instant import HOUR_US
from services.domain.sensor import Sensor
from tests.oracles.feeds import START_US, batch
from tests.unit.test_detect_zones import WEEK_H, district, inlet, metered

_OFTEN = [900, 1800, 3600]


def conditions(
    sensors: Sequence[Sensor], columns: Sequence[np.ndarray], lost: np.ndarray | None = None
) -> tuple[list[Condition], dict[str, np.ndarray]]:
    """What a core says of L/h by hour, read at each sensor's cadence, and the times read, by sensor.

    `lost` (hours,) bool: the first sensor's readings of these hours never come.
    """
    core = Core(DetectorSettings(), list(enumerate(sensors)))
    numbers, times, values, read = [], [], [], {}
    for number, (sensor, column) in enumerate(zip(sensors, columns, strict=True)):
        step_us = int((sensor.cadence_s or 3600) * 1_000_000)
        each = HOUR_US // step_us
        at = START_US + (np.arange(len(column) * each) + 1) * step_us
        flow = np.repeat(column, each)
        if lost is not None and number == 0:
            at, flow = at[~np.repeat(lost, each)], flow[~np.repeat(lost, each)]
        read[sensor.id] = at
        numbers.append(np.full(len(at), number))
        times.append(at)
        values.append(flow)
    at, number = np.concatenate(times), np.concatenate(numbers)
    order = np.lexsort((number, at))
    whole = batch(
        Domain.WATER, number[order], at[order], flow_litres_per_h=np.concatenate(values)[order]
    )
    said = core.step(whole, int(at.max()))
    return [c for c in said if c.rule in (Rule.ZONE_LEAK, Rule.BURST)], read


def raised_of(said: list[Condition]) -> Condition:
    (found,) = [c for c in said if c.change is Change.RAISE]
    return found


def proven(found: Condition, read: dict[str, np.ndarray]) -> None:
    """Readings and missing share are those of the window, counted here from what was fed."""
    evidence = found.evidence
    end_us = found.onset_us + int(evidence.window_s * 1e6)
    hours = np.arange(found.onset_us // HOUR_US, end_us // HOUR_US)
    if evidence.numbers.get("night_1"):
        hours = hours[(hours % 24 >= 1) & (hours % 24 < 5)]
    counted, seen_h, expected_h = 0, 0.0, 0.0
    for times in read.values():
        per_hour = HOUR_US / float(np.median(np.diff(times)))
        here = np.isin((times - 1) // HOUR_US, hours)
        counted += int(here.sum())
        seen_h += here.sum() / per_hour
        expected_h += len(hours)
    assert evidence.readings == counted
    assert evidence.missing_share == pytest.approx(1 - seen_h / expected_h, abs=0.005)
    assert evidence.missing_share > 0
    assert evidence.value is not None
    assert evidence.threshold is not None
    assert evidence.value > evidence.threshold
    assert evidence.baseline is not None
    assert evidence.threshold > evidence.baseline


def lost_hours(count: int, *spans: tuple[int, int]) -> np.ndarray:
    lost = np.zeros(count, np.bool_)
    for begin, end in spans:
        lost[begin:end] = True
    return lost


@pytest.mark.parametrize("cadence_s", _OFTEN)
def test_of_a_leak_seen_by_the_whole_day(cadence_s: int) -> None:
    flow = district(6)
    begin = 5 * WEEK_H + 7
    flow[begin:] += 900.0
    nights = [(hour + 1, hour + 4) for hour in range(0, len(flow), 24)]  # nights say nothing
    lost = lost_hours(len(flow), *nights, (begin + 30, begin + 31))
    sensor = Sensor("I", SensorKind.DMA_INLET, cadence_s=cadence_s)
    said, read = conditions([sensor], [flow], lost)
    found = raised_of([c for c in said if c.change is not Change.UPDATE])
    assert found.rule is Rule.ZONE_LEAK
    assert found.evidence.numbers["night_1"] == 0
    proven(found, read)


@pytest.mark.parametrize("cadence_s", _OFTEN)
def test_of_a_leak_seen_by_its_nights(cadence_s: int) -> None:
    flow = district(6)
    begin = 5 * WEEK_H + 7
    flow[begin:] += 900.0
    lost = lost_hours(len(flow), (begin + 24 + 18, begin + 24 + 19))  # 01-02 h of the second night
    sensor = Sensor("I", SensorKind.DMA_INLET, cadence_s=cadence_s)
    said, read = conditions([sensor], [flow], lost)
    found = raised_of(said)
    assert found.rule is Rule.ZONE_LEAK
    assert found.evidence.numbers["night_1"] == 1
    proven(found, read)


@pytest.mark.parametrize("cadence_s", _OFTEN)
def test_of_a_burst(cadence_s: int) -> None:
    flow = district(5)
    begin = 4 * WEEK_H + 34
    flow[begin : begin + 60] += 9000.0
    sensor = Sensor("I", SensorKind.DMA_INLET, cadence_s=cadence_s)
    said, read = conditions([sensor], [flow], lost_hours(len(flow), (begin + 1, begin + 2)))
    found = raised_of([c for c in said if c.rule is Rule.BURST])
    assert found.onset_us == START_US + begin * HOUR_US
    proven(found, read)


def test_of_the_balance_with_its_meters() -> None:
    sensors, columns = metered(4)
    begin = 3 * WEEK_H + 13
    columns[0][begin:] += 50.0
    said, read = conditions(sensors, columns, lost_hours(len(columns[0]), (begin + 1, begin + 2)))
    proven(raised_of(said), read)


def test_of_two_inlets_of_which_one_has_a_hole() -> None:
    flow = district(6)
    begin = 5 * WEEK_H + 7
    flow[begin:] += 900.0
    sensors = [inlet("A", "Z"), inlet("B", "Z")]
    lost = lost_hours(len(flow), (begin + 17, begin + 20))
    said, read = conditions(sensors, [0.6 * flow, 0.4 * flow], lost)
    found = raised_of(said)
    proven(found, read)


def test_the_end_is_said_with_a_value_below_its_limit() -> None:
    sensors, columns = metered(5)
    columns[0][3 * WEEK_H : 4 * WEEK_H] += 50.0
    leak = district(8)
    leak[5 * WEEK_H : 6 * WEEK_H] += 900.0
    burst = district(5)
    burst[4 * WEEK_H + 34 : 4 * WEEK_H + 44] += 9000.0
    for feed in ((sensors, columns), ([inlet()], [leak]), ([inlet()], [burst])):
        ends = [c for c in conditions(*feed)[0] if c.change is Change.CLEAR]
        assert ends
        for over in ends:
            assert over.evidence.value is not None
            assert over.evidence.threshold is not None
            assert over.evidence.value < over.evidence.threshold
            assert over.evidence.missing_share == 0
