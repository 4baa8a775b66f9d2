"""Summaries of many sensors against plain loops over what was written."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.detect.windows.hour_bins import HourBins
from services.detect.windows.intervals import MeterIntervals
from services.domain.buckets import Buckets, Calendar, FixedBuckets, LocalBuckets
from services.domain.catalogue import Domain, SensorKind
from services.domain.errors import InvalidInput
from services.domain.instant import DAY_US, HOUR_US, SECOND_US, from_us, to_us
from services.domain.quality import Quality
from services.domain.register import MeterEvent
from services.domain.sensor import Sensor
from services.domain.statistic import Statistic
from services.store.connection import Connection, connect
from services.store.query.consumption import consumption
from services.store.query.question import Block, Question
from services.store.query.summaries import summaries
from services.store.sensors import SensorRepository
from services.store.writing.readings import ReadingWriter
from tests.oracles.readings import Row, batch_of
from tests.oracles.summaries import statistic, time_weighted

FLOW, PRESSURE = "flow_litres_per_h", "pressure_kpa"
T0 = to_us(datetime(2026, 3, 28, 12, tzinfo=UTC))  # the day before clocks change in Madrid
CADENCE_S = 1200.0
ALL = tuple(Statistic)
MINUTES_20 = HOUR_US // 3


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "test", autocommit=True) as connection:
        sensors = [
            Sensor(f"m-{n}", SensorKind.PRESSURE, cadence_s=CADENCE_S if n != 3 else None)
            for n in range(1, 6)
        ]
        SensorRepository(connection).upsert(sensors)
        yield connection


def write(conn: Connection, rows: list[Row]) -> None:
    ReadingWriter(conn).write(batch_of(Domain.WATER, rows))


def ask(
    sensors: list[int], span: tuple[int, int], buckets: Buckets, metrics: tuple[str, ...] = (FLOW,)
) -> Question:
    start, end = (from_us(T0 + hours * HOUR_US) for hours in span)
    return Question(Domain.WATER, sensors, metrics, start, end, buckets, ALL)


def whole(question: Question, blocks: Iterator[Block]) -> Block:
    """The blocks as one, each cell filled once."""
    edges = question.edges_us()
    shape = (len(question.sensors), len(edges) - 1)
    place = {sensor: k for k, sensor in enumerate(question.sensors)}
    filled = np.zeros(shape, int)
    values = {
        metric: {each: np.full(shape, np.nan) for each in question.statistics}
        for metric in question.metrics
    }
    coverage = {metric: np.full(shape, np.nan) for metric in question.metrics}
    for block in blocks:
        at = int(np.searchsorted(edges, block.edges_us[0]))
        assert block.edges_us.tolist() == edges[at : at + len(block.edges_us)].tolist()
        here = np.ix_(
            [place[int(s)] for s in block.sensor], range(at, at + len(block.edges_us) - 1)
        )
        filled[here] += 1
        for metric in question.metrics:
            coverage[metric][here] = block.coverage[metric]
            for each in question.statistics:
                values[metric][each][here] = block.values[metric][each]
    assert (filled == 1).all()
    return Block(np.array(question.sensors, np.int32), edges, values, coverage)


histories = st.dictionaries(
    st.tuples(st.integers(1, 5), st.integers(-40, 130).map(lambda n: T0 + n * MINUTES_20)),
    st.tuples(
        st.dictionaries(
            st.sampled_from([FLOW, PRESSURE]), st.integers(-9, 9).map(float), min_size=1
        ),
        st.sampled_from([0, 0, 0, 2, 4, 6]),
    ),
    max_size=120,
)


@settings(max_examples=25)
@given(
    stored=histories,
    sensors=st.lists(st.integers(1, 7), max_size=6, unique=True),
    span=st.sampled_from([(0, 30), (5, 8), (1, 40)]),
    buckets=st.sampled_from(
        [
            FixedBuckets(900),
            FixedBuckets(7200),
            LocalBuckets(Calendar.HOUR, "Europe/Madrid"),
            LocalBuckets(Calendar.DAY, "Europe/Madrid"),
            LocalBuckets(Calendar.WEEK, "Asia/Kolkata"),
            LocalBuckets(Calendar.DAY, "UTC"),
        ]
    ),
    exclude=st.sampled_from(
        [Quality.GOOD, Quality.IMPLAUSIBLE, Quality.IMPLAUSIBLE | Quality.ESTIMATED]
    ),
    most_rows=st.sampled_from([1, 40, 400_000]),
)
def test_blocks_hold_what_loops_find(
    conn: Connection,
    stored: dict[tuple[int, int], tuple[dict[str, float], int]],
    sensors: list[int],
    span: tuple[int, int],
    buckets: Buckets,
    exclude: Quality,
    most_rows: int,
) -> None:
    conn.execute("TRUNCATE water_reading")
    write(conn, [(sensor, at, q, values) for (sensor, at), (values, q) in stored.items()])
    question = replace(ask(sensors, span, buckets, (FLOW, PRESSURE)), exclude=exclude)
    found = whole(question, summaries(conn, question, most_rows=most_rows))
    for k, sensor in enumerate(sensors):
        for metric in question.metrics:
            series = sorted(
                (at, values[metric])
                for (number, at), (values, q) in stored.items()
                if number == sensor and metric in values and not q & exclude
            )
            cadence_us = CADENCE_S * SECOND_US if sensor in {1, 2, 4, 5} else math.nan
            expected, coverage = by_loops(question, series, cadence_us)
            got = np.array([found.values[metric][kind][k] for kind in ALL])
            np.testing.assert_allclose(got, expected, atol=1e-9)
            np.testing.assert_allclose(found.coverage[metric][k], coverage, atol=1e-9)


def by_loops(
    question: Question, series: list[tuple[int, float]], cadence_us: float
) -> tuple[np.ndarray, np.ndarray]:
    """(statistics, buckets) and (buckets,) coverage of one series."""
    columns, coverage = [], []
    hold = 31 * DAY_US if math.isnan(cadence_us) else 2.5 * cadence_us
    edges = [int(each) for each in question.edges_us()]
    for bounds in itertools.pairwise(edges):
        low, high = max(bounds[0], question.start_us), min(bounds[1], question.end_us)
        inside = [value for at, value in series if low <= at < high]
        held = time_weighted([each for each in series if each[0] < high], low, high, hold)
        columns.append(
            [held if k is Statistic.TIME_WEIGHTED else statistic(k, inside) for k in ALL]
        )
        coverage.append(min(1.0, len(inside) / max(1.0, (high - low) / cadence_us)))
        if math.isnan(cadence_us):
            coverage[-1] = math.nan
    return np.array(columns).T, np.array(coverage)


@settings(max_examples=25)
@given(data=st.data())
def test_litres_are_those_of_the_detectors(conn: Connection, data: st.DataObject) -> None:
    """A register with rollovers, exchanges, backflow, jumps, changes of unit and holes, by full hours."""
    conn.execute("TRUNCATE water_reading")
    register, at = data.draw(st.sampled_from([5_000.0, 99_990.0, 1e6])), T0
    rows: list[Row] = []
    factor = 1.0
    for _ in range(data.draw(st.integers(2, 40))):
        event = data.draw(st.sampled_from(["", "", "", "back", "exchange", "jump", "unit", "hole"]))
        at += MINUTES_20 * data.draw(st.integers(1, 5)) * (6 if event == "hole" else 1)
        register += data.draw(st.integers(0, 60))
        if event == "back":
            register -= 40
        elif event == "exchange":
            register = 3.0
        elif event == "jump":
            register += 9e6
        elif event == "unit":
            factor = 0.001 if factor == 1 else 1.0
        if register >= 1e5 and not event:
            register %= 1e5
        rows.append((1, at, 0, {"register_litres": register * factor}))
    write(conn, rows)
    window, bins = MeterIntervals(), HourBins()
    window.table.add(1)
    bins.table.add(1)
    spans, litres = [], []
    seen: set[int] = set()
    one = np.array([0])
    for _, when, _, values in rows:
        nan = np.array([np.nan])
        got = window.step(one, np.array([when]), np.array([values["register_litres"]]), nan, nan)
        seen.add(int(got.event[0]))
        spans.append((int(got.start_us[0]), int(got.end_us[0])))
        litres.append(float(got.litres[0]))
    start = T0 - HOUR_US
    question = Question(
        Domain.WATER, [1], [FLOW], from_us(start), from_us(at + HOUR_US), FixedBuckets(3600), [Statistic.SUM]
    )  # fmt: skip
    expected = np.zeros((2, len(question.edges_us()) - 1))
    for (low, high), amount in zip(spans, litres, strict=True):
        if high > low and amount == amount:
            for b, edge in enumerate(question.edges_us()[:-1]):
                part = min(high, edge + HOUR_US) - max(low, edge)
                if part > 0:
                    expected[:, b] += amount * part / (high - low), part / HOUR_US
    (block,) = consumption(conn, question)
    assert block.litres[0] == pytest.approx(
        np.where(expected[1] > 0, expected[0], np.nan), nan_ok=True, abs=1e-6
    )
    assert block.known[0] == pytest.approx(expected[1], abs=1e-9)
    assert {e for e in MeterEvent if e and block.has(e).any()} == {MeterEvent(e) for e in seen if e}


def test_litres_of_a_cut_range_are_those_of_its_part(conn: Connection) -> None:
    """The readings before and after a range say what ran inside it; blocks of one bucket hold the same."""
    rows: list[Row] = [(1, T0 + n * HOUR_US, 0, {"register_litres": 60.0 * n}) for n in range(6)]
    write(conn, rows)
    start = T0 + HOUR_US // 2
    question = Question(
        Domain.WATER, [1], [FLOW], from_us(start), from_us(start + 3 * HOUR_US), FixedBuckets(900), [Statistic.SUM]
    )  # fmt: skip
    (block,) = consumption(conn, question)
    assert block.litres[0].tolist() == pytest.approx([15.0] * 12)
    assert block.known[0].tolist() == [1.0] * 12
    several = list(consumption(conn, question, most_rows=1))
    assert len(several) > 1
    assert np.concatenate([each.litres[0] for each in several]) == pytest.approx(block.litres[0])


def test_litres_of_reported_volumes_and_of_rates(conn: Connection) -> None:
    volumes: list[Row] = [
        (1, T0 + n * HOUR_US, 0, {"consumption_litres": 6.0}) for n in range(1, 5)
    ]
    rates: list[Row] = [(2, T0 + n * HOUR_US, 0, {"flow_litres_per_h": 6.0}) for n in range(1, 5)]
    write(conn, volumes + rates)
    conn.execute("UPDATE sensor SET cadence_s = 3600")
    question = ask([1, 2, 3], (0, 6), FixedBuckets(3600))
    (block,) = consumption(conn, question)
    assert block.litres[:2].tolist() == pytest.approx(
        np.array([[6.0] * 4 + [np.nan] * 2] * 2), nan_ok=True
    )
    assert np.isnan(block.litres[2]).all()
    assert block.coverage[0].tolist() == [0.0, 1.0, 1.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"metrics": ["colour"]}, "water has register_litres"),
        ({"metrics": []}, "at least one of"),
        ({"statistics": []}, "at least one of avg"),
        ({"sensors": range(10**6)}, "a zone or a road at a time"),
        ({"sensors": [1, 1]}, "each sensor once"),
        ({"end": from_us(T0)}, "a time after"),
        ({"buckets": FixedBuckets(1), "end": from_us(T0 + 10 * DAY_US)}, "longer buckets"),
    ],
)
def test_questions_without_an_answer_are_told(change: dict[str, object], words: str) -> None:
    question = ask([1], (0, 48), FixedBuckets(3600))
    with pytest.raises(InvalidInput, match=words):
        replace(question, **change)  # type: ignore[arg-type]


def test_only_meters_have_consumption(conn: Connection) -> None:
    question = replace(
        ask([1], (0, 48), FixedBuckets(3600)), domain=Domain.TRAFFIC, metrics=["count_veh"]
    )
    with pytest.raises(InvalidInput, match="only meters"):
        list(consumption(conn, question))
