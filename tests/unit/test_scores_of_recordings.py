"""The scores of a recording are the same whether it fits into memory or not, whatever the order of its lines."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest

from services.detect.recorded.scored import Scorer, readings_of_file, write_scores
from services.domain.instant import SECOND_US, isoformat
from tests.oracles.feeds import START_US


@pytest.fixture
def case(tmp_path: Path) -> Path:
    chance = random.Random(3)
    lines = []
    register = 1000.0
    for i in range(600):
        at = isoformat(START_US + i * 300 * SECOND_US)
        register += chance.choice([0.0, 2.0, 5.0]) if i != 400 else 900.0
        lines.append((at, "M1", "customer_meter", "register_l", register))
        lines.append((at, "S1", "loop_detector", "volume_veh", chance.randrange(20, 40)))
        covered = 60.0 if i == 500 else chance.uniform(4, 8)
        lines.append((at, "S1", "loop_detector", "occupancy_pct", covered))
    chance.shuffle(lines)
    with (tmp_path / "readings.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("time", "sensor_id", "kind", "metric", "value"))
        writer.writerows(lines)
    return tmp_path


def test_a_recording_on_disk_is_scored_as_one_in_memory(case: Path, tmp_path: Path) -> None:
    whole, spilled = tmp_path / "whole.csv", tmp_path / "spilled.csv"
    assert write_scores(readings_of_file(case), whole) == 1800
    readings = readings_of_file(case, in_memory=100)
    assert write_scores(readings, spilled) == 1800
    assert len(readings.rows._runs) > 3
    assert not readings.times  # no text of an instant is kept that can be written again
    assert spilled.read_text() == whole.read_text()
    rows = list(csv.DictReader(whole.open()))
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    jam = isoformat(START_US + 500 * 300 * SECOND_US)
    joint = {row["metric"]: row["score"] for row in rows if row["time"] == jam}
    assert (
        min(float(joint[each]) for each in ("occupancy_pct", "volume_veh")) > 0.5
    )  # the pair is strange


def test_the_warm_up_is_scored_and_not_written(case: Path, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole.csv", tmp_path / "part.csv"
    write_scores(readings_of_file(case), whole)
    start, end = START_US + 450 * 300 * SECOND_US, START_US + 550 * 300 * SECOND_US
    assert write_scores(readings_of_file(case, in_memory=100), part, start, end) == 300
    kept = set(part.read_text().splitlines()[1:])
    assert kept <= set(whole.read_text().splitlines())


def test_a_run_that_is_interrupted_leaves_the_file_of_the_last_one(
    case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out" / "scores.csv"
    write_scores(readings_of_file(case), out)
    whole = out.read_text()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Scorer, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_scores(readings_of_file(case), out)
    assert out.read_text() == whole
    assert [path.name for path in out.parent.iterdir()] == ["scores.csv"]
