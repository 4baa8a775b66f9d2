"""What the joint score of flow with occupancy adds to scores of each alone, on the simulated corridor's labelled pairs.

python -m benchmarks joint_pairs  prints average precision (mean share of true pairs among those above each true one;
chance is the share of pairs that are true) for incidents, faulty detectors and both with congestion. The single scores
are the general score of the flow and of the occupancy, and z against an exponential mean of 200 values; the larger of
the two counts. It refuses to choose a threshold.
"""

from __future__ import annotations

import json
from typing import Final

import numpy as np

from benchmarks import report
from benchmarks.practice import practice_folder
from services.detect.anomaly.joint import JointScore
from services.detect.anomaly.score import AnomalyScore
from services.detect.recorded.scored import readings_of_file
from services.detect.table import Array
from services.domain.instant import parse_time

CASE: Final = "traffic/sumo_corridor"
FLOW, OCCUPANCY = "volume_veh", "occupancy_pct"
KINDS: Final = (
    ("incident",),
    ("detector_malfunction",),
    ("incident", "congestion", "detector_malfunction"),
)
_ALPHA: Final = 1 / 200


def average_precision(true: Array, score: Array) -> float:
    """(n,) truth and (n,) scores -> 0..1; ties in the order given."""
    ordered = true[np.argsort(-score, kind="stable")]
    precision = np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
    return float(precision[ordered].mean())


def deviations(grid: Array) -> Array:
    """(times, stations) |z| against an exponential mean and variance; NaN scores 0 and changes nothing."""
    out = np.zeros(grid.shape)
    mean, variance, seen = (np.zeros(grid.shape[1]) for _ in range(3))
    for i, x in enumerate(grid):
        known = np.isfinite(x)
        off = np.where(known, x - mean, 0.0)
        out[i] = np.where(seen > 50, np.abs(off) / np.sqrt(variance + 1e-6), 0.0)
        seen += known
        a = np.where(known, np.maximum(_ALPHA, 1.0 / np.maximum(seen, 1)), 0.0)
        mean += a * off
        variance = (1.0 - a) * (variance + a * off * off)
    return out


def main() -> None:
    """Read, score and print."""
    folder = practice_folder() / CASE
    if not (folder / "truth.json").is_file():
        print(f"No figures: there is no case in {folder}.")
        return
    readings = readings_of_file(folder)
    stations = {
        name: i for i, name in enumerate(sorted({s for s, m in readings.names if m == FLOW}))
    }
    where = {
        number: (metric == OCCUPANCY, stations[sensor])
        for (sensor, metric), number in readings.names.items()
        if metric in (FLOW, OCCUPANCY)
    }
    blocks = list(readings.rows.blocks())
    times = np.unique(np.concatenate([block.at_us for block in blocks]))
    grids = np.full((2, len(times), len(stations)), np.nan)
    for block in blocks:
        for number, (metric, station) in where.items():
            mine = block.series == number
            at = np.searchsorted(times, block.at_us[mine])
            grids[int(metric), at, station] = block.value[mine]
    scores = _scores(times, grids)
    truth = json.loads((folder / "truth.json").read_text())
    counts = times >= parse_time(truth["eval_start"])
    rows: list[list[report.Cell]] = []
    for kinds in KINDS:
        true = np.zeros(grids.shape[1:], np.bool_)
        for event in truth["events"]:
            if event["kind"] in kinds:
                begin, end = (parse_time(event[key]) for key in ("start", "end"))
                during = np.flatnonzero((times >= begin) & (times <= end))
                at = [stations[name] for name in event["series"] if name in stations]
                true[np.ix_(during, at)] = True
        known = np.isfinite(grids).all(axis=0) & counts[:, None]
        found = [average_precision(true[known], score[known]) for score in scores.values()]
        rows.append([" + ".join(kinds), f"{true[known].mean():.3f}", *(f"{f:.3f}" for f in found)])
    print(report.table("Average precision, 30-second pairs", ("truth", "chance", *scores), rows))


def _scores(times: Array, grids: Array) -> dict[str, Array]:
    """Name -> (times, stations)."""
    count = grids.shape[2]
    rows = np.arange(count)
    joint, single = JointScore(), AnomalyScore()
    joint.add(count)
    single.add(2 * count)
    together, alone = np.zeros(grids.shape[1:]), np.zeros(grids.shape[1:])
    for i, at in enumerate(times):
        stamps = np.full(count, at)
        together[i] = joint.step(rows, stamps, grids[0, i], grids[1, i])
        both = single.step(np.arange(2 * count), np.full(2 * count, at), grids[:, i].reshape(-1))
        alone[i] = both.reshape(2, count).max(axis=0)
    return {
        "joint": together,
        "general, each alone": alone,
        "joint or general": np.maximum(together, alone),
        "z, each alone": np.maximum(deviations(grids[0]), deviations(grids[1])),
    }


if __name__ == "__main__":
    main()
