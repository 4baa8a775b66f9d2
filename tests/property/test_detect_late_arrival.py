"""Whatever the order of arrival: the same episodes are told as in time, each once, and late ones say so.

An alert that was told before its late begin was known keeps its first instant, so episodes are compared as everywhere:
they are the same when they meet in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cache

import numpy as np
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from services.detect.detector_settings import DetectorSettings
from services.detect.words.late_words import ARRIVED, IN_TIME, ended_at
from services.domain.alert import Alert
from services.domain.batch import ReadingBatch, concatenate
from services.domain.instant import HOUR_US, SECOND_US, to_us
from services.domain.sensor import Sensor
from tests.oracles.feeds import pieces
from tests.oracles.late_city import City
from tests.property.test_detect_late_slices import case

LATENESS_H = {"meters": 24.0, "zone": 24.0, "road": 0.5}
PARTS = {"meters": 8, "zone": 3, "road": 6}
SEEDS = range(1, 3)
UNSHRUNK = [phase for phase in Phase if phase is not Phase.shrink]  # an example takes seconds


def arrived(
    limits: DetectorSettings, sensors: Sequence[tuple[int, Sensor]], feed: ReadingBatch, parts: int
) -> City:
    """A city that heard the readings in this order, and judged again behind every part of them."""
    city = City(limits, sensors)
    for part in pieces(feed, range(0, len(feed), len(feed) // parts + 1)):
        city.hear(part)
        city.judge_all()
    return city


@cache
def in_order(kind: str, seed: int) -> City:
    return arrived(*case(kind, seed), PARTS[kind])


def late(feed: ReadingBatch, chance: np.random.Generator, lateness_h: float) -> ReadingBatch:
    """A tenth of the readings later by up to so many hours, or a stretch of one sensor all at once at its end."""
    n = len(feed)
    key = feed.observed_us.astype(float)
    if chance.random() < 0.5:
        key += np.where(chance.random(n) < 0.1, chance.random(n), 0.0) * lateness_h * HOUR_US
    else:
        begin = feed.observed_us[int(chance.uniform(0.3, 0.8) * n)]
        held = feed.sensor == chance.choice(np.unique(feed.sensor))
        held &= (feed.observed_us >= begin) & (feed.observed_us < begin + lateness_h * HOUR_US)
        key[held] = begin + lateness_h * HOUR_US
    return feed.take(np.argsort(key, kind="stable"))


def again(feed: ReadingBatch, chance: np.random.Generator) -> ReadingBatch:
    """A tenth of the readings come a second time some places behind the first, half of them with other values."""
    n = len(feed)
    chosen = np.flatnonzero(chance.random(n) < 0.1)
    twice = feed.take(chosen)
    other = chance.random(len(chosen)) < 0.5
    for values in twice.metrics.values():
        values[other] += 1000.0
    order = np.concatenate([np.arange(n), chosen + chance.integers(1, 50, len(chosen))])
    return concatenate([feed, twice]).take(np.argsort(order, kind="stable"))


def meets(one: Alert, other: Alert) -> bool:
    """Whether both tell of one episode."""
    if (one.rule, one.subject) != (other.rule, other.subject):
        return False
    ends = ended_at(one), ended_at(other)
    return (ends[0] is None or ends[0] >= other.started_at) and (
        ends[1] is None or ends[1] >= one.started_at
    )


def check(city: City, wanted: City) -> None:
    """The same episodes, none raised twice, and what was told later than in time says when it would have been."""
    ids = [event.alert_id for event in city.raised()]
    assert len(ids) == len(set(ids)), "raised twice"
    for alert in wanted.book.values():
        same = [other for other in city.book.values() if meets(alert, other)]
        assert len(same) == 1, f"{alert.rule} at {alert.subject} since {alert.started_at}: {same}"
        [found] = same
        assert found.active == alert.active
        numbers = found.evidence["numbers"]
        assert isinstance(numbers, dict)
        if IN_TIME in numbers:
            assert numbers[IN_TIME] <= to_us(found.raised_at) / SECOND_US
            assert numbers[ARRIVED] > 0
        if found.active and found.raised_at > alert.raised_at + timedelta(seconds=1):
            assert IN_TIME in numbers, (
                f"{alert.rule} at {alert.subject} does not say that it is late"
            )
            in_time_us = round(numbers[IN_TIME] * SECOND_US)
            assert abs(in_time_us - to_us(alert.raised_at)) <= SECOND_US, "it says when in time"
    for alert in city.book.values():
        if not any(meets(alert, other) for other in wanted.book.values()):
            assert not alert.active, f"nothing speaks for {alert.rule} at {alert.subject}"


@pytest.mark.parametrize("kind", list(PARTS))
@settings(max_examples=1, phases=UNSHRUNK)
@given(seed=st.sampled_from(SEEDS), order=st.integers(0, 10_000))
@example(seed=1, order=2)
@example(seed=1, order=3)
def test_the_order_of_arrival_changes_no_episode(kind: str, seed: int, order: int) -> None:
    limits, sensors, feed = case(kind, seed)
    mixed = late(feed, np.random.default_rng(order), LATENESS_H[kind])
    check(arrived(limits, sensors, mixed, PARTS[kind]), in_order(kind, seed))


@pytest.mark.parametrize("kind", list(PARTS))
@settings(max_examples=2, phases=UNSHRUNK)
@given(seed=st.sampled_from(SEEDS), order=st.integers(0, 10_000))
def test_what_comes_again_and_corrections_of_what_is_stored_change_nothing(
    kind: str, seed: int, order: int
) -> None:
    limits, sensors, feed = case(kind, seed)
    more = again(feed, np.random.default_rng(order))
    found, wanted = arrived(limits, sensors, more, PARTS[kind]), in_order(kind, seed)
    assert found.book == wanted.book
    assert not found.marks
