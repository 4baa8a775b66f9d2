"""What a value may be, where it broke a bound: pydantic's finding in words that people know, from the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from services.domain.sentences.problem import problem

_BOUNDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "greater_than_equal": ("at_least", "least", "ge"),
    "greater_than": ("above", "least", "gt"),
    "less_than_equal": ("at_most", "most", "le"),
    "less_than": ("below", "most", "lt"),
    "string_too_long": ("longest", "most", "max_length"),
}
"""Type of the finding -> template, its value, and the bound's name in the finding."""


def bound_of(finding: Mapping[str, Any]) -> str | None:
    """The English sentence; None for anything but a bound.

    Args:
        finding: one entry of `ValidationError.errors()`.
    """
    match finding["type"]:
        case "missing":
            return problem("required")
        case "float_parsing" | "float_type" | "int_parsing" | "int_type":
            return problem("number")
        case kind if kind in _BOUNDS:
            which, name, bound = _BOUNDS[kind]
            limit = finding["ctx"][bound]
            return problem(which, **{name: f"{limit:g}" if isinstance(limit, float) else limit})
    return None
