"""Examples of readings, how complete they are, and files of them."""

from __future__ import annotations

from typing import Any, Final

READINGS: Final[dict[str, Any]] = {
    "sensor_id": "M-17",
    "start": "2026-01-01T00:00:00Z",
    "end": "2026-01-01T03:00:00Z",
    "bucket": "PT1H",
    "aggregate": "avg",
    "metrics": [{"name": "flow_litres_per_h", "unit": "L/h"}],
    "columns": {
        "time": ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"],
        "flow_litres_per_h": [12.5, None, 9.0],
    },
    "next": None,
    "has_more": False,
}
ROWS: Final[dict[str, Any]] = {
    **{name: value for name, value in READINGS.items() if name != "columns"},
    "rows": [
        {"time": "2026-01-01T00:00:00Z", "flow_litres_per_h": 12.5},
        {"time": "2026-01-01T01:00:00Z", "flow_litres_per_h": None},
        {"time": "2026-01-01T02:00:00Z", "flow_litres_per_h": 9.0},
    ],
}
LATEST: Final[dict[str, Any]] = {
    "sensor_id": "M-17",
    "time": "2026-01-01T02:00:00Z",
    "age_s": 42.0,
    "values": {"flow_litres_per_h": {"time": "2026-01-01T02:00:00Z", "value": 9.0, "unit": "L/h"}},
}
QUALITY: Final[dict[str, Any]] = {
    "until": "2026-01-02T23:00:00Z",
    "days": ["2026-01-01", "2026-01-02"],
    "items": [
        {
            "sensor_id": "M-17",
            "name": "14 Mill Street",
            "zone": "Zone 3",
            "road": None,
            "time_zone": "Europe/Madrid",
            "expected": [24, 24],
            "received": [24, 23],
            "valid": [24, 22],
            "timely": [23, 23],
            "longest_delay_s": [4210.0, 3.2],
        }
    ],
    "next": None,
    "has_more": False,
}
ORDER: Final[dict[str, Any]] = {
    "domain": "water",
    "zone": "Zone 3",
    "start": "2026-01-01T00:00:00Z",
    "end": "2026-04-01T00:00:00Z",
    "metrics": ["flow"],
    "format": "parquet",
}
EXPORT: Final[dict[str, Any]] = {
    "id": "0192f0c1-7c1e-7a55-9d1a-6c1b1f0c9a11",
    "state": "done",
    "asked": ORDER,
    "asked_by": "Ana Torres",
    "created_at": "2026-04-01T08:00:00Z",
    "progress": 1.0,
    "rows": 3_110_400,
    "bytes": 21_450_112,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "problem": None,
    "finished_at": "2026-04-01T08:00:21Z",
    "expires_at": "2026-04-03T08:00:21Z",
    "file": "/v1/exports/0192f0c1-7c1e-7a55-9d1a-6c1b1f0c9a11/file",
}
EXPORT_WAITING: Final[dict[str, Any]] = {
    **EXPORT,
    "state": "waiting",
    "progress": 0.0,
    "rows": 0,
    "bytes": 0,
    **dict.fromkeys(("sha256", "finished_at", "expires_at", "file")),
}
EXPORTS: Final[dict[str, Any]] = {"items": [EXPORT], "next": None, "has_more": False}
