"""The rules for meters at other cadences than hourly, registers and volumes: what each finds, and what it leaves be."""

from __future__ import annotations

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.words.sentences import sentence
from services.domain.catalogue import Domain
from services.domain.condition import Change, Condition, Rule
from services.domain.instant import DAY_US, SECOND_US
from tests.oracles.feeds import START_US, batch, meters

DAYS = 24
LEAK_AT = 17
MINUTE_US = 60 * SECOND_US
LEAKS = {Rule.CONTINUOUS_FLOW, Rule.NIGHT_FLOW, Rule.BURST, Rule.INTERMITTENT_LEAK}


def minutes(days: int, seed: int = 1) -> np.ndarray:
    """Litres in each minute of a home: a few uses in most waking hours, more on some days."""
    random = np.random.default_rng(seed)
    use = np.zeros(days * 1440)
    for day in range(days):
        for _ in range(int(random.integers(14, 26))):
            at = day * 1440 + int(random.integers(6 * 60, 23 * 60))
            use[at : at + 3] += random.choice([1.5, 3.0, 8.0])
    return use


def said(
    use: np.ndarray, cadence_min: int, column: str = "register_litres", jitter_min: int = 0
) -> list[Condition]:
    """What is raised."""
    found = conditions_of(use, cadence_min, column, jitter_min)
    return [c for c in found if c.change is Change.RAISE]


def conditions_of(
    use: np.ndarray, cadence_min: int, column: str = "register_litres", jitter_min: int = 0
) -> list[Condition]:
    """Readings of whole litres every `cadence_min`, stamps moved by up to `jitter_min`; without the clock."""
    random = np.random.default_rng(4)
    total = 50_000 + np.cumsum(use)
    at = np.arange(cadence_min, len(use), cadence_min)
    at = np.minimum(at + random.integers(0, jitter_min + 1, len(at)), len(use) - 1)
    register = np.floor(total[at])
    values = register if column == "register_litres" else np.diff(register, prepend=register[0])
    core, out = Core(DetectorSettings(), meters(1)), []
    for i in range(0, len(at), 96):
        stamps = [START_US + int(m) * MINUTE_US for m in at[i : i + 96]]
        part = batch(
            Domain.WATER, [0] * len(stamps), stamps, **{column: values[i : i + 96].tolist()}
        )
        out += core.step(part, 0)
    return out


FORMS = [
    (15, "register_litres", 0),
    (15, "consumption_litres", 0),
    (30, "register_litres", 4),
    (60, "register_litres", 20),
    (1440, "register_litres", 60),
    (1440, "consumption_litres", 0),
]


@pytest.mark.parametrize(("cadence_min", "column", "jitter_min"), FORMS)
def test_a_leak_is_found_and_the_time_before_it_is_quiet(
    cadence_min: int, column: str, jitter_min: int
) -> None:
    use = minutes(DAYS)
    use[LEAK_AT * 1440 :] += 30.0 / 60
    found = [c for c in said(use, cadence_min, column, jitter_min) if c.rule in LEAKS]
    assert found
    days = (found[0].at_us - START_US) / DAY_US - LEAK_AT
    assert 0 < days <= (1.25 if cadence_min <= 60 else 4)
    assert found[0].rule is (Rule.CONTINUOUS_FLOW if cadence_min <= 60 else Rule.NIGHT_FLOW)
    if cadence_min == 1440:
        said_so = sentence(found[0], meters(1)[0][1])
        assert "has not fallen back to its usual days" in said_so
        assert "The meter is read once a day, so this could be told only after" in said_so


@pytest.mark.parametrize(("cadence_min", "within"), [(360, 4), (720, 4), (7 * 1440, 17)])
def test_a_leak_is_found_however_seldom_a_meter_is_read(cadence_min: int, within: int) -> None:
    days = 30 if cadence_min < 1440 else 140
    use, leak_at = minutes(days), days - (8 if cadence_min < 1440 else 18)
    assert [c for c in said(use, cadence_min) if c.rule in LEAKS] == []
    use[leak_at * 1440 :] += 30.0 / 60
    (found, *_) = [c for c in said(use, cadence_min) if c.rule in LEAKS]
    assert 0 < (found.at_us - START_US) / DAY_US - leak_at <= within
    assert 20 <= found.evidence.numbers["litres_per_day"] / 24 <= 40
    often = "7 days" if cadence_min > 1440 else f"{cadence_min // 60} hours"
    assert f"The meter is read every {often}, so" in sentence(found, meters(1)[0][1])


def test_a_leak_of_the_afternoon_is_told_sooner_with_a_reading_at_noon() -> None:
    use = minutes(34)
    use[24 * 1440 + 700 :] += 20.0 / 60
    (daily, *_) = [c for c in said(use, 1440) if c.rule in LEAKS]
    (twice, *_) = [c for c in said(use, 720) if c.rule in LEAKS]
    assert twice.at_us < daily.at_us


def test_readings_near_midnight_that_move_to_and_fro_lose_no_day() -> None:
    use = np.roll(minutes(32), -360)
    use[24 * 1440 :] += 20.0 / 60
    (found, *_) = [c for c in said(use, 720, jitter_min=90) if c.rule in LEAKS]
    assert 0 < (found.at_us - START_US) / DAY_US - 24 <= 4


def test_a_home_that_comes_to_life_or_has_guests_does_not_leak() -> None:
    use = minutes(60)
    use[: 36 * 1440] = 0
    assert [c for c in said(use, 1440) if c.rule in LEAKS] == []
    use = minutes(60)
    guests = slice(40 * 1440, 46 * 1440)
    use[guests] += 1.3 * minutes(60, seed=7)[guests]
    assert [c for c in said(use, 1440) if c.rule in LEAKS] == []


def test_a_day_beyond_all_others_is_told_at_once_and_the_leak_clears_when_it_ends() -> None:
    use = minutes(40)
    use[30 * 1440 + 600 : 31 * 1440 + 600] += 400 / 60
    found = [c for c in conditions_of(use, 1440) if c.rule is Rule.NIGHT_FLOW]
    assert [c.change for c in found] == [Change.RAISE, Change.CLEAR]
    raised, over = found
    assert (raised.at_us - START_US) / DAY_US <= 32
    assert raised.evidence.value is not None
    assert raised.evidence.threshold is not None
    assert raised.evidence.value > raised.evidence.threshold
    assert (over.at_us - START_US) / DAY_US <= 34


@pytest.mark.parametrize("cadence_min", [15, 30, 60, 1440])
def test_a_burst_and_backflow_are_found_at_every_cadence(cadence_min: int) -> None:
    use = minutes(DAYS)
    use[LEAK_AT * 1440 : LEAK_AT * 1440 + 1500] += 900 / 60
    rules = {c.rule for c in said(use, cadence_min)}
    assert (Rule.BURST if cadence_min < 1440 else Rule.NIGHT_FLOW) in rules
    use = minutes(DAYS)
    use[LEAK_AT * 1440 : LEAK_AT * 1440 + 1440] = -40 / 1440
    assert {c.rule for c in said(use, cadence_min)} == {Rule.BACKFLOW}


@pytest.mark.parametrize("cadence_min", [15, 1440])
def test_a_stuck_meter_is_found_and_a_holiday_is_not(cadence_min: int) -> None:
    use = minutes(50)
    use[18 * 1440 : 28 * 1440] = 0
    assert said(use, cadence_min) == []
    use = minutes(50)
    use[18 * 1440 : 40 * 1440] = 0
    assert [c.rule for c in said(use, cadence_min)] == [Rule.STUCK]
