"""mq-bridge, a router in Rust with a wheel on PyPI: MQTT in, PostgreSQL out, no handler in between.

`conflict`: its idempotent INSERT ... ON CONFLICT; `copy`: its bulk COPY, which knows no conflicts. Settings as its
documentation proposes them, with batches and queues raised for this load.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from benchmarks.payloads import TOPICS

_INTO: Final = "INSERT INTO reading (time, sensor, value) VALUES "
_ROW: Final = "(${payload:time}::timestamptz, ${payload:sensor}, ${payload:value})"
_WRITING: Final[Mapping[str, Mapping[str, Any]]] = {
    "conflict": {"insert_query": f"{_INTO}{_ROW} ON CONFLICT DO NOTHING"},
    "copy": {"insert_query": f"{_INTO}{_ROW.replace('::timestamptz', '')}", "bulk_copy": True},
}
_BATCH: Final = 5_000


def route(writing: str, mqtt_url: str, database_url: str, topic: str) -> dict[str, Any]:
    """The route as its configuration file would have it."""
    parts = urlsplit(mqtt_url)
    return {
        "input": {
            "mqtt": {
                "url": f"tcp://{parts.hostname}:{parts.port}",
                "username": unquote(parts.username or ""),
                "password": unquote(parts.password or ""),
                "topic": topic,
                "client_id": "bridge",
                "qos": 1,
                "queue_capacity": _BATCH,
            }
        },
        "output": {"sqlx": {"url": database_url, "table": "reading", **_WRITING[writing]}},
        "batch_size": _BATCH,
    }


def main(writing: str) -> None:
    """Run until killed."""
    mq_bridge = importlib.import_module("mq_bridge")
    mq_bridge.init_logging("info")
    settings = route(writing, os.environ["MQTT_URL"], os.environ["DATABASE_URL"], TOPICS)
    mq_bridge.Route.from_config(settings).run()


if __name__ == "__main__":
    main(sys.argv[1])
