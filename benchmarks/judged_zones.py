"""Runs the detectors over one made zone and holds what they say against its truth. It refuses to print."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks import report
from benchmarks.case_files import write_files
from benchmarks.made_zones import MadeZone, balance, six_weeks, year
from services.detect.recorded.backtest import write_alerts
from services.detect.scoring.case_files import Scored, score_case
from services.detect.scoring.samples import Samples, samples
from services.domain.instant import DAY_US, parse_time

_FOLDER: Final = report.FOLDER / "zone_seeds"
_LEAKS: Final = ("dma_leak", "burst")
KINDS: Final[dict[str, Callable[[int], MadeZone]]] = {
    "a year of the inflow (LeakDB's recipe)": year,
    "six weeks, pump and pressures": six_weeks,
    "balance of homes": balance,
}


@dataclass(frozen=True, slots=True)
class Told:
    """A case, scored; alerts without a leak; relative errors of the leaks' rates and litres."""

    scored: Scored
    by_sample: Samples
    without: int
    days: float
    rates: tuple[float, ...]
    litres: tuple[float, ...]


def told(work: str, seed: int) -> Told:
    """Make the case of a seed, run the detectors over it and score what they say."""
    made = KINDS[work](seed)
    folder = _FOLDER / str(made.facts["case"])
    write_files(folder, made.rows, made.facts, kinds=made.kinds)
    (folder / "sensors.json").write_text(json.dumps(made.sensors) + "\n", encoding="utf-8")
    path = folder / "alerts.jsonl"
    write_alerts(folder, path)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line["kind"] in _LEAKS and line["sensor_id"] == "INLET"]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    scored = score_case(str(made.facts["case"]), folder, path)
    step, first, size = made.step_us, made.first_us, len(made.leak)

    def place(us: int) -> int:
        return min(max((us - first) // step, 0), size)

    eval_us, without = parse_time(made.facts["eval_start"]), 0
    rates, litres = [], []
    for line in lines:
        at = parse_time(line["detected_at"])
        if at >= eval_us and not made.leak[place(at - DAY_US) : place(at) + 1].any():
            without += 1
        end = place(parse_time(line["ended_at"])) if line["ended_at"] else size
        begin = place(parse_time(line["started_at"]) - DAY_US)
        flown = made.leak[begin:end]
        if line["kind"] != "dma_leak" or not flown.any():
            continue
        last = begin + int(np.flatnonzero(flown)[-1])
        lately = made.leak[max(begin, last - DAY_US // step) : last]
        numbers = (line.get("last") or line)["evidence"]["numbers"]  # as it stood at its end
        if lately.size and lately.mean() > 0:
            rates.append(numbers["leak_litres_per_h"] / float(lately.mean()) - 1)
            litres.append(numbers["litres_so_far"] / (float(flown.sum()) * step / 3.6e9) - 1)
    by_sample = samples(scored.truth, scored.alerts, first, step, size)
    return Told(scored, by_sample, without, scored.whole.days, tuple(rates), tuple(litres))
