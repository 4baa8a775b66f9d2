"""The JSON Schema of the native payload, made from the catalogue; docs/native-payload.schema.json is its output.

It describes messages that speak for themselves: each value has its unit. A sensor whose registry entry names a unit
may leave it out, which no schema of the message alone can know. The topic says which domain's schema applies.
"""

from __future__ import annotations

import json
from typing import Any

from services.domain.catalogue import CATALOGUE, Domain, Metric
from services.domain.instant import TIME_RULE
from services.domain.units import CONVERSIONS
from services.ingest.decoders.native_rules import QUALITIES

_DAY = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,12})?"
_ZONE = r"([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)"
_SENSOR_ID = r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$"


def native_schema() -> dict[str, Any]:
    """The whole schema, as plain data: valid for one of the domains; `$defs/<domain>` for one alone."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Citygauge native payload",
        "description": "What a device publishes to citygauge/v1/<domain>/<sensor_id>/reading. A reading is rejected "
        "as well when its time is before 2000, too far ahead of the clock, or no day of the calendar.",
        "anyOf": [{"$ref": f"#/$defs/{domain.value}"} for domain in Domain],
        "$defs": {
            **{domain.value: _domain(domain) for domain in Domain},
            "time": _time(),
            "sensor_id": {
                "description": "Only where it differs from the topic's: a gateway speaks for its sensors.",
                "type": "string",
                "pattern": _SENSOR_ID,
            },
            "quality": {"enum": list(QUALITIES)},
        },
    }


def render() -> str:
    """The schema as the text of the file."""
    return json.dumps(native_schema(), indent=2, ensure_ascii=False) + "\n"


def _time() -> dict[str, Any]:
    numbers = [(946_684_800, 1e11), (946_684_800_000, 1e14), (946_684_800_000_000, 1e17)]
    return {
        "description": TIME_RULE[0].upper() + TIME_RULE[1:] + ".",
        "anyOf": [
            {"type": "string", "pattern": f"^{_DAY}[Tt ]{_CLOCK}{_ZONE}$"},
            *(
                {"type": "number", "minimum": low, "exclusiveMaximum": int(high)}
                for low, high in numbers
            ),
        ],
    }


def _domain(domain: Domain) -> dict[str, Any]:
    metrics = CATALOGUE[domain].metrics
    return {
        "anyOf": [
            {"$ref": f"#/$defs/{domain.value}/$defs/one"},
            {
                "type": "array",
                "minItems": 1,
                "items": {"$ref": f"#/$defs/{domain.value}/$defs/one"},
            },
            {"$ref": f"#/$defs/{domain.value}/$defs/columns"},
        ],
        "$defs": {
            "one": _one(domain, metrics),
            "columns": _columns(domain, metrics),
            "units": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    metric.name: {"enum": list(CONVERSIONS[metric.quantity])} for metric in metrics
                },
            },
        },
    }


def _one(domain: Domain, metrics: tuple[Metric, ...]) -> dict[str, Any]:
    return {
        "description": "One reading: one sensor, one time, at least one value; null is missing.",
        "type": "object",
        "additionalProperties": False,
        "required": ["time", "values"],
        "properties": {
            "time": {"$ref": "#/$defs/time"},
            "values": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    metric.name: {"description": metric.description, "type": ["number", "null"]}
                    for metric in metrics
                },
                "anyOf": [
                    {"required": [metric.name], "properties": {metric.name: {"type": "number"}}}
                    for metric in metrics
                ],
            },
            "units": {"$ref": f"#/$defs/{domain.value}/$defs/units"},
            "sensor_id": {"$ref": "#/$defs/sensor_id"},
            "quality": {"$ref": "#/$defs/quality"},
        },
        "allOf": [
            {
                "if": {
                    "properties": {
                        "values": {
                            "required": [metric.name],
                            "properties": {metric.name: {"type": "number"}},
                        }
                    }
                },
                "then": {
                    "required": ["units"],
                    "properties": {"units": {"required": [metric.name]}},
                },
            }
            for metric in metrics
        ],
    }


def _columns(domain: Domain, metrics: tuple[Metric, ...]) -> dict[str, Any]:
    numbers = {"type": "array", "items": {"type": ["number", "null"]}}
    return {
        "description": "Many readings as columns of the same length; null is missing. Each row needs a value.",
        "type": "object",
        "additionalProperties": False,
        "required": ["columns"],
        "properties": {
            "units": {"$ref": f"#/$defs/{domain.value}/$defs/units"},
            "columns": {
                "type": "object",
                "additionalProperties": False,
                "required": ["time"],
                "properties": {
                    "time": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/time"}},
                    "sensor_id": {"type": "array", "items": {"$ref": "#/$defs/sensor_id"}},
                    "quality": {"type": "array", "items": {"$ref": "#/$defs/quality"}},
                    **{
                        metric.name: {"description": metric.description, **numbers}
                        for metric in metrics
                    },
                },
            },
        },
    }
