"""The alerts to be judged: one JSON object a line, as `citygauge backtest` writes them.

{sensor_id, kind, started_at, detected_at, ended_at, severity, score, evidence, sentence}; only sensor_id, kind and
detected_at are needed. It refuses lines without them, naming the line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.detect.scoring.families import family_of
from services.domain.errors import InvalidInput
from services.domain.instant import parse_time


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One alert as it was told. Times are microseconds since 1970; `ended_us` is None while it is open."""

    sensor_id: str
    kind: str
    family: str
    detected_us: int
    started_us: int | None = None
    ended_us: int | None = None
    severity: str = ""
    score: float | None = None
    sentence: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


def parse_alerts(lines: Iterable[str], name: str = "alerts") -> list[AlertLine]:
    """The alerts in the order in which they were told.

    Raises:
        InvalidInput: a line is no alert; the message says which.
    """
    found = [
        _alert(line, f"{name} line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    return sorted(found, key=lambda alert: alert.detected_us)


def _alert(line: str, where: str) -> AlertLine:
    try:
        facts = json.loads(line)
        kind = str(facts["kind"])
        evidence = facts.get("evidence")
        return AlertLine(
            sensor_id=str(facts["sensor_id"]),
            kind=kind,
            family=family_of(kind),
            detected_us=parse_time(facts["detected_at"]),
            started_us=parse_time(facts["started_at"]) if facts.get("started_at") else None,
            ended_us=parse_time(facts["ended_at"]) if facts.get("ended_at") else None,
            severity=str(facts.get("severity") or ""),
            score=None if facts.get("score") is None else float(facts["score"]),
            sentence=str(facts.get("sentence") or ""),
            evidence=evidence if isinstance(evidence, Mapping) else {},
        )
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error.field}", error.value, error.allowed) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidInput(
            where, line.strip(), "a JSON object with sensor_id, kind and detected_at"
        ) from error
