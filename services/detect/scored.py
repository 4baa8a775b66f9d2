"""Writes the general anomaly score of every reading of a recording: time, sensor_id, metric, score, in order of time.

Any kind and any metric will do, since the score does not know what is measured. It raises no alert, and refuses to
read truth.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from services.detect.anomaly.score import AnomalyScore
from services.detect.recordings import Recording, recorded_rows
from services.detect.table import Array
from services.domain.instant import isoformat, parse_time

SCORE_COLUMNS: Final = ("time", "sensor_id", "metric", "score")
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


def readings_of_file(case: Path) -> Readings:
    """Every line of a case's readings file; lines of one time keep their order.

    Raises:
        InvalidInput: no readings, or a line whose time or value is not understood.
    """
    numbers: dict[tuple[str, str], int] = {}
    times: dict[str, int] = {}
    at, series, values = [], [], []
    for when, sensor_id, _kind, metric, value in recorded_rows(case):
        us = times.get(when)
        if us is None:
            us = times[when] = parse_time(when)
        at.append(us)
        series.append(numbers.setdefault((sensor_id, metric), len(numbers)))
        values.append(value)
    at_us = np.array(at, np.int64)
    order = np.argsort(at_us, kind="stable")
    return Readings(
        tuple(numbers),
        at_us[order],
        np.array(series, np.intp)[order],
        np.array(values, np.float64)[order],
        {us: text for text, us in reversed(times.items())},
    )


def readings_of_recording(recording: Recording) -> Readings:
    """Every measured value of a recording in memory, its metrics by the names of their columns."""
    names: list[tuple[str, str]] = []
    at, series, values = [], [], []
    for batch in recording.batches.values():
        for column, measured in batch.metrics.items():
            known = np.isfinite(measured)
            at.append(batch.observed_us[known])
            series.append(batch.sensor[known].astype(np.intp) + len(names))
            values.append(measured[known])
            names += [(sensor.id, column) for sensor in recording.sensors]
    if not at:
        return Readings((), np.empty(0, np.int64), np.empty(0, np.intp), np.empty(0), {})
    at_us = np.concatenate(at)
    order = np.argsort(at_us, kind="stable")
    return Readings(
        tuple(names), at_us[order], np.concatenate(series)[order], np.concatenate(values)[order], {}
    )


def scores(readings: Readings) -> Array:
    """(n,) score 0..1 of each value, by the class that scores a live stream."""
    scorer = AnomalyScore()
    scorer.add(len(readings.names))
    parts = [
        scorer.step(
            readings.series[i : i + _BATCH],
            readings.at_us[i : i + _BATCH],
            readings.values[i : i + _BATCH],
        )
        for i in range(0, len(readings), _BATCH)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def write_scores(
    readings: Readings, out: Path, start_us: int | None = None, end_us: int | None = None
) -> int:
    """Write one line a reading and return how many; readings outside [start, end) are neither seen nor written."""
    low = 0 if start_us is None else int(np.searchsorted(readings.at_us, start_us))
    high = len(readings) if end_us is None else int(np.searchsorted(readings.at_us, end_us))
    chosen = Readings(
        readings.names,
        readings.at_us[low:high],
        readings.series[low:high],
        readings.values[low:high],
        readings.times,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(SCORE_COLUMNS)
        writer.writerows(_lines(chosen, scores(chosen)))
    return len(chosen)


def _lines(readings: Readings, found: Array) -> Iterator[tuple[Any, ...]]:
    times = readings.times
    for us, series, score in zip(
        readings.at_us.tolist(), readings.series.tolist(), found.tolist(), strict=True
    ):
        when = times.get(us) or isoformat(us)
        yield (when, *readings.names[series], f"{score:.6g}")
