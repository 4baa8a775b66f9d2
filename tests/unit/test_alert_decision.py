"""From an alert's evidence alone its decision can be redrawn: every rule of every kind of sensor, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.recorded.told import RECORDED_NAMES
from services.detect.scoring.decision import Check, checks
from services.detect.scoring.families import Family, family_of
from services.domain.catalogue import SensorKind
from services.domain.condition import NOTES, Change, Condition, Rule
from services.domain.instant import DAY_US, HOUR_US
from services.domain.sensor import Sensor
from tests.oracles.feeds import feed_hourly, meters
from tests.unit import test_detect_road_evidence as roads
from tests.unit.test_detect_evidence import CASES as METERS
from tests.unit.test_detect_zone_evidence import conditions
from tests.unit.test_detect_zones import WEEK_H, district, metered

PRICED = DetectorSettings(water_price_per_m3=2.0)
BY_SYSTEM = {Rule.FEED_SILENT, Rule.ALERT_FLOOD} | NOTES
"""Of feeds and of the alarm system itself: they are no alerts of a sensor, and no recording names them."""


def meter(rule: Rule) -> list[Condition]:
    return feed_hourly(Core(PRICED, meters(1)), {0: METERS[rule]()})


def silent_road() -> list[Condition]:
    core = roads.road(1)
    said = roads.feed(core, 190, lambda _, __, v: v, roads.whole)
    return said + core.tick(roads.MORNING_US + 3 * HOUR_US)


def dead_station() -> list[Condition]:
    core = roads.road(1)
    for day in range(3):
        start = roads.MORNING_US + day * DAY_US
        roads.feed(core, 240, lambda _, __, v: v, roads.whole, start)
    return roads.feed(core, 90, roads.dead, roads.whole, roads.MORNING_US + 3 * DAY_US)


def one_station(event: Callable[[int, int, roads.Values], roads.Values]) -> list[Condition]:
    return roads.feed(roads.road(1), 190, event, roads.whole)


def zone(weeks: int, begin: int, more: float, hours: int = 10_000) -> list[Condition]:
    flow = district(weeks)
    flow[begin : begin + hours] += more
    return conditions([Sensor("I", SensorKind.DMA_INLET, cadence_s=900)], [flow])[0]


def balance() -> list[Condition]:
    sensors, columns = metered(4)
    columns[0][3 * WEEK_H + 13 :] += 50.0
    return conditions(sensors, columns)[0]


ALERTS: Mapping[str, tuple[Rule, Callable[[], list[Condition]]]] = {
    **{f"meter {rule}": (rule, lambda rule=rule: meter(rule)) for rule in METERS},  # type: ignore[misc]
    "zone leak": (Rule.ZONE_LEAK, lambda: zone(6, 5 * WEEK_H + 7, 900.0)),
    "zone burst": (Rule.BURST, lambda: zone(5, 4 * WEEK_H + 34, 9000.0, 60)),
    "zone balance": (Rule.ZONE_LEAK, balance),
    "station stuck": (Rule.STUCK, lambda: one_station(roads.frozen)),
    "station silent": (Rule.SILENT, silent_road),
    "jam": (Rule.CONGESTION, lambda: one_station(roads.jam)),
    "incident": (Rule.INCIDENT, lambda: roads.feed(
        roads.road(4), 190, roads.blocked, roads.whole, stations=4)),
    "station zero_in_daytime": (Rule.SENSOR_FAULT, dead_station),
    **{
        f"station {sign}": (Rule.SENSOR_FAULT, lambda event=event: one_station(event))  # type: ignore[misc]
        for sign, (event, _) in roads.SIGNS.items()
        if sign != "zero_in_daytime"
    },
}  # fmt: skip


@cache
def told(name: str) -> tuple[Condition, str, Mapping[str, Any]]:
    """The condition, its kind in recordings, and its evidence as a line of JSON has it: nothing else is looked at."""
    rule, run = ALERTS[name]
    found = next(c for c in run() if c.rule is rule and c.change is Change.RAISE)
    kind = RECORDED_NAMES[rule]
    if rule is Rule.STUCK and name.startswith("station"):
        kind = "stuck_detector"
    return found, kind, json.loads(json.dumps(asdict(found.evidence)))


def redrawn(name: str) -> tuple[Check, ...]:
    _, kind, evidence = told(name)
    return checks(kind, family_of(kind), evidence)


def test_every_rule_has_a_case() -> None:
    assert {rule for rule, _ in ALERTS.values()} | BY_SYSTEM == set(Rule)


@pytest.mark.parametrize("name", ALERTS)
def test_the_evidence_alone_redraws_the_decision(name: str) -> None:
    found = redrawn(name)
    assert found, "something stands beside its limit"
    assert [check for check in found if not check.holds] == []


@pytest.mark.parametrize("name", ALERTS)
def test_the_evidence_names_series_window_and_what_was_missing(name: str) -> None:
    condition, _, evidence = told(name)
    assert evidence["metric"]
    assert evidence["unit"]
    assert evidence["window_s"] > 0
    assert evidence["readings"] > 0 or condition.rule is Rule.SILENT
    assert 0 <= evidence["missing_share"] <= 1
    assert 0 < condition.score <= 1, "how sure"


@pytest.mark.parametrize("name", ALERTS)
def test_the_evidence_says_what_it_costs(name: str) -> None:
    condition, kind, evidence = told(name)
    n = evidence["numbers"]
    family = family_of(kind)
    if family == Family.LEAK:
        assert n["litres_so_far"] > 0
        assert n["litres_per_day"] > 0
        if name.startswith("meter"):
            assert n["cost_so_far_eur"] == pytest.approx(n["litres_so_far"] * 0.002, abs=0.006)
    if family == Family.BACKFLOW:
        assert n["litres_back"] > 0
    if family == Family.CONGESTION:
        assert n["delay_veh_h_per_km"] > 0
        assert n["vehicles_veh"] > 0
    del condition


def tampered(name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The evidence with one figure on the other side of its limit."""
    _, _, evidence = told(name)
    if evidence["threshold"] is not None:
        (first, *_) = redrawn(name)
        limit = evidence["threshold"]
        away = max(abs(limit), 1.0)
        other = limit - away if first.side == ">=" else limit + away
        yield "value", {**evidence, "value": other}
    for figure, value in (
        ("hours_without_pause_h", 0.0),
        ("hours_without_use_h", 0.0),
        ("hours_above_h", 0.0),
        ("chance_by_habit_1", 1.0),
        ("sum_sigmas_1", 0.0),
        ("evidence_1", 0.0),
        ("unchanged_min", 0.0),
        ("locked_on_min", 0.0),
        ("zero_in_daytime_min", 0.0),
        ("misfit_min", 0.0),
        ("occupied_without_vehicles_min", 0.0),
        ("unit_factor_1", 3.0),
    ):
        if figure in evidence["numbers"]:
            yield figure, {**evidence, "numbers": {**evidence["numbers"], figure: value}}


