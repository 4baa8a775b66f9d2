"""Recorded cases: metrics of one moment join, units become canonical, bad lines are named; a backtest runs on them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from services.detect.backtest import run_case, write_alerts
from services.detect.recordings import read_recording
from services.domain.catalogue import Domain, SensorKind
from services.domain.errors import InvalidInput
from services.domain.instant import HOUR_US, isoformat
from tests.oracles.feeds import START_US, home

HEADER = "time,sensor_id,kind,metric,value\n"


def case(folder: Path, text: str, sensors: object = None) -> Path:
    (folder / "readings.csv.gz").write_bytes(gzip.compress((HEADER + text).encode()))
    if sensors is not None:
        (folder / "sensors.json").write_text(json.dumps(sensors))
    return folder


def test_metrics_of_one_moment_are_one_reading_in_canonical_units(tmp_path: Path) -> None:
    found = read_recording(
        case(
            tmp_path,
            "2026-03-02T00:00:30Z,B,loop_detector,speed_kmh,\n"
            "2026-03-02T00:00:00Z,B,loop_detector,speed_kmh,80\n"
            "2026-03-02T00:00:00Z,Z,dma_inflow,flow_m3h,1.5\n"
            "2026-03-02T00:00:00Z,B,loop_detector,volume_veh,7\n",
            {"sensors": [{"sensor_id": "B", "order": 1, "position_mile": 68.5},
                         {"sensor_id": "A", "order": 0, "position_mile": 69.0}],
             "dma": {"D1": {"inlets": ["Z"]}}},
        )
    )  # fmt: skip
    station, inlet = found.sensors
    assert (station.kind, inlet.kind, inlet.zone) == (
        SensorKind.TRAFFIC_STATION,
        SensorKind.DMA_INLET,
        "D1",
    )
    assert station.position_m == pytest.approx(804.672)
    road = found.batches[Domain.TRAFFIC]
    assert (len(road), road.metrics["speed_km_per_h"][0], road.metrics["count_veh"][0]) == (
        1,
        80.0,
        7.0,
    )
    assert found.batches[Domain.WATER].metrics["flow_litres_per_h"].tolist() == [1500.0]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("2026-03-02,A,customer_meter,register_l,1", "time"),
        ("2026-03-02T00:00:00Z,A,teapot,register_l,1", "line 2"),
        ("2026-03-02T00:00:00Z,A,customer_meter,colour,1", "line 2"),
        ("2026-03-02T00:00:00Z,A,customer_meter,speed_kmh,1", "line 2"),
        ("2026-03-02T00:00:00Z,A,customer_meter,register_l,much", "line 2"),
        ("2026-03-02T00:00:00Z,A,customer_meter", "line 2"),
    ],
)
def test_a_line_that_is_not_understood_is_named(tmp_path: Path, line: str, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        read_recording(case(tmp_path, line + "\n"))


def test_a_folder_without_readings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"readings\.csv"):
        read_recording(tmp_path)


def test_a_backtest_tells_the_leak_in_event_time_and_writes_lines(tmp_path: Path) -> None:
    use = home(24 * 24)
    use[22 * 24 :] += 40
    register = 100 + np.cumsum(use)
    text = "".join(
        f"{isoformat(START_US + hour * HOUR_US)},M1,customer_meter,register_l,{value:.0f}\n"
        for hour, value in enumerate(register)
    )
    folder = case(tmp_path, text)
    (alert,) = run_case(folder)
    assert (alert["sensor_id"], alert["kind"], alert["ended_at"]) == ("M1", "continuous_flow", None)
    assert (
        isoformat(START_US + 22 * 24 * HOUR_US)
        <= alert["detected_at"]
        <= isoformat(START_US + 23 * 24 * HOUR_US)
    )
    assert alert["sentence"].startswith("Water has been running without a pause at meter M1")
    assert list(run_case(folder, end_us=START_US + 22 * 24 * HOUR_US)) == []
    assert write_alerts(folder, tmp_path / "out" / "a.jsonl") == 1
    assert json.loads((tmp_path / "out" / "a.jsonl").read_text()) == alert
