"""Zones drawn from seeds: the same each time, and their truth is what was put into them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.made_zones import MadeZone, balance, six_weeks, year
from services.domain.instant import parse_time


@pytest.mark.parametrize(("make", "seed"), [(year, 3), (six_weeks, 1), (balance, 1)])
def test_a_seed_makes_one_case_whose_leak_runs_during_its_events_alone(
    make: Callable[[int], MadeZone], seed: int
) -> None:
    made = make(seed)
    assert made.rows == make(seed).rows
    assert made.rows != make(seed + 4).rows
    at = made.first_us + np.arange(len(made.leak)) * made.step_us
    inside = np.zeros(len(at), bool)
    for event in made.facts["events"]:
        inside |= (at >= parse_time(event["start"])) & (at < parse_time(event["end"]))
    assert not made.leak[~inside].any()
    assert made.leak.any() == bool(made.facts["events"])
    assert {name for _, name, _, _ in made.rows} == set(made.kinds)
    assert made.rows == sorted(made.rows)
