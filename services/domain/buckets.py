"""Buckets of time: fixed lengths counted in UTC, or local hours, days, weeks, months and years of a zone.

Local ones are right across changes of the clock: days have 23 or 25 hours where they occur, and the hour that a
clock repeats is two buckets. It refuses to cut a range into more buckets than an answer can hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from services.domain.errors import InvalidInput
from services.domain.instant import DAY_US, HOUR_US, SECOND_US, from_us, to_us

MOST_BUCKETS: Final = 200_000
"""Buckets of one question."""
LONGEST_S: Final = 366 * 86_400
_ORIGIN_US: Final = to_us(datetime(2000, 1, 3, tzinfo=UTC))
"""A Monday, from which fixed buckets are counted, as TimescaleDB's time_bucket does."""
_ORIGIN_DAY: Final = date(2000, 1, 3)
_FIRST_YEAR, _LAST_YEAR = 1, 9998


class Calendar(StrEnum):
    """What a local bucket holds; weeks begin on Monday."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class FixedBuckets:
    """Buckets of `seconds` in UTC, counted from Monday 2000-01-03.

    Raises:
        InvalidInput: not a whole number of seconds from 1 to 366 days.
    """

    seconds: int

    def __post_init__(self) -> None:
        if not 1 <= self.seconds <= LONGEST_S or self.seconds != int(self.seconds):
            raise InvalidInput("bucket", self.seconds, "whole seconds, from 1 to 366 days")

    @property
    def shortest_us(self) -> int:
        """Microseconds of the shortest bucket."""
        return self.seconds * SECOND_US

    def edges_us(self, start_us: int, end_us: int) -> NDArray[np.int64]:
        """(b + 1,) bounds of the b buckets that touch [start, end), microseconds since 1970.

        Raises:
            InvalidInput: there are more than MOST_BUCKETS.
        """
        width = self.seconds * SECOND_US
        first = (start_us - _ORIGIN_US) // width
        last = -((_ORIGIN_US - end_us) // width)
        _check_number(last - first)
        return np.arange(first, last + 1, dtype=np.int64) * width + _ORIGIN_US


@dataclass(frozen=True, slots=True)
class LocalBuckets:
    """`count` hours, days, weeks, months or years of a zone at a time.

    Several hours begin at local midnight (1, 2, 3, 4, 6, 8 or 12 of them), days and weeks are counted from Monday
    2000-01-03, months and years from January of the year 0.

    Raises:
        InvalidInput: the zone is unknown, or the count does not suit the unit.
    """

    unit: Calendar
    zone: str
    count: int = 1

    def __post_init__(self) -> None:
        zone_of(self.zone)
        if self.unit is Calendar.HOUR and self.count not in {1, 2, 3, 4, 6, 8, 12}:
            raise InvalidInput("bucket", self.count, "1, 2, 3, 4, 6, 8 or 12 local hours")
        most = {Calendar.DAY: 366, Calendar.WEEK: 52, Calendar.MONTH: 12}.get(self.unit, 12)
        if not 1 <= self.count <= most:
            raise InvalidInput("bucket", self.count, f"from 1 to {most} local {self.unit}s")

    @property
    def shortest_us(self) -> int:
        """Microseconds of the shortest bucket, about: a day counts as 23 hours."""
        hours = {Calendar.HOUR: 1, Calendar.DAY: 23, Calendar.WEEK: 167}.get(self.unit, 28 * 24 - 1)
        if self.unit is Calendar.YEAR:
            hours = 365 * 24
        return hours * self.count * HOUR_US

    def edges_us(self, start_us: int, end_us: int) -> NDArray[np.int64]:
        """As `FixedBuckets.edges_us`."""
        _check_number((end_us - start_us) // self.shortest_us)
        zone = zone_of(self.zone)
        if self.unit is Calendar.HOUR and self.count == 1:
            edges = _hours(zone, start_us, end_us)
        else:
            begin = from_us(start_us).astimezone(zone).date()
            edges = np.array(list(self._bounds(zone, begin, end_us)), np.int64)
        edges = np.unique(edges)
        first = int(np.searchsorted(edges, start_us, side="right")) - 1
        last = int(np.searchsorted(edges, end_us, side="left"))
        _check_number(last - first)
        return edges[first : last + 1]

    def _bounds(self, zone: ZoneInfo, begin: date, end_us: int) -> Iterator[int]:
        """Bounds from one at or before the local day `begin` to one at or after the end."""
        step = 0
        while True:
            local = self._local(begin, step)
            if not _FIRST_YEAR <= local.year <= _LAST_YEAR:
                raise InvalidInput("start", begin.isoformat(), "a range in the years 1 to 9998")
            edge = to_us(local.replace(tzinfo=zone).astimezone(UTC))
            yield edge
            if edge >= end_us:
                return
            step += 1

    def _local(self, begin: date, step: int) -> datetime:
        """Local time of the bound `step` buckets after the one at or before midnight of `begin`."""
        n = self.count
        midnight = datetime(begin.year, begin.month, begin.day)  # noqa: DTZ001 - local, the zone follows
        if self.unit is Calendar.HOUR:
            return midnight + timedelta(hours=n * step)
        if self.unit in {Calendar.DAY, Calendar.WEEK}:
            days = n * (7 if self.unit is Calendar.WEEK else 1)
            return midnight + timedelta(days=days * step - (begin - _ORIGIN_DAY).days % days)
        months = n * (12 if self.unit is Calendar.YEAR else 1)
        month = ((begin.year * 12 + begin.month - 1) // months + step) * months
        return datetime(month // 12, month % 12 + 1, 1)  # noqa: DTZ001 - local, the zone follows


Buckets = FixedBuckets | LocalBuckets
"""How a range is cut."""


def zone_of(name: str) -> ZoneInfo:
    """The time zone of an IANA name.

    Raises:
        InvalidInput: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput("time_zone", name, "an IANA name such as Europe/Madrid") from None


def _hours(zone: ZoneInfo, start_us: int, end_us: int) -> NDArray[np.int64]:
    """Full local hours around the range: the offset is asked once a day, and hour by hour where it changes."""
    parts: list[NDArray[np.int64]] = []
    at = start_us // DAY_US * DAY_US - DAY_US
    offset = _offset_us(zone, at)
    while at < end_us + DAY_US:
        following = _offset_us(zone, at + DAY_US)
        if offset == following:
            first = at + (-(at + offset)) % HOUR_US
            parts.append(np.arange(first, at + DAY_US, HOUR_US, dtype=np.int64))
        else:
            minutes = np.arange(at, at + DAY_US, 60 * SECOND_US, dtype=np.int64)
            local = minutes + np.array([_offset_us(zone, int(us)) for us in minutes], np.int64)
            parts.append(minutes[local % HOUR_US == 0])
        at, offset = at + DAY_US, following
    return np.concatenate(parts)


def _offset_us(zone: ZoneInfo, us: int) -> int:
    offset = from_us(us).astimezone(zone).utcoffset()
    assert offset is not None, "a zone has an offset at every instant"
    return round(offset.total_seconds() * SECOND_US)


def _check_number(buckets: int) -> None:
    if buckets > MOST_BUCKETS:
        raise InvalidInput(
            "bucket",
            buckets,
            f"at most {MOST_BUCKETS:,} buckets in the range: choose longer buckets or a shorter range",
        )
