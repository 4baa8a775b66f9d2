"""Examples of parameters: something that can be sent for each whose type alone does not say it, about the same burst.

It refuses what its operation would refuse: a test asks with every one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from services.api.examples import alerts, city, ingest, readings, rules, telling
from services.api.examples import suppressions as held
from services.domain.instant import to_us
from services.store.page import encode_cursor

_SENSOR: Final = city.SENSOR["id"]
_AT: Final = to_us(datetime.fromisoformat(alerts.ALERT["raised_at"]))

PARAMETERS: Final[Mapping[str, Any]] = {
    "aggregate": ["avg", "max"],
    "alert": alerts.ALERT["id"],
    "alert_id": alerts.ALERT["id"],
    "assignee": "Crew 4",
    "bucket": "P1D",
    "direction": "north",
    "end": "2026-01-02T00:00:00Z",
    "event": alerts.EVENT["id"],
    "export_id": readings.EXPORT["id"],
    "feed": "public",
    "free_speed_km_per_h": 90.0,
    "group": alerts.ALERT["group_id"],
    "identifier": telling.CAP_IDENTIFIER,
    "if-match": '"3"',
    "include": ["received_at"],
    "language": "es",
    "longest_gap": "PT2H",
    "message_id": ingest.REJECTED_DETAIL["id"],
    "metrics": ["flow"],
    "name": "duty",
    "preview_id": rules.PREVIEW["id"],
    "q": "Mill",
    "Range": "bytes=0-999",
    "road": "M-30",
    "route": "duty",
    "sensor_id": [_SENSOR],
    "since": "2026-01-01T00:00:00Z",
    "start": "2026-01-01T00:00:00Z",
    "subject": _SENSOR,
    "time_zone": "Europe/Madrid",
    "until": "2026-01-02T00:00:00Z",
    "zone": city.SENSOR["zone"],
}
"""By name, wherever a parameter has no example of its own and none below."""

_OF_SENSORS: Final = encode_cursor((_SENSOR,))
_OF_NUMBERS: Final = encode_cursor((17,))
_OF_HELD: Final = encode_cursor((_AT, held.EXEMPTION["id"]))

OF_OPERATIONS: Final[Mapping[tuple[str, str], Any]] = {
    ("/v1/alerts", "after"): encode_cursor((_AT, alerts.ALERT["id"])),
    ("/v1/alerts/stream", "after"): 41,
    ("/v1/alerts/stream", "last-event-id"): "41",
    ("/v1/cap/{feed}", "after"): _OF_NUMBERS,
    ("/v1/consumption", "road"): "Mill Street",
    ("/v1/deliveries", "after"): encode_cursor((_AT, alerts.EVENT["id"], "log", 0)),
    ("/v1/exemptions", "after"): _OF_HELD,
    ("/v1/exemptions/{id}", "id"): held.EXEMPTION["id"],
    ("/v1/exemptions/{id}/end", "id"): held.EXEMPTION["id"],
    ("/v1/exports", "after"): encode_cursor((readings.EXPORT["created_at"], readings.EXPORT["id"])),
    ("/v1/maintenance", "after"): _OF_HELD,
    ("/v1/maintenance/{id}", "id"): held.MAINTENANCE["id"],
    ("/v1/maintenance/{id}/end", "id"): held.MAINTENANCE["id"],
    ("/v1/quality/days", "after"): _OF_SENSORS,
    ("/v1/quarantine/sensors", "after"): _OF_SENSORS,
    ("/v1/readings", "after"): encode_cursor((_AT, 1)),
    ("/v1/readings/stream", "after"): "1.740.12",
    ("/v1/readings/stream", "last-event-id"): "1.740.12",
    ("/v1/rejected", "after"): _OF_NUMBERS,
    ("/v1/rejected", "sensor_id"): _SENSOR,
    ("/v1/roads/contour", "bucket"): "PT5M",
    ("/v1/roads/travel-time", "bucket"): "PT15M",
    ("/v1/sensors", "after"): _OF_SENSORS,
    ("/v1/sensors.geojson", "after"): _OF_SENSORS,
    ("/v1/sensors/{sensor_id}/readings", "after"): encode_cursor((_AT, 1)),
}
"""By path and name, for every verb."""
