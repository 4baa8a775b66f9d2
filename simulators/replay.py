"""Replays a recording (CSV: time, sensor_id, kind, metric, value) as the messages that its sensors would send.

Every bad row is named with its line. Rows of one sensor and time become one reading; the rows of a reading need not
be neighbours, but the file must be sorted by time.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from services.domain.catalogue import DOMAIN_OF_KIND, SensorKind
from services.domain.csv_text import delimiter, text_of
from services.domain.errors import InvalidInput
from services.domain.instant import SECOND_US, parse_written_time
from services.domain.recording import (
    RECORDED_KINDS,
    RECORDING_COLUMNS,
    metric_words,
    recorded_metric,
)
from services.domain.sensor import Sensor, check_sensor_id
from services.domain.sensor_file import BadRow
from simulators.messages import Message, single
from simulators.reading import Reading

_PLAUSIBLE_CADENCE_S: Final = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that was read.

    Attributes:
        readings: in the order of time, values in the units of `units`.
        units: of each reading, metric name -> UCUM code.
        kinds: sensor id -> its kind.
        bad: rows that are no reading of a sensor.
        rows: good rows, each one value.
    """

    readings: list[Reading] = field(default_factory=list)
    units: list[dict[str, str]] = field(default_factory=list)
    kinds: dict[str, SensorKind] = field(default_factory=dict)
    bad: list[BadRow] = field(default_factory=list)
    rows: int = 0


def read_recording(path: Path) -> Recording:
    """The readings of a file, .csv or .csv.gz.

    Raises:
        InvalidInput: the file cannot be read, or its header is not that of a recording.
    """
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidInput("recording", str(path), f"a readable CSV file ({error})") from error
    return parse_recording(text_of(raw, path.name))


def parse_recording(text: str) -> Recording:
    """The readings of a recording's text; errors as in `read_recording`."""
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter(first))
    header = [cell.strip() for cell in next(reader, [])]
    if sorted(header) != sorted(RECORDING_COLUMNS):
        raise InvalidInput("header", ",".join(header), f"the columns {','.join(RECORDING_COLUMNS)}")
    place = [header.index(name) for name in RECORDING_COLUMNS]
    found: dict[tuple[int, str], tuple[dict[str, float], dict[str, str]]] = {}
    kinds: dict[str, SensorKind] = {}
    bad: list[BadRow] = []
    rows = 0
    latest_us = 0
    for row in reader:
        if not row:
            continue
        try:
            if len(row) != len(header):
                raise InvalidInput("row", ",".join(row), f"{len(header)} cells")
            time, sensor_id, kind, metric, value = (row[index] for index in place)
            observed_us = parse_written_time(time)
            if observed_us < latest_us:
                raise InvalidInput("time", time, "a file that is sorted by time")
            name, unit = _metric(kinds.setdefault(*_sensor(sensor_id, kind, kinds)), metric)
            values, units = found.setdefault((observed_us, sensor_id), ({}, {}))
            if name in values:
                raise InvalidInput("metric", metric, "one value for a sensor, time and metric")
            values[name], units[name] = _value(value), unit
        except InvalidInput as error:
            bad.append(BadRow(reader.line_num, str(error)))
        else:
            latest_us = observed_us
            rows += 1
    readings = [
        Reading(DOMAIN_OF_KIND[kinds[sensor_id]], sensor_id, observed_us, values)
        for (observed_us, sensor_id), (values, _) in found.items()
        if values
    ]
    units_of = [units for values, units in found.values() if values]
    return Recording(readings, units_of, kinds, bad, rows)


def sensors_of(recording: Recording, time_zone: str = "UTC") -> list[Sensor]:
    """The sensors that speak in a recording, with the cadence at which they do."""
    times: dict[str, list[int]] = {}
    for reading in recording.readings:
        times.setdefault(reading.sensor_id, []).append(reading.observed_us)
    sensors = []
    for sensor_id, kind in recording.kinds.items():
        gaps = np.diff(times.get(sensor_id, []))
        cadence_s = round(float(np.median(gaps)) / SECOND_US) if len(gaps) else 0
        known = float(cadence_s) if 0 < cadence_s <= _PLAUSIBLE_CADENCE_S else None
        sensors.append(Sensor(sensor_id, kind, cadence_s=known, time_zone=time_zone))
    return sensors


def messages(recording: Recording, *, split_metrics: bool = False) -> Iterator[Message]:
    """One message for each reading, or for each of its values."""
    for reading, units in zip(recording.readings, recording.units, strict=True):
        if not split_metrics:
            yield single(reading, units)
            continue
        for name, value in reading.values.items():
            yield single(reading._replace(values={name: value}), units)


def _sensor(sensor_id: str, kind: str, kinds: dict[str, SensorKind]) -> tuple[str, SensorKind]:
    check_sensor_id(sensor_id)
    if kind not in RECORDED_KINDS:
        raise InvalidInput("kind", kind, f"one of {', '.join(RECORDED_KINDS)}")
    known = RECORDED_KINDS[kind]
    if kinds.get(sensor_id, known) is not known:
        raise InvalidInput("kind", kind, f"{kinds[sensor_id]}, as on earlier lines of {sensor_id}")
    return sensor_id, known


def _metric(kind: SensorKind, metric: str) -> tuple[str, str]:
    domain = DOMAIN_OF_KIND[kind]
    found = recorded_metric(domain, metric)
    if found is None:
        raise InvalidInput("metric", metric, f"one of {metric_words(domain)}")
    return found[0].name, found[1]


def _value(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InvalidInput("value", text, "a finite number")
    return value
