"""A backtest over a range of the city's own database tells what one over the same readings in a file tells."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from services.cli.commands import application
from services.detect.recorded.backtest import in_order, run_case
from services.detect.recorded.recordings import read_recording
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain
from services.domain.instant import DAY_US, isoformat
from services.store.connection import connect, transaction
from services.store.sensors import SensorRepository
from services.store.writing.readings import ReadingWriter
from tests.oracles.feeds import START_US
from tests.unit.test_detect_backtest import leaking, lines
from tests.unit.test_detect_recordings import case


def stored(url: str, folder: Path) -> None:
    """Register the sensors of a recording and store its readings."""
    recording = read_recording(folder)
    with connect(url, "test", autocommit=True) as conn:
        registry = SensorRepository(conn)
        registry.upsert(recording.sensors)
        numbers = np.array([registry.registered(s.id).number for s in recording.sensors], np.int32)
        for batch in recording.batches.values():
            with transaction(conn):
                ReadingWriter(conn).write(
                    ReadingBatch(
                        batch.domain,
                        numbers[batch.sensor],
                        batch.observed_us,
                        batch.received_us + DAY_US,
                        batch.quality,
                        batch.metrics,
                    )
                )
    assert set(recording.batches) == {Domain.WATER, Domain.TRAFFIC}


def test_a_range_of_the_database_is_a_case(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = [hour for hour in range(24 * 24) if not 100 <= hour < 200]
    road = "".join(
        f"{isoformat(START_US + 22 * DAY_US + i * 60_000_000)},S1,loop_detector,speed_kmh,"
        f"{(25 if 200 < i < 300 else 95) + i % 5}\n"
        for i in range(500)
    )
    folder = case(tmp_path / "one", lines(leaking(), hours=hours) + road)
    stored(database_url, folder)
    monkeypatch.setenv("DATABASE_URL", database_url)
    out = tmp_path / "alerts.jsonl"

    def run(*options: str) -> list[dict[str, object]]:
        result = CliRunner().invoke(
            application(), ["backtest", "--database", "--alerts", str(out), *options]
        )
        assert result.exception is None, result.exception
        return [json.loads(line) for line in out.read_text().splitlines()]

    wanted = json.loads(json.dumps(in_order(run_case(folder))))
    assert {"continuous_flow", "congestion", "missing_data"} <= {line["kind"] for line in wanted}
    scores = tmp_path / "scores.csv"
    assert run("--scores", str(scores)) == wanted
    assert len(scores.read_text().splitlines()) == 1 + len(hours) + 500, "one line a reading"
    start = isoformat(START_US + 21 * DAY_US)
    end = isoformat(START_US + 22 * DAY_US + 12 * 3_600_000_000)
    found = run("--from", start, "--to", end)
    assert "congestion" in {line["kind"] for line in found}
    assert [(line["kind"], line["detected_at"]) for line in found] == [
        (line["kind"], line["detected_at"])
        for line in wanted
        if start <= str(line["detected_at"]) < end
    ]
