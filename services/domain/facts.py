"""Typed facts out of an event's plain data, and plain data out of evidence; a missing or wrong fact is InvalidInput.

It refuses what a JSON column cannot hold: numbers that are not finite become None or are left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import TypeVar

from services.domain.condition import Evidence
from services.domain.errors import InvalidInput

E = TypeVar("E", bound=Enum)


def text_of(data: Mapping[str, object], name: str) -> str:
    """The text under `name`; InvalidInput when it is absent, empty or not text."""
    value = data.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(name, value, "this change of an alert needs it as text")
    return value


def number_of(data: Mapping[str, object], name: str) -> float:
    """The finite number under `name`; InvalidInput otherwise (True and False are no numbers)."""
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidInput(name, value, "this change of an alert needs it as a finite number")
    return float(value)


def moment_of(data: Mapping[str, object], name: str) -> datetime:
    """The aware time under `name`, an ISO 8601 text; InvalidInput otherwise."""
    text = text_of(data, name)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(name, text, "an ISO 8601 time with its zone") from None
    if moment.tzinfo is None:
        raise InvalidInput(name, text, "an ISO 8601 time with its zone")
    return moment


def choice_of(data: Mapping[str, object], name: str, words: type[E]) -> E:
    """The member of `words` under `name`; InvalidInput lists those that exist."""
    text = text_of(data, name)
    try:
        return words(text)
    except ValueError:
        known = ", ".join(str(word.value) for word in words)
        raise InvalidInput(name, text, f"one of {known}") from None


def mapping_of(data: Mapping[str, object], name: str) -> Mapping[str, object]:
    """The mapping under `name`; empty when there is none."""
    value = data.get(name)
    return value if isinstance(value, Mapping) else {}


def evidence_as_dict(evidence: Evidence) -> dict[str, object]:
    """Plain data of the evidence, as stored and served: JSON numbers, None where a number is missing."""
    return {
        "metric": evidence.metric,
        "unit": evidence.unit,
        "value": finite(evidence.value),
        "threshold": finite(evidence.threshold),
        "baseline": finite(evidence.baseline),
        "window_s": finite(evidence.window_s),
        "readings": int(evidence.readings),
        "missing_share": finite(evidence.missing_share),
        "numbers": {
            str(name): float(value)
            for name, value in evidence.numbers.items()
            if math.isfinite(value)
        },
    }


def finite(value: float | None) -> float | None:
    """The value as a plain float; None for None, NaN and the infinities."""
    return float(value) if value is not None and math.isfinite(value) else None
