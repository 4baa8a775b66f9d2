"""The general anomaly score on the files of the Numenta Anomaly Benchmark, by its own rules (NAB v1.1).

python -m benchmarks.scorecard_nab [--results DIR]  prints the table for all three profiles; `make scorecard` takes its
figures. All files are scored as one stream of many series, by the class that `citygauge backtest --scores` uses, with
one configuration. It refuses to know a file's labels before its scores.

The rules: the first 15 % of a file (at most 750 rows) do not count; the earliest detection in a window counts
2 / (1 + exp(5 y)) - 1 with y from -1 at its begin to 0 at its end, relative to the begin; a false alarm costs the same
curve behind the last window, -1 before the first; a missed window costs as the profile says. One threshold for all
files maximises a profile's sum, which is scaled so that silence is 0 and perfection 100.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import exp
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks import report
from benchmarks.practice import practice_folder
from services.detect.anomaly.shape import Shape
from services.detect.recorded.scored import Scorer
from services.detect.recorded.sorted_rows import Rows
from services.detect.table import Array
from services.domain.instant import to_us

PROFILES: Final[Mapping[str, tuple[float, float, float]]] = {
    "standard": (1.0, 1.0, 0.11),
    "few false alarms": (1.0, 1.0, 0.22),
    "few misses": (1.0, 2.0, 0.11),
}
"""Weight of a hit, of a missed window, of a false alarm."""
THRESHOLD: Final = 0.5
"""What a service that cannot optimise its threshold on labels would take."""
PUBLISHED: Final[Mapping[str, Mapping[str, float]]] = {
    "Numenta HTM": {"realKnownCause": 55.5, "realAWSCloudwatch": 73.4, "realAdExchange": 76.9,
                    "realTweets": 68.0, "artificial": 70.2, "ALL": 68.4},
    "ARTime": {"realKnownCause": 63.9, "realAWSCloudwatch": 69.5, "realAdExchange": 75.1,
               "realTweets": 81.8, "artificial": 70.4, "ALL": 73.2},
}  # fmt: skip
"""Standard profile on the practice set's 51 files, from the result files that NAB publishes."""


@dataclass(frozen=True, slots=True)
class Series:
    """One file.

    Attributes:
        name: category/file.csv.
        at: (n,) times as written, to the second.
        values: (n,).
        windows: first and last row of each labelled window.
    """

    name: str
    at: tuple[str, ...]
    values: Array
    windows: tuple[tuple[int, int], ...]

    @property
    def category(self) -> str:
        """The file's category; the two artificial ones are one."""
        folder = self.name.split("/", maxsplit=1)[0]
        return "artificial" if folder.startswith("artificial") else folder


def read_series(folder: Path) -> list[Series]:
    """All labelled files below `folder` (data/ and labels/)."""
    labels = json.loads((folder / "labels" / "combined_windows.json").read_text())
    found = []
    for name, windows in labels.items():
        path = folder / "data" / name
        if not path.is_file():
            continue
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        at = tuple(row["timestamp"][:19] for row in rows)
        places = tuple(
            (
                next(i for i, t in enumerate(at) if t >= begin[:19]),
                max(i for i, t in enumerate(at) if t <= end[:19]),
            )
            for begin, end in windows
        )
        found.append(Series(name, at, np.array([float(row["value"]) for row in rows]), places))
    return found


def score_series(series: Sequence[Series], shape: Shape | None = None) -> list[Array]:
    """The scores of each file, from one stream of all."""
    micros = [
        np.array([to_us(datetime.fromisoformat(t).replace(tzinfo=UTC)) for t in each.at], np.int64)
        for each in series
    ]
    # the rows of the files in turn: the score does not depend on it, and rounds are wide
    turn = np.concatenate([np.arange(len(each.at)) for each in series])
    order = np.argsort(turn, kind="stable")
    number = np.repeat(np.arange(len(series)), [len(each.at) for each in series])
    names = tuple((each.name, "value") for each in series)
    values = np.concatenate([each.values for each in series])
    at_us = np.concatenate(micros)[order]
    found = Scorer(names, shape).step(Rows(at_us, at_us, number[order], values[order]))
    back = np.empty(len(order))
    back[order] = found
    return [back[number == i] for i in range(len(series))]


def _curve(y: float) -> float:
    return -1.0 if y > 3.0 else 2.0 / (1.0 + exp(5.0 * y)) - 1.0


def weights(each: Series) -> tuple[Array, Array, int]:
    """(n,) worth of a detection at each row, (n,) window it hits or -1, and the first row that counts."""
    n = len(each.at)
    worth, window = np.full(n, -1.0), np.full(n, -1)
    for k, (begin, end) in enumerate(each.windows):
        width = end - begin + 1
        for i in range(begin, end + 1):
            worth[i] = _curve(-(end - i + 1) / width) / _curve(-1.0)
            window[i] = k
        following = each.windows[k + 1][0] if k + 1 < len(each.windows) else n
        for i in range(end + 1, following):
            worth[i] = _curve((i - end) / (width - 1) if width > 1 else 4.0)
    return worth, window, min(int(0.15 * n), 750)


