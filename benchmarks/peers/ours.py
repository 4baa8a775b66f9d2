"""`citygauge ingest` as a service runs it, with its default settings; the arguments change them: name=value."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from typing import Any

from services.ingest import service
from services.ingest.settings import IngestSettings


def main(arguments: list[str]) -> None:
    """Run until SIGTERM."""
    logging.basicConfig(level=logging.INFO)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    changes: dict[str, Any] = dict(argument.split("=", 1) for argument in arguments)
    if "qos" in changes:
        changes["qos"] = int(changes["qos"])
    settings = IngestSettings(**{"metrics_port": 0, **changes})
    service.run(settings, os.environ["DATABASE_URL"], os.environ["MQTT_URL"], stop)


if __name__ == "__main__":
    main(sys.argv[1:])
