"""Simulated homes and roads behave like real ones, fail as told, and do not depend on how time is cut."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.errors import InvalidInput
from services.domain.instant import HOUR_US, SECOND_US, to_us
from simulators.city.models import City
from simulators.reading import Reading
from simulators.scenario import (
    SHIPPED,
    Fault,
    FaultKind,
    Scenario,
    TrafficScenario,
    WaterScenario,
    load_scenario,
    parse_scenario,
)
from simulators.traffic.cells import CAPACITY_VEH_PER_H, Cells

LIVE_US = to_us(datetime(2026, 3, 2, tzinfo=UTC))  # a Monday
DAY_US = 24 * HOUR_US


def water(*faults: Fault, homes: int = 12, **more: object) -> Scenario:
    table = WaterScenario.model_validate({"homes": homes, "fault": faults, **more})
    return Scenario(seed=5, water=table)


def traffic(*faults: Fault, **more: object) -> Scenario:
    return Scenario(
        seed=5, traffic=TrafficScenario.model_validate({"fault": faults, "cadence_s": 300, **more})
    )


def fault(
    kind: FaultKind, sensor: int, start_h: float, duration_h: float, size: float = 0
) -> Fault:
    return Fault(kind=kind, sensor=sensor, start_h=start_h, duration_h=duration_h, size=size)


def of(readings: list[Reading], sensor_id: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
    mine = [r for r in readings if r.sensor_id == sensor_id and metric in r.values]
    hours = np.array([(r.observed_us - LIVE_US) / HOUR_US for r in mine])
    return hours, np.array([r.values[metric] for r in mine])


def run(scenario: Scenario, hours: float) -> list[Reading]:
    return list(City(scenario, LIVE_US).readings(LIVE_US + round(hours * HOUR_US)))


def test_registers_count_whole_litres_up_and_rest_at_night() -> None:
    readings = run(water(homes=30), 7 * 24)
    nights = []
    for home in range(30):
        hours, register = of(readings, f"DMA-1.M{home:04d}", "register")
        assert len(register) in {167, 168}
        assert np.all(register == np.floor(register))
        litres = np.diff(register)
        assert np.all(litres >= 0)
        assert 30 < litres.sum() / 7 < 2000
        night = (hours[1:] % 24 > 1.5) & (hours[1:] % 24 < 4.5)
        nights.append(np.mean(litres[night] == 0))
    assert np.mean(nights) > 0.7


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [(FaultKind.LEAK, 20, 1e9), (FaultKind.BURST, 20, 1e9), (FaultKind.STUCK, 0, 0)],
)
def test_a_fault_shows_in_its_window_and_nowhere_else(
    kind: FaultKind, least: float, most: float
) -> None:
    sound = run(water(), 72)
    broken = run(water(fault(kind, 4, 24, 24, 20)), 72)
    hours, register = of(broken, "DMA-1.M0004", "register")
    _, usual = of(sound, "DMA-1.M0004", "register")
    litres, sound_litres = np.diff(register), np.diff(usual)
    inside = (hours[:-1] > 25) & (hours[1:] < 47)
    assert np.all(litres[inside] >= least)
    assert np.all(litres[inside] <= most)
    before = hours[1:] < 24
    assert np.array_equal(litres[before], sound_litres[before])
    after = hours[:-1] > 49
    assert np.all(np.abs(litres[after] - sound_litres[after]) <= 1)
    others = [r for r in broken if r.sensor_id == "DMA-1.M0005"]
    assert others == [r for r in sound if r.sensor_id == "DMA-1.M0005"]


def test_water_runs_backwards_through_a_backflow() -> None:
    _, register = of(
        run(water(fault(FaultKind.BACKFLOW, 2, 2, 2, 500)), 8), "DMA-1.M0002", "register"
    )
    assert np.diff(register).min() < -300


def test_a_silent_meter_says_nothing_and_goes_on_counting() -> None:
    hours, register = of(
        run(water(fault(FaultKind.SILENT, 2, 10, 14)), 36), "DMA-1.M0002", "register"
    )
    assert not np.any((hours > 10.5) & (hours < 23.5))
    assert np.all(np.diff(register) >= 0)


def test_a_register_rolls_over_near_the_time_it_was_told_to() -> None:
    scenario = water(fault(FaultKind.ROLLOVER, 3, 24, 1), rollover_litres=1e6)
    hours, register = of(run(scenario, 96), "DMA-1.M0003", "register")
    falls = np.flatnonzero(np.diff(register) < 0)
    assert len(falls) == 1
    assert register[falls[0]] > 9.9e5
    assert register[falls[0] + 1] < 1e4
    assert 6 < hours[falls[0]] < 72


def test_the_inlet_sees_homes_losses_and_a_leak_of_the_main() -> None:
    scenario = water(fault(FaultKind.MAIN_LEAK, 0, 24, 24, 3000), homes=50)
    _, flow = of(run(scenario, 48), "DMA-1.INLET", "flow")
    before, after = flow[4:96].mean(), flow[100:].mean()
    assert 2500 < after - before < 3500


def test_speed_flow_and_occupancy_agree() -> None:
    readings = run(traffic(stations=12), 24)
    speeds, counts, occupied = (
        np.array([r.values[name] for r in readings if "speed" in r.values])
        for name in ("speed", "count", "occupancy")
    )
    from_speed = counts * 12 / 3 / speeds * 6.5 / 10
    busy = counts > 60
    assert np.median(np.abs(occupied - from_speed)[busy] / from_speed[busy]) < 0.15


def test_the_evening_queue_comes_back_upstream_of_the_bottleneck() -> None:
    readings = run(traffic(stations=12, bottleneck=8), 48)
    for day in range(2):
        hours, speed = of(readings, "A1N.S07", "speed")
        evening = (hours > day * 24 + 16) & (hours < day * 24 + 18.5)
        assert speed[evening].min() < 64
        hours, speed = of(readings, "A1N.S10", "speed")
        assert speed[(hours > 24 * day) & (hours < 24 * (day + 1))].min() > 80


def test_the_queue_of_an_incident_moves_upstream_and_dissolves() -> None:
    incident = fault(FaultKind.INCIDENT, 6, 9, 0.75, 0.66)
    readings = run(traffic(incident, stations=12, bottleneck_share=1), 14)
    firsts = []
    for station in (6, 5, 4):
        hours, speed = of(readings, f"A1N.S{station:02d}", "speed")
        slow = hours[(speed < 64) & (hours > 8.5)]
        firsts.append(slow.min())
        assert slow.max() < 12
        assert speed[hours > 13].min() > 90
    assert firsts == sorted(firsts)
    assert firsts[0] < firsts[-1]
    _, downstream = of(readings, "A1N.S08", "speed")
    assert downstream.min() > 90


def test_dead_stuck_and_silent_stations() -> None:
    readings = run(
        traffic(
            fault(FaultKind.DEAD, 0, 8, 1),
            fault(FaultKind.STUCK, 1, 8, 1),
            fault(FaultKind.SILENT, 2, 8, 1),
            stations=12,
        ),
        10,
    )
    inside = [r for r in readings if 8.1 < (r.observed_us - LIVE_US) / HOUR_US < 8.9]
    by_id = {
        station: [r for r in inside if r.sensor_id == f"A1N.S{station:02d}"] for station in range(4)
    }
    assert all(r.values == {"count": 0.0, "occupancy": 0.0} for r in by_id[0])
    assert len({tuple(r.values.values()) for r in by_id[1]}) == 1
    assert by_id[2] == []
    assert len({tuple(r.values.values()) for r in by_id[3]}) == len(by_id[3]) > 5


def test_lanes_speak_for_themselves_where_told() -> None:
    city = City(traffic(stations=4, lanes=2, each_lane=True, stations_a_road=4), LIVE_US)
    assert [sensor.id for sensor in city.sensors][:3] == ["A1N.S00.L1", "A1N.S00.L2", "A1N.S01.L1"]
    assert {r.sensor_id for r in city.readings(LIVE_US + HOUR_US)} == {s.id for s in city.sensors}


@given(
    st.lists(st.floats(0, 1.3), min_size=1, max_size=20),
    st.lists(st.floats(0, 1), min_size=6, max_size=6),
)
@settings(max_examples=40)
def test_cells_lose_and_invent_no_vehicle(demands: list[float], opened: list[float]) -> None:
    cells = Cells(1, 6, 0.8)
    wanted = left = 0.0
    for share in demands:
        demand = np.array([share * CAPACITY_VEH_PER_H])
        passed = cells.pass_time(120, demand, np.array([opened]))
        wanted += float(demand[0]) / 30
        left += float(passed.vehicles[0, -1])
        assert np.all(passed.vehicles >= -1e-9)
    inside = float(cells._density.sum() * 0.8 + cells._waiting.sum())
    assert inside + left == pytest.approx(wanted, abs=1e-6)


@given(st.lists(st.integers(1, 6 * 3600), min_size=1, max_size=5))
@settings(max_examples=15)
def test_readings_do_not_depend_on_how_time_is_cut(cuts: list[int]) -> None:
    scenario = load_scenario("city").sized(16).model_copy(update={"history_h": 2})
    whole, parts = City(scenario, LIVE_US), City(scenario, LIVE_US)
    end_us = LIVE_US + sum(cuts) * SECOND_US
    pieces: list[Reading] = []
    until_us = LIVE_US
    for cut in cuts:
        until_us += cut * SECOND_US
        pieces += parts.readings(until_us)
    expected = list(whole.readings(end_us))
    assert pieces == expected
    assert [r.observed_us for r in expected] == sorted(r.observed_us for r in expected)
    assert expected[0].observed_us >= LIVE_US - 2 * HOUR_US
    assert expected[-1].observed_us < end_us


def test_another_seed_is_another_city() -> None:
    first, second = (run(water().model_copy(update={"seed": seed}), 24) for seed in (1, 2))
    assert first != second
    assert run(water(), 24) == run(water(), 24)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_scenarios_run_and_tell_the_truth(path: object) -> None:
    scenario = load_scenario(str(path)).sized(64).model_copy(update={"history_h": 0})
    city = City(scenario, LIVE_US)
    assert len(list(city.readings(LIVE_US + 36 * HOUR_US))) > 1000
    truths = city.truth()
    for truth in [truths] if "events" in truths else truths.values():
        known = {sensor["sensor_id"] for sensor in truth["sensors"]}
        for event in truth["events"]:
            assert set(event["series"]) <= known | {"DMA-1.INLET"}
            assert event["start"] < event["end"]


def test_truth_names_congestion_by_its_definition() -> None:
    city = City(traffic(stations=12, bottleneck=8), LIVE_US)
    readings = list(city.readings(LIVE_US + DAY_US))
    events = [e for e in city.truth()["events"] if e["kind"] == "congestion"]
    assert events
    for event in events:
        hours, speed = of(readings, event["series"][0], "speed")
        begin, end = (
            (to_us(datetime.fromisoformat(event[key])) - LIVE_US) / HOUR_US
            for key in ("start", "end")
        )
        assert end - begin >= 1 / 6
        assert np.median(speed[(hours > begin) & (hours <= end)]) < 66


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed = ", "not readable as TOML"),
        ("sead = 1", "sead"),
        ("[water]\nhomes = -1", "water.homes"),
        (
            "[water]\n[[water.fault]]\nkind = 'incident'\nstart_h = 0\nduration_h = 1",
            "no fault of this",
        ),
        ("start = 2026-01-01T00:00:00", "start"),
    ],
)
def test_a_wrong_scenario_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        parse_scenario(text)


def test_a_fault_of_a_sensor_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidInput, match="from 0 to 11"):
        City(water(fault(FaultKind.LEAK, 12, 0, 1, 1)), LIVE_US)
    with pytest.raises(InvalidInput, match="scenario"):
        load_scenario("nowhere")
