"""A working day that is lived like a Sunday is no leak, and a leak in such a home is told all the same."""

from __future__ import annotations

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.windows.slots import SlotBaseline
from services.domain.condition import Change, Condition, Rule
from services.domain.instant import DAY_US, HOUR_US
from tests.oracles.feeds import START_US, feed_hourly, meters

WEEKS6 = 42 * 24
WEDNESDAY = next(
    hour for hour in range(WEEKS6, WEEKS6 + 168, 24)
    if (START_US + hour * HOUR_US) // DAY_US % 7 == 6  # 1970 began on a Thursday
)  # fmt: skip


def commuters(hours: int) -> np.ndarray:
    """Litres by hour: water runs from 8 to 18 h at weekends, hardly ever then on working days; nights are uneven."""
    random = np.random.default_rng(3)
    hour = np.arange(hours) % 24
    weekend = (START_US // DAY_US + 3 + np.arange(hours) // 24) % 7 >= 5
    chance = np.where(hour < 6, 0.7, 0.95)
    chance[(hour >= 8) & (hour < 18) & ~weekend] = 0.08
    return random.gamma(2.0, 8.0, hours).round() * (random.random(hours) < chance)


def told(use: np.ndarray) -> list[Condition]:
    """What is told of continuous flow once the home has been watched for six weeks."""
    found = feed_hourly(Core(DetectorSettings(), meters(1)), {0: use})
    flow = [c for c in found if c.rule is Rule.CONTINUOUS_FLOW and c.change is Change.RAISE]
    return [c for c in flow if c.at_us >= START_US + WEEKS6 * HOUR_US]


def test_a_wednesday_at_home_is_no_leak() -> None:
    use = commuters(WEEKS6 + 240)
    day = slice(WEDNESDAY, WEDNESDAY + 26)
    use[day] = np.maximum(use[day], 2.0)
    use[WEDNESDAY - 1] = use[WEDNESDAY + 26] = 0
    assert told(use) == []


@pytest.mark.parametrize("litres_per_h", [3.0, 30.0])
def test_a_leak_in_the_same_home_is_told(litres_per_h: float) -> None:
    use = commuters(WEEKS6 + 240)
    use[WEDNESDAY : WEDNESDAY + 96] += litres_per_h
    (found,) = told(use)
    after_h = (found.at_us - START_US) / HOUR_US - WEDNESDAY
    assert 0 < after_h <= (80 if litres_per_h < 9 else 22)


def test_the_second_lowest_level_needs_two_days_that_agree() -> None:
    learned = SlotBaseline(alpha=0.12, shrink=2.0, spread=False)
    learned.table.add(2)
    rows = np.arange(2)
    for _ in range(200):
        for day in range(7):
            rest = np.array([0.0 if day == 6 else 1.0, 0.0 if day >= 5 else 1.0])
            learned.learn(rows, np.full(2, 24 * day + 10), rest, np.ones(2))
    slots = np.full(2, 24 * 2 + 10)
    one, two = learned.second_lowest(learned.pool(rows, slots))
    assert one > 0.9
    assert two < 0.1
