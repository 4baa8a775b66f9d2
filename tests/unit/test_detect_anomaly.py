"""The general score finds what is strange and is calm otherwise; the joint score finds pairs that alone look normal."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from services.cli.commands import application
from services.detect.anomaly.joint import JointScore
from services.detect.anomaly.score import AnomalyScore
from services.detect.recorded.recordings import read_case
from services.detect.recorded.scored import (
    Readings,
    Scorer,
    readings_of_case,
    readings_of_file,
    write_scores,
)
from services.detect.recorded.sorted_rows import Rows
from services.domain.instant import DAY_US, isoformat
from tests.oracles.anomaly_pairs import Pair

START_US = 1_770_000_000_000_000
STEP_US = 600_000_000
N = 144 * 12
STRANGE = 144 * 10
"""Twelve days of ten minutes; something happens on the eleventh."""

Values = NDArray[np.float64]


def usual(seed: int = 3) -> Values:
    random = np.random.default_rng(seed)
    hour = np.arange(N) % 144 / 6
    return 50 + 30 * np.sin(2 * np.pi * hour / 24) + random.normal(0, 2, N)


def scores(
    names: tuple[tuple[str, str], ...], at_us: np.ndarray, series: np.ndarray, values: np.ndarray
) -> np.ndarray:
    return Scorer(names).step(Rows(at_us, at_us, series.astype(np.int32), values))


def scores_of(readings: Readings, name: tuple[str, str]) -> np.ndarray:
    (block,) = readings.rows.blocks()
    return Scorer(tuple(readings.names)).step(block)[block.series == readings.names[name]]


def run(series: Sequence[Values], metric: str = "value") -> Values:
    """(len(series), N) scores, of all in one stream."""
    count = len(series)
    at = START_US + np.repeat(np.arange(N, dtype=np.int64), count) * STEP_US
    names = tuple((f"s{i}", metric) for i in range(count))
    values = np.stack(series, axis=1).reshape(-1)
    rows = np.tile(np.arange(count), N)
    return scores(names, at, rows, values).reshape(N, count).T


def spike(x: Values) -> None:
    x[STRANGE] += 80


def drop(x: Values) -> None:
    x[STRANGE : STRANGE + 60] = 0


def shift(x: Values) -> None:
    x[STRANGE:] += 40


def flat(x: Values) -> None:
    x[STRANGE : STRANGE + 100] = x[STRANGE]


def restless(x: Values) -> None:
    x[STRANGE : STRANGE + 40] += 30 * (-1.0) ** np.arange(40)


def lost_day(x: Values) -> None:
    x[STRANGE : STRANGE + 144] = x[STRANGE - 72 : STRANGE + 72]  # half a day out of step


def test_each_kind_of_strangeness_is_found_once_and_soon() -> None:
    kinds: tuple[Callable[[Values], None], ...] = (spike, drop, shift, flat, restless, lost_day)
    series = [usual() for _ in kinds]
    for happens, x in zip(kinds, series, strict=True):
        happens(x)
    for happens, score in zip(kinds, run(series), strict=True):
        found = np.flatnonzero(score >= 0.5)
        assert (found >= STRANGE).any(), happens
        assert found[found >= STRANGE][0] < STRANGE + 72, "within half a day"
        assert (found < STRANGE).sum() <= 2, "in ten days of nothing"
        assert (found >= STRANGE).sum() <= 12, "told a few times, not at every value"


def test_the_unit_and_the_zero_do_not_matter() -> None:
    x = usual()
    spike(x)
    want, got = run([x, 1000 * x - 7])
    assert np.array_equal(want >= 0.5, got >= 0.5)
    assert (np.abs(want - got) < 1e-3).mean() > 0.95, "but for edges of bins and ends of fits"


def test_a_constant_series_is_never_strange_but_its_end_is() -> None:
    values = (0.0, 45.1, -3e9, 4e12)
    series = [np.full(N, value) for value in values]
    for x, value in zip(series, values, strict=True):
        x[STRANGE] += max(1.0, abs(value))
    for score in run(series):
        assert score[:STRANGE].max() == 0.0
        assert score[STRANGE] > 0.4


def test_a_single_value_nothing_and_rubbish_score_nothing() -> None:
    scorer = AnomalyScore()
    scorer.add(1)
    none = np.empty(0)
    assert scorer.step(none.astype(np.intp), none.astype(np.int64), none).shape == (0,)
    rubbish = np.array([np.nan, np.inf, -np.inf, 1e300, 5.0])
    found = scorer.step(np.zeros(5, np.intp), np.full(5, START_US), rubbish)
    assert found.tolist() == [0.0] * 5
    assert scorer.table["seen"][0] == 1


def test_ten_years_of_nothing_and_time_that_goes_back_raise_no_error() -> None:
    x, at = usual(), START_US + np.arange(N, dtype=np.int64) * STEP_US
    at[STRANGE:] += 3650 * DAY_US
    at[STRANGE + 50 : STRANGE + 90] -= 20 * 3650 * DAY_US
    found = scores((("s", "value"),), at, np.zeros(N, np.intp), x)
    assert np.isfinite(found).all()
    assert 0 <= found.min() <= found.max() < 1


def test_a_series_costs_what_is_written() -> None:
    scorer, joint = AnomalyScore(), JointScore()
    rows = {"rarity": len(scorer.shape.paces)}
    cost = sum(t.bytes_per_row * rows.get(name, 1) for name, t in scorer.tables.items())
    assert cost <= 36 * 1024
    assert sum(t.bytes_per_row for t in joint.tables.values()) <= 3 * 1024


def pairs(seed: int = 11) -> tuple[Values, Values]:
    """Flow, and the occupancy that follows from it at free speed."""
    random = np.random.default_rng(seed)
    hour = np.arange(N) % 144 / 6
    flow = random.poisson(np.maximum(600 * np.sin(np.pi * hour / 24) ** 2, 5)).astype(float)
    return flow, flow * 0.02 + random.gamma(4, 0.1, N)


def test_a_pair_out_of_its_plane_is_found_though_each_value_is_usual() -> None:
    flow, occupancy = pairs()
    low, high = np.quantile(occupancy, [0.05, 0.95])
    strange = slice(STRANGE + 30, STRANGE + 42)  # in the morning
    occupancy[strange] = high
    flow[strange] = np.quantile(flow, 0.3)
    assert low < occupancy[strange][0] <= high
    at = START_US + np.arange(N, dtype=np.int64) * STEP_US
    joint = JointScore()
    joint.add(1)
    found = joint.step(np.zeros(N, np.intp), at, flow, occupancy)
    assert (found[strange] >= 0.5).mean() > 0.7
    assert (found[:STRANGE] >= 0.5).mean() < 0.01
    both = scores(
        (("s", "volume_veh"), ("s", "occupancy_pct")),
        np.repeat(at, 2),
        np.tile([0, 1], N),
        np.stack([flow, occupancy], axis=1).reshape(-1),
    )
    rows = both.reshape(N, 2)
    assert (rows >= found[:, None]).all(), "either row has the joint score where it is higher"


def test_the_joint_score_equals_its_oracle_however_it_is_cut() -> None:
    flow, occupancy = pairs()
    flow[100:110], occupancy[300] = np.nan, -1.0
    at = START_US + np.arange(N, dtype=np.int64) * STEP_US
    pair = Pair()
    want = [
        pair.push(*each)
        for each in zip(at.tolist(), flow.tolist(), occupancy.tolist(), strict=True)
    ]
    for size in (500, N):
        joint = JointScore()
        joint.add(2)
        got: list[float] = []
        for i in range(0, N, size):
            part = slice(i, i + size)
            rows = np.ones(len(at[part]), np.intp)
            got += joint.step(rows, at[part], flow[part], occupancy[part]).tolist()
        assert got == pytest.approx(want, abs=1e-3), "moments are float32"


def write_case(folder: Path, lines: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "readings.csv").write_text("time,sensor_id,kind,metric,value\n" + "".join(lines))
    return folder


def test_every_reading_of_any_kind_has_a_row_and_none_raises_an_alert(tmp_path: Path) -> None:
    x = usual()
    spike(x)
    lines = [
        f"{isoformat(START_US + i * STEP_US)},odd/series.csv,series,value,{v:.3f}\n"
        for i, v in enumerate(x)
    ]
    lines.insert(5, f"{isoformat(START_US)},tank,teapot,colour,\n")
    case = write_case(tmp_path / "case", lines)
    out, alerts = tmp_path / "scores.csv", tmp_path / "alerts.jsonl"
    result = CliRunner().invoke(
        application(), ["backtest", str(case), "--alerts", str(alerts), "--scores", str(out)]
    )
    assert result.exit_code == 0, result.output
    assert alerts.read_text() == ""
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == N + 1
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert rows[1] == {
        "time": isoformat(START_US), "sensor_id": "tank", "metric": "colour", "score": "0",
    }  # fmt: skip
    best = max(rows, key=lambda row: float(row["score"]))
    assert best["time"] == isoformat(START_US + STRANGE * STEP_US)
    assert float(best["score"]) > 0.5


def test_registers_are_scored_by_what_they_grow(tmp_path: Path) -> None:
    use = np.abs(usual())
    use[STRANGE : STRANGE + 20] += 300
    (found,) = run([np.cumsum(use)], "register_l")
    assert found[0] == 0.0
    assert STRANGE <= int(np.argmax(found)) < STRANGE + 20
    lines = [f"{isoformat(START_US + i)},m,customer_meter,register_l,{i}\n" for i in (3, 1, 2)]
    readings = readings_of_file(write_case(tmp_path, lines))
    (block,) = readings.rows.blocks()
    assert block.value.tolist() == [1.0, 2.0, 3.0], "in the order of time"
    out = tmp_path / "s.csv"
    assert write_scores(readings, out, end_us=START_US + 2) == 1
    assert write_scores(readings, out, START_US + 2, START_US + 9) == 2
    assert len(out.read_text().splitlines()) == 3


def test_a_case_from_elsewhere_has_the_same_scores_as_its_file(tmp_path: Path) -> None:
    use = np.abs(usual())
    lines = [
        f"{isoformat(START_US + i * STEP_US)},{sensor},dma_inflow,flow_m3h,{v + k:.4f}\n"
        for i, v in enumerate(use[:600])
        for k, sensor in enumerate("BA")
    ]
    folder = write_case(tmp_path, lines)
    file, case = readings_of_file(folder), readings_of_case(read_case(folder))
    assert sorted(sensor for sensor, _ in case.names) == ["A", "B"]
    one = scores_of(file, ("A", "flow_m3h"))
    other = scores_of(case, ("A", "flow_litres_per_h"))
    assert len(one) == len(other) == 600
    assert np.array_equal(one >= 0.5, other >= 0.5)
    assert (np.abs(one - other) < 1e-3).mean() > 0.9