@pytest.mark.parametrize("name", ALERTS)
def test_a_decision_that_the_figures_do_not_bear_is_not_redrawn(name: str) -> None:
    _, kind, _ = told(name)
    several = list(tampered(name))
    assert several
    for figure, evidence in several:
        numbers = evidence["numbers"]
        if figure == "value" and "lowest_km_per_h" in numbers:
            numbers = {key: x for key, x in numbers.items() if key != "lowest_km_per_h"}
        found = checks(kind, family_of(kind), {**evidence, "numbers": numbers})
        assert not all(check.holds for check in found), figure


def test_a_jam_on_a_road_names_its_bottleneck_and_the_hours_lost() -> None:
    def queue(i: int, k: int, v: roads.Values) -> roads.Values:
        """It grows against the traffic: a station further back each two and a half minutes."""
        return (v[0] - 80, v[1], v[2] * 3) if k <= 2 and i >= 100 + 5 * (2 - k) else v

    said = roads.feed(roads.road(4), 190, queue, roads.whole, stations=4)
    raised = {
        c.subject: c.evidence.numbers
        for c in said
        if c.rule is Rule.CONGESTION and c.change is Change.RAISE
    }
    assert sorted(raised) == ["S0", "S1", "S2"]
    for k, numbers in ((each, raised[f"S{each}"]) for each in range(3)):
        assert numbers["bottleneck_at_km"] == pytest.approx(1.6), "the head of the queue"
        assert numbers["bottleneck_here_1"] == (k == 2)
        assert numbers["queue_km"] == pytest.approx(0.8 * (3 - k))
    lost = [raised[f"S{k}"]["delay_vehicle_h"] for k in (2, 1, 0)]
    assert 0 < lost[0] < lost[1] < lost[2]


@pytest.mark.parametrize(
    "evidence", [{}, {"value": 3.0}, {"numbers": [1]}, {"value": True, "threshold": np.nan}]
)
def test_evidence_without_figures_proves_nothing(evidence: Mapping[str, Any]) -> None:
    assert checks("continuous_flow", Family.LEAK, evidence) == ()
