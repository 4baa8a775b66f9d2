"""Litres lost: what every zone alert says so far, held against what was injected, while it lasts and when it is over.

Tolerance: 30 % for the net inflow, which knows the leak against the demand's habit alone; 10 % for the balance with
meters; 25 % for a burst, which begins and ends within hours.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from services.detect.words.sentences import sentence
from services.domain.condition import Change, Condition, Rule
from services.domain.instant import HOUR_US
from tests.oracles.feeds import START_US
from tests.unit.test_detect_zone_evidence import conditions
from tests.unit.test_detect_zones import WEEK_H, district, inlet, metered


def checked(said: list[Condition], rule: Rule, leak: np.ndarray, tolerance: float) -> None:
    """Each figure from the second day on is that of the injected L/h by hour, within the tolerance."""
    told = [c for c in said if c.rule is rule]
    begin = int(np.flatnonzero(leak)[0])
    assert (told[0].change, told[-1].change) == (Change.RAISE, Change.CLEAR)
    lost = []
    for condition in told:
        until = int((condition.at_us - START_US) // HOUR_US) - 1
        truth = float(leak[:until].sum())
        numbers = condition.evidence.numbers
        assert 0.5 <= numbers["confidence_1"] <= 1
        assert numbers["litres_per_day"] == pytest.approx(
            24 * numbers["leak_litres_per_h"], rel=1e-3
        )
        if until >= begin + 48 or rule is Rule.BURST:
            assert numbers["litres_so_far"] == pytest.approx(truth, rel=tolerance)
        lost.append(numbers["litres_so_far"])
    assert len(lost) >= 3 or rule is Rule.BURST
    assert all(b >= 0.85 * a for a, b in pairwise(lost))
    assert "so far" in sentence(told[0], inlet())
    assert "% sure" in sentence(told[0], inlet())
    assert "in all" in sentence(told[-1], inlet())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_of_a_leak_in_the_net_inflow(seed: int) -> None:
    flow = district(10, seed)
    leak = np.zeros(len(flow))
    leak[5 * WEEK_H + 30 : 7 * WEEK_H + 40] = 900.0
    checked(conditions([inlet()], [flow + leak])[0], Rule.ZONE_LEAK, leak, 0.3)


def test_of_a_leak_that_grows_and_of_hours_that_nobody_heard() -> None:
    flow = district(10)
    leak = np.zeros(len(flow))
    leak[5 * WEEK_H + 30 : 7 * WEEK_H + 40] = 900.0
    leak[6 * WEEK_H : 7 * WEEK_H + 40] = 2500.0
    lost = np.zeros(len(flow), np.bool_)
    lost[6 * WEEK_H + 50 : 6 * WEEK_H + 54] = True
    said, _ = conditions([inlet()], [flow + leak], lost)
    checked(said, Rule.ZONE_LEAK, leak, 0.3)


def test_of_a_leak_in_the_balance() -> None:
    sensors, columns = metered(5)
    leak = np.zeros(len(columns[0]))
    leak[3 * WEEK_H + 13 : 4 * WEEK_H] = 50.0
    columns[0] = columns[0] + leak
    checked(conditions(sensors, columns)[0], Rule.ZONE_LEAK, leak, 0.1)


def test_of_a_burst() -> None:
    flow = district(5)
    leak = np.zeros(len(flow))
    leak[4 * WEEK_H + 34 : 4 * WEEK_H + 60] = 9000.0
    checked(conditions([inlet()], [flow + leak])[0], Rule.BURST, leak, 0.25)
