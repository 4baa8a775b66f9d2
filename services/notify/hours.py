"""Times of day in a place: when a route is open, when its readers sleep, and when a digest is due.

Everything is wall time of an IANA zone, so that a day of 23 or 25 hours keeps its mornings. It refuses to know what
time it is: that is always an argument.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_SPAN: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_MOMENT: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


class Day(StrEnum):
    """A day of the week."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


class Digest(StrEnum):
    """How often a route that gathers its messages tells them."""

    HOURLY = "hourly"
    DAILY = "daily"


@dataclass(frozen=True, slots=True)
class Span:
    """From a time of day up to (not including) another; past midnight where the end is not after the start."""

    start: time
    end: time

    def holds(self, local: datetime) -> bool:
        """Whether the wall time `local` is in it."""
        at = local.time()
        if self.start < self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end

    def day_of(self, local: datetime) -> Day:
        """The day on which the span that holds `local` began: after midnight that is yesterday."""
        yesterday = self.start >= self.end and local.time() < self.end
        began = local - timedelta(days=1) if yesterday else local
        return list(Day)[began.weekday()]


def span_of(text: str) -> Span:
    """A span written "22:00-07:00".

    Raises:
        ValueError: it is written otherwise, or has no length.
    """
    match = _SPAN.fullmatch(text)
    if match is None or match[1] + match[2] == match[3] + match[4]:
        raise ValueError(f"{text!r} is no span of a day; write it as 22:00-07:00")
    hour, minute, end_hour, end_minute = (int(part) for part in match.groups())
    return Span(time(hour, minute), time(end_hour, end_minute))


def time_of(text: str) -> time:
    """A time of day written "07:00".

    Raises:
        ValueError: it is written otherwise.
    """
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time of day; write it as 07:00")
    return time(int(match[1]), int(match[2]))


def zone_of(name: str) -> ZoneInfo:
    """The IANA zone of this name.

    Raises:
        ValueError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; an IANA name such as Europe/Madrid") from None


def next_time(now: datetime, at: time, zone: ZoneInfo) -> datetime:
    """The first moment after `now` (aware) at which clocks of the zone show `at`, in the zone of `now`."""
    local = now.astimezone(zone)
    for days in range(3):
        date = local.date() + timedelta(days=days)
        found = datetime.combine(date, at, zone).astimezone(now.tzinfo)
        if found > now:
            return found
    raise AssertionError("every day has every time of day, or the one after it")


def next_digest(now: datetime, digest: Digest, at: time, zone: ZoneInfo) -> datetime:
    """When what happens at `now` is told: at the next full hour, or the next time that clocks show `at`."""
    if digest is Digest.DAILY:
        return next_time(now, at, zone)
    local = now.astimezone(zone)
    past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return now - past + timedelta(hours=1)
