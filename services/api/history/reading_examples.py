"""Examples of tables for the OpenAPI document, told by columns; the other forms come from their own writers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from pydantic import BaseModel

from services.api.examples.readings import READINGS
from services.api.history.forms.negotiation import MEDIA_TYPES, TABLES, Form
from services.api.history.forms.table import (
    NO_TIME,
    Block,
    Column,
    ColumnKind,
    Table,
    Values,
    Words,
)
from services.api.history.forms.text import TimeForm
from services.api.history.forms.writers import NEEDS_ARROW, WRITERS
from services.domain.instant import parse_time

Example = Mapping[str, Any]

LATEST: Final[Example] = {
    "now": "2026-01-01T00:05:00Z",
    "metrics": [{"name": "flow_litres_per_h", "unit": "L/h"}],
    "columns": {
        "sensor_id": ["M-17", "M-18"],
        "time": ["2026-01-01T00:00:00Z", None],
        "age_s": [300.0, None],
        "flow_litres_per_h": [12.5, None],
    },
    "next": None,
    "has_more": False,
}
CONSUMPTION: Final[Example] = {
    "sensor_id": "M-17",
    "start": "2026-01-01T00:00:00Z",
    "end": "2026-01-03T00:00:00Z",
    "bucket": "P1D",
    "metrics": [{"name": "consumption_litres", "unit": "L"}],
    "columns": {
        "time": ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"],
        "consumption_litres": [312.0, 287.5],
        "known_share": [1.0, 0.958],
        "share": [1.0, 0.958],
        "events": [None, "exchange"],
    },
    "next": None,
    "has_more": False,
}
_ROAD: Final[Example] = {
    "road": "M-30",
    "direction": "north",
    "sensor_id": ["T-1", "T-2"],
    "start": "2026-01-01T08:00:00Z",
    "end": "2026-01-01T08:10:00Z",
    "bucket": "PT5M",
}
CONTOUR: Final[Example] = {
    **_ROAD,
    "unit": "km/h",
    "times": ["2026-01-01T08:00:00Z", "2026-01-01T08:05:00Z"],
    "positions_m": [0.0, 800.0],
    "speed_km_per_h": [[82.0, 41.5], [79.0, None]],
}
CONTOUR_ROWS: Final[Example] = {
    "columns": {
        "time": ["2026-01-01T08:00:00Z", "2026-01-01T08:00:00Z"],
        "sensor_id": ["T-1", "T-2"],
        "position_m": [0.0, 800.0],
        "speed_km_per_h": [82.0, 79.0],
    }
}
TRAVEL_TIME: Final[Example] = {
    **_ROAD,
    "length_m": 800.0,
    "metrics": [{"name": "travel_time_s", "unit": "s"}],
    "columns": {
        "time": ["2026-01-01T08:00:00Z", "2026-01-01T08:05:00Z"],
        "travel_time_s": [35.8, 69.4],
        "free_travel_time_s": [32.0, 32.0],
        "delay_s": [3.8, 37.4],
        "measured_share": [1.0, 0.5],
    },
    "next": None,
    "has_more": False,
}
BALANCE: Final[Example] = {
    "zone": "Zone 3",
    "start": "2026-01-01T00:00:00Z",
    "end": "2026-01-02T00:00:00Z",
    "bucket": "P1D",
    "metrics": [{"name": "balance_litres", "unit": "L"}],
    "columns": {
        "time": ["2026-01-01T00:00:00Z"],
        "inflow_litres": [124_000.0],
        "outflow_litres": [0.0],
        "storage_litres": [1_500.0],
        "net_inflow_litres": [122_500.0],
        "metered_litres": [98_300.0],
        "balance_litres": [24_200.0],
        "inflow_share": [1.0],
        "metered_share": [0.97],
    },
    "next": None,
    "has_more": False,
}
NIGHT: Final[Example] = {
    **{name: value for name, value in BALANCE.items() if name != "columns"},
    "metrics": [{"name": "night_flow_litres_per_h", "unit": "L/h"}],
    "columns": {
        "time": ["2026-01-01T00:00:00Z"],
        "night_flow_litres_per_h": [1_240.0],
        "night_mean_litres_per_h": [1_310.0],
        "metered_litres_per_h": [205.0],
        "metered_share": [0.97],
    },
}


BY_PATH: Final[Mapping[str, Example]] = {
    "/v1/sensors/{sensor_id}/readings": READINGS,
    "/v1/readings": READINGS,
    "/v1/latest": LATEST,
    "/v1/sensors/{sensor_id}/consumption": CONSUMPTION,
    "/v1/consumption": CONSUMPTION,
    "/v1/roads/contour": CONTOUR,
    "/v1/roads/travel-time": TRAVEL_TIME,
    "/v1/zones/balance": BALANCE,
    "/v1/zones/night-flow": NIGHT,
}
"""The JSON answer of each operation; put in late, because the framework would drop its nulls."""


def as_text(example: Example, form: Form) -> str:
    """A table told by columns, as NDJSON or CSV."""
    columns = example["columns"]
    kinds = {name: _kind(name, values) for name, values in columns.items()}
    block: Block = {name: _array(kinds[name], values) for name, values in columns.items()}
    table = Table([Column(name, kind) for name, kind in kinds.items()], iter([block]))
    return b"".join(WRITERS[form](table, TimeForm.ISO)).decode()


def _kind(name: str, values: list[Any]) -> ColumnKind:
    if name == "time":
        return ColumnKind.TIME
    return ColumnKind.WORD if any(isinstance(each, str) for each in values) else ColumnKind.NUMBER


def _array(kind: ColumnKind, values: list[Any]) -> Values:
    if kind is ColumnKind.TIME:
        return np.array(
            [NO_TIME if each is None else parse_time(each) for each in values], np.int64
        )
    if kind is ColumnKind.WORD:
        texts = sorted({each for each in values if each is not None})
        codes = [-1 if each is None else texts.index(each) for each in values]
        return Words(np.array(codes, np.int32), texts)
    return np.array([np.nan if each is None else each for each in values], np.float64)


def contents(example: Example, *models: type[BaseModel]) -> dict[str, Any]:
    """The OpenAPI `content` of an answer in every form of a table; the models describe the JSON ones."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    references = [{"$ref": f"#/components/schemas/{model.__name__}"} for model in models]
    found: dict[str, Any] = {MEDIA_TYPES[Form.JSON]: {"schema": {"anyOf": references}}}
    for form in (Form.NDJSON, Form.CSV):
        text = as_text(example, form)
        found[MEDIA_TYPES[form]] = {"schema": {"type": "string"}, "example": text}
    return found | {MEDIA_TYPES[form]: binary for form in TABLES if form in NEEDS_ARROW}
