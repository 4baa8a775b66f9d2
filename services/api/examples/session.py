"""Examples of who is signed in, and whether the service is well."""

from __future__ import annotations

from typing import Any, Final

KEY: Final[dict[str, Any]] = {"key": "cg_…"}
SESSION: Final[dict[str, Any]] = {
    "name": "Ana Torres",
    "scopes": ["read", "operate"],
    "until": "2026-01-01T14:00:00Z",
}
HEALTH: Final[dict[str, Any]] = {"status": "ok"}
METRICS: Final = """\
# HELP citygauge_api_stream_clients Live streams of alerts that are open now.
# TYPE citygauge_api_stream_clients gauge
citygauge_api_stream_clients 2.0
"""
