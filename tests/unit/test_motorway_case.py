"""The truth of a simulated motorway: a jam is asked for where it was, and not of a station that was broken then."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from benchmarks.motorway import Motorway
from benchmarks.motorway_case import write_case
from benchmarks.motorway_faults import Fault

LOOKS = 120
"""An hour of half minutes a day."""
ROAD = Motorway(1, 3, (400, 1200), 2000, 600, 1500, 2, 1, 1, 30, ((0.0, 1.0),))


def jammed() -> dict[str, np.ndarray]:
    """Two days; both stations stand from the 40th to the 80th look of the second."""
    day, second = np.repeat([0, 1], LOOKS), np.tile(np.arange(1, LOOKS + 1) * 30, 2)
    speed = np.full((2 * LOOKS, 2), 100.0)
    speed[LOOKS + 40 : LOOKS + 80] = 20.0
    return {
        "count": np.full((2 * LOOKS, 2), 10.0), "speed": speed, "occupancy": np.full((2 * LOOKS, 2), 8.0),
        "day": day, "second": second, "incident": np.zeros((0, 5), np.int64), "stood": np.zeros((0, 2), np.int64),
    }  # fmt: skip


def jams_of(folder: Path, faults: list[Fault]) -> list[str]:
    seen = jammed()
    write_case(folder, ROAD, seen, seen, faults)
    events = json.loads((folder / "truth.json").read_text())["events"]
    return [name for event in events if event["kind"] == "congestion" for name in event["series"]]


def test_a_jam_is_an_event_at_each_station_that_it_reached(tmp_path: Path) -> None:
    assert jams_of(tmp_path, []) == ["M00", "M01"]


def test_nobody_is_asked_for_the_jam_at_a_station_that_was_broken_then(tmp_path: Path) -> None:
    during = Fault("stuck_value", 0, LOOKS + 30, LOOKS + 70)
    assert jams_of(tmp_path, [during]) == ["M01"]
    before = Fault("stuck_value", 0, LOOKS + 2, LOOKS + 20)
    assert jams_of(tmp_path, [before]) == ["M00", "M01"]
