"""Bad input at customer meters: no exception, no alarm of water, and no other meter is touched by it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain
from services.domain.condition import Condition, Rule
from services.domain.instant import DAY_US, HOUR_US, SECOND_US
from tests.oracles.feeds import START_US, batch, home, meters, pieces

COLUMNS = ("register_litres", "consumption_litres", "flow_litres_per_h")
HOURS = 24 * 8
YEARS10 = 3652 * DAY_US
NOT_OF_WATER = {Rule.SILENT, Rule.FEED_SILENT}
Row = tuple[int, float]


def good(
    number: int, hours: int = HOURS, leak_at: int | None = None
) -> list[tuple[int, int, float]]:
    use = home(hours, 5 + number)
    if leak_at is not None:
        use[leak_at:] += 20.0
    register = 40_000 + np.cumsum(use)
    return [(START_US + h * HOUR_US, number, float(register[h])) for h in range(hours)]


def mixed(rows: list[tuple[int, int, float]], column: str = "register_litres") -> ReadingBatch:
    return batch(
        Domain.WATER, [r[1] for r in rows], [r[0] for r in rows], **{column: [r[2] for r in rows]}
    )


def told(core: Core, feed: ReadingBatch) -> list[Condition]:
    cuts = range(0, len(feed), 24)
    return [c for part in pieces(feed, cuts) for c in core.step(part, 0)]


def of_meter(conditions: list[Condition], name: str) -> list[Condition]:
    return [c for c in conditions if c.subject == name and c.rule not in NOT_OF_WATER]


def hourly(values: list[float]) -> list[Row]:
    return [(START_US + h * HOUR_US, v) for h, v in enumerate(values)]


usual = [40_000 + float(v) for v in np.cumsum(home(HOURS, 6))]
BAD: dict[str, list[Row]] = {
    "not a number": hourly([math.nan] * HOURS),
    "infinite": hourly([math.inf, -math.inf] * (HOURS // 2)),
    "constant": hourly([1234.0] * HOURS),
    "a single reading": hourly([1234.0]),
    "ten years without a reading": [
        *hourly(usual[:50]),
        *((at + YEARS10, value) for at, value in hourly(usual[50:])),
    ],
    "ten years without a reading and without use": [
        *hourly(usual[:50]),
        *((at + YEARS10, usual[49]) for at, _ in hourly(usual[50:60])),
    ],
    "time runs backwards": list(reversed(hourly(usual))),
    "time stands still": [(START_US, v) for v in usual],
    "a clock that jumps to and fro": [
        (at + (h % 3 - 1) * 400 * DAY_US, v) for h, (at, v) in enumerate(hourly(usual))
    ],
    "a million million litres": hourly([*usual[:60], 1e12, *usual[61:]]),
    "a million million litres for good": hourly([*usual[:60], *(1e12 + v for v in usual[60:])]),
    "less than nothing": hourly([*usual[:60], -1e12, *usual[61:]]),
    "every reading five times": [row for row in hourly(usual) for _ in range(5)],
    "two registers under one name": hourly(
        [v if h % 2 else v + 777_777.0 for h, v in enumerate(usual)]
    ),
}


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("name", list(BAD))
def test_bad_input_raises_nothing_and_touches_nobody(name: str, column: str) -> None:
    rows = BAD[name]
    if column != "register_litres":  # the same faults in volumes and rates
        base = home(len(rows), 8)
        rows = [
            (at, v if not math.isfinite(v) or abs(v) >= 1e12 else float(base[i]))
            for i, (at, v) in enumerate(rows)
        ]
    core = Core(DetectorSettings(), meters(1))
    feed = batch(
        Domain.WATER, [0] * len(rows), [r[0] for r in rows], **{column: [r[1] for r in rows]}
    )
    assert of_meter(told(core, feed), "M0") == []


VALUES = st.one_of(
    st.sampled_from([math.nan, math.inf, -math.inf, 1e12, -1e12, 1e300, 0.0, -0.0, 5e-324, 7e4]),
    st.floats(-1e7, 1e7),
)
MOMENTS = st.one_of(
    st.integers(0, HOURS * 3600).map(lambda s: START_US + s * SECOND_US),
    st.sampled_from([0, -DAY_US, START_US - 400 * DAY_US, START_US + YEARS10, 2**62, -(2**62)]),
)


@settings(max_examples=6)
@given(st.lists(st.tuples(MOMENTS, VALUES, VALUES, VALUES), min_size=1, max_size=60))
def test_whatever_one_meter_sends_the_others_are_told_the_same(
    rows: list[tuple[int, float, float, float]],
) -> None:
    mine = mixed(good(0, leak_at=24 * 6))
    absurd = batch(
        Domain.WATER,
        [1] * len(rows),
        [r[0] for r in rows],
        **{name: [r[i + 1] for r in rows] for i, name in enumerate(COLUMNS)},
    )
    alone, together = Core(DetectorSettings(), meters(2)), Core(DetectorSettings(), meters(2))
    half, rest = pieces(mine, [len(mine) // 2])
    want = of_meter([*told(alone, half), *told(alone, rest)], "M0")
    said = [*told(together, half), *told(together, absurd), *told(together, rest)]
    assert want
    assert of_meter(said, "M0") == want
    numbers = [c for c in said if c.subject == "M1"]
    assert all(math.isfinite(c.score) for c in numbers)
    assert all(math.isfinite(v) for c in numbers for v in c.evidence.numbers.values()), (
        "evidence is finite whatever comes in"
    )
