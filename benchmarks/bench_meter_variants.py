"""The hourly meters of the practice set, read otherwise: what each change of units, size, stamps or losses costs.

python -m benchmarks meter_variants [-- --only scaled_3]  ->  build/bench/meter_variants.json. Same homes and events,
one change at a time. Of events too small to show after a change nothing is taken away: the figures say what is lost.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.case_files import write_files
from benchmarks.practice import practice_folder
from services.detect.recorded.backtest import write_alerts
from services.detect.scoring.case_files import score_case
from services.domain.instant import DAY_US, HOUR_US, SECOND_US, isoformat, parse_time

_FOLDER: Final = report.FOLDER / "meter_variants"
_EVENT_TIMES: Final = ("start", "end", "detect_by")


@dataclass(frozen=True, slots=True)
class Meter:
    """(n,) times in microseconds and (n,) values of one meter, and the metric."""

    at_us: NDArray[np.int64]
    value: NDArray[np.float64]
    metric: str = "register_l"


_LONGEST_LOST: Final = 12
"""Readings in a row: a whole day without one is an event of its own, and no loss."""

Change = Callable[[Meter, np.random.Generator], Meter]


def _coarser(litres: float) -> Change:
    return lambda meter, _: Meter(meter.at_us, np.floor(meter.value / litres) * litres)


def _scaled(factor: float) -> Change:
    return lambda meter, _: Meter(meter.at_us, np.floor(meter.value * factor))


def _moved(hours: float) -> Change:
    return lambda meter, _: Meter(meter.at_us + round(hours * HOUR_US), meter.value)


def _volumes(meter: Meter, draw: np.random.Generator) -> Meter:
    del draw
    return Meter(meter.at_us[1:], np.diff(meter.value), "consumption_l")


def _lost(share: float, run: float) -> Change:
    def change(meter: Meter, draw: np.random.Generator) -> Meter:
        begins = draw.random(len(meter.value)) < share / run
        lost = np.zeros(len(meter.value), np.bool_)
        for begin in np.flatnonzero(begins):
            lost[begin : begin + min(draw.geometric(1 / run), _LONGEST_LOST)] = True
        return Meter(meter.at_us[~lost], meter.value[~lost])

    return change


def _twice(meter: Meter, draw: np.random.Generator) -> Meter:
    again = 1 + (draw.random(len(meter.value)) < 0.3)
    return Meter(np.repeat(meter.at_us, again), np.repeat(meter.value, again))


def _jittered(meter: Meter, draw: np.random.Generator) -> Meter:
    late = draw.integers(0, 1200, len(meter.value)) * SECOND_US
    return Meter(np.maximum.accumulate(meter.at_us + late), meter.value)


VARIANTS: Final[Mapping[str, Change]] = {
    "as it is": lambda meter, _: meter,
    "register_10_l": _coarser(10.0),
    "register_100_l": _coarser(100.0),
    "scaled_0.3": _scaled(0.3),
    "scaled_3": _scaled(3.0),
    "moved_9_h": _moved(9.0),
    "volumes": _volumes,
    "lost_5_pct": _lost(0.05, 4.0),
    "lost_20_pct": _lost(0.2, 4.0),
    "repeated": _twice,
    "jittered": _jittered,
    "one_week_known": lambda meter, _: meter,
}
"""Name -> what is done to each meter; the last one begins a week before the judged time."""


def _facts(name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    if name != "moved_9_h":
        return dict(facts)

    def later(entry: Mapping[str, Any]) -> dict[str, Any]:
        times = {key: _later(entry[key]) for key in _EVENT_TIMES if entry.get(key)}
        return {**entry, **times}

    moved = {key: [later(each) for each in facts[key]] for key in ("events", "ignore", "benign")}
    ends = {key: _later(facts[key]) for key in ("eval_start", "eval_end")}
    return {**facts, **moved, **ends}


def _later(time: str) -> str:
    return isoformat(parse_time(time) + 9 * HOUR_US)


def _figures(name: str, meters: Mapping[str, Meter], facts: Mapping[str, Any]) -> list[report.Cell]:
    folder, change = _FOLDER / name, VARIANTS[name]
    first_us = parse_time(facts["eval_start"]) - 7 * DAY_US if name == "one_week_known" else 0
    rows = []
    for number, (meter, read) in enumerate(sorted(meters.items())):
        new = change(read, np.random.default_rng([1, number]))
        rows += [
            (at, meter, new.metric, value)
            for at, value in zip(new.at_us.tolist(), new.value.tolist(), strict=True)
            if at >= first_us
        ]
    write_files(folder, sorted(rows), _facts(name, facts))
    alerts = folder / "alerts.jsonl"
    write_alerts(folder, alerts)
    scored = score_case(name, folder, alerts)
    whole, families = scored.whole, scored.by_family
    told = {kind: families[kind] for kind in ("leak", "backflow", "missing", "stuck")}
    return [
        name, whole.recall, whole.precision, whole.per_1000_sensor_days, told["leak"].median_h,
        *(f"{each.found} of {each.events}, {each.false_alarms}" for each in told.values()),
    ]  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Make each variant, run the detectors, print a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(VARIANTS), help="names, comma between them")
    names = parser.parse_args(arguments).only.split(",")
    source = practice_folder() / "water" / "ami_hourly"
    if not source.is_dir():
        print(f"No variants: the labelled case is not in {source}.")
        return
    facts = json.loads((source / "truth.json").read_text(encoding="utf-8"))
    found: dict[str, list[tuple[int, float]]] = {}
    with gzip.open(source / "readings.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            reading = parse_time(row["time"]), float(row["value"])
            found.setdefault(row["sensor_id"], []).append(reading)
    meters = {
        name: Meter(np.array([at for at, _ in rows], np.int64), np.array([v for _, v in rows]))
        for name, rows in found.items()
    }
    head = (
        "variant", "recall", "precision", "per 1,000 meter-days", "leak median h",
        "leaks, false", "backflow", "missing", "stuck",
    )  # fmt: skip
    rows = [_figures(name, meters, facts) for name in names]
    print(report.table("Hourly meters, read otherwise", head, rows))
    report.write("meter_variants", {"rows": [dict(zip(head, row, strict=True)) for row in rows]})


if __name__ == "__main__":
    main()
