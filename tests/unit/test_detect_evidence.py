"""Every rule for meters proves itself: readings counted, the share that was missing, and a value beyond its threshold.

Each rule is driven through the core with a gap in the window on which its decision rests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.domain.condition import NOTES, Change, Condition, Evidence, Rule
from services.domain.instant import HOUR_US
from tests.oracles.feeds import START_US, feed_hourly, home, meters

WEEKS3 = 21 * 24


def running() -> np.ndarray:
    use = home(WEEKS3 + 40)
    use[WEEKS3 + 4 :] += 5.0
    use[WEEKS3 + 8 : WEEKS3 + 11] = np.nan
    return use


def bursting() -> np.ndarray:
    use = home(WEEKS3 + 48)
    use[WEEKS3 + 24 : WEEKS3 + 34] += 900
    use[WEEKS3 + 25] = np.nan
    return use


def backwards() -> np.ndarray:
    use = home(300)
    use[290], use[291:294], use[294] = -1.0, np.nan, -30.0
    return use


def stuck() -> np.ndarray:
    use = home(WEEKS3 + 24 * 18)
    use[WEEKS3:] = 0
    use[WEEKS3 + 30 : WEEKS3 + 60] = np.nan
    return use


def sleepless() -> np.ndarray:
    random = np.random.default_rng(8)
    hours = 60 * 24
    use = (random.gamma(6.0, 40.0, hours) * np.where(np.arange(hours) % 24 < 6, 0.3, 1.2)).round()
    use[40 * 24 :] += 120
    use[42 * 24 + 2 : 42 * 24 + 4] = np.nan
    return use


def dripping() -> np.ndarray:
    use = home(WEEKS3 + 24 * 8)
    use[WEEKS3:] += 32 * (np.random.default_rng(5).random(24 * 8) < 0.75)
    use[WEEKS3 + 5 : WEEKS3 + 9] = np.nan
    return use


def quiet() -> np.ndarray:
    use = home(100)
    use[50:90] = np.nan
    return use


def foreign() -> np.ndarray:
    use = home(300)
    use[196:199] = np.nan
    use[199] = -0.99 * (10_000 + np.nansum(use[:199]))
    return use


CASES: Mapping[Rule, Callable[[], np.ndarray]] = {
    Rule.CONTINUOUS_FLOW: running,
    Rule.BURST: bursting,
    Rule.BACKFLOW: backwards,
    Rule.STUCK: stuck,
    Rule.NIGHT_FLOW: sleepless,
    Rule.INTERMITTENT_LEAK: dripping,
    Rule.SILENT: quiet,
    Rule.SENSOR_FAULT: foreign,
}
NOT_OF_METERS = NOTES | {
    Rule.CONGESTION, Rule.INCIDENT, Rule.ZONE_LEAK, Rule.FEED_SILENT, Rule.ALERT_FLOOD,
}  # fmt: skip
LOW_IS_BAD = {Rule.BACKFLOW, Rule.INTERMITTENT_LEAK}


@cache
def told(rule: Rule) -> tuple[Condition, np.ndarray]:
    use = CASES[rule]()
    conditions = feed_hourly(Core(DetectorSettings(), meters(1)), {0: use})
    (found,) = [c for c in conditions if c.rule is rule and c.change is Change.RAISE]
    return found, use


def expected_hours(found: Condition, use: np.ndarray) -> np.ndarray:
    """Readings that the window should hold: those after its onset up to the decision; by night those of 01-06 h."""
    hour = np.arange(len(use))
    at = START_US + hour * HOUR_US
    inside = (at > found.onset_us) & (at <= found.at_us)
    if found.rule is Rule.NIGHT_FLOW:  # the sum began with the night that ended at the onset
        inside = (at > found.onset_us - 12 * HOUR_US) & (at <= found.at_us)
        inside &= np.isin((hour - 1) % 24, range(1, 6))
    return use[inside]


def test_every_rule_for_meters_has_a_case() -> None:
    assert set(CASES) | NOT_OF_METERS == set(Rule)


@pytest.mark.parametrize("rule", list(CASES))
def test_the_share_of_missing_readings_is_true(rule: Rule) -> None:
    found, use = told(rule)
    wanted = expected_hours(found, use)
    assert found.evidence.missing_share > 0
    assert found.evidence.readings == np.isfinite(wanted).sum()
    assert found.evidence.missing_share == pytest.approx(np.isnan(wanted).mean(), abs=0.01)


@pytest.mark.parametrize("rule", list(CASES))
def test_the_value_lies_beyond_its_threshold(rule: Rule) -> None:
    evidence = told(rule)[0].evidence
    assert evidence.value is not None
    if evidence.threshold is None:
        assert redrawn_without_limit(rule, evidence)
    elif rule in LOW_IS_BAD:
        assert evidence.value < evidence.threshold
    else:
        assert evidence.value > evidence.threshold


def redrawn_without_limit(rule: Rule, evidence: Evidence) -> bool:
    """Rules that decide by a chance and a length name both with their limits."""
    n = evidence.numbers
    if rule is Rule.SENSOR_FAULT:
        return evidence.value * n["unit_factor_1"] == pytest.approx(evidence.baseline)  # type: ignore[operator]
    length = n["hours_without_pause_h" if rule is Rule.CONTINUOUS_FLOW else "hours_without_use_h"]
    return n["chance_by_habit_1"] <= n["chance_limit_1"] and length >= n["needed_h"]


def test_the_night_s_evidence_measures_the_same_thing_as_its_limit() -> None:
    found, use = told(Rule.NIGHT_FLOW)
    n = found.evidence.numbers
    hour = np.arange(len(use))
    first = (found.onset_us - START_US) // HOUR_US - 12
    minima = []
    for day in range(int(first) // 24, len(use) // 24):
        night = use[(hour - 1 >= 24 * day + 1) & (hour - 1 < 24 * day + 6)]
        if START_US + (24 * day + 6) * HOUR_US <= found.at_us and np.isfinite(night).sum() >= 3:
            minima.append(np.sort(night[np.isfinite(night)])[:2].mean())
    mean = np.mean(minima[: int(n["nights_1"])])
    assert found.evidence.value == pytest.approx(mean, rel=0.05)
    assert found.evidence.baseline is not None
    sigmas = 0.75 + n["sum_limit_1"] / n["nights_1"]
    limit = found.evidence.baseline + sigmas * n["sigma_litres_per_h"]
    assert found.evidence.threshold == pytest.approx(limit, rel=0.001)
    assert n["sum_sigmas_1"] > n["sum_limit_1"]