def nab_sum(
    each: Series, score: Array, threshold: float, profile: tuple[float, float, float]
) -> float:
    """The raw sum of one file at a threshold."""
    hit, miss, alarm = profile
    worth, window, first = weights(each)
    told = score >= threshold
    told[:first] = False
    total = alarm * float(worth[told & (window < 0)].sum())
    for k in range(len(each.windows)):
        inside = told & (window == k)
        total += hit * float(worth[inside].max()) if inside.any() else -miss
    return total


def best_threshold(
    series: Sequence[Series], found: Sequence[Array], profile: tuple[float, float, float]
) -> float:
    """The one threshold that maximises the sum over all files."""
    hit, miss, alarm = profile
    events: list[tuple[float, int, float, int]] = []
    for number, (each, score) in enumerate(zip(series, found, strict=True)):
        worth, window, first = weights(each)
        events += [
            (float(score[i]), number, float(worth[i]), int(window[i]))
            for i in range(first, len(score))
        ]
    events.sort(key=lambda event: -event[0])
    best: dict[tuple[int, int], float] = {}
    total = highest = 0.0
    threshold = 1.1
    for i, (value, number, weight, place) in enumerate(events):
        if place < 0:
            total += alarm * weight
        else:
            before = best.get((number, place))
            if before is None:
                total += miss + hit * weight
            elif weight > before:
                total += hit * (weight - before)
            best[number, place] = max(weight, before if before is not None else weight)
        if (i + 1 == len(events) or events[i + 1][0] != value) and total > highest:
            highest, threshold = total, value
    return threshold


def figures(
    series: Sequence[Series],
    found: Sequence[Array],
    profile: tuple[float, float, float],
    threshold: float | None = None,
) -> dict[str, float]:
    """Category (and ALL) -> scaled sum; with the best threshold for all files where none is given."""
    hit, miss, _ = profile
    at = best_threshold(series, found, profile) if threshold is None else threshold
    sums: dict[str, list[float]] = {}
    for each, score in zip(series, found, strict=True):
        value = nab_sum(each, score, at, profile)
        for key in (each.category, "ALL"):
            pair = sums.setdefault(key, [0.0, 0.0])
            pair[0] += value
            pair[1] += len(each.windows)
    return {
        key: 100 * (value + miss * n) / (n * (hit + miss)) for key, (value, n) in sums.items() if n
    }


def nab_figures(folder: Path) -> tuple[dict[str, float], int]:
    """The scorecard's figures by name, and how many files there are; none where the files are not."""
    if not (folder / "labels").is_dir():
        return {}, 0
    series = read_series(folder)
    found = score_series(series)
    out = figures(series, found, PROFILES["standard"])
    out["ALL at 0.5"] = figures(series, found, PROFILES["standard"], THRESHOLD)["ALL"]
    for name in ("few false alarms", "few misses"):
        out[f"ALL, {name}"] = figures(series, found, PROFILES[name])["ALL"]
    return out, len(series)


def write_results(folder: Path, series: Sequence[Series], found: Sequence[Array]) -> None:
    """The scores as NAB's own scorers read them: <category>/<file>.csv with timestamp,anomaly_score."""
    for each, score in zip(series, found, strict=True):
        path = folder / each.name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = (f"{t},{s:.6g}\n" for t, s in zip(each.at, score.tolist(), strict=True))
        path.write_text("timestamp,anomaly_score\n" + "".join(lines))


def main(arguments: list[str] | None = None) -> None:
    """Score the files and print a line for each profile, and for the fixed threshold."""

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, help="write the scores here, for other scorers")
    chosen = parser.parse_args(arguments)
    folder = practice_folder() / "series" / "nab"
    if not (folder / "labels").is_dir():
        print(f"No figures: the files are not in {folder}.")
        return
    series = read_series(folder)
    found = score_series(series)
    if chosen.results:
        write_results(chosen.results, series, found)
    rows: list[list[report.Cell]] = []
    columns = list(PUBLISHED["ARTime"])
    for name, profile in PROFILES.items():
        at = best_threshold(series, found, profile)
        mine = figures(series, found, profile, at)
        rows.append([name, f"{at:.3f}", *(f"{mine[c]:.1f}" for c in columns)])
    fixed = figures(series, found, PROFILES["standard"], THRESHOLD)
    rows.append(["standard, threshold 0.5", "0.500", *(f"{fixed[c]:.1f}" for c in columns)])
    for name, theirs in PUBLISHED.items():
        rows.append([f"{name}, standard", "", *(f"{theirs[c]:.1f}" for c in columns)])
    print(report.table(f"NAB, {len(series)} files", ("profile", "threshold", *columns), rows))


if __name__ == "__main__":
    main()
