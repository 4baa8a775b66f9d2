"""The clock of a feed: no cut of the feed matters, no minority leads it astray, and a receipt bounds what is said."""

from __future__ import annotations

import json
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.detect.table import NEVER
from services.domain.instant import HOUR_US
from tests.oracles.clocks import (
    AWAY_US,
    RECEIPTS,
    WRONG,
    Gateway,
    Said,
    ends,
    feed,
    pace_of,
    state,
)
from tests.oracles.plain_pace import PlainPace

SEEDS = st.integers(0, 1_000_000)
CADENCES_US = [HOUR_US // 4, HOUR_US, HOUR_US, 2 * HOUR_US, 24 * HOUR_US]


def any_feed(seed: int) -> tuple[list[Said], int]:
    """Whatever may come; the number of its sensors."""
    random = Random(seed)
    gateways = [
        Gateway(
            random.choice(("sound", "sound", "little", *WRONG)),
            random.choice(AWAY_US),
            random.randint(1, 4),
            random.choice(CADENCES_US),
        )
        for _ in range(random.randint(1, 5))
    ]
    readings = feed(gateways, random.randint(10, 70), random.choice(RECEIPTS), random)
    return readings, sum(g.sensors for g in gateways)


@settings(max_examples=40)
@given(SEEDS, st.lists(st.integers(1, 600), max_size=12))
def test_the_clock_does_not_depend_on_how_the_feed_is_cut(seed: int, cuts: list[int]) -> None:
    readings, sensors = any_feed(seed)
    if not readings:
        return
    whole, cut, single = pace_of(sensors), pace_of(sensors), pace_of(sensors)
    found = ends(whole, readings)
    assert found == ends(cut, readings, cuts) == ends(single, readings, range(len(readings)))
    assert state(whole) == state(cut) == state(single)


@settings(max_examples=40)
@given(SEEDS)
def test_the_clock_is_that_of_the_plain_rules(seed: int) -> None:
    readings, sensors = any_feed(seed)
    pace, plain = pace_of(sensors), PlainPace()
    for i in range(0, len(readings), 7):
        part = readings[i : i + 7]
        ends(pace, part)
        assert [plain.hear(*one) for one in part][-1] == pace.clock_us


@settings(max_examples=25)
@given(SEEDS, st.floats(0, 1))
def test_a_pace_goes_on_from_its_state(seed: int, where: float) -> None:
    readings, sensors = any_feed(seed)
    if not readings:
        return
    cut = int(where * len(readings))
    one = pace_of(sensors)
    if cut:
        ends(one, readings[:cut])
    other, every = pace_of(sensors), np.arange(sensors)
    for facts in (pace_of(sensors).facts(), one.facts(), pace_of(sensors).facts()):
        other.voices.table.put(every, one.voices.table.take(every))
        other.restore(json.loads(json.dumps(facts)))
    if cut < len(readings):
        assert ends(one, readings[cut:], [5]) == ends(other, readings[cut:], [3])
    assert state(one) == state(other)


@settings(max_examples=25)
@given(SEEDS, st.integers(1, 3))
def test_a_minority_of_wrong_clocks_ends_no_bin(seed: int, gateways: int) -> None:
    random = Random(seed)
    wrong = [
        Gateway(random.choice(WRONG), random.choice(AWAY_US), random.randint(1, 3))
        for _ in range(gateways)
    ]
    sound = Gateway("sound", 0, 1 + sum(g.sensors for g in wrong))
    for receipts in ("none", "replay"):
        mixed = feed([sound, *wrong], 60, receipts, random, unsteady=False)
        by_itself = [one for one in mixed if one.sensor < sound.sensors]
        sensors = sound.sensors + sum(g.sensors for g in wrong)
        assert ends(pace_of(sensors), mixed, [9, 70]) == ends(pace_of(sensors), by_itself)


@settings(max_examples=25)
@given(SEEDS, st.integers(1, 3))
def test_nobody_speaks_of_what_was_not_received(seed: int, gateways: int) -> None:
    """Readings an hour ahead, a minority or not, move no clock beyond the receipt of any reading."""
    random = Random(seed)
    kinds = ("little", "behind", "ahead")
    wrong = [Gateway(random.choice(kinds), 30 * HOUR_US, 3) for _ in range(gateways)]
    readings = feed([Gateway("sound", 0, 2), *wrong], 30, "live", random)
    pace, newest_us = pace_of(2 + 3 * gateways), NEVER
    for one in readings:
        ends(pace, [one])
        newest_us = max(newest_us, one.received_us)
        assert pace.clock_us <= newest_us


@settings(max_examples=15)
@given(SEEDS, st.sampled_from(AWAY_US[3:]), st.booleans())
def test_a_clock_led_astray_by_most_comes_back_with_them(
    seed: int, away_us: int, lone: bool
) -> None:
    random = Random(seed)
    sound = [] if lone else [Gateway("sound", 0, 2)]
    readings = feed(
        [*sound, Gateway("returns", away_us, 1 if lone else 6)], 90, "replay", random, False
    )
    pace = pace_of(8)
    ends(pace, readings, range(0, len(readings), 4))
    newest = max(one.at_us for one in readings[-8:])
    assert abs(pace.clock_us - newest) <= HOUR_US
