"""Examples of what the rules are set to, what other limits would have told, and the words and units of it all.

Words, metrics and units are those of the domain, shortened.
"""

from __future__ import annotations

from typing import Any, Final

from services.api.examples.alerts import ALERT
from services.domain.catalogue import CATALOGUE, Domain
from services.domain.sentences.language import ENGLISH, LANGUAGES
from services.domain.units import CONVERSIONS

RULES: Final[dict[str, Any]] = {
    "items": [
        {
            "rule": "burst",
            "settings": [
                {
                    "name": "burst_litres_per_h",
                    "value": 300.0,
                    "default": 300.0,
                    "description": "a rate below this is no burst, whatever is usual",
                }
            ],
        },
        {"rule": "alert_flood", "settings": []},
    ]
}

_WORDS: Final = LANGUAGES[ENGLISH]
_SHOWN: Final = ("first", "burst.meter", "first.burst_meter", "lost.so_far")
SENTENCES: Final[dict[str, Any]] = {
    "language": ENGLISH,
    "name": _WORDS.name,
    "decimal": _WORDS.decimal,
    "group": _WORDS.group,
    "grouped_from": _WORDS.grouped_from,
    "plurals": dict(_WORDS.plurals),
    "time": _WORDS.time,
    "weekdays": list(_WORDS.weekdays),
    "months": list(_WORDS.months),
    "spans": dict(_WORDS.spans),
    "sentences": {key: _WORDS.sentences[key] for key in _SHOWN},
}

_WATER: Final = CATALOGUE[Domain.WATER]
_FLOW: Final = _WATER.by_name["flow"]
METRICS: Final[dict[str, Any]] = {
    "domains": [
        {
            "domain": _WATER.domain.value,
            "kinds": [kind.value for kind in _WATER.kinds],
            "metrics": [
                {
                    "name": _FLOW.name,
                    "column": _FLOW.column,
                    "quantity": _FLOW.quantity.value,
                    "unit": _FLOW.unit,
                    "accepted_units": list(CONVERSIONS[_FLOW.quantity]),
                    "low": _FLOW.low,
                    "high": _FLOW.high,
                    "description": _FLOW.description,
                }
            ],
        }
    ]
}

PREVIEW_ORDER: Final[dict[str, Any]] = {
    "changes": {"burst_litres_per_h": 200.0},
    "zone": "Zone 3",
}
PREVIEW_WAITING: Final[dict[str, Any]] = {
    "id": "5d1f7b60-92e4-4d53-a6c8-1b7e0f3c2a90",
    "state": "waiting",
    "asked": {
        **PREVIEW_ORDER,
        "days": 30.0,
        "start": "2025-12-02T08:00:00Z",
        "end": "2026-01-01T08:00:00Z",
    },
    "asked_by": "Ana Torres",
    "created_at": "2026-01-01T08:05:00Z",
    "progress": 0.0,
    "result": None,
    "problem": None,
    "problem_said": None,
    "finished_at": None,
}
_RIGHT: Final[dict[str, Any]] = {"told": 1, "right": 1, "wrong": 0, "unjudged": 0}
_TOLD: Final[dict[str, Any]] = {
    "started_at": ALERT["started_at"],
    "told_at": ALERT["raised_at"],
    "ended_at": None,
    "severity": ALERT["severity"],
}
_DONE: Final[dict[str, Any]] = {
    **PREVIEW_WAITING,
    "state": "done",
    "progress": 1.0,
    "finished_at": "2026-01-01T08:05:41Z",
}
PREVIEWS: Final[dict[str, Any]] = {"items": [_DONE]}
PREVIEW: Final[dict[str, Any]] = {
    **_DONE,
    "result": {
        "sensors": 214,
        "present": {**_RIGHT, "precision": 1.0, "median_h": 0.17},
        "changed": {**_RIGHT, "precision": 1.0, "median_h": 0.17},
        "kept": 1,
        "gained": 0,
        "lost": 0,
        "not_again": 0,
        "items": [
            {
                "outcome": "kept",
                "rule": "burst",
                "sensor_id": "M-17",
                "name": "14 Mill Street",
                "time_zone": "Europe/Madrid",
                "present": _TOLD,
                "changed": _TOLD,
                "sentence": ALERT["sentence"],
                "alert_id": ALERT["id"],
                "alert_rule": "burst",
                "verdict": "real",
            }
        ],
    },
}
