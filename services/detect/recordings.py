"""Reads a recorded case: readings.csv[.gz] as batches in event-time order, sensors.json as sensors.

Columns time, sensor_id, kind, metric, value; metrics of one sensor and time become one reading. It refuses to know
truth, and stops at the first line that it does not understand, naming it.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from services.domain.batch import ReadingBatch
from services.domain.catalogue import CATALOGUE, DOMAIN_OF_KIND, Domain, Metric
from services.domain.errors import InvalidInput
from services.domain.instant import parse_time
from services.domain.recording import RECORDED_KINDS, RECORDED_METRICS, RECORDING_COLUMNS
from services.domain.sensor import Sensor
from services.domain.units import Conversion, conversion

_MILE_M = 1609.344


@dataclass(frozen=True, slots=True)
class Recording:
    """A case in memory.

    Attributes:
        sensors: by number, 0 to n - 1, in order of id.
        batches: one for each domain, rows in the order of time, then of the sensor's number.
        unwatched: lines left out by "kind metric", because the catalogue does not know them.
    """

    sensors: tuple[Sensor, ...]
    batches: Mapping[Domain, ReadingBatch]
    unwatched: Mapping[str, int] = field(default_factory=dict)

    def slices(self, every_us: Mapping[Domain, int]) -> Iterator[tuple[int, ReadingBatch]]:
        """(end of the slice in microseconds, readings observed before it), domain by domain in the order of time."""
        for domain, batch in self.batches.items():
            every = every_us[domain]
            span = batch.observed_us // every
            cuts = np.flatnonzero(span[1:] != span[:-1]) + 1
            for part in np.split(np.arange(len(batch)), cuts):
                yield int((span[part[0]] + 1) * every), batch.take(part)


def recorded_rows(case: Path) -> Iterator[tuple[str, str, str, str, float]]:
    """(time as written, sensor id, kind, metric, value) of every line of a case; an empty value is NaN.

    Raises:
        InvalidInput: no readings, a wrong header, a line with another number of columns, a value that is no number.
    """
    path = _readings_file(case)
    with _open(path) as file:
        reader = csv.reader(file)
        header = next(reader, [])
        if sorted(header) != sorted(RECORDING_COLUMNS):
            raise InvalidInput(
                "header", ",".join(header), f"columns {', '.join(RECORDING_COLUMNS)}"
            )
        when, sensor_id, kind, metric, value = (header.index(name) for name in RECORDING_COLUMNS)
        for line, row in enumerate(reader, start=2):
            if len(row) != len(header):
                raise InvalidInput(f"{path.name} line {line}", row, f"{len(header)} columns")
            try:
                number = float(row[value] or "nan")
            except ValueError:
                raise InvalidInput(f"{path.name} line {line}", row[value], "a number") from None
            yield row[when], row[sensor_id], row[kind], row[metric], number


def read_recording(case: Path, strict: bool = True) -> Recording:
    """The case of a folder (or of a readings file).

    Args:
        strict: whether a kind or a metric that the catalogue does not know is an error; else its lines are counted.

    Raises:
        InvalidInput: no readings, or a line that is not understood.
    """
    path = _readings_file(case)
    described = _described(path.parent / "sensors.json")
    kinds: dict[str, str] = {}
    rows: dict[tuple[str, int], dict[str, float]] = {}
    times: dict[str, int] = {}
    meanings: dict[tuple[str, str], tuple[Metric, Conversion]] = {}
    unwatched: dict[str, int] = {}
    for line, (when, sensor_id, kind, metric, value) in enumerate(recorded_rows(case), start=2):
        us = times.get(when)
        if us is None:
            us = times[when] = parse_time(when)
        known = meanings.get((kind, metric))
        if known is None:
            try:
                known = _meaning(path.name, line, kind, metric)
            except InvalidInput:
                if strict:
                    raise
                unwatched[f"{kind} {metric}"] = unwatched.get(f"{kind} {metric}", 0) + 1
                continue
            meanings[kind, metric] = known
        kinds.setdefault(sensor_id, kind)
        if not math.isnan(value):
            rows.setdefault((sensor_id, us), {})[known[0].column] = known[1](value)
    ids = sorted(kinds)
    sensors = tuple(_sensor(name, kinds[name], described, path.parent.name) for name in ids)
    number_of = {name: i for i, name in enumerate(ids)}
    return Recording(
        sensors,
        {d: b for d in Domain if len(b := _batch(d, rows, sensors, number_of))},
        unwatched,
    )


def _batch(
    domain: Domain,
    rows: Mapping[tuple[str, int], Mapping[str, float]],
    sensors: tuple[Sensor, ...],
    number_of: Mapping[str, int],
) -> ReadingBatch:
    mine = sorted(
        (us, number_of[name], values)
        for (name, us), values in rows.items()
        if sensors[number_of[name]].domain is domain
    )
    at = np.array([us for us, _, _ in mine], np.int64)
    columns = {
        metric.column: np.array(
            [values.get(metric.column, np.nan) for _, _, values in mine], np.float64
        )
        for metric in CATALOGUE[domain].metrics
    }
    return ReadingBatch(
        domain,
        np.array([number for _, number, _ in mine], np.int32),
        at,
        at.copy(),
        np.zeros(len(mine), np.int16),
        {name: column for name, column in columns.items() if np.isfinite(column).any()},
    )


def _readings_file(case: Path) -> Path:
    if case.is_file():
        return case
    for name in ("readings.csv", "readings.csv.gz"):
        if (case / name).is_file():
            return case / name
    raise InvalidInput("case", str(case), "a folder with readings.csv or readings.csv.gz")


def _open(path: Path) -> Any:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _meaning(file: str, line: int, kind: str, metric: str) -> tuple[Metric, Conversion]:
    sensor_kind = RECORDED_KINDS.get(kind)
    if sensor_kind is None:
        raise InvalidInput(f"{file} line {line}: kind", kind, f"one of {', '.join(RECORDED_KINDS)}")
    name, unit = RECORDED_METRICS.get(metric, (metric, ""))
    table = CATALOGUE[DOMAIN_OF_KIND[sensor_kind]]
    if metric not in RECORDED_METRICS or name not in table.by_name:
        raise InvalidInput(
            f"{file} line {line}: metric", metric, f"one of {', '.join(RECORDED_METRICS)}"
        )
    meaning = table.by_name[name]
    return meaning, conversion(meaning.quantity, unit)


def _described(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _sensor(sensor_id: str, kind: str, described: Mapping[str, Any], case: str) -> Sensor:
    facts: Mapping[str, Any] = next(
        (s for s in described.get("sensors", ()) if s.get("sensor_id") == sensor_id), {}
    )
    sensor_kind = RECORDED_KINDS[kind]
    traffic = DOMAIN_OF_KIND[sensor_kind] is Domain.TRAFFIC
    position = facts.get("position_m")
    if position is None and facts.get("position_mile") is not None:
        miles = [s["position_mile"] for s in described["sensors"] if s.get("order") == 0]
        position = abs(facts["position_mile"] - (miles or [0.0])[0]) * _MILE_M
    if position is None and facts.get("order") is not None:
        position = 1000.0 * facts["order"]
    return Sensor(
        id=sensor_id,
        kind=sensor_kind,
        zone=facts.get("zone") or facts.get("dma") or _zone_of(sensor_id, described, traffic),
        road=facts.get("road") or (case if traffic and position is not None else None),
        position_m=position,
        lanes=facts.get("lanes"),
        time_zone=facts.get("time_zone") or described.get("time_zone") or "UTC",
    )


def _zone_of(sensor_id: str, described: Mapping[str, Any], traffic: bool) -> str | None:
    """The zone whose pattern of customers ("DMA1_M*") or list of inlets names the sensor."""
    if traffic:
        return None
    for zone, facts in (described.get("dma") or {}).items():
        pattern = str(facts.get("customers", ""))
        if sensor_id in facts.get("inlets", ()) or (
            pattern.endswith("*") and sensor_id.startswith(pattern[:-1])
        ):
            return str(zone)
    return None
