"""What the detectors are worth on the labelled cases: our figure, the published baseline's, and the aim, line by line.

python -m benchmarks.scorecard [--alerts DIR] [--write-floor]  ->  build/bench/scorecard.json; exit status 1 where a
figure fell below tests/data/scorecard_floor.json. The cases are in practice/ of CITYGAUGE_SHARED, or of ../shared
beside the repository; without them it says so and ends well.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import inf
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks import report
from benchmarks.corridor import corridor_case
from benchmarks.fine_cases import fine_cases
from benchmarks.made_road import miscounts_case
from benchmarks.practice import ROOT, practice_folder
from benchmarks.scorecard_nab import nab_figures
from benchmarks.scorecard_table import BASELINE_SOURCE, NAB_CASES, ROWS, Judged, Measure, Row
from services.detect.recorded.backtest import write_alerts
from services.detect.recorded.recordings import read_recording
from services.detect.scoring.case_files import Scored, cases_below, score_case
from services.detect.scoring.figures import Figures, figures, pool
from services.detect.scoring.samples import Samples, pool_samples, samples

FLOOR: Final = ROOT / "tests" / "data" / "scorecard_floor.json"
ALERTS: Final = report.FOLDER / "scorecard_alerts"
MADE: Final = report.FOLDER / "scorecard_cases"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the scorecard: `ours` is None where no case or no detector gives the figure."""

    row: Row
    measure: Measure
    ours: float | None
    cases: int

    @property
    def key(self) -> str:
        """Its name in the file of floors."""
        return f"{self.row.work}: {self.measure.name}"

    @property
    def verdict(self) -> str:
        """Whether the aim is met, and if not, whether at least the baseline is."""
        if self.measure.of is None and self.ours is None:
            return "nothing computes it yet"
        if self.ours is None:
            return "no case here" if not self.cases else "nothing found"
        if self.measure.good(self.ours, self.measure.aim):
            return "met"
        if self.measure.baseline is None:
            return "short"
        beaten = self.measure.better(self.ours, self.measure.baseline)
        return "short" if beaten else "short, baseline not beaten"


def judge(scored: Sequence[Scored], row: Row) -> Judged | None:
    """The pooled figures of a row's cases; None where it has none."""
    mine = [each for each in scored if _belongs(each, row)]
    if not mine:
        return None
    families = row.families
    parts = [
        figures(
            each.matching,
            each.sensor_days,
            each.whole.days,
            lambda event: families is None or event.family in families,
            families,
        )
        for each in mine
    ]
    leaks = pool(each.by_family.get("leak", Figures()) for each in mine)
    by_sample = pool_samples([_samples(each) for each in mine]) if row.by_sample else Samples()
    whole = pool(each.whole for each in mine)
    return Judged(pool(parts), leaks, whole.skill, by_sample.f_score, len(mine))


def lines(
    scored: Sequence[Scored], nab: tuple[Mapping[str, float], int] = ({}, 0)
) -> Iterator[Line]:
    """The scorecard, in the order of the table; `nab` holds the figures of NAB by name, and how many files it has."""
    for row in ROWS:
        if NAB_CASES in row.cases:
            for measure in row.measures:
                yield Line(row, measure, nab[0].get(measure.name), nab[1])
            continue
        judged = judge(scored, row)
        for measure in row.measures:
            ours = None if judged is None or measure.of is None else measure.of(judged)
            yield Line(row, measure, ours, judged.cases if judged else 0)


def regressions(found: Sequence[Line], floor: Mapping[str, float]) -> list[str]:
    """A sentence for each figure that is worse than its floor and short of its aim: within the aim one may trade."""
    return [
        f"{line.key} is {line.measure.shown(line.ours)}, and was {line.measure.shown(floor[line.key])}"
        for line in found
        if line.key in floor
        and line.cases
        and not line.measure.good(_or_worst(line), floor[line.key])
        and not line.measure.good(_or_worst(line), line.measure.aim)
    ]


def printed(found: Sequence[Line]) -> str:
    """The table as text."""
    rows: list[list[report.Cell]] = []
    last = ""
    for line in found:
        measure = line.measure
        rows.append(
            [
                line.row.work if line.row.work != last else "",
                measure.name,
                measure.shown(line.ours),
                measure.shown(measure.baseline),
                measure.baseline_of,
                f"{measure.sign} {measure.shown(measure.aim)}",
                line.verdict,
            ]
        )
        last = line.row.work
    head = ("work", "figure", "ours", "baseline", "of", "aim", "")
    return report.table(f"Scorecard (baselines: {BASELINE_SOURCE})", head, rows)


