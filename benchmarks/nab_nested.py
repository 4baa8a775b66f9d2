"""How far NAB's figure of the general score can be believed: numbers drawn at random, and chosen without the category.

python -m benchmarks nab_nested [-- --draws N] [--sensitivity]. The numbers of `Shape` were chosen with all
files in sight, so their own figure flatters them. Here N settings are drawn in a box about them (each number between
1 / 1.6 and 1.6 times its own, all at once), every file is scored by each, and it is said

- what the settings reach as they are, and with the threshold of each category taken from the other categories;
- what a draw reaches on average: what this method is worth to somebody who set its numbers by rough guess;
- what the draws reach where those for a category are chosen, with their threshold, on the other categories (nested).

`--sensitivity` adds a line for each number, moved alone. Scores are kept in build/bench/nab_nested by the numbers and
the source that made them. It refuses to propose numbers: the best of many draws is luck.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks import report
from benchmarks.practice import practice_folder
from benchmarks.scorecard_nab import PROFILES, Series, read_series, score_series, weights
from services.detect.anomaly import score as scoring
from services.detect.anomaly.shape import Shape
from services.detect.table import Array

GRID: Final = np.linspace(0.2, 0.9, 701)
"""Thresholds tried."""
FACTOR: Final = 1.6
FIXED: Final = frozenset({"first", "block", "paces", "bin_factors"})
"""Numbers that belong to the layout and stay as they are."""
CAPPED: Final[Mapping[str, float]] = {
    "week_alpha": 0.9,
    "day_alpha": 0.9,
    "blur": 0.9,
    "old_news": 0.5,
}
"""Shares, which end before 1."""
MOVES: Final = (0.5, 0.7, 1.4, 2.0)
KEPT: Final = report.FOLDER / "nab_nested"

Curves = Mapping[str, Array]
"""Category -> (thresholds,) sum of its files; and how many windows they have under '<category> windows'."""


def moved(shape: Shape, factors: Mapping[str, float]) -> Shape:
    """The numbers times their factors; whole numbers stay whole, shares below 1, a gain above 1."""
    changes: dict[str, Any] = {}
    for name, factor in factors.items():
        old = getattr(shape, name)
        if name == "gain":
            changes[name] = 1.0 + (old - 1.0) * factor
        elif isinstance(old, tuple):
            changes[name] = tuple(each * factor for each in old)
        elif isinstance(old, int):
            changes[name] = max(2, round(old * factor))
        elif name.endswith("_span"):
            changes[name] = min(max(1.0, old * factor), 600.0)
        else:
            changes[name] = min(old * factor, CAPPED.get(name, np.inf))
    return replace(shape, **changes)


def drawn(count: int, seed: int = 7) -> list[Shape]:
    """Settings from the box about the present ones."""
    random = np.random.default_rng(seed)
    names = [name for name in asdict(Shape()) if name not in FIXED]
    return [
        moved(Shape(), {name: FACTOR ** random.uniform(-1.0, 1.0) for name in names})
        for _ in range(count)
    ]


def curve(each: Series, score: Array) -> Array:
    """(thresholds,) sum of one file at each threshold of the grid, in the standard profile."""
    hit, miss, alarm = PROFILES["standard"]
    worth, window, first = weights(each)
    place = np.searchsorted(GRID, score, side="right")  # told at thresholds 0 .. place - 1
    counts = np.arange(len(score)) >= first
    outside = counts & (window < 0)
    ends = np.bincount(place[outside], worth[outside], minlength=len(GRID) + 1)
    total = alarm * np.cumsum(ends[::-1])[::-1][1:]
    for k in range(len(each.windows)):
        inside = counts & (window == k)
        best = np.full(len(GRID) + 1, -np.inf)
        np.maximum.at(best, place[inside], worth[inside])
        best = np.maximum.accumulate(best[::-1])[::-1][1:]
        total += np.where(np.isfinite(best), hit * best, -miss)
    return total


def curves_of(series: Sequence[Series], shape: Shape) -> dict[str, Array]:
    """The curves of all categories for one setting; kept, since scoring takes seconds."""
    source = "".join(
        path.read_text()
        for path in sorted(Path(scoring.__file__).parent.parent.glob("[aw]*/*.py"))
        if path.parent.name in ("anomaly", "windows")
    )
    code = hashlib.sha256(f"{source}{shape}{[s.name for s in series]}".encode()).hexdigest()[:20]
    path = KEPT / f"{code}.npz"
    if path.is_file():
        with np.load(path) as kept:
            return dict(kept)
    found: dict[str, Array] = {}
    for each, score in zip(series, score_series(series, shape), strict=True):
        found[each.category] = found.get(each.category, np.zeros(len(GRID))) + curve(each, score)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **found)  # type: ignore[arg-type]
    return found


def scaled(total: float, windows: int) -> float:
    """NAB's figure: 0 for silence, 100 for perfection."""
    return 100.0 * (total + windows) / (2.0 * windows)


