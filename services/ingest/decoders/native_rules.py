"""The native payload's rules, spelled out: reads one message field by field and says exactly what is wrong.

It is the authority and the explainer; `native.py` is the fast form that hands everything unusual to it.
It refuses to know topics, clocks and the registry: a sensor's registered unit is asked for by a function.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.domain.catalogue import CATALOGUE, Domain, Metric
from services.domain.errors import InvalidInput
from services.domain.instant import TIME_RULE, parse_time
from services.domain.rejection import RejectReason
from services.domain.sensor import check_sensor_id
from services.domain.sentences.rejected import part
from services.domain.units import CONVERSIONS, Conversion, conversion
from services.ingest.blocks import WHOLE, Measurement
from services.ingest.decoders.json_document import Refused, kind_of, read_document, refused, short

UnitOf = Callable[[str], str | None]
"""Sensor id -> the UCUM code that the registry names for its payloads without units."""

QUALITIES: Final = ("good", "estimated")
ONE_FIELDS: Final = ("time", "values", "units", "sensor_id", "quality")
COLUMNS_FIELDS: Final = ("units", "columns")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a message that was refused: `body` is it as a message of its own."""

    refused: Refused
    body: bytes


def read_message(
    domain: Domain, sensor_id: str, payload: bytes, unit_of: UnitOf
) -> tuple[list[Measurement], list[Part]]:
    """The readings of one message, and the parts that were refused.

    Args:
        domain, sensor_id: what the topic says.
        payload: the body.
        unit_of: asked where a value has no unit.

    Raises:
        Refused: the message as a whole is not of the native form.
    """
    document = read_document(payload)
    if isinstance(document, list):
        return _array(domain, sensor_id, document, unit_of)
    if not isinstance(document, dict):
        raise refused(RejectReason.WRONG_TYPE, "body", type=kind_of(document))
    if "columns" in document:
        return _columns(domain, sensor_id, document, unit_of)
    return [_one(domain, sensor_id, document, unit_of, WHOLE)], []


def _array(
    domain: Domain, sensor_id: str, document: list[object], unit_of: UnitOf
) -> tuple[list[Measurement], list[Part]]:
    if not document:
        raise refused(RejectReason.NO_VALUE, "array")
    good: list[Measurement] = []
    bad: list[Part] = []
    for place, element in enumerate(document):
        try:
            good.append(_one(domain, sensor_id, element, unit_of, place))
        except Refused as problem:
            bad.append(Part(problem, body_of(element)))
    return good, bad


def _one(
    domain: Domain, sensor_id: str, document: object, unit_of: UnitOf, element: int
) -> Measurement:
    fields = _object(document, part("reading"))
    known_fields(fields, ONE_FIELDS)
    for name in ("time", "values"):
        if name not in fields:
            raise refused(RejectReason.MISSING_FIELD, "field", field=name)
    sensor_id = _sensor_id(fields.get("sensor_id", sensor_id))
    try:
        estimated = is_estimated(fields.get("quality", "good"))
        units = read_units(domain, fields.get("units", {}))
        values = _object(fields["values"], "values")
        canonical = _convert(domain, values, units, sensor_id, unit_of)
        observed_us = read_time(fields["time"])
    except Refused as problem:
        raise Refused(problem.reason, problem.detail, sensor_id) from None
    return Measurement(domain, sensor_id, observed_us, canonical, estimated, element)


def _columns(
    domain: Domain, sensor_id: str, document: dict[str, object], unit_of: UnitOf
) -> tuple[list[Measurement], list[Part]]:
    known_fields(document, COLUMNS_FIELDS)
    columns = _object(document["columns"], "columns")
    metrics = CATALOGUE[domain].by_name
    arrays: dict[str, list[object]] = {}
    for name, column in columns.items():
        if name not in ("time", "sensor_id", "quality") and name not in metrics:
            raise _unknown_metric(domain, name)
        if not isinstance(column, list):
            at = {"field": f"columns.{name}", "type": kind_of(column)}
            raise refused(RejectReason.WRONG_TYPE, "array", **at)
        arrays[name] = column
    if "time" not in arrays:
        raise refused(RejectReason.MISSING_FIELD, "column", field="columns.time")
    n = len(arrays["time"])
    if n == 0:
        raise refused(RejectReason.NO_VALUE, "column", field="columns.time")
    for name, column in arrays.items():
        if len(column) != n:
            sizes = {"count": len(column), "other": "columns.time", "wanted": n}
            raise refused(RejectReason.WRONG_TYPE, "lengths", field=f"columns.{name}", **sizes)
    units_field = document.get("units", {})
    read_units(domain, units_field)
    good: list[Measurement] = []
    bad: list[Part] = []
    for row in range(n):
        reading = row_as_reading(arrays, row, units_field)
        try:
            good.append(_one(domain, sensor_id, reading, unit_of, row))
        except Refused as problem:
            bad.append(Part(problem, body_of(reading)))
    return good, bad


def row_as_reading(
    columns: Mapping[str, Sequence[object]], row: int, units: object
) -> dict[str, object]:
    """One row of columns in the form of one reading."""
    reading: dict[str, object] = {"time": columns["time"][row]}
    values = {
        name: column[row]
        for name, column in columns.items()
        if name not in ("time", "sensor_id", "quality")
    }
    reading["values"] = values
    if isinstance(units, dict):
        reading["units"] = {name: code for name, code in units.items() if name in values}
    for name in ("sensor_id", "quality"):
        if name in columns:
            reading[name] = columns[name][row]
    return reading


