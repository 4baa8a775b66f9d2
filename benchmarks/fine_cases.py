"""The labelled cases of meters at other cadences than hourly, made by this repository: their list and files.

Every quarter of an hour: two seeds of simulated households, and the hourly meters of the practice set split into
quarters where they are there. Twice a day and daily: the same homes, read more seldom.
It refuses to look at a detector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.coarse_meters import DAILY, TWICE_A_DAY, coarse_case
from benchmarks.made_meters import write_case
from benchmarks.split_meters import split_case

_HOURLY: Final = "water/ami_hourly"
SEEDS: Final = (1, 2)


def fine_cases(root: Path, folder: Path, workers: Executor) -> list[tuple[str, Path]]:
    """Write the cases below `folder` and return (name, folder) of each; `root` is the practice set."""
    writers: Mapping[str, Callable[[Path], None]] = {
        f"water/made_15min_{seed}": partial(write_case, seed=seed) for seed in SEEDS
    }
    if (root / _HOURLY / "readings.csv.gz").is_file():
        writers = {**writers, "water/split_15min": partial(split_case, root / _HOURLY, seed=1)}
    waiting = [workers.submit(write, folder / name) for name, write in writers.items()]
    for each in waiting:
        each.result()
    sources = {f"made_{seed}": folder / f"water/made_15min_{seed}" for seed in SEEDS}
    if (root / _HOURLY / "readings.csv.gz").is_file():
        sources["hourly"] = root / _HOURLY
    coarse = {
        f"water/{cadence.name}_{name}": (source, cadence)
        for name, source in sources.items()
        for cadence in (TWICE_A_DAY, DAILY)
    }
    waiting = [
        workers.submit(coarse_case, source, folder / name, cadence, seed=1)
        for name, (source, cadence) in coarse.items()
    ]
    for each in waiting:
        each.result()
    return [(name, folder / name) for name in (*writers, *coarse)]
