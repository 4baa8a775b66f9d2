"""Customer meters on fresh labelled cases: real homes injected anew, scaled, added up, read finer and more seldom.

python -m benchmarks meter_seeds [-- --seeds 1,2 --only plain,triple --folder DIR -v]  ->  build/bench/meter_seeds.json.
Needs the recordings of the practice set. A line for each group, over all seeds; -v names each miss and false alarm.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from benchmarks import report
from benchmarks.meter_seeds import GROUPS, run_seed
from benchmarks.practice import practice_folder
from services.detect.scoring.families import Family
from services.detect.scoring.figures import Figures, pool

_FAMILIES: Final = (Family.LEAK, Family.BACKFLOW, Family.MISSING, Family.STUCK)


def _row(group: str, parts: Sequence[dict[str, Figures]]) -> list[report.Cell]:
    whole = pool(part["all"] for part in parts)
    told = [pool(part.get(each, Figures()) for part in parts) for each in _FAMILIES]
    return [
        group, whole.recall, whole.precision, whole.per_1000_sensor_days, told[0].median_h,
        *(f"{each.found} of {each.events}, {each.false_alarms}" for each in told),
    ]  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Make the cases of each seed, run the detectors, print a line for each group."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1,2,3,4", help="numbers, comma between them")
    parser.add_argument("--only", default=",".join(GROUPS), help="groups, comma between them")
    parser.add_argument("--folder", type=Path, default=report.FOLDER / "meter_seeds")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("-v", action="store_true", help="name misses and false alarms")
    chosen = parser.parse_args(arguments)
    if not (practice_folder() / "water" / "ami_hourly").is_dir():
        print(f"No seeds: the recordings are not in {practice_folder()}.")
        return
    only = chosen.only.split(",")
    with ProcessPoolExecutor(chosen.jobs) as workers:
        waiting = [
            workers.submit(run_seed, chosen.folder, int(seed), only, chosen.v)
            for seed in chosen.seeds.split(",")
        ]
        found = [each.result() for each in waiting]
    for _, said in found:
        print(*said, sep="\n") if said else None
    head = (
        "meters", "recall", "precision", "per 1,000 meter-days", "leak median h",
        "leaks, false", "backflow", "missing", "stuck",
    )  # fmt: skip
    rows = [
        _row(group, [scores[group] for scores, _ in found if group in scores])
        for group in GROUPS
        if group in only
    ]
    print(report.table(f"Real homes injected anew, seeds {chosen.seeds}", head, rows))
    report.write("meter_seeds", {"rows": [dict(zip(head, row, strict=True)) for row in rows]})


if __name__ == "__main__":
    main()
