"""Households whose life changes are no leaks: new tenants, guests who stay up, a sum of homes that seldom rests."""

from __future__ import annotations

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.watches.meter_watch import MeterWatch
from services.domain.condition import Change, Condition, Rule
from services.domain.instant import DAY_US, HOUR_US
from tests.oracles.feeds import START_US, feed_hourly, home, meters

WEEKS4 = 28 * 24


def raised(rule: Rule, *uses: np.ndarray) -> list[Condition]:
    core = Core(DetectorSettings(), meters(len(uses)))
    said = feed_hourly(core, dict(enumerate(uses)))
    return [c for c in said if c.rule is rule and c.change is Change.RAISE]


def quiet(hours: int, seed: int, share: float) -> np.ndarray:
    """Litres of a home in which water runs in so large a share of the hours, by day and by night."""
    random = np.random.default_rng(seed)
    return np.asarray(
        (15 + random.gamma(1.2, 18.0, hours)).round() * (random.random(hours) < share)
    )


def test_more_people_at_home_are_no_leak_with_pauses_and_such_a_leak_still_is() -> None:
    homes = [quiet(WEEKS4 + 12 * 24, seed, 0.15) for seed in range(6)]
    leaking = [use.copy() for use in homes]
    on = np.random.default_rng(5).random(12 * 24) < 0.75
    for seed, (fuller, leak) in enumerate(zip(homes, leaking, strict=True)):
        fuller[WEEKS4:] = quiet(12 * 24, 20 + seed, 0.5)  # pauses are little more than half as many
        leak[WEEKS4:] += 30.0 * on
    told = raised(Rule.INTERMITTENT_LEAK, *homes, *leaking)
    names = {c.subject for c in told}
    assert {f"M{n}" for n in range(6, 12)} <= names
    assert len(names) <= 7, "of six fuller homes at most one"
    assert all(c.at_us - START_US < WEEKS4 * HOUR_US + 5 * DAY_US for c in told)
    for evidence in (condition.evidence for condition in told):
        assert evidence.value is not None
        assert evidence.threshold is not None
        assert evidence.value <= evidence.threshold <= 0.4 * (evidence.baseline or 0.0) + 0.01


def test_a_busy_night_of_single_steps_is_no_trickle() -> None:
    homes = []
    for hours in range(2, 7):
        for share in (0.6, 0.7, 0.8, 0.9):
            random = np.random.default_rng(round(100 * share) + hours)
            use = random.integers(4, 40, WEEKS4 + 48).astype(float)
            asleep = np.arange(len(use)) % 24 < hours
            use[asleep & (random.random(len(use)) < share)] = 0.0
            use[WEEKS4:] = np.where(asleep[WEEKS4:], 1.0, random.integers(2, 40, 48))
            use[WEEKS4 + 27 :] = 0.0
            homes.append(use)
    told = raised(Rule.CONTINUOUS_FLOW, *homes)
    assert told, "where it is rare enough it is told"
    for numbers in (c.evidence.numbers for c in told):
        assert numbers["least_litres_per_h"] >= numbers["least_needed_litres_per_h"]
    assert {c.evidence.numbers["least_needed_litres_per_h"] for c in told} >= {0.0, 2.0}
    modest = [c.evidence.value for c in told if c.evidence.numbers["chance_limit_1"] > 1e-4]
    assert [value for value in modest if value is None or value < 1.9] == []


@pytest.mark.parametrize(("hours", "learned"), [(40, True), (90, False)])
def test_a_run_in_doubt_is_learned_from_when_it_ends_within_three_days(
    hours: int, learned: bool
) -> None:
    use = home(WEEKS4 + hours + 8, 3)
    use[WEEKS4 : WEEKS4 + hours] += 4.0
    use[WEEKS4 + hours :] = 0.0
    watch = MeterWatch(DetectorSettings())
    watch.add([meters(1)[0][1]])
    row, none = np.array([0]), np.array([np.nan])
    known = []
    for hour, register in enumerate(10_000 + np.cumsum(use)):
        watch.step(row, np.array([START_US + hour * HOUR_US]), [np.array([register]), none, none])
        known.append(float(watch.tables()["learned"]["hours"][0]))
    of_run = known[WEEKS4 + hours + 4] - known[WEEKS4]
    before = watch.tables()["learned"]["litres"][0] / known[-1]
    assert of_run >= hours if learned else of_run <= 20
    assert before == pytest.approx(use[:WEEKS4].mean(), rel=0.15), (
        "of its litres nothing is learned"
    )