class Judge:
    """Figures of settings by category.

    Args:
        windows: category -> labelled windows.
    """

    def __init__(self, windows: Mapping[str, int]) -> None:
        self.windows = {name: n for name, n in windows.items() if n}
        self.all = sum(self.windows.values())

    def best(self, curves: Curves, names: Iterable[str]) -> tuple[float, int]:
        """Figure of some categories at their best common threshold, and its place."""
        chosen = list(names)
        total = np.sum([curves[name] for name in chosen], axis=0)
        place = int(np.argmax(total))
        return scaled(float(total[place]), sum(self.windows[name] for name in chosen)), place

    def together(self, figures: Mapping[str, float]) -> float:
        """ALL of the categories' figures."""
        return sum(value * self.windows[name] for name, value in figures.items()) / self.all

    def own(self, curves: Curves) -> dict[str, float]:
        """By category at the one threshold that is best for all."""
        _, place = self.best(curves, self.windows)
        return {name: scaled(float(curves[name][place]), n) for name, n in self.windows.items()}

    def foreign(self, curves: Curves) -> dict[str, float]:
        """By category, each at the threshold that is best for the others."""
        return self.nested([curves])

    def nested(self, draws: Sequence[Curves]) -> dict[str, float]:
        """By category: the draw and the threshold that are best for the others, judged on it."""
        out = {}
        for name, n in self.windows.items():
            others = [other for other in self.windows if other != name]
            tried = [self.best(curves, others) for curves in draws]
            chosen = max(range(len(draws)), key=lambda i: tried[i][0])
            out[name] = scaled(float(draws[chosen][name][tried[chosen][1]]), n)
        return out


def main(arguments: list[str] | None = None) -> None:
    """Draw, score, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=40, help="settings drawn from the box")
    parser.add_argument("--sensitivity", action="store_true", help="move each number alone")
    chosen = parser.parse_args(arguments)
    folder = practice_folder() / "series" / "nab"
    if not (folder / "labels").is_dir():
        print(f"No figures: the files are not in {folder}.")
        return
    series = read_series(folder)
    windows: dict[str, int] = {}
    for each in series:
        windows[each.category] = windows.get(each.category, 0) + len(each.windows)
    judge, shapes = Judge(windows), [Shape(), *drawn(chosen.draws)]
    names = [name for name in asdict(Shape()) if name not in FIXED] if chosen.sensitivity else []
    shapes += [moved(Shape(), {name: factor}) for name in names for factor in MOVES]
    found = [curves_of(series, shape) for shape in shapes]
    now, box, rest = found[0], found[1 : chosen.draws + 1], found[chosen.draws + 1 :]
    _print(judge, now, box)
    rows: list[list[report.Cell]] = [
        [
            name,
            *(
                f"{judge.together(judge.own(rest[i * len(MOVES) + k])):.1f}"
                for k in range(len(MOVES))
            ),
        ]
        for i, name in enumerate(names)
    ]
    if rows:
        print(report.table("ALL with one number moved", ("number", *map(str, MOVES)), rows))


def _print(judge: Judge, now: Curves, box: Sequence[Curves]) -> None:
    lines = {
        "as it is, best threshold": judge.own(now),
        "as it is, thresholds of the others": judge.foreign(now),
    }
    if box:
        lines["a draw, best threshold"] = _mean([judge.own(each) for each in box])
        lines["a draw, thresholds of the others"] = _mean([judge.foreign(each) for each in box])
        lines[f"nested: chosen of {len(box)} by the others"] = judge.nested(box)
    rows: list[list[report.Cell]] = [
        [name, *(f"{found[c]:.1f}" for c in judge.windows), f"{judge.together(found):.1f}"]
        for name, found in lines.items()
    ]
    print(report.table("NAB, standard profile", ("setting", *judge.windows, "ALL"), rows))


def _mean(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([each[name] for each in found])) for name in found[0]}


if __name__ == "__main__":
    main()
