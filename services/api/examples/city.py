"""Examples of what stands where: sensors, the map, quarantine, and what a search finds."""

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
FEATURES: Final[dict[str, Any]] = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "id": SENSOR["id"],
            "geometry": {"type": "Point", "coordinates": [SENSOR["lon"], SENSOR["lat"]]},
            "properties": {k: v for k, v in SENSOR.items() if k not in ("id", "lon", "lat")},
        }
    ],
    "next": SENSORS["next"],
    "has_more": True,
}
QUARANTINE: Final[dict[str, Any]] = {
    "items": [
        {
            "id": "M-99",
            "domain": "water",
            "first_seen": "2026-01-01T00:00:04Z",
            "last_seen": "2026-01-01T02:00:03Z",
            "readings": 3,
            "last_topic": "citygauge/v1/water/M-99/reading",
        }
    ],
    "next": None,
    "has_more": False,
}
MAP: Final[dict[str, Any]] = {
    "id": ["M-17", "T-1"],
    "name": ["14 Mill Street", "Ring road km 12"],
    "lon": [-0.3763, -0.3891],
    "lat": [39.4699, 39.4952],
    "kind": [1, 0],
    "zone": [0, None],
    "road": [None, 0],
    "position_m": [None, 12_000.0],
    "kinds": ["traffic_station", "water_meter"],
    "zones": ["Zone 3"],
    "roads": [["M-30", "north"]],
}
TILES: Final[dict[str, Any]] = {
    "url": "https://tiles.example.org/{z}/{x}/{y}.png",
    "attribution": "© OpenStreetMap contributors",
}
FOUND: Final[dict[str, Any]] = {
    "sensors": [
        {
            "id": "M-17",
            "name": "14 Mill Street",
            "kind": "water_meter",
            "zone": "Zone 3",
            "road": None,
            "direction": None,
        }
    ],
    "zones": [{"zone": "Zone 3", "sensors": 214}],
    "roads": [{"road": "M-30", "direction": "north", "sensors": 2}],
    "alerts": [
        {
            "id": "6f2d8a52-7c1b-5e0e-9a57-3f0c1d9e4b11",
            "rule": "burst",
            "subject": "M-17",
            "subject_kind": "sensor",
            "name": "14 Mill Street",
            "severity": "critical",
            "state": "active",
            "raised_at": "2026-01-01T02:20:00Z",
            "time_zone": "Europe/Madrid",
        }
    ],
}
