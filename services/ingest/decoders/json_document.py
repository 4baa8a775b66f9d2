"""Reads one JSON document and says, when it is none, which of the ways of being broken it has.

It refuses to interpret fields. NaN and infinity come through as floats, so that the field can be named later.
"""

from __future__ import annotations

import json
from typing import Final

from services.domain.rejection import RejectReason
from services.domain.sentences.rejected import detail, part

DEEPEST: Final = 8
"""Levels of arrays and objects that a payload may nest; the deepest form has three."""

_LONGEST_INTEGER: Final = 400


class Refused(Exception):
    """A payload or a part of one is not what its format says."""

    def __init__(self, reason: RejectReason, detail: str, sensor_id: str | None = None) -> None:
        self.reason, self.detail, self.sensor_id = reason, detail, sensor_id
        super().__init__(f"{reason}: {detail}")


def refused(reason: RejectReason, which: str, **values: object) -> Refused:
    """The refusal whose detail is this template of the reason, filled."""
    return Refused(reason, detail(reason, which, **values))


def read_document(payload: bytes) -> object:
    """The document as dicts, lists, strings, numbers, booleans and None.

    Raises:
        Refused: NOT_UTF8, NOT_JSON or TOO_DEEP.
    """
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        raise refused(RejectReason.NOT_UTF8, "byte", at=error.start, size=len(payload)) from None
    if not text.strip(" \t\r\n"):
        raise refused(RejectReason.NOT_JSON, "empty")
    try:
        document = json.loads(text, parse_int=_integer)
    except RecursionError:
        raise refused(RejectReason.TOO_DEEP, "levels", levels=DEEPEST) from None
    except json.JSONDecodeError as error:
        at = {"line": error.lineno, "column": error.colno, "char": error.pos}
        raise refused(RejectReason.NOT_JSON, "at", error=error.msg, **at) from None
    if _deeper_than(document, DEEPEST):
        raise refused(RejectReason.TOO_DEEP, "levels", levels=DEEPEST)
    return document


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


def _deeper_than(document: object, levels: int) -> bool:
    layer = [document]
    for _ in range(levels + 1):
        layer = [
            child
            for node in layer
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not layer:
            return False
    return True


def kind_of(value: object) -> str:
    """JSON's word for the type of a decoded value."""
    if value is None:
        return part("null")
    if isinstance(value, bool):
        return part("boolean")
    if isinstance(value, int | float):
        return part("number")
    if isinstance(value, str):
        return part("string")
    return part("array" if isinstance(value, list) else "object")


def short(value: object, limit: int = 60) -> str:
    """The value for a sentence: bounded, printable in any encoding."""
    text = ascii(value) if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"
