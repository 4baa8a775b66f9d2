"""Server-sent events, read line by line (WHATWG HTML, 9.2), as far as Citygauge sends them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One event: its id (to resume after), its kind (`alert`, `readings`), and what it says."""

    id: str
    event: str
    data: Any


def events(lines: Iterable[str]) -> Iterator[LiveEvent]:
    """The events of a stream's lines; comments and the first `ready` are left out."""
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
            continue
        if fields.get("event", "ready") != "ready":
            yield LiveEvent(fields.get("id", ""), fields["event"], json.loads(fields["data"]))
        fields = {}
