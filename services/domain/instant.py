"""Instants: aware UTC datetimes at the borders, integer microseconds since 1970 inside. No clock is read here."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from services.domain.errors import InvalidInput

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
SECOND_US: Final = 1_000_000
HOUR_US: Final = 3600 * SECOND_US
DAY_US: Final = 24 * HOUR_US
OLDEST_US: Final = 946_684_800 * SECOND_US
"""2000-01-01: an older time stamp is a device without a clock."""
_FIRST_US: Final = (datetime.min.replace(tzinfo=UTC) - EPOCH) // MICROSECOND
_LAST_US: Final = (datetime.max.replace(tzinfo=UTC) - EPOCH) // MICROSECOND

TIME_RULE: Final = (
    "an RFC 3339 time with zone (2026-01-31T13:45:00Z), or a number: Unix seconds below 1e11, "
    "milliseconds from 1e11, microseconds from 1e14, from the year 2000 on"
)
_RFC3339: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ]((?:[01]\d|2[0-3]):\d{2}:\d{2})(?:\.(\d{1,12}))?([Zz]|[+-]\d{2}:\d{2})",
    re.ASCII,
)
_WRITTEN_NUMBER: Final = re.compile(r"\d{9,17}(?:\.\d{1,9})?", re.ASCII)
"""A shorter one is a date without marks (20260131) sooner than a time before 1973."""


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime, exactly.

    Raises:
        InvalidInput: `moment` has no zone.
    """
    if moment.tzinfo is None:
        raise InvalidInput("time", moment.isoformat(), "a time with its zone")
    return (moment - EPOCH) // MICROSECOND


def from_us(us: int) -> datetime:
    """Aware UTC datetime of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=int(us))


def isoformat(us: int) -> str:
    """RFC 3339 in UTC with Z; fractions only where there are any."""
    return from_us(us).isoformat().replace("+00:00", "Z")


def parse_time(value: object) -> int:
    """Microseconds since 1970 of a payload's time stamp, by the rule in `TIME_RULE`.

    Raises:
        InvalidInput: no zone, not a time, a number that no unit explains, or outside the years 1 to 9999, so that
            every answer can be written as a date. The year 2000 limit and the future are the validator's business.
    """
    us = _parse_text(value) if isinstance(value, str) else _parse_number(value)
    if not _FIRST_US <= us <= _LAST_US:
        raise InvalidInput("time", value, TIME_RULE)
    return us


def parse_written_time(text: str) -> int:
    """Microseconds since 1970 of a cell or an option, where a number is text, too; errors as in `parse_time`."""
    return parse_time(float(text) if _WRITTEN_NUMBER.fullmatch(text) else text)


def _parse_number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput("time", value, TIME_RULE)
    size = abs(value)
    if size < 1e11:
        return round(value * SECOND_US)
    if size < 1e14:
        return round(value * 1000)
    if size < 1e17:
        return round(value)
    raise InvalidInput("time", value, TIME_RULE)


def _parse_text(text: str) -> int:
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise InvalidInput("time", text, TIME_RULE)
    day, clock, fraction, zone = match.groups()
    try:
        whole = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in 'Zz' else zone}")
    except ValueError:
        raise InvalidInput("time", text, TIME_RULE) from None
    return to_us(whole) + (int(fraction[:6].ljust(6, "0")) if fraction else 0)
