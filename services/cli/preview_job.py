"""The process of one preview of rules: an order on standard input, then progress and result as JSON lines.

It refuses to take more memory than it was given, and to outlive the process that started it.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from services.domain.errors import CitygaugeError
from services.domain.sentences.problem import problem

_POLITE: Final = 10


def preview_job() -> None:
    """Run the preview that standard input describes; end when standard input does."""
    order = json.loads(sys.stdin.buffer.readline())
    os.nice(_POLITE)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    resource.setrlimit(resource.RLIMIT_DATA, (order["memory_bytes"], order["memory_bytes"]))
    try:
        _say({"result": _previewed(order)})
    except MemoryError:
        megabytes = order["memory_bytes"] // 1_000_000
        _say({"problem": problem("preview_memory", megabytes=megabytes)})
    except CitygaugeError as error:
        _say({"problem": str(error)})


def _previewed(order: Mapping[str, Any]) -> dict[str, Any]:
    from services.cli.process import database_url
    from services.cli.rule_settings import OF_RULE
    from services.detect.detector_settings import DetectorSettings
    from services.detect.recorded.preview import PreviewOrder, previewed
    from services.domain.instant import from_us, parse_time
    from services.store.connection import connect

    present = DetectorSettings.model_validate(order["present"])
    changed = DetectorSettings.model_validate({**order["present"], **order["changes"]})
    rules = frozenset(
        rule
        for rule, parts in OF_RULE.items()
        if any(n.startswith(parts) for n in order["changes"])
    )
    wanted = PreviewOrder(
        present,
        changed,
        rules,
        from_us(parse_time(order["start"])),
        from_us(parse_time(order["end"])),
        timedelta(days=order["warm_days"]),
        order.get("sensor_id"),
        order.get("zone"),
        order.get("road"),
    )
    with connect(database_url(), "citygauge-preview", autocommit=True) as conn:
        return previewed(conn, wanted, lambda share: _say({"progress": round(share, 3)}))


def _say(message: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)
