"""Examples of what became of what arrived: the accounting, and messages that could not be stored."""

from __future__ import annotations

import base64
from typing import Any, Final

from services.domain.rejection import WHAT_TO_DO, RejectReason

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

_PAYLOAD: Final = (
    b'{"time": "2026-01-01T02:00:00Z", "values": {"flow": 9.0}, "units": {"flow": "L/h"}}'
)
REJECTED_MESSAGE: Final[dict[str, Any]] = {
    "id": 17,
    "received_at": "2026-01-01T02:00:03Z",
    "topic": "citygauge/v1/water/M-99/reading",
    "reason": "unknown_sensor",
    "detail": "sensor M-99 is not registered",
    "what_to_do": WHAT_TO_DO[RejectReason.UNKNOWN_SENSOR],
    "said": {
        "time_zone": "UTC",
        "what": [{"key": "detail.unknown_sensor.sensor", "values": {"sensor": "M-99"}}],
        "first": {"key": "remedy.unknown_sensor", "values": {}},
    },
    "sensor_id": "M-99",
    "readings": 1,
    "payload_bytes": len(_PAYLOAD),
    "whole": True,
    "state": "new",
    "changed_at": "2026-01-01T02:00:03Z",
    "changed_by": None,
}
REJECTED: Final[dict[str, Any]] = {"items": [REJECTED_MESSAGE], "next": None, "has_more": False}
REJECTED_DETAIL: Final[dict[str, Any]] = {
    **REJECTED_MESSAGE,
    "payload_base64": base64.b64encode(_PAYLOAD).decode(),
    "payload_text": _PAYLOAD.decode(),
}
REPLAY: Final[dict[str, Any]] = {"reason": "unknown_sensor"}
REPLAYED: Final[dict[str, Any]] = {
    "replayed": 2,
    "stored": 2,
    "duplicate": 0,
    "stay": 1,
    "reasons": {"time_in_future": 1},
    "cut": 0,
    "next": None,
}
DISCARD: Final[dict[str, Any]] = {"ids": [17]}
DISCARDED: Final[dict[str, Any]] = {"discarded": 1}
