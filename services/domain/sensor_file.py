"""Sensor files: lists of sensors as CSV or GeoJSON text, read with every bad row named, written so that they read back.

Pure text in, text out. It refuses to open files and to guess: an unknown column or a wrong value is a bad row.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Final

from services.domain.catalogue import SensorKind
from services.domain.csv_text import A_NUMBER, delimiter
from services.domain.errors import CitygaugeError, InvalidInput
from services.domain.sensor import Sensor

COLUMNS: Final = tuple(field.name for field in fields(Sensor))
"""Header of a CSV file, in the order of the export; only id and kind are required, the order is free."""

_REQUIRED: Final = ("id", "kind")
_PLACE: Final = ("lon", "lat")
_NUMBERS: Final = ("lon", "lat", "position_m", "cadence_s", "area_m2")


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is not a sensor: the line of the file on which it begins, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class SensorFile:
    """What a file holds: its sensors in order, and the rows that are none."""

    sensors: tuple[Sensor, ...]
    bad: tuple[BadRow, ...]


class BadSensorFile(CitygaugeError):
    """The file as a whole cannot be read; `line` is where, 0 where no line is to blame."""

    def __init__(self, line: int, problem: str) -> None:
        self.line, self.problem = line, problem
        super().__init__(f"line {line}: {problem}" if line else problem)


def parse(name: str, text: str) -> SensorFile:
    """The sensors in a file's text, by the ending of its name: .csv, or .geojson and .json.

    Raises:
        BadSensorFile: another ending, no header, or no GeoJSON at all.
    """
    if name.lower().endswith(".csv"):
        return parse_csv(text)
    if name.lower().endswith((".geojson", ".json")):
        return parse_geojson(text)
    raise BadSensorFile(0, f"{name}: a sensor file ends in .csv, .geojson or .json")


def parse_csv(text: str) -> SensorFile:
    """The sensors of a CSV file; an empty cell means that nothing is known.

    Raises:
        BadSensorFile: the header lacks a required column, repeats one, or has one that no sensor has.
    """
    text = text.removeprefix("\ufeff")
    reader = csv.reader(
        io.StringIO(text, newline=""), strict=True, delimiter=delimiter(text.partition("\n")[0])
    )
    collected = _Collector()
    try:
        header = [cell.strip() for cell in next(reader, [])]
        _check_header(header)
        begin = reader.line_num + 1
        for row in reader:
            if row and len(row) != len(header):
                collected.refuse(begin, f"{len(row)} cells, but the header has {len(header)}")
            elif row:
                cells = {key: cell for key, cell in zip(header, row, strict=True) if cell != ""}
                collected.add(begin, lambda cells=cells: _from_cells(cells))  # type: ignore[misc]
            begin = reader.line_num + 1
    except csv.Error as error:
        raise BadSensorFile(reader.line_num, f"not readable as CSV: {error}") from error
    return collected.file()


def parse_geojson(text: str) -> SensorFile:
    """The sensors of a GeoJSON FeatureCollection (RFC 7946): a Point or null, and a sensor's words as properties.

    Raises:
        BadSensorFile: the text is not JSON or not a FeatureCollection.
    """
    text = text.removeprefix("\ufeff")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 0
        raise BadSensorFile(line, f"not readable as JSON: {error}") from error
    if not isinstance(document, dict) or document.get("type") != "FeatureCollection":
        raise BadSensorFile(1, "not a GeoJSON FeatureCollection")
    if not isinstance(document.get("features"), list):
        raise BadSensorFile(1, "the FeatureCollection has no list of features")
    collected = _Collector()
    for line, feature in zip(_feature_lines(text), document["features"], strict=True):
        collected.add(line, lambda feature=feature: _from_feature(feature))  # type: ignore[misc]
    return collected.file()


def to_csv(sensors: Iterable[Sensor]) -> str:
    """CSV text with every column; `parse_csv` reads the same sensors back."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for sensor in sensors:
        values = (getattr(sensor, name) for name in COLUMNS)
        writer.writerow(["" if value is None else value for value in values])
    return text.getvalue()


def to_geojson(sensors: Iterable[Sensor]) -> str:
    """GeoJSON text, one feature a line; `parse_geojson` reads the same sensors back."""
    lines = ",\n".join(json.dumps(_as_feature(sensor), ensure_ascii=False) for sensor in sensors)
    return f'{{"type": "FeatureCollection", "features": [\n{lines}\n]}}\n'


class _Collector:
    """Gathers sensors and bad rows; refuses an id that came before."""

    def __init__(self) -> None:
        self._sensors: dict[str, Sensor] = {}
        self._lines: dict[str, int] = {}
        self._bad: list[BadRow] = []

    def add(self, line: int, build: Callable[[], Sensor]) -> None:
        try:
            sensor = build()
        except InvalidInput as error:
            self.refuse(line, str(error))
            return
        if sensor.id in self._lines:
            self.refuse(line, f"id: {sensor.id!r} stands on line {self._lines[sensor.id]} already")
            return
        self._sensors[sensor.id] = sensor
        self._lines[sensor.id] = line

    def refuse(self, line: int, reason: str) -> None:
        self._bad.append(BadRow(line, reason))

    def file(self) -> SensorFile:
        return SensorFile(tuple(self._sensors.values()), tuple(self._bad))


