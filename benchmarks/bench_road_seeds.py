"""Roads that nobody has looked at: motorways simulated afresh, with incidents, jams and faulty detectors.

python -m benchmarks road_seeds [-- --folder KEPT --only "0.6 km" --told "5 min"]  ->  build/bench/road_seeds.json

Needs Eclipse SUMO (`pip install eclipse-sumo`): eight motorways with 11 to 13 stations .5, .6 or .8 km apart, six days
each from 12:00 to 20:00, four incidents on each of the last four, and one fault of each kind. Some ten minutes each;
`--folder` keeps what was simulated. Incidents are counted apart by what they do to the road (the lowest mean speed of
2 1/2 minutes at the two stations upstream): a blocked lane in thin traffic may do nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from benchmarks import report
from benchmarks.bench_road_variants import VARIANTS, figures_of, matched
from benchmarks.motorway import Motorway, simulate
from benchmarks.motorway_case import write_case
from benchmarks.motorway_faults import KINDS, faulty
from benchmarks.road_recording import Recording, recording_of
from services.detect.scoring.figures import Figures, pool
from services.detect.scoring.truth import Event

_RUSH: Final = (
    (0.0, 0.5), (0.06, 0.58), (0.19, 0.46), (0.44, 0.53), (0.53, 0.75), (0.58, 0.93), (0.63, 1.0), (0.7, 0.9),
    (0.76, 0.66), (0.82, 0.5), (0.88, 0.44),
)  # fmt: skip
_FAINT_KM_PER_H: Final = 80.0


def _road(
    seed: int,
    lanes: int,
    apart: int,
    stations: int,
    ramps: tuple[float, float],
    *,
    level: float = 1.0,
) -> Motorway:
    """Ramps are at shares of the road, stations a few metres beside where they should be; `level` of the demand."""
    beside = np.random.default_rng([seed, 5]).integers(-40, 40, stations)
    places = tuple(int(400 + apart * i + beside[i]) for i in range(stations))
    end = places[-1] + 500
    on, off = (round(share * end) for share in ramps)
    return Motorway(
        seed, lanes, places, end, on, off, 6, 2, 8, 30, tuple((at, level * share) for at, share in _RUSH),
        incidents=4, lasts_s=(900, 1200, 1500, 1800, 2400), first=0.04, apart=0.235, spread=0.1,
        place_m=(places[0] + 400, places[-1] - 100),
    )  # fmt: skip


ROADS: Final[Mapping[str, Motorway]] = {
    "A .8 km": _road(101, 3, 800, 12, (0.38, 0.73)),
    "B .6 km": _road(102, 3, 600, 13, (0.42, 0.75), level=0.95),
    "C .5 km": _road(103, 3, 500, 13, (0.35, 0.80)),
    "D .8 km": _road(104, 3, 800, 12, (0.55, 0.85)),
    "E .6 km, 4 lanes": _road(105, 4, 600, 13, (0.45, 0.70)),
    "F .5 km, 4 lanes, 119 km/h": replace(_road(106, 4, 500, 13, (0.50, 0.78)), metres_a_s=33.0),
    "G .8 km, 2 lanes": _road(107, 2, 800, 12, (0.40, 0.76), level=0.96),
    "H .6 km, 100 km/h": replace(_road(108, 3, 600, 13, (0.58, 0.82)), metres_a_s=27.8),
}
"""Name -> what is simulated."""


def _faint(event: Event) -> bool:
    """Whether an incident hardly slows anything."""
    return float(event.size.get("min_mean_speed_upstream_kmh", 0.0)) >= _FAINT_KM_PER_H


_HEAD: Final = ("road", "what", "events", "found", "recall", "false alarms a day", "median min")
_KINDS: Final[Mapping[str, tuple[str, Callable[[Event], bool]]]] = {
    "incident": ("incident", lambda _: True),
    "of them faint": ("incident", _faint),
    "congestion": ("congestion", lambda _: True),
    "malfunction": ("malfunction", lambda _: True),
    **{
        f"of them {kind}": ("malfunction", lambda event, kind=kind: event.size.get("fault") == kind)  # type: ignore[misc]
        for kind in KINDS
    },
}
"""Line -> (family, which of its events)."""


def road_of(name: str, folder: Path) -> Recording:
    """The road with faulty detectors, simulated where the folder does not have it."""
    plan, kept = ROADS[name], folder / f"{name[0]}.npz"
    if not kept.is_file():
        np.savez_compressed(kept, allow_pickle=False, **simulate(plan))
    with np.load(kept) as file:
        true = {column: file[column] for column in file.files}
    draw = np.random.default_rng([plan.seed, 1])
    said, faults = faulty(true, plan.warm_days, plan.cadence_s, draw)
    with TemporaryDirectory() as case:
        write_case(Path(case), plan, true, said, faults)
        return recording_of(Path(case))


def main(arguments: list[str] | None = None) -> None:
    """Judge every road."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where simulations are kept")
    parser.add_argument("--only", default="", help="roads whose name has this in it")
    parser.add_argument("--told", default="as it is", help="a variant of road_variants")
    chosen = parser.parse_args(arguments)
    parts: dict[str, list[Figures]] = {line: [] for line in _KINDS}
    rows: list[list[report.Cell]] = []
    with TemporaryDirectory() as name:
        folder = chosen.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        for road_name in ROADS:
            if chosen.only not in road_name:
                continue
            road = VARIANTS[chosen.told](road_of(road_name, folder))
            matching = matched(road)
            for line, (family, some) in _KINDS.items():
                found = figures_of(road, matching, family, some)
                if found is None:
                    continue
                parts[line].append(found)
                if family == line:
                    rows.append(_row(road_name, line, found))
    rows += [_row("all", line, pool(found)) for line, found in parts.items() if found]
    print(report.table(f"Fresh roads, {chosen.told}", _HEAD, rows))
    report.write("road_seeds", {"lines": [dict(zip(_HEAD, row, strict=True)) for row in rows]})


def _row(road: str, line: str, found: Figures) -> list[report.Cell]:
    minutes = None if found.median_h is None else 60 * found.median_h
    alarms = None if line.startswith("of them") else found.per_day
    return [road, line, found.events, found.found, found.recall, alarms, minutes]


if __name__ == "__main__":
    main()
