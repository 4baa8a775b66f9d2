"""The hourly meters of the practice set as if they had been read every quarter of an hour: same homes, same truth.

Between two hourly registers the litres are laid out as single uses, at random moments and at the rate of a tap; what
the truth says was a leak runs evenly for as long as it ran. Registers at the full hours stay what they were, gaps stay
gaps. The layout follows from the seed. It refuses to look at a detector, and to add or remove an event.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.case_files import write_files
from services.domain.instant import HOUR_US, SECOND_US, parse_time

_PARTS: Final = 4
_LONGEST_H: Final = 1.6
_USE_LITRES: Final = 7.0
_USE_SPREAD: Final = 0.9
_TAP_LITRES_PER_H: Final = 500.0
_STEADY: Final = ("continuous_flow", "burst")


@dataclass(frozen=True, slots=True)
class _Leak:
    start_us: int
    end_us: int
    litres_per_h: float
    steady: bool


def split_case(source: Path, folder: Path, seed: int) -> None:
    """Write the case of `source` (a folder of the practice set) anew, four readings where there was one."""
    facts = json.loads((source / "truth.json").read_text(encoding="utf-8"))
    leaks: dict[str, list[_Leak]] = {}
    for event in facts["events"]:
        if "lph" in event["size"] or event["kind"] == "backflow":
            window = parse_time(event["start"]), parse_time(event["end"])
            rate = float(event["size"].get("lph", 0.0))  # 0: backwards
            leak = _Leak(*window, rate, event["kind"] in _STEADY)
            leaks.setdefault(event["series"][0], []).append(leak)
    rows = []
    for number, (name, registers) in enumerate(sorted(_registers(source).items())):
        draw = np.random.default_rng([seed, number])
        for at_us, litres in _finer(registers, leaks.get(name, ()), draw):
            rows.append((at_us, name, "register_l", litres))
    write_files(folder, sorted(rows), facts | {"case": folder.name, "interval_s": 900})


def _registers(source: Path) -> Mapping[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    with gzip.open(source / "readings.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["sensor_id"], []).append(
                (parse_time(row["time"]), float(row["value"]))
            )
    return found


def _finer(
    registers: Sequence[tuple[int, float]], leaks: Sequence[_Leak], draw: np.random.Generator
) -> Iterator[tuple[int, float]]:
    last: tuple[int, float] | None = None
    for at_us, total in registers:
        if last is not None and 0 < at_us - last[0] <= _LONGEST_H * HOUR_US:
            yield from _between(last, (at_us, total), leaks, draw)
        yield at_us, total
        last = at_us, total


def _between(
    first: tuple[int, float], last: tuple[int, float], leaks: Sequence[_Leak], draw: np.random.Generator
) -> Iterator[tuple[int, float]]:  # fmt: skip
    """The readings inside of one hour."""
    span_us, litres = last[0] - first[0], last[1] - first[1]
    cuts = np.arange(1, _PARTS) * span_us / _PARTS + draw.normal(0, 15, _PARTS - 1) * SECOND_US
    begun = np.zeros(_PARTS - 1)
    rest = litres
    for leak in leaks:
        begin = float(max(leak.start_us - first[0], 0))
        end = float(min(leak.end_us - first[0], span_us))
        if end <= begin or (rest <= 0) != (leak.litres_per_h <= 0):
            continue
        part = rest if rest < 0 else min(rest, leak.litres_per_h * (end - begin) / HOUR_US)
        if rest > 0 and not leak.steady:  # it ran without a pause for as long as its litres need
            length = part / leak.litres_per_h * HOUR_US
            begin += draw.uniform(0, max(end - begin - length, 0.0))
            end = begin + length
        begun += part * np.clip((cuts - begin) / max(end - begin, 1.0), 0, 1)
        rest -= part
    if rest < 0:  # it fell: evenly
        begun += rest * cuts / span_us
    while rest > 0.5:
        size = min(rest, _USE_LITRES * draw.lognormal(0.0, _USE_SPREAD))
        length = min(size / _TAP_LITRES_PER_H * HOUR_US, float(span_us))
        begin = draw.uniform(0, span_us - length + 1)
        begun += size * np.clip((cuts - begin) / max(length, 1.0), 0, 1)
        rest -= size
    shown = first[1] + np.floor(begun + 1e-6) if litres >= 0 else first[1] + np.ceil(begun - 1e-6)
    low, high = min(first[1], last[1]), max(first[1], last[1])
    for cut, value in zip(cuts.tolist(), np.clip(shown, low, high).tolist(), strict=True):
        yield first[0] + round(cut / SECOND_US) * SECOND_US, float(value)
