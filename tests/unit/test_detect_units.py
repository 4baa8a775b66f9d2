"""A meter that speaks in another unit, is exchanged, or rolls over: told as what it is, never as water."""

from __future__ import annotations

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.words.sentences import sentence
from services.domain.catalogue import Domain
from services.domain.condition import NOTES, Change, Condition, Rule
from services.domain.instant import HOUR_US
from tests.oracles.feeds import START_US, batch, home, meters

HOURS = 24 * 20
JUMP = 24 * 15
QUIET = {Rule.SILENT}


def said(values: np.ndarray, column: str = "register_litres") -> list[Condition]:
    core, out = Core(DetectorSettings(), meters(1)), []
    at = [START_US + hour * HOUR_US for hour in range(len(values))]
    known = [i for i in range(len(values)) if np.isfinite(values[i])]
    for i in known:
        out += core.step(batch(Domain.WATER, [0], [at[i]], **{column: [float(values[i])]}), 0)
    return [c for c in out if c.rule not in QUIET]


@pytest.mark.parametrize("factor", [0.001, 0.01, 0.1, 10.0, 100.0, 1000.0])
def test_a_register_in_another_unit_is_a_fault_and_nothing_else(factor: float) -> None:
    register = 71_000.0 + np.cumsum(home(HOURS))
    register[JUMP : JUMP + 72] *= factor
    conditions = said(register)
    assert [(c.rule, c.change) for c in conditions] == [
        (Rule.SENSOR_FAULT, Change.RAISE),
        (Rule.SENSOR_FAULT, Change.CLEAR),
    ]
    told, over = conditions
    assert told.at_us == START_US + JUMP * HOUR_US, "at once"
    assert over.at_us == START_US + (JUMP + 72) * HOUR_US
    assert told.evidence.numbers["unit_factor_1"] == pytest.approx(1 / factor)
    times = f"{max(factor, 1 / factor):,.0f} times too {'large' if factor > 1 else 'small'}"
    assert times in sentence(told, meters(1)[0][1])


@pytest.mark.parametrize("factor", [0.001, 0.01, 100.0, 1000.0])
def test_uses_in_another_unit_are_a_fault_and_no_burst(factor: float) -> None:
    use = home(HOURS)
    use[JUMP:] *= factor
    conditions = said(use, "consumption_litres")
    assert [(c.rule, c.change) for c in conditions] == [(Rule.SENSOR_FAULT, Change.RAISE)]
    assert conditions[0].at_us <= START_US + (JUMP + 73) * HOUR_US
    assert conditions[0].evidence.numbers["times_usual_1"] == pytest.approx(factor, rel=0.7)
    words = sentence(conditions[0], meters(1)[0][1])
    assert "no leak but a wrong unit" in words


def test_a_real_burst_is_no_unit() -> None:
    use = home(HOURS)
    use[JUMP + 2 : JUMP + 40] += 1500.0
    rules = {c.rule for c in said(use, "consumption_litres")}
    assert Rule.BURST in rules
    assert Rule.SENSOR_FAULT not in rules


@pytest.mark.parametrize("start", [0.0, 3.0, 123_456.0, 9_000_000.0])
def test_an_exchanged_meter_is_neither_a_leak_nor_backflow(start: float) -> None:
    register = 71_234.0 + np.cumsum(home(HOURS))
    register[JUMP:] = start + np.cumsum(home(HOURS - JUMP, 4))
    assert {c.rule for c in said(register)} <= NOTES


@pytest.mark.parametrize("digits", [4, 5, 6])
def test_a_register_that_rolls_over_goes_on(digits: int) -> None:
    use = home(HOURS)
    total = 10.0**digits - use[:JUMP].sum() + np.cumsum(use)
    use[JUMP:] += 0.0
    conditions = said(total % 10.0**digits)
    assert [(c.rule, c.change) for c in conditions] == [
        (Rule.REGISTER, Change.RAISE),
        (Rule.REGISTER, Change.CLEAR),
    ]
