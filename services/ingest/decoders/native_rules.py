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
from services.domain.units import CONVERSIONS, Conversion, conversion
from services.ingest.blocks import WHOLE, Measurement
from services.ingest.decoders.json_document import Refused, kind_of, read_document, short

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
        raise Refused(
            RejectReason.WRONG_TYPE, f"the body is {kind_of(document)}, not an object or an array"
        )
    if "columns" in document:
        return _columns(domain, sensor_id, document, unit_of)
    return [_one(domain, sensor_id, document, unit_of, WHOLE)], []


def _array(
    domain: Domain, sensor_id: str, document: list[object], unit_of: UnitOf
) -> tuple[list[Measurement], list[Part]]:
    if not document:
        raise Refused(RejectReason.NO_VALUE, "the array is empty")
    good: list[Measurement] = []
    bad: list[Part] = []
    for place, element in enumerate(document):
        try:
            good.append(_one(domain, sensor_id, element, unit_of, place))
        except Refused as refused:
            bad.append(Part(refused, body_of(element)))
    return good, bad


def _one(
    domain: Domain, sensor_id: str, document: object, unit_of: UnitOf, element: int
) -> Measurement:
    fields = _object(document, "a reading")
    known_fields(fields, ONE_FIELDS)
    for name in ("time", "values"):
        if name not in fields:
            raise Refused(RejectReason.MISSING_FIELD, f"the field {name} is missing")
    sensor_id = _sensor_id(fields.get("sensor_id", sensor_id))
    try:
        estimated = is_estimated(fields.get("quality", "good"))
        units = read_units(domain, fields.get("units", {}))
        values = _object(fields["values"], "values")
        canonical = _convert(domain, values, units, sensor_id, unit_of)
        observed_us = read_time(fields["time"])
    except Refused as refused:
        raise Refused(refused.reason, refused.detail, sensor_id) from None
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
            raise Refused(
                RejectReason.WRONG_TYPE, f"columns.{name} is {kind_of(column)}, not an array"
            )
        arrays[name] = column
    if "time" not in arrays:
        raise Refused(RejectReason.MISSING_FIELD, "columns.time is missing")
    n = len(arrays["time"])
    if n == 0:
        raise Refused(RejectReason.NO_VALUE, "columns.time is empty")
    for name, column in arrays.items():
        if len(column) != n:
            raise Refused(
                RejectReason.WRONG_TYPE,
                f"columns.{name} has {len(column)} entries where columns.time has {n}",
            )
    units_field = document.get("units", {})
    read_units(domain, units_field)
    good: list[Measurement] = []
    bad: list[Part] = []
    for row in range(n):
        reading = row_as_reading(arrays, row, units_field)
        try:
            good.append(_one(domain, sensor_id, reading, unit_of, row))
        except Refused as refused:
            bad.append(Part(refused, body_of(reading)))
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
            says = f"the field {short(name)} is not known; known are {', '.join(known)}"
            raise Refused(RejectReason.UNKNOWN_FIELD, says)


def read_time(value: object) -> int:
    """Microseconds since 1970; raises Refused (BAD_TIME, TIME_WITHOUT_ZONE, NOT_FINITE, WRONG_TYPE)."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Refused(
            RejectReason.WRONG_TYPE, f"time is {kind_of(value)}, not a string or a number"
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise Refused(RejectReason.NOT_FINITE, f"time is {value}")
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
            raise Refused(
                RejectReason.TIME_WITHOUT_ZONE,
                f"time {short(value)} names no zone: add Z or +hh:mm",
            )
    raise Refused(RejectReason.BAD_TIME, f"time {short(value)} is not {TIME_RULE}")


def read_units(domain: Domain, field: object) -> dict[str, Conversion]:
    """Metric name -> conversion; raises Refused (WRONG_TYPE, UNKNOWN_METRIC, UNKNOWN_UNIT)."""
    units: dict[str, Conversion] = {}
    for name, code in _object(field, "units").items():
        metric = CATALOGUE[domain].by_name.get(name)
        if metric is None:
            raise _unknown_metric(domain, name)
        if not isinstance(code, str):
            raise Refused(RejectReason.WRONG_TYPE, f"units.{name} is {kind_of(code)}, not a string")
        try:
            units[name] = conversion(metric.quantity, code)
        except InvalidInput:
            known = ", ".join(CONVERSIONS[metric.quantity])
            raise Refused(
                RejectReason.UNKNOWN_UNIT, f"units.{name} is {short(code)}; {name} takes {known}"
            ) from None
    return units


def is_estimated(quality: object) -> bool:
    """Whether the payload's quality word says so; raises Refused (WRONG_TYPE)."""
    if quality not in QUALITIES:
        raise Refused(
            RejectReason.WRONG_TYPE,
            f"quality is {short(quality)}, not one of {', '.join(QUALITIES)}",
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
            raise Refused(
                RejectReason.WRONG_TYPE, f"values.{name} is {kind_of(value)}, not a number or null"
            )
        convert = units.get(name) or _registered(metric, unit_of(sensor_id))
        if convert is None:
            raise Refused(
                RejectReason.MISSING_FIELD,
                f"units.{name} is missing, and sensor {sensor_id} has no registered unit for it",
            )
        try:
            result = convert(float(value))
        except OverflowError:
            result = math.inf
        if not math.isfinite(result):
            raise Refused(RejectReason.NOT_FINITE, f"values.{name} is {short(value)}")
        canonical[metric.column] = result
    if not canonical:
        raise Refused(RejectReason.NO_VALUE, "every value is missing")
    return canonical


def _registered(metric: Metric, unit: str | None) -> Conversion | None:
    return None if unit is None else CONVERSIONS[metric.quantity].get(unit)


def _unknown_metric(domain: Domain, name: str) -> Refused:
    known = ", ".join(CATALOGUE[domain].by_name)
    return Refused(
        RejectReason.UNKNOWN_METRIC, f"{domain} has no metric {short(name)}; it has {known}"
    )


def _object(value: object, name: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise Refused(RejectReason.WRONG_TYPE, f"{name} is {kind_of(value)}, not an object")
    return value


def _sensor_id(value: object) -> str:
    if not isinstance(value, str):
        raise Refused(RejectReason.WRONG_TYPE, f"sensor_id is {kind_of(value)}, not a string")
    try:
        return check_sensor_id(value)
    except InvalidInput as error:
        raise Refused(
            RejectReason.BAD_SENSOR_ID, f"sensor_id {short(value)} is not valid; {error.allowed}"
        ) from None
