"""What lost water costs: told where a city names its price, and nowhere else."""

from __future__ import annotations

import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.words.sentences import sentence
from services.domain.condition import Change, Condition, Rule
from tests.oracles.feeds import feed_hourly, home, meters

WEEKS3 = 21 * 24


def leak(settings: DetectorSettings) -> Condition:
    use = home(WEEKS3 + 96)
    use[WEEKS3 + 20 : WEEKS3 + 80] += 15.0
    said = feed_hourly(Core(settings, meters(1)), {0: use})
    (found,) = [c for c in said if c.rule is Rule.CONTINUOUS_FLOW and c.change is Change.RAISE]
    return found


def test_a_leak_says_what_it_costs_before_what_to_do() -> None:
    sensor = meters(1)[0][1]
    found = leak(DetectorSettings(water_price_per_m3=250.0, currency="CHF"))
    numbers = found.evidence.numbers
    assert numbers["cost_so_far_chf"] == pytest.approx(0.25 * numbers["litres_so_far"], abs=0.01)
    assert numbers["cost_per_day_chf"] == pytest.approx(0.25 * numbers["litres_per_day"], abs=0.01)
    words = sentence(found, sensor)
    assert f" {numbers['cost_per_day_chf']:,.0f} CHF a day. First: " in words


def test_without_a_price_nothing_is_said_of_money() -> None:
    found = leak(DetectorSettings())
    assert not [name for name in found.evidence.numbers if name.startswith("cost")]
    assert "EUR" not in sentence(found, meters(1)[0][1])


@pytest.mark.parametrize("wrong", [{"water_price_per_m3": -1}, {"currency": "euro"}])
def test_a_price_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"price|currency"):
        DetectorSettings(**wrong)  # type: ignore[arg-type]
