"""Examples of what is expected beforehand: an exemption that comes back every week, a maintenance window."""

from __future__ import annotations

from typing import Any, Final

NEW_EXEMPTION: Final[dict[str, Any]] = {
    "subjects": ["M-17"],
    "rules": ["burst"],
    "hours": [{"days": [2], "start": "09:00", "end": "11:00"}],
    "ends_at": "2027-01-01T00:00:00Z",
    "reason": "This hydrant is flushed on Tuesdays",
}
NEW_MAINTENANCE: Final[dict[str, Any]] = {
    "zone": "Zone 3",
    "domain": "water",
    "starts_at": "2026-11-03T21:00:00Z",
    "ends_at": "2026-11-04T05:00:00Z",
    "reason": "The main in Mill Street is exchanged",
}
END: Final[dict[str, Any]] = {"comment": "Done two hours early"}

_OPEN: Final[dict[str, Any]] = {
    "subjects": [],
    "rules": [],
    "domain": None,
    "zone": None,
    "road": None,
    "hours": [],
    "time_zone": "Europe/Madrid",
    "created_by": "Ana Torres",
    "ended_at": None,
    "ended_by": None,
}
EXEMPTION: Final[dict[str, Any]] = {
    "id": "8a4f2f6e-0b4d-4f0e-9a35-6a1c2f9d7e31",
    "kind": "exemption",
    "name": "exemption/8a4f2f6e-0b4d-4f0e-9a35-6a1c2f9d7e31",
    **_OPEN,
    **NEW_EXEMPTION,
    "starts_at": "2026-01-01T10:00:00Z",
    "created_at": "2026-01-01T10:00:00Z",
    "live": False,
    "held": 0,
}
MAINTENANCE: Final[dict[str, Any]] = {
    "id": "c7d10b52-3a86-4c1b-8c07-5e9f4b2a6d08",
    "kind": "maintenance",
    "name": "maintenance/c7d10b52-3a86-4c1b-8c07-5e9f4b2a6d08",
    **_OPEN,
    **NEW_MAINTENANCE,
    "created_at": "2026-11-02T08:15:00Z",
    "live": True,
    "held": 2,
}


def page_of(made: dict[str, Any]) -> dict[str, Any]:
    """The list that holds this one alone."""
    return {"items": [made], "next": None, "has_more": False}


def logged(made: dict[str, Any]) -> dict[str, Any]:
    """This one with the log of its first day."""
    said = {"reason": made["reason"], "ends_at": made["ends_at"]}
    created = {
        "kind": "created",
        "at": made["created_at"],
        "actor": made["created_by"],
        "data": said,
    }
    return made | {"events": [created]}


def ended(made: dict[str, Any], at: str) -> dict[str, Any]:
    """This one, ended by a person before its time."""
    over = {"ended_at": at, "ended_by": made["created_by"], "live": False, "held": 0}
    return made | over
