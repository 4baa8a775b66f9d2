"""The rules for meters, each on a home with a habit: what raises it, what does not, and when it clears."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.words.sentences import sentence
from services.domain.catalogue import Domain
from services.domain.condition import Change, Condition, Rule, Severity
from services.domain.instant import HOUR_US
from tests.oracles.feeds import START_US, batch, feed_hourly, home, meters

WEEKS3 = 21 * 24


def said(use: np.ndarray) -> list[Condition]:
    return feed_hourly(Core(DetectorSettings(), meters(1)), {0: use})


def said_of(*uses: np.ndarray) -> list[list[Condition]]:
    """What is said of each home; they are meters of one core, which costs as much as one."""
    known = meters(len(uses))
    told = feed_hourly(Core(DetectorSettings(), known), dict(enumerate(uses)))
    return [[c for c in told if c.subject == sensor.id] for _, sensor in known]


def raised(conditions: list[Condition], rule: Rule) -> list[Condition]:
    return [c for c in conditions if c.rule is rule and c.change is Change.RAISE]


def hours_after(condition: Condition, hour: int) -> float:
    return (condition.at_us - START_US) / HOUR_US - hour


SEEDS = range(6)


@cache
def said_of_ordinary_homes() -> list[list[Condition]]:
    return said_of(*(home(60 * 24, seed) for seed in SEEDS))


@pytest.mark.parametrize("seed", SEEDS)
def test_an_ordinary_home_is_left_in_peace(seed: int) -> None:
    assert said_of_ordinary_homes()[seed] == []


RATES = (2.0, 15.0, 120.0)


@cache
def said_of_leaks() -> list[list[Condition]]:
    uses = [home(WEEKS3 + 96) for _ in RATES]
    for use, rate in zip(uses, RATES, strict=True):
        use[WEEKS3 + 20 : WEEKS3 + 80] += rate
    return said_of(*uses)


@pytest.mark.parametrize("rate", RATES)
def test_continuous_flow_is_told_within_a_day_and_clears_with_the_repair(rate: float) -> None:
    begin = WEEKS3 + 20
    conditions = said_of_leaks()[RATES.index(rate)]
    (found,) = raised(conditions, Rule.CONTINUOUS_FLOW)
    assert 0 < hours_after(found, begin) <= (14 if rate > 10 else 26)
    assert found.onset_us <= START_US + begin * HOUR_US
    assert found.evidence.value == pytest.approx(rate, rel=0.3)
    assert found.evidence.numbers["litres_per_day"] == pytest.approx(24 * rate, rel=0.3)
    (over,) = [c for c in conditions if c.rule is Rule.CONTINUOUS_FLOW and c.change is Change.CLEAR]
    assert over.onset_us == found.onset_us
    assert 0 <= hours_after(over, begin + 60) <= 16
    assert over.evidence.numbers["litres_so_far"] == pytest.approx(60 * rate, rel=0.4)


def test_evidence_says_which_share_of_the_run_was_not_seen() -> None:
    use = home(WEEKS3 + 96)
    begin = WEEKS3 + 20
    use[begin : begin + 60] += 5.0
    torn = use.copy()
    torn[begin + 3 : begin + 8] = np.nan
    of_whole, of_torn = said_of(use, torn)
    whole, _ = (c.evidence for c in of_whole if c.rule is Rule.CONTINUOUS_FLOW)
    (found,) = raised(of_torn, Rule.CONTINUOUS_FLOW)
    assert whole.missing_share == 0
    lost_h = found.evidence.missing_share * found.evidence.window_s / 3600
    assert lost_h == pytest.approx(5, abs=0.1)  # five readings of an hour each


def test_severity_follows_the_rate_and_rises_with_it() -> None:
    use = home(WEEKS3 + 96)
    use[WEEKS3:] += 2.0
    use[WEEKS3 + 40 :] += 280.0
    flow = [c for c in said(use) if c.rule is Rule.CONTINUOUS_FLOW]
    assert [(c.change, c.severity) for c in flow] == [
        (Change.RAISE, Severity.INFO),
        (Change.UPDATE, Severity.CRITICAL),
    ]


def test_a_leak_that_grows_while_its_alert_is_open_is_told_again() -> None:
    use = home(WEEKS3 + 100)
    use[WEEKS3:] += 6.0
    use[WEEKS3 + 50 :] += 6.0
    flow = [c for c in said(use) if c.rule is Rule.CONTINUOUS_FLOW]
    assert [c.change for c in flow] == [Change.RAISE, Change.WORSEN]
    assert 12 <= hours_after(flow[1], WEEKS3 + 50) <= 26
    assert flow[1].evidence.numbers["told_litres_per_h"] == pytest.approx(6, abs=1)
    assert flow[1].evidence.value == pytest.approx(12, abs=2)
    text = sentence(flow[1], meters(1)[0][1])
    assert "has grown: never below 12 L/h" in text
    assert "6.0 L/h when it was last told" in text


def test_a_meter_that_never_rests_is_no_continuous_flow() -> None:
    random = np.random.default_rng(3)
    assert said(random.gamma(4.0, 60.0, 40 * 24).round() + 5) == []


def test_a_burst_at_night_is_told_within_three_hours_and_a_pool_is_spared() -> None:
    use = home(WEEKS3 + 48)
    use[WEEKS3 + 24 : WEEKS3 + 34] += 900
    pool = home(WEEKS3 + 48)
    pool[WEEKS3 + 34 : WEEKS3 + 42] += 900
    of_burst, of_pool = said_of(use, pool)
    (found,) = raised(of_burst, Rule.BURST)
    assert hours_after(found, WEEKS3 + 24) <= 3
    assert found.evidence.numbers["litres_so_far"] >= 1800
    assert raised(of_pool, Rule.BURST) == []


def test_backflow_is_told_at_once_and_an_exchange_is_not_backflow() -> None:
    use = home(WEEKS3)
    use[300:303] = -12.0
    exchanged = use.copy()
    exchanged[300:303] = 5.0
    exchanged[310] = -9_000.0
    of_backflow, of_exchange = said_of(use, exchanged)
    (found,) = raised(of_backflow, Rule.BACKFLOW)
    assert hours_after(found, 300) <= 1
    assert found.evidence.numbers["litres_back"] >= 3
    assert raised(of_exchange, Rule.BACKFLOW) == []


def test_a_stuck_meter_is_told_after_a_holiday_could_have_ended() -> None:
    use = home(WEEKS3 + 24 * 30)
    use[WEEKS3 : WEEKS3 + 14 * 24] = 0
    longer = use.copy()
    longer[WEEKS3 : WEEKS3 + 25 * 24] = 0
    of_holiday, conditions = said_of(use, longer)
    assert raised(of_holiday, Rule.STUCK) == []
    (found,) = raised(conditions, Rule.STUCK)
    assert 15.5 * 24 <= hours_after(found, WEEKS3) <= 17 * 24
    assert [c.change for c in conditions if c.rule is Rule.STUCK] == [Change.RAISE, Change.CLEAR]


def test_a_home_that_is_seldom_occupied_is_not_taken_for_a_stuck_meter() -> None:
    use = home(145 * 24)
    use[np.arange(len(use)) // 24 % 10 >= 3] = 0  # three days here, a week away
    use[23 * 24 : 50 * 24] = 0
    use[53 * 24 :] = 0
    (found,) = raised(said(use), Rule.STUCK)
    assert 89 <= hours_after(found, 53 * 24) / 24 <= 91
    assert found.evidence.numbers["seldom_occupied_1"] == 1.0


def test_an_intermittent_leak_is_told_within_four_days() -> None:
    use = home(WEEKS3 + 24 * 8)
    random = np.random.default_rng(5)
    use[WEEKS3:] += 32 * (random.random(24 * 8) < 0.75)
    (found,) = raised(said(use), Rule.INTERMITTENT_LEAK)
    assert hours_after(found, WEEKS3) <= 96
    assert found.evidence.numbers["pause_share_1"] < found.evidence.numbers["usual_pause_share_1"]


def test_the_night_minimum_finds_the_leak_of_a_house_that_never_sleeps() -> None:
    random = np.random.default_rng(8)
    hours = 60 * 24
    use = (random.gamma(6.0, 40.0, hours) * np.where(np.arange(hours) % 24 < 6, 0.3, 1.2)).round()
    leaking = use.copy()
    leaking[40 * 24 :] += 120
    of_sound, of_leaking = said_of(use, leaking)
    assert of_sound == []
    (found,) = raised(of_leaking, Rule.NIGHT_FLOW)
    assert hours_after(found, 40 * 24) <= 9 * 24
    assert found.evidence.value - found.evidence.baseline == pytest.approx(120, abs=60)  # type: ignore[operator]


def test_silence_is_told_by_the_clock_and_cleared_by_the_next_reading() -> None:
    core = Core(DetectorSettings(), meters(3))
    use = {0: home(240), 1: home(240, 2)}
    use[1][100:180] = np.nan
    conditions = [c for c in feed_hourly(core, use) if c.rule is Rule.SILENT]
    never, quiet, back = conditions
    assert (never.subject, never.evidence.numbers["never_seen_1"]) == ("M2", 1.0)
    assert hours_after(never, 24) <= 1
    assert (quiet.subject, quiet.change) == ("M1", Change.RAISE)
    assert hours_after(quiet, 99 + 24) <= 1
    assert (back.subject, back.change, back.onset_us) == ("M1", Change.CLEAR, quiet.onset_us)


def test_when_most_fall_silent_together_no_single_sensor_is_blamed() -> None:
    core = Core(DetectorSettings(), meters(6))
    use = {i: home(200, i) for i in range(6)}
    for column in use.values():
        column[100:150] = np.nan
    out = feed_hourly(core, use)
    out += core.tick(START_US + 149 * HOUR_US)
    assert [c for c in out if c.rule is Rule.SILENT] == []
    feed = [c for c in out if c.rule is Rule.FEED_SILENT]
    assert [(c.subject, c.change) for c in feed] == [
        ("feed/water", Change.RAISE),
        ("feed/water", Change.CLEAR),
    ]


def said_by_quarters(*uses: np.ndarray) -> list[list[Condition]]:
    """What is said of each home whose meter is read every quarter of an hour."""
    known, n = meters(len(uses)), len(uses[0])
    at = [START_US + q * HOUR_US // 4 for q in range(n) for _ in uses]
    registers = (40_000 + np.cumsum(uses, axis=1)).T.ravel().tolist()
    numbers = [number for number, _ in known] * n
    told = Core(DetectorSettings(), known).step(
        batch(Domain.WATER, numbers, at, register_litres=registers), 0
    )
    return [[c for c in told if c.subject == sensor.id] for _, sensor in known]


def test_quarters_of_an_hour_show_pauses_that_hours_hide() -> None:
    days = 24
    random = np.random.default_rng(4)
    use = np.zeros((days * 24, 4))
    awake = np.flatnonzero((np.arange(days * 24) % 24 >= 6) & (random.random(days * 24) < 0.7))
    use[awake, random.integers(0, 4, len(awake))] = random.integers(4, 40, len(awake))
    visitors = slice(20 * 24, 22 * 24)  # up and about for two days and a night, a use every hour
    use[visitors] = 0.0
    use[np.arange(20 * 24, 22 * 24), random.integers(0, 4, 48)] = 12.0
    assert raised(said(use.sum(axis=1)), Rule.CONTINUOUS_FLOW), "hourly readings cannot know"
    leaking = use.copy()
    leak = np.floor(np.cumsum(np.full(48 * 4, 3.0 / 4)))  # 3 L/h, by whole litres
    leaking[visitors] += np.diff(leak, prepend=0.0).reshape(48, 4)
    of_visitors, of_leak = said_by_quarters(use.ravel(), leaking.ravel())
    assert of_visitors == []
    (found,) = raised(of_leak, Rule.CONTINUOUS_FLOW)
    assert found.evidence.value == pytest.approx(3.0, rel=0.4)
    assert 0 < hours_after(found, 20 * 24) <= 26


def test_hours_that_nobody_heard_make_no_burst_of_a_pool() -> None:
    use = home(WEEKS3 + 48)
    at = WEEKS3 + 9
    use[at : at + 10] = 500.0
    unheard = use.copy()
    unheard[at : at + 9] = [np.nan] * 8 + [9 * 420.0]
    of_heard, of_unheard = said_of(use, unheard)
    assert raised(of_heard, Rule.BURST)
    assert not raised(of_unheard, Rule.BURST)


def test_a_register_that_begins_anew_is_a_note_with_both_readings() -> None:
    use = home(WEEKS3)
    use[310] = -9_000.0  # the new meter begins at what the old one read less 9 m3
    note, over = (c for c in said(use) if c.rule is Rule.REGISTER)
    assert (note.change, note.severity, over.change) == (Change.RAISE, Severity.INFO, Change.CLEAR)
    assert 0 < hours_after(note, 310) <= 4
    old, new = note.evidence.baseline, note.evidence.value
    assert old is not None
    assert new is not None
    assert (new - old, old) == (-9_000.0, 10_000.0 + use[:310].sum())
    words = sentence(note, meters(1)[0][1])
    assert (
        f"exchanged or reset: {old:,.0f} L on Sat 14 Mar 21:00, {new:,.0f} L on Sat 14 Mar 22:00"
        in words
    )
    assert sentence(over, meters(1)[0][1]).startswith("Over at")


def test_a_register_that_passes_its_end_is_a_note_and_no_loss() -> None:
    core = Core(DetectorSettings(), meters(1))
    register = (99_950.0 + np.cumsum(np.full(40, 5.0))) % 100_000
    at = [START_US + h * HOUR_US for h in range(40)]
    conditions = core.step(batch(Domain.WATER, [0] * 40, at, register_litres=register.tolist()), 0)
    (note,) = raised(conditions, Rule.REGISTER)
    assert (note.evidence.baseline, note.evidence.value) == (99_995.0, 0.0)
    assert note.evidence.numbers["between_litres"] == 5.0
    assert "The 5 L between them are counted as use" in sentence(note, meters(1)[0][1])


def test_one_wrong_register_is_no_exchange() -> None:
    register = 70_000 + np.cumsum(home(200, 3))
    register[100] = 12.0
    register[150:152] = [9.0, 70_000.0]
    at = [START_US + h * HOUR_US for h in range(200)]
    core = Core(DetectorSettings(), meters(1))
    told = core.step(batch(Domain.WATER, [0] * 200, at, register_litres=register.tolist()), 0)
    assert raised(told, Rule.REGISTER) == []