def main(arguments: list[str] | None = None) -> None:
    """Run the backtest on every case, print the table, compare with the floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=Path, help="score these alerts instead of a new backtest")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="cases at a time")
    parser.add_argument("--write-floor", action="store_true", help="make today's figures the floor")
    chosen = parser.parse_args(arguments)
    root = practice_folder()
    if not root.is_dir():
        print(
            f"No scorecard: the labelled cases are not in {root}; CITYGAUGE_SHARED names their parent."
        )
        return
    begun = time.perf_counter()
    with ProcessPoolExecutor(max(1, chosen.jobs)) as workers:
        cases = cases_below(root) + fine_cases(root, MADE, workers)
    cases += [corridor_case(MADE), miscounts_case(MADE)]
    folder = chosen.alerts or _backtest(cases, ALERTS, chosen.jobs)
    scored = [_scored(name, path, folder) for name, path in cases]
    found = list(lines(scored, nab_figures(root / NAB_CASES)))
    print(printed(found))
    seconds = time.perf_counter() - begun
    print(f"{len(cases)} cases in {seconds:.0f} s; alerts in {folder}")
    _write(found, scored, seconds)
    if chosen.write_floor:
        FLOOR.write_text(json.dumps(_floor_of(found), indent=1, sort_keys=True) + "\n")
        print(f"{FLOOR} written")
    worse = regressions(found, read_floor())
    for sentence in worse:
        print(f"REGRESSION: {sentence}", file=sys.stderr)
    if worse:
        sys.exit(1)


def read_floor() -> dict[str, float]:
    """Line of the scorecard -> the figure that must not get worse."""
    return {key: float(value) for key, value in json.loads(FLOOR.read_text()).items()}


def _belongs(case: Scored, row: Row) -> bool:
    if not any(fnmatchcase(case.name, each) for each in row.cases):
        return False
    if any(fnmatchcase(case.name, each) for each in row.but):
        return False
    if row.spacing_m is not None:
        low, high = row.spacing_m
        if case.truth.spacing_m is None or not low <= case.truth.spacing_m < high:
            return False
        return any(event.family in (row.families or ()) for event in case.truth.events)
    return True


def _samples(case: Scored) -> Samples:
    (batch,) = read_recording(case.folder).batches.values()
    at = batch.observed_us[batch.sensor == batch.sensor[0]]
    interval = int(np.median(np.diff(at)))
    return samples(case.truth, case.alerts, int(at[0]), interval, len(at))


def _scored(name: str, case: Path, folder: Path) -> Scored:
    alerts = folder / f"{name}.jsonl"
    return score_case(name, case, alerts if alerts.is_file() else None)


def _backtest(cases: Sequence[tuple[str, Path]], folder: Path, jobs: int) -> Path:
    largest_first = sorted(cases, key=lambda case: -_size(case[1]))
    with ProcessPoolExecutor(max(1, jobs)) as workers:
        waiting = [
            workers.submit(write_alerts, path, folder / f"{name}.jsonl")
            for name, path in largest_first
        ]
        for each in waiting:
            each.result()
    return folder


def _size(case: Path) -> int:
    return sum(path.stat().st_size for path in case.glob("readings.csv*"))


def _or_worst(line: Line) -> float:
    """The figure; where nothing was found and so no time is known, the worst there is."""
    if line.ours is not None:
        return line.ours
    return -inf if line.measure.higher else inf


def _floor_of(found: Sequence[Line]) -> dict[str, float]:
    """Today's figures; but no false alarms are no merit where nothing was found either."""
    idle = {line.row.work for line in found if line.measure.name == "recall" and not line.ours}
    return {
        line.key: round(line.ours, 6)
        for line in found
        if line.ours is not None and line.row.work not in idle
    }


def _write(found: Sequence[Line], scored: Sequence[Scored], seconds: float) -> None:
    report.write(
        "scorecard",
        {
            "seconds": round(seconds, 1),
            "baselines": BASELINE_SOURCE,
            "lines": [
                {
                    "work": line.row.work,
                    "figure": line.measure.name,
                    "unit": line.measure.unit,
                    "ours": line.ours,
                    "baseline": line.measure.baseline,
                    "baseline_of": line.measure.baseline_of,
                    "aim": f"{line.measure.sign} {line.measure.aim}",
                    "verdict": line.verdict,
                }
                for line in found
            ],
            "cases": {each.name: each.whole.document() for each in scored},
        },
    )


if __name__ == "__main__":
    main()
