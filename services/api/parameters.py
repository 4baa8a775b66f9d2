"""Types of query parameters and body fields, each of which says in words what it takes.

They refuse what the database could not hold or could misread: naive times, calendar durations, NUL characters.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from services.domain.errors import InvalidInput
from services.domain.instant import DAY_US, SECOND_US, TIME_RULE, from_us, parse_time

_FIRST_US: Final = 0
_LAST_US: Final = 366 * 200 * DAY_US


class Parameters(BaseModel):
    """Base of every set of query parameters: a name that is not one of them is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Body(BaseModel):
    """Base of every request body: strict, and without fields that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _time(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"\d{1,17}(\.\d{1,6})?", value):
        value = float(value) if "." in value else int(value)
    try:
        us = parse_time(value)
    except InvalidInput:
        raise PydanticCustomError("time", TIME_RULE) from None
    if not _FIRST_US <= us <= _LAST_US:
        raise PydanticCustomError("time", "a time from 1970 to 2170")
    return from_us(us)


def duration(seconds: int) -> str:
    """ISO 8601 duration of whole seconds, in days, hours, minutes and seconds."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    clock = "".join(f"{n}{mark}" for n, mark in ((hours, "H"), (minutes, "M"), (rest, "S")) if n)
    return "P" + (f"{days}D" if days else "") + (f"T{clock}" if clock else "")


def microseconds(seconds: float) -> int:
    """Whole microseconds of seconds."""
    return round(seconds * SECOND_US)


Instant = Annotated[
    datetime,
    BeforeValidator(_time),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A time with its zone, or Unix seconds, milliseconds or microseconds; see `TIME_RULE`."""

NO_NUL: Final = r"^[^\x00]*$"
Words = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=NO_NUL, strip_whitespace=True)
]
"""A short text to filter or search by."""

LongText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=10_000, pattern=NO_NUL, strip_whitespace=True),
]
"""What a person writes: a reason or a comment."""

Cursor = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=NO_NUL)]
SensorId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$"),
    Field(description="The sensor's id.", examples=["M-17"]),
]