def body_of(part: object) -> bytes:
    """A part of a document as a message of its own; NaN and infinity keep their spelling."""
    return json.dumps(part, ensure_ascii=True, separators=(",", ":")).encode()


def bodies(payload: bytes, elements: Sequence[int]) -> list[bytes]:
    """The chosen elements of a message that decoded, each as a message of its own; WHOLE is the payload."""
    if all(element == WHOLE for element in elements):
        return [payload] * len(elements)
    document = read_document(payload)
    if isinstance(document, list):
        return [body_of(document[element]) for element in elements]
    if not isinstance(document, dict):
        return [payload] * len(elements)
    columns, units = document["columns"], document.get("units", {})
    return [body_of(row_as_reading(columns, element, units)) for element in elements]


def known_fields(fields: Mapping[str, object], known: Sequence[str]) -> None:
    """Raises Refused (UNKNOWN_FIELD) for the first name that is not known."""
    for name in fields:
        if name not in known:
            names = {"field": short(name), "known": ", ".join(known)}
            raise refused(RejectReason.UNKNOWN_FIELD, "field", **names)


def read_time(value: object) -> int:
    """Microseconds since 1970; raises Refused (BAD_TIME, TIME_WITHOUT_ZONE, NOT_FINITE, WRONG_TYPE)."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise refused(RejectReason.WRONG_TYPE, "time", field="time", type=kind_of(value))
    if isinstance(value, float) and not math.isfinite(value):
        raise refused(RejectReason.NOT_FINITE, "value", field="time", value=value)
    try:
        return parse_time(value)
    except InvalidInput:
        pass
    if isinstance(value, str) and len(value) <= 64:
        try:
            parse_time(f"{value}Z")
        except InvalidInput:
            pass
        else:
            raise refused(RejectReason.TIME_WITHOUT_ZONE, "time", time=short(value))
    raise refused(RejectReason.BAD_TIME, "time", time=short(value), rule=TIME_RULE)


def read_units(domain: Domain, field: object) -> dict[str, Conversion]:
    """Metric name -> conversion; raises Refused (WRONG_TYPE, UNKNOWN_METRIC, UNKNOWN_UNIT)."""
    units: dict[str, Conversion] = {}
    for name, code in _object(field, "units").items():
        metric = CATALOGUE[domain].by_name.get(name)
        if metric is None:
            raise _unknown_metric(domain, name)
        if not isinstance(code, str):
            at = {"field": f"units.{name}", "type": kind_of(code)}
            raise refused(RejectReason.WRONG_TYPE, "string", **at)
        try:
            units[name] = conversion(metric.quantity, code)
        except InvalidInput:
            known = ", ".join(CONVERSIONS[metric.quantity])
            found = {"field": f"units.{name}", "unit": short(code), "metric": name, "known": known}
            raise refused(RejectReason.UNKNOWN_UNIT, "unit", **found) from None
    return units


def is_estimated(quality: object) -> bool:
    """Whether the payload's quality word says so; raises Refused (WRONG_TYPE)."""
    if quality not in QUALITIES:
        known = ", ".join(QUALITIES)
        raise refused(
            RejectReason.WRONG_TYPE, "choice", field="quality", value=short(quality), known=known
        )
    return quality == "estimated"


def _convert(
    domain: Domain,
    values: Mapping[str, object],
    units: Mapping[str, Conversion],
    sensor_id: str,
    unit_of: UnitOf,
) -> dict[str, float]:
    canonical: dict[str, float] = {}
    for name, value in values.items():
        metric = CATALOGUE[domain].by_name.get(name)
        if metric is None:
            raise _unknown_metric(domain, name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            at = {"field": f"values.{name}", "type": kind_of(value)}
            raise refused(RejectReason.WRONG_TYPE, "number", **at)
        convert = units.get(name) or _registered(metric, unit_of(sensor_id))
        if convert is None:
            raise refused(
                RejectReason.MISSING_FIELD, "unit", field=f"units.{name}", sensor=sensor_id
            )
        try:
            result = convert(float(value))
        except OverflowError:
            result = math.inf
        if not math.isfinite(result):
            at = {"field": f"values.{name}", "value": short(value)}
            raise refused(RejectReason.NOT_FINITE, "value", **at)
        canonical[metric.column] = result
    if not canonical:
        raise refused(RejectReason.NO_VALUE, "values")
    return canonical


def _registered(metric: Metric, unit: str | None) -> Conversion | None:
    return None if unit is None else CONVERSIONS[metric.quantity].get(unit)


def _unknown_metric(domain: Domain, name: str) -> Refused:
    known = ", ".join(CATALOGUE[domain].by_name)
    return refused(
        RejectReason.UNKNOWN_METRIC, "metric", domain=domain, metric=short(name), known=known
    )


def _object(value: object, name: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise refused(RejectReason.WRONG_TYPE, "object", field=name, type=kind_of(value))
    return value


def _sensor_id(value: object) -> str:
    if not isinstance(value, str):
        raise refused(RejectReason.WRONG_TYPE, "string", field="sensor_id", type=kind_of(value))
    try:
        return check_sensor_id(value)
    except InvalidInput as error:
        raise refused(
            RejectReason.BAD_SENSOR_ID, "id", id=short(value), rule=error.allowed
        ) from None
