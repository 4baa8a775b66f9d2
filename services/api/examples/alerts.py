"""Examples of one alert: how it is told, what its log says."""

from __future__ import annotations

import json
from typing import Any, Final

from services.api.problems import of_error
from services.domain.errors import UnknownAlert

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
    "assignee": None,
    "work": "new",
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

_TAKEN: Final[dict[str, Any]] = ALERT | {
    "version": 2,
    "state": "acknowledged",
    "updated_at": "2026-01-01T02:31:00Z",
    "acknowledged_at": "2026-01-01T02:31:00Z",
    "acknowledged_by": "Ana Torres",
    "allowed_changes": [each for each in ALERT["allowed_changes"] if each != "acknowledged"],
}
_GIVEN: Final[dict[str, Any]] = _TAKEN | {
    "version": 3,
    "updated_at": "2026-01-01T02:33:00Z",
    "assignee": "Crew 4",
}
_SENT: Final[dict[str, Any]] = _GIVEN | {
    "version": 4,
    "updated_at": "2026-01-01T02:40:00Z",
    "work": "crew_sent",
}
_SAID_MORE: Final[dict[str, Any]] = _SENT | {"version": 5, "updated_at": "2026-01-01T03:05:00Z"}
_HIDDEN: Final[dict[str, Any]] = _SAID_MORE | {
    "version": 6,
    "updated_at": "2026-01-01T03:10:00Z",
    "shelved_until": "2026-01-01T07:00:00Z",
    "shelved_reason": "The crew waits for the gas company until eight",
    "allowed_changes": [
        "assigned",
        "progressed",
        "shelved",
        "unshelved",
        "commented",
        "resolved",
    ],
}
_SHOWN: Final[dict[str, Any]] = _SAID_MORE | {"version": 7, "updated_at": "2026-01-01T06:20:00Z"}
_CLOSED: Final[dict[str, Any]] = _SHOWN | {
    "version": 8,
    "state": "resolved",
    "updated_at": "2026-01-01T09:45:00Z",
    "resolved_at": "2026-01-01T09:45:00Z",
    "resolved_by": "Ana Torres",
    "verdict": "real",
    "allowed_changes": ["commented"],
}
ACTS: Final[dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "acknowledge": ({"expected_version": 1, "comment": "I call the customer"}, _TAKEN),
    "assign": ({"expected_version": 2, "assignee": "Crew 4"}, _GIVEN),
    "progress": (
        {"expected_version": 3, "work": "crew_sent", "comment": "Nobody answers"},
        _SENT,
    ),
    "comment": ({"expected_version": 4, "comment": "Water runs into the cellar"}, _SAID_MORE),
    "shelve": (
        {
            "expected_version": 5,
            "until": _HIDDEN["shelved_until"],
            "reason": _HIDDEN["shelved_reason"],
        },
        _HIDDEN,
    ),
    "unshelve": ({"expected_version": 6}, _SHOWN),
    "resolve": ({"expected_version": 7, "verdict": "real", "comment": "Pipe repaired"}, _CLOSED),
}
"""What people do to it, one after the other: what each change is sent with, and the alert after it."""

_UNKNOWN: Final = "3b0c4a1e-1f52-5c57-8f0e-2d1a7c9e5f44"
BULK: Final[dict[str, Any]] = {
    "change": "acknowledged",
    "comment": "I call the customers of Mill Street",
    "alerts": [{"id": ALERT["id"], "expected_version": 1}, {"id": _UNKNOWN}],
}
BULK_OUTCOME: Final[dict[str, Any]] = {
    "items": [
        {"id": ALERT["id"], "status": 200, "alert": _TAKEN, "problem": None},
        {
            "id": _UNKNOWN,
            "status": 404,
            "alert": None,
            "problem": json.loads(
                bytes(of_error(UnknownAlert(_UNKNOWN), "/v1/alerts/changes").body)
            ),
        },
    ],
    "changed": 1,
    "refused": 1,
}
