"""Recall, precision, rates of false alarms, times to detect; pooled by counts; against chance; sample by sample."""

from __future__ import annotations

import pytest

from services.detect.scoring.alert_lines import AlertLine
from services.detect.scoring.figures import Figures, figures, of_family, pool, with_chance
from services.detect.scoring.matching import match
from services.detect.scoring.samples import pool_samples, samples
from services.domain.instant import DAY_US, HOUR_US, parse_time
from tests.unit.test_score_matching import alert, event, truth

TWO = [event("leak", "A", "10", "12"), event("backflow", "B", "20", "22")]


def test_figures_of_a_case_and_of_its_families() -> None:
    case = truth(events=TWO)
    alerts = [alert("10T06:00"), alert("15T00:00"), alert("21T00:00", "B", "leak")]
    matching = match(case, alerts)
    whole = figures(matching, sensor_days=60.0, days=30.0)
    assert (whole.events, whole.found, whole.false_alarms) == (2, 1, 2)
    assert whole.recall == 0.5
    assert whole.precision == pytest.approx(1 / 3)
    assert whole.per_1000_sensor_days == pytest.approx(2000 / 60)
    assert whole.per_day == pytest.approx(2 / 30)
    assert whole.median_h == whole.mean_h == 6.0
    leak = of_family(matching, "leak", 60.0, 30.0)
    assert (leak.events, leak.found, leak.false_alarms) == (1, 1, 2)
    backflow = of_family(matching, "backflow", 60.0, 30.0)
    assert (backflow.recall, backflow.precision, backflow.median_h) == (0.0, None, None)


def test_nothing_asked_is_not_zero() -> None:
    empty = Figures()
    assert empty.recall is None
    assert empty.precision is None
    assert empty.per_day is None
    assert empty.per_1000_sensor_days is None
    assert empty.skill is None


def test_pooling_adds_counts_and_the_median_of_an_even_number_is_the_later() -> None:
    one = Figures(events=2, found=2, delays_h=(1.0, 9.0), sensor_days=10, days=5, by_chance=0.5)
    other = Figures(events=4, found=2, delays_h=(2.0, 3.0), false_alarms=1, sensor_days=30, days=5)
    both = pool([one, other])
    assert both.recall == pytest.approx(4 / 6)
    assert both.delays_h == (1.0, 2.0, 3.0, 9.0)
    assert both.median_h == 3.0
    assert both.per_1000_sensor_days == pytest.approx(25.0)
    assert both.skill == pytest.approx((4 - 0.5) / (6 - 0.5))


def test_an_alarm_clock_has_no_skill() -> None:
    case = truth(events=[event("dma_leak", "*", "05", "25")], one_to_one=True)
    clock = [
        AlertLine("Z", "dma_leak", "leak", case.start_us + round((i + 0.5) / 20 * 30 * DAY_US))
        for i in range(20)
    ]
    result = with_chance(figures(match(case, clock), 30.0, 30.0), case, "Z")
    assert result.by_chance == 1.0
    assert result.skill is None, "every clock finds it: nothing is left to be skilled at"
    one = with_chance(
        figures(match(case, [alert("05T06:00", "Z", "dma_leak")]), 30.0, 30.0), case, "Z"
    )
    assert one.by_chance == pytest.approx(20 / 30, abs=0.03)
    assert one.skill == pytest.approx(1.0)


def test_hours_of_working_days_are_a_share_of_the_time() -> None:
    assert truth().days == 30.0
    assert truth(day_windows="12:00-20:00").days == pytest.approx(30 * 8 / 24 * 5 / 7)
    assert truth(day_windows="22:00-02:00").days == pytest.approx(30 * 4 / 24 * 5 / 7)


def test_the_spacing_of_a_road_is_the_median_of_its_gaps() -> None:
    stations = [{"order": i, "position_m": at} for i, at in enumerate((0, 800, 1600, 3600))]
    assert truth(sensors=stations).spacing_m == 800
    miles = [{"order": i, "position_mile": 70.0 - 0.5 * i} for i in range(3)]
    assert truth(sensors=miles).spacing_m == pytest.approx(804.672)
    assert truth(sensors=[{"sensor_id": "A"}]).spacing_m is None


def at(hours: int) -> int:
    return parse_time("2026-05-10T00:00:00Z") + hours * HOUR_US


def test_samples_are_flagged_from_told_to_ended() -> None:
    case = truth()  # leaking on hours 0 to 48 of 30 * 24 from the 1st
    first = parse_time("2026-05-01T00:00:00Z")
    right = AlertLine("A", "leak", "leak", at(12), ended_us=at(49))
    result = samples(case, [right], first, HOUR_US, 30 * 24)
    assert (result.true_positive, result.false_negative) == (37, 12)
    assert (result.false_positive, result.true_negative) == (0, 30 * 24 - 49)
    assert result.r_tp == pytest.approx(100 * 37 / 49)
    assert result.f_score == pytest.approx(100 * 74 / (74 + 12))
    assert 0 < result.s_ed < 100
    at_once = AlertLine("A", "leak", "leak", at(0), ended_us=at(60))
    assert samples(case, [at_once], first, HOUR_US, 30 * 24).s_ed == pytest.approx(100)
    dropped = AlertLine("A", "leak", "leak", at(0), ended_us=at(20))
    assert samples(case, [dropped], first, HOUR_US, 30 * 24).s_ed == 0.0
    still_open = AlertLine("A", "leak", "leak", at(0))
    assert samples(case, [still_open], first, HOUR_US, 30 * 24).true_positive == 24


def test_samples_pool_by_counts() -> None:
    case, first = truth(), parse_time("2026-05-01T00:00:00Z")
    right = AlertLine("A", "leak", "leak", at(0), ended_us=at(49))
    both = pool_samples(
        [samples(case, [right], first, HOUR_US, 720), samples(case, [], first, HOUR_US, 720)]
    )
    assert both.leaks == 2
    assert both.r_tp == pytest.approx(50.0)
    assert both.r_tn == 100.0
