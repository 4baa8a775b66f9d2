"""Writes the general anomaly score of every reading of a recording: time, sensor_id, metric, score, in order of time.

Any kind and any metric will do, since the score does not know what is measured. Registers are scored by what they grew
by, and flow with occupancy of one moment has a joint score: either row gets it where it is the higher. It raises no
alert, and refuses to read truth.
"""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from services.detect.anomaly.joint import JointScore
from services.detect.anomaly.score import AnomalyScore
from services.detect.recorded.backtest import Case
from services.detect.recorded.lines import BadLines, readings_file, recorded_lines
from services.detect.table import Array
from services.domain.catalogue import Domain
from services.domain.instant import HOUR_US, isoformat

SCORE_COLUMNS: Final = ("time", "sensor_id", "metric", "score")
REGISTERS: Final = frozenset({"register", "register_l", "register_litres"})
"""Metrics that only grow: their steps are scored."""
FLOWS: Final = ("flow_veh_per_h", "count_veh", "volume_veh", "flow", "count", "volume")
DENSITIES: Final = ("occupancy_pct", "occupancy", "density_veh_per_km", "density")
"""Metrics that make a pair, the best known first."""
_BATCH: Final = 8192
"""Readings scored at a time; the result does not depend on it."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Values of many series, in the order of time.

    Attributes:
        names: (sensor id, metric) of each series.
        at_us: (n,) int64 microseconds since 1970, never falling.
        series: (n,) index into `names`.
        values: (n,) float64, NaN is missing.
        times: how an instant is written, where the recording has its own way.
    """

    names: tuple[tuple[str, str], ...]
    at_us: Array
    series: Array
    values: Array
    times: dict[int, str]

    def __len__(self) -> int:
        return len(self.at_us)

    def part(self, places: slice) -> Readings:
        """Some of them, one after the other."""
        return Readings(
            self.names, self.at_us[places], self.series[places], self.values[places], self.times
        )


def readings_of_file(case: Path) -> Readings:
    """Every line of a case's readings file that is understood; lines of one time keep their order.

    Raises:
        InvalidInput: no readings file, or one that is mostly not understood.
    """
    numbers: dict[tuple[str, str], int] = {}
    times: dict[int, str] = {}
    at, series, values = array("q"), array("q"), array("d")
    for line in recorded_lines(readings_file(case), BadLines()):
        times.setdefault(line.at_us, line.when)
        at.append(line.at_us)
        series.append(numbers.setdefault((line.sensor_id, line.metric), len(numbers)))
        values.append(line.value)
    at_us = np.array(at, np.int64)
    order = np.argsort(at_us, kind="stable")
    return Readings(
        tuple(numbers),
        at_us[order],
        np.array(series, np.intp)[order],
        np.array(values, np.float64)[order],
        times,
    )


def readings_of_case(case: Case) -> Readings:
    """Every measured value of any case, of the database say; metrics by the names of their columns."""
    sensors = {number: sensor.id for number, sensor in case.numbered}
    numbers: dict[tuple[str, str], int] = {}
    at, series, values = [], [], []
    for part in case.slices(dict.fromkeys(Domain, HOUR_US)):
        for batch in part.batches:
            for column, measured in batch.metrics.items():
                known = np.isfinite(measured)
                which, place = np.unique(batch.sensor[known], return_inverse=True)
                of = [
                    numbers.setdefault((sensors[n], column), len(numbers)) for n in which.tolist()
                ]
                at.append(batch.observed_us[known])
                series.append(np.array(of, np.intp)[place])
                values.append(measured[known])
    if not at:
        return Readings((), np.empty(0, np.int64), np.empty(0, np.intp), np.empty(0), {})
    at_us = np.concatenate(at)
    order = np.argsort(at_us, kind="stable")
    return Readings(
        tuple(numbers),
        at_us[order],
        np.concatenate(series)[order],
        np.concatenate(values)[order],
        {},
    )


def scores(readings: Readings) -> Array:
    """(n,) score 0..1 of each value, by the classes that score a live stream."""
    values = _grown(readings)
    scorer = AnomalyScore()
    scorer.add(len(readings.names))
    out = np.zeros(len(readings))
    for i in range(0, len(readings), _BATCH):
        part = slice(i, i + _BATCH)
        out[part] = scorer.step(readings.series[part], readings.at_us[part], values[part])
    flow, density, sensor = _pairs(readings)
    joint = JointScore()
    joint.add(len(readings.names))
    for i in range(0, len(flow), _BATCH):
        one, other = flow[i : i + _BATCH], density[i : i + _BATCH]
        found = joint.step(
            sensor[i : i + _BATCH],
            readings.at_us[one],
            readings.values[one],
            readings.values[other],
        )
        out[one] = np.maximum(out[one], found)
        out[other] = np.maximum(out[other], found)
    return out


def _grown(readings: Readings) -> Array:
    """(n,) the values; of registers what they grew by since the last value known, NaN at the first."""
    values = readings.values
    for number, (_, metric) in enumerate(readings.names):
        if metric not in REGISTERS:
            continue
        if values is readings.values:
            values = values.copy()
        mine = np.flatnonzero(readings.series == number)
        known = mine[np.isfinite(readings.values[mine])]
        hours = np.maximum(np.diff(readings.at_us[known]) / 3.6e9, 1e-3)
        values[known[1:]] = np.diff(readings.values[known]) / hours
        values[known[:1]] = np.nan
    return values


def _pairs(readings: Readings) -> tuple[Array, Array, Array]:
    """Places of the flow and of the density of one moment, and the sensor, for all that have both, in order of time."""
    series = {name: number for number, name in enumerate(readings.names)}
    found: list[tuple[Array, Array, Array]] = [(np.empty(0, np.intp),) * 3]
    for number, sensor in enumerate(dict.fromkeys(sensor for sensor, _ in readings.names)):
        flow = next((series[sensor, m] for m in FLOWS if (sensor, m) in series), None)
        density = next((series[sensor, m] for m in DENSITIES if (sensor, m) in series), None)
        if flow is None or density is None:
            continue
        one = np.flatnonzero(readings.series == flow)
        other = np.flatnonzero(readings.series == density)
        _, i, j = np.intersect1d(readings.at_us[one], readings.at_us[other], return_indices=True)
        found.append((one[i], other[j], np.full(len(i), number)))
    flows, densities, sensors = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(flows)
    return flows[order], densities[order], sensors[order]


def write_scores(
    readings: Readings, out: Path, start_us: int | None = None, end_us: int | None = None
) -> int:
    """Write one line a reading and return how many.

    Args:
        start_us: readings before it are the warm-up: they are scored, and not written.
        end_us: readings at or after it are not taken.
    """
    low = 0 if start_us is None else int(np.searchsorted(readings.at_us, start_us))
    high = len(readings) if end_us is None else int(np.searchsorted(readings.at_us, end_us))
    taken = readings.part(slice(0, high))
    found = scores(taken)
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(SCORE_COLUMNS)
        writer.writerows(_lines(taken.part(slice(low, high)), found[low:]))
    return max(high - low, 0)


def _lines(readings: Readings, found: Array) -> Iterator[tuple[Any, ...]]:
    times = readings.times
    for us, series, score in zip(
        readings.at_us.tolist(), readings.series.tolist(), found.tolist(), strict=True
    ):
        when = times.get(us) or isoformat(us)
        yield (when, *readings.names[series], f"{score:.6g}")