def _check_header(header: list[str]) -> None:
    for name in header:
        if name not in COLUMNS:
            raise BadSensorFile(1, f"column {name!r} is not known{_meant(name)}")
    twice = [name for name in COLUMNS if header.count(name) > 1]
    missing = [name for name in _REQUIRED if name not in header]
    if twice:
        raise BadSensorFile(1, f"column {twice[0]!r} stands twice in the header")
    if missing:
        raise BadSensorFile(1, f"the header lacks the column {missing[0]!r}")


def _meant(name: str) -> str:
    close = get_close_matches(name, COLUMNS, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(COLUMNS)}"


def _from_cells(cells: Mapping[str, str]) -> Sensor:
    values: dict[str, object] = dict(cells)
    for name in (*_NUMBERS, "lanes"):
        if name in cells:
            values[name] = _number(name, cells[name], whole=name == "lanes")
    return _build(values)


def _number(name: str, cell: str, *, whole: bool) -> float:
    try:
        value = int(cell) if whole else float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InvalidInput(name, cell, "a whole number" if whole else A_NUMBER)
    return value


def _from_feature(feature: object) -> Sensor:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise InvalidInput("feature", feature, 'an object of "type": "Feature"')
    properties = feature.get("properties")
    if not isinstance(properties, dict):
        raise InvalidInput("properties", properties, "an object with at least id and kind")
    values = {key: value for key, value in properties.items() if value is not None}
    for name in values:
        if name in _PLACE or name not in COLUMNS:
            hint = "; the place is the geometry" if name in _PLACE else _meant(name)
            raise InvalidInput("properties", name, f"no property of a sensor{hint}")
    for name in _NUMBERS:
        if isinstance(values.get(name), int) and not isinstance(values[name], bool):
            values[name] = float(values[name])
    geometry = feature.get("geometry")
    if geometry is not None:
        values |= zip(_PLACE, _point(geometry), strict=True)
    return _build(values)


def _point(geometry: object) -> tuple[float, float]:
    match geometry:
        case {"type": "Point", "coordinates": [int() | float() as lon, int() | float() as lat]}:
            return float(lon), float(lat)
    raise InvalidInput("geometry", geometry, "a Point with [lon, lat], or null")


def _build(values: Mapping[str, object]) -> Sensor:
    for name in _REQUIRED:
        if name not in values:
            raise InvalidInput(name, None, "every sensor has one")
    typed = dict(values)
    for name, value in values.items():
        wanted = int if name == "lanes" else float if name in _NUMBERS else str
        if not isinstance(value, wanted) or isinstance(value, bool):
            words = {int: "a whole number", float: "a number", str: "a text"}[wanted]
            raise InvalidInput(name, value, words)
    try:
        typed["kind"] = SensorKind(str(values["kind"]))
    except ValueError:
        allowed = f"one of {', '.join(SensorKind)}"
        raise InvalidInput("kind", values["kind"], allowed) from None
    return Sensor(**typed)  # type: ignore[arg-type]


def _as_feature(sensor: Sensor) -> dict[str, object]:
    point = {"type": "Point", "coordinates": [sensor.lon, sensor.lat]}
    named = ((name, getattr(sensor, name)) for name in COLUMNS if name not in _PLACE)
    return {
        "type": "Feature",
        "geometry": None if sensor.lon is None else point,
        "properties": {name: value for name, value in named if value is not None},
    }


def _feature_lines(text: str) -> list[int]:
    """The line on which each member of the top-level "features" begins; the text is known to be sound."""
    decoder = json.JSONDecoder()
    lines: list[int] = []
    at = _skip(text, 0, "{")
    while text[at] != "}":
        key, at = decoder.raw_decode(text, at)
        at = _skip(text, at, ":")
        if key == "features":
            lines, at = _members(decoder, text, at)
        else:
            _, at = decoder.raw_decode(text, at)
        at = _skip(text, at, ",")
    return lines


def _members(decoder: json.JSONDecoder, text: str, at: int) -> tuple[list[int], int]:
    """Lines of an array's members, and where the array ends."""
    lines: list[int] = []
    line, counted = 1, 0
    at = _skip(text, at + 1)
    while text[at] != "]":
        line, counted = line + text.count("\n", counted, at), at
        lines.append(line)
        _, at = decoder.raw_decode(text, at)
        at = _skip(text, at, ",")
    return lines, at + 1


def _skip(text: str, at: int, mark: str = "") -> int:
    """Past white space and one mark, if it is there."""
    while text[at] in " \t\r\n" or text[at] == mark:
        at += 1
    return at
