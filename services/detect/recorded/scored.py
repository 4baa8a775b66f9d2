"""Writes the general anomaly score of every reading of a recording: time, sensor_id, metric, score, in order of time.

Any kind and any metric will do, since the score does not know what is measured. Registers are scored by what they grew
by, and flow with occupancy of one moment has a joint score: either row gets it where it is the higher. Readings are
sorted on disk where they are many (`sorted_rows`) and scored hour by hour, so that memory holds the state of the series
and no long recording. It raises no alert, and refuses to read truth.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from services.detect.anomaly.joint import JointScore
from services.detect.anomaly.score import AnomalyScore
from services.detect.anomaly.shape import Shape
from services.detect.recorded.backtest import Case
from services.detect.recorded.lines import AS_USUAL, BadLines, readings_file, recorded_lines
from services.detect.recorded.sorted_rows import IN_MEMORY, Rows, SortedRows
from services.detect.recorded.writing import Writing
from services.detect.table import Array
from services.domain.catalogue import Domain
from services.domain.instant import HOUR_US, isoformat

SCORE_COLUMNS: Final = ("time", "sensor_id", "metric", "score")
REGISTERS: Final = frozenset({"register", "register_l", "register_m3", "register_litres"})
"""Metrics that only grow: their steps are scored."""
FLOWS: Final = ("flow_veh_per_h", "count_veh", "volume_veh", "flow", "count", "volume")
DENSITIES: Final = ("occupancy_pct", "occupancy", "density_veh_per_km", "density")
"""Metrics that make a pair, the best known first."""
_BATCH: Final = 8192
"""Readings scored at a time; the result does not depend on it."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Values of many series.

    Attributes:
        rows: the values, to be read in the order of time.
        names: (sensor id, metric) of each series, by its number.
        times: how an instant is written, where the recording has its own way.
    """

    rows: SortedRows
    names: dict[tuple[str, str], int] = field(default_factory=dict)
    times: dict[int, str] = field(default_factory=dict)


def readings_of_file(
    case: Path, in_memory: int = IN_MEMORY, writing: Writing = AS_USUAL
) -> Readings:
    """Every line of a case's readings file that is understood; lines of one time keep their order.

    Raises:
        InvalidInput: no readings file, or one that is mostly not understood.
    """
    found = Readings(SortedRows(in_memory))
    for line in recorded_lines(readings_file(case), BadLines(), writing):
        if line.when != isoformat(line.at_us):
            found.times.setdefault(line.at_us, line.when)
        series = found.names.setdefault((line.sensor_id, line.metric), len(found.names))
        found.rows.add(line.at_us, line.at_us, series, line.value)
    return found


def readings_of_case(case: Case, in_memory: int = IN_MEMORY) -> Readings:
    """Every measured value of any case, of the database say; metrics by the names of their columns."""
    sensors = {number: sensor.id for number, sensor in case.numbered}
    found = Readings(SortedRows(in_memory))
    for part in case.slices(dict.fromkeys(Domain, HOUR_US)):
        for batch in part.batches:
            for column, measured in batch.metrics.items():
                known = np.isfinite(measured)
                rows = (batch.sensor[known], batch.observed_us[known], measured[known])
                for number, at_us, value in zip(*(each.tolist() for each in rows), strict=True):
                    name = (sensors[number], column)
                    series = found.names.setdefault(name, len(found.names))
                    found.rows.add(at_us, at_us, series, value)
    return found


class Scorer:
    """The general score of many series, block by block in the order of time, as a live stream is scored."""

    def __init__(self, names: tuple[tuple[str, str], ...], shape: Shape | None = None) -> None:
        self._each, self._joint = AnomalyScore(shape), JointScore()
        self._each.add(len(names))
        self._joint.add(len(names))
        self._register = np.array([metric in REGISTERS for _, metric in names], np.bool_)
        self._last = np.full(len(names), np.nan)
        self._last_us = np.zeros(len(names), np.int64)
        self._pairs = _pairs(names)

    def step(self, block: Rows) -> Array:
        """(n,) score 0..1 of each value; no moment is divided between blocks."""
        series = block.series.astype(np.intp)
        values = self._grown(series, block)
        out = np.zeros(len(block))
        for i in range(0, len(block), _BATCH):
            part = slice(i, i + _BATCH)
            out[part] = self._each.step(series[part], block.at_us[part], values[part])
        one, other, sensor = self._moments(series, block.at_us)
        for i in range(0, len(one), _BATCH):
            flow, density = one[i : i + _BATCH], other[i : i + _BATCH]
            found = self._joint.step(
                sensor[i : i + _BATCH], block.at_us[flow], block.value[flow], block.value[density]
            )
            out[flow] = np.maximum(out[flow], found)
            out[density] = np.maximum(out[density], found)
        return out

    def _grown(self, series: Array, block: Rows) -> Array:
        """(n,) the values; of registers what they grew by since the last value known, NaN at the first."""
        mine = np.flatnonzero(self._register[series])
        if mine.size == 0:
            return block.value
        values = block.value.copy()
        for number in np.unique(series[mine]).tolist():
            known = mine[(series[mine] == number) & np.isfinite(block.value[mine])]
            if known.size == 0:
                continue
            first = np.isnan(self._last[number])
            at = np.concatenate(([self._last_us[number]], block.at_us[known]))
            register = np.concatenate(([self._last[number]], block.value[known]))
            values[known] = np.diff(register) / np.maximum(np.diff(at) / HOUR_US, 1e-3)
            if first:
                values[known[0]] = np.nan
            self._last[number], self._last_us[number] = register[-1], at[-1]
        return values

    def _moments(self, series: Array, at_us: Array) -> tuple[Array, Array, Array]:
        """Places of flow and density of one moment, and the sensor, where both are known; in the order of time."""
        found: list[tuple[Array, Array, Array]] = [(np.empty(0, np.intp),) * 3]
        order = np.argsort(series, kind="stable")
        edges = np.searchsorted(series[order], np.arange(len(self._last) + 1))
        for number, flow, density in self._pairs:
            one, other = (order[edges[k] : edges[k + 1]] for k in (flow, density))
            if not (one.size and other.size):
                continue
            _, i, j = np.intersect1d(at_us[one], at_us[other], return_indices=True)
            found.append((one[i], other[j], np.full(len(i), number)))
        flows, densities, sensors = (np.concatenate(parts) for parts in zip(*found, strict=True))
        places = np.argsort(flows)
        return flows[places], densities[places], sensors[places]


def _pairs(names: tuple[tuple[str, str], ...]) -> list[tuple[int, int, int]]:
    """(sensor, flow, density) by number, of the sensors that have both."""
    series = {name: number for number, name in enumerate(names)}
    found = []
    for number, sensor in enumerate(dict.fromkeys(sensor for sensor, _ in names)):
        flow = next((series[sensor, m] for m in FLOWS if (sensor, m) in series), None)
        density = next((series[sensor, m] for m in DENSITIES if (sensor, m) in series), None)
        if flow is not None and density is not None:
            found.append((number, flow, density))
    return found


def write_scores(
    readings: Readings, out: Path, start_us: int | None = None, end_us: int | None = None
) -> int:
    """Write one line a reading and return how many. A run that is interrupted leaves no half file behind.

    A repeated line has its line too, scored as what it is: another value of the same moment.

    Args:
        start_us: readings before it are the warm-up: they are scored, and not written.
        end_us: readings at or after it are not taken.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.exists() and not out.is_file():  # a pipe or a device: what is written there has gone
        return _write_scores(readings, out, start_us, end_us)
    part = out.with_name(f"{out.name}.part")
    try:
        written = _write_scores(readings, part, start_us, end_us)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return written


def _write_scores(readings: Readings, out: Path, start_us: int | None, end_us: int | None) -> int:
    names = tuple(readings.names)
    scorer, written = Scorer(names), 0
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(SCORE_COLUMNS)
        for block in readings.rows.blocks():
            low = 0 if start_us is None else int(np.searchsorted(block.at_us, start_us))
            high = len(block) if end_us is None else int(np.searchsorted(block.at_us, end_us))
            taken = block.take(slice(0, high))
            found = scorer.step(taken)
            writer.writerows(
                _lines(names, readings.times, taken.take(slice(low, high)), found[low:])
            )
            written += max(high - low, 0)
    return written


def _lines(
    names: tuple[tuple[str, str], ...], times: dict[int, str], rows: Rows, found: Array
) -> Iterator[tuple[Any, ...]]:
    for us, series, score in zip(
        rows.at_us.tolist(), rows.series.tolist(), found.tolist(), strict=True
    ):
        yield (times.get(us) or isoformat(us), *names[series], f"{score:.6g}")
