"""A motorway with stations 1 km apart, simulated vehicle by vehicle: the recording behind one line of the scorecard.

python -m benchmarks.corridor OUT.npz [--seed 7 --lanes 3 --days 10 --cadence 30]

makes it with Eclipse SUMO (`motorway.py`). Each day has four hours with a rush that overloads an on-ramp; from the
third day on, three incidents block one or two lanes for 15 to 30 minutes wherever and whenever the seed says.
`case_from` writes such a recording as a labelled case.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.motorway import Motorway, simulate
from benchmarks.practice import ROOT

RECORDED: Final = ROOT / "tests" / "data" / "corridor_1km.npz"
"""Made by `python -m benchmarks.corridor tests/data/corridor_1km.npz`."""
WARM_DAYS: Final = 2
_HOURS: Final = 4
_FIRST: Final = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
_RUSH: Final = ((0.0, 0.50), (0.3, 0.72), (0.48, 1.0), (0.62, 1.14), (0.77, 0.85), (0.9, 0.6))


def road_of(seed: int, lanes: int, days: int, cadence_s: int) -> Motorway:
    """The road of the recording."""
    return Motorway(
        seed, lanes, tuple(range(500, 11_000, 1000)), 11_000, 4700, 8200, days, WARM_DAYS, _HOURS, cadence_s, _RUSH
    )  # fmt: skip


def small(seen: dict[str, NDArray[Any]], road: Motorway) -> dict[str, NDArray[Any]]:
    """A simulation as it is kept, in uint8: count, speed (km/h, 255: no vehicle passed), occupancy (half per cent)."""
    kept = {name: seen[name] for name in ("day", "second", "incident")}
    return kept | {
        "count": seen["count"].astype(np.uint8),
        "speed": np.where(np.isnan(seen["speed"]), 255, seen["speed"]).round().astype(np.uint8),
        "occupancy": (2 * seen["occupancy"]).round().astype(np.uint8),
        "cadence_s": np.array(road.cadence_s),
        "lanes": np.array(road.lanes),
        "position_m": np.array(road.stations_m),
    }


def corridor_case(folder: Path) -> tuple[str, Path]:
    """Write the recorded corridor below `folder` as a labelled case; its (name, folder)."""
    name = "simulated/corridor_1km"
    case_from(RECORDED, folder / name)
    return name, folder / name


def case_from(recording: Path, folder: Path) -> None:
    """Write a recording as a labelled case: readings.csv.gz, sensors.json and truth.json."""
    with np.load(recording) as kept:
        data = {name: kept[name] for name in kept.files}
    names = [f"S{at // 1000:02d}" for at in data["position_m"]]
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / "readings.csv.gz", "wt", compresslevel=1, encoding="utf-8") as file:
        file.write("time,sensor_id,kind,metric,value\n")
        file.writelines(_lines(data, names))
    positions = data["position_m"].tolist()
    sensors = [
        {
            "sensor_id": name, "kind": "traffic", "position_m": at, "order": i, "lanes": int(data["lanes"]),
            "interval_s": int(data["cadence_s"]),
            "upstream": names[i - 1] if i else None,
            "downstream": names[i + 1] if i + 1 < len(names) else None,
        }
        for i, (name, at) in enumerate(zip(names, positions, strict=True))
    ]  # fmt: skip
    (folder / "sensors.json").write_text(json.dumps({"sensors": sensors}, indent=1))
    events = [
        {
            "id": f"i{i}",
            "series": [n for n, at in zip(names, positions, strict=True) if place - 2600 <= at <= place + 1000],
            "start": _at(day, first), "end": _at(day, last), "kind": "incident", "scored": True,
            "size": {"x_m": place, "lanes_blocked": blocked},
        }
        for i, (day, first, last, place, blocked) in enumerate(data["incident"].tolist())
    ]  # fmt: skip
    last_day = int(data["day"][-1])
    truth = {
        "case": folder.name, "domain": "traffic", "interval_s": int(data["cadence_s"]),
        "eval_start": _at(WARM_DAYS, 0), "eval_end": _at(last_day, _HOURS * 3600),
        "day_windows": "13:00-17:00", "sensors": sensors, "events": events, "ignore": [], "benign": [],
        "fa_merge_hours": 0.5, "match_grace_hours": 0.1,
    }  # fmt: skip
    (folder / "truth.json").write_text(json.dumps(truth, indent=1))


def _lines(data: dict[str, NDArray[Any]], names: list[str]) -> Iterator[str]:
    for i, (day, second) in enumerate(
        zip(data["day"].tolist(), data["second"].tolist(), strict=True)
    ):
        at = _at(day, second)
        for j, name in enumerate(names):
            count, speed = int(data["count"][i, j]), int(data["speed"][i, j])
            yield f"{at},{name},loop_detector,volume_veh,{count}\n"
            yield f"{at},{name},loop_detector,occupancy_pct,{data['occupancy'][i, j] / 2}\n"
            if speed < 255:
                yield f"{at},{name},loop_detector,speed_kmh,{speed}\n"


def _at(day: int, second: int) -> str:
    weeks, weekday = divmod(day, 5)
    at = _FIRST + timedelta(weeks=weeks, days=weekday, seconds=second)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def main(arguments: list[str] | None = None) -> None:
    """Simulate and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    for name, default in (("seed", 7), ("lanes", 3), ("days", 10), ("cadence", 30)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args(arguments)
    road = road_of(chosen.seed, chosen.lanes, chosen.days, chosen.cadence)
    np.savez_compressed(chosen.out, allow_pickle=False, **small(simulate(road), road))


if __name__ == "__main__":
    main()
