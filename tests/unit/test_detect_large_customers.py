"""A large customer's busy half day is no leak, and its leak is told early all the same."""

from __future__ import annotations

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.domain.condition import Change, Rule
from services.domain.instant import HOUR_US
from tests.oracles.feeds import START_US, feed_hourly, home, meters

WEEKS3 = 21 * 24


def test_a_half_day_without_a_pause_is_told_by_its_flow_beside_the_usual_one() -> None:
    uses = [10 * home(WEEKS3 + 48, seed) for seed in (1, 2)]
    uses[0][WEEKS3 + 14 : WEEKS3 + 30] += 20
    uses[1][WEEKS3 + 14 : WEEKS3 + 30] += 150
    for use in uses:
        use[[WEEKS3 + 13, WEEKS3 + 30]] = 0
    told = feed_hourly(Core(DetectorSettings(), meters(2)), dict(enumerate(uses)))
    found = [c for c in told if c.rule is Rule.CONTINUOUS_FLOW and c.change is Change.RAISE]
    assert [c.subject for c in found] == [meters(2)[1][1].id]
    assert 11 <= (found[0].at_us - START_US) / HOUR_US - WEEKS3 - 14 <= 14
