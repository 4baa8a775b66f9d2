"""Examples for the OpenAPI document, one of each thing; the tests hold them against the models."""

from __future__ import annotations

from typing import Any, Final

SENSOR: Final[dict[str, Any]] = {
    "id": "M-17",
    "kind": "water_meter",
    "domain": "water",
    "name": "14 Mill Street",
    "lon": -0.3763,
    "lat": 39.4699,
    "zone": "Zone 3",
    "road": None,
    "direction": None,
    "position_m": None,
    "lanes": None,
    "unit": "L",
    "cadence_s": 3600.0,
    "time_zone": "Europe/Madrid",
    "gateway": None,
    "area_m2": None,
}
SENSORS: Final[dict[str, Any]] = {"items": [SENSOR], "next": "WyJNLTE3Il0", "has_more": True}

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

_SENTENCE: Final = (
    "Flow at 14 Mill Street (Zone 3) jumped to 1,840 litres per hour at 03:10 and has stayed there. The limit is 600; "
    "35 is usual here at this hour. First: call the customer, then send somebody to close the valve."
)
_SAID: Final[dict[str, Any]] = {
    "time_zone": "Europe/Madrid",
    "what": [
        {
            "key": "lost.so_far",
            "values": {"lost": {"value": 613.0, "unit": "L"}},
        }
    ],
    "first": {"key": "first.burst_meter", "values": {}},
}
_EVIDENCE: Final[dict[str, Any]] = {
    "metric": "flow_litres_per_h",
    "unit": "L/h",
    "value": 1840.0,
    "threshold": 600.0,
    "baseline": 35.0,
    "window_s": 600.0,
    "readings": 10,
    "missing_share": 0.0,
    "numbers": {"litres_so_far": 613.0},
}
ALERT: Final[dict[str, Any]] = {
    "id": "6f2d8a52-7c1b-5e0e-9a57-3f0c1d9e4b11",
    "rule": "burst",
    "subject": "M-17",
    "subject_kind": "sensor",
    "version": 1,
    "state": "active",
    "active": True,
    "severity": "critical",
    "score": 0.93,
    "sentence": _SENTENCE,
    "said": _SAID,
    "evidence": _EVIDENCE,
    "started_at": "2026-01-01T02:10:00Z",
    "raised_at": "2026-01-01T02:20:00Z",
    "updated_at": "2026-01-01T02:20:00Z",
    "cleared_at": None,
    "acknowledged_at": None,
    "acknowledged_by": None,
    "shelved_until": None,
    "shelved_reason": None,
    "resolved_at": None,
    "resolved_by": None,
    "verdict": None,
    "previous_id": None,
    "group_id": "6f2d8a52-7c1b-5e0e-9a57-3f0c1d9e4b11",
    "place": {
        "kind": "water_meter",
        "domain": "water",
        "name": "14 Mill Street",
        "zone": "Zone 3",
        "road": None,
        "direction": None,
        "position_m": None,
        "lon": -0.3763,
        "lat": 39.4699,
        "time_zone": "Europe/Madrid",
    },
    "assignee": "Ana Torres",
    "work": "investigating",
    "suppressed_by": None,
    "suppressed_reason": None,
    "told_at": "2026-01-01T02:20:00Z",
    "latched": False,
    "allowed_changes": [
        "acknowledged",
        "assigned",
        "progressed",
        "shelved",
        "commented",
        "resolved",
    ],
}
ALERTS: Final[dict[str, Any]] = {"items": [ALERT], "next": None, "has_more": False}
EVENT: Final[dict[str, Any]] = {
    "position": 42,
    "id": "0d5f3a2e-56a1-5d3b-8c57-1f0c1d9e4b22",
    "alert_id": ALERT["id"],
    "version": 1,
    "kind": "raised",
    "at": "2026-01-01T02:20:00Z",
    "actor": "detector",
    "data": {"severity": "critical", "sentence": _SENTENCE, "said": _SAID, "evidence": _EVIDENCE},
}
CASE: Final[dict[str, Any]] = ALERT | {"events": [EVENT]}

ACCOUNTING: Final[dict[str, Any]] = {
    "total": {
        "received": 1000,
        "messages": 900,
        "stored": 960,
        "merged": 4,
        "revised": 2,
        "duplicate": 20,
        "conflicting": 1,
        "rejected": 15,
        "late": 3,
        "in_flight": 5,
    },
    "workers": [
        {
            "name": "ingest-1",
            "started_at": "2026-01-01T00:00:00Z",
            "seen_at": "2026-01-01T08:00:00Z",
            "in_flight": 5,
            "silent_s": 0.4,
        }
    ],
}
EXPORT: Final[dict[str, Any]] = {
    "id": "0192f0c1-7c1e-7a55-9d1a-6c1b1f0c9a11",
    "state": "done",
    "asked": {
        "domain": "water",
        "zone": "Zone 3",
        "start": "2026-01-01T00:00:00Z",
        "end": "2026-04-01T00:00:00Z",
        "metrics": ["flow"],
        "format": "parquet",
    },
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
EXPORTS: Final[dict[str, Any]] = {"items": [EXPORT], "next": None, "has_more": False}
