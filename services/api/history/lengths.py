"""Lengths of time as ISO 8601 durations: of a bucket, and of the way back to an earlier period.

Days, weeks, months and years are calendar ones, in the sensors' local time; hours, minutes and seconds are exact. It
refuses a mixture of months with shorter parts, which has no one meaning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from services.api.parameters import duration
from services.domain.buckets import Buckets, Calendar, FixedBuckets, LocalBuckets
from services.domain.instant import DAY_US, HOUR_US, SECOND_US, from_us, to_us

_DAY_S: Final = 86_400
_LONGEST_S: Final = 366 * _DAY_S
_QUARTER_US: Final = 900 * SECOND_US
BUCKET_RULE: Final = (
    "a length from 1 second to a year: an ISO 8601 duration of hours, minutes and seconds (PT15M, PT1H), of days or "
    "weeks (P1D, P1W), of months (P1M, P3M) or a year (P1Y), or whole seconds (900)"
)
SHIFT_RULE: Final = "an ISO 8601 duration from a day to ten years: P1D, P7D, P1W, P1M, P1Y"
_DURATION: Final = re.compile(
    r"P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,5})W)?(?:(\d{1,5})D)?"
    r"(?:T(?=\d)(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,9})S)?)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Length:
    """A bucket's length: months, or exact seconds (whole days of which are local ones). One of the two is 0."""

    months: int
    seconds: int

    @property
    def text(self) -> str:
        """ISO 8601."""
        if self.months % 12 == 0 and self.months:
            return f"P{self.months // 12}Y"
        return f"P{self.months}M" if self.months else duration(self.seconds)

    @property
    def whole_days(self) -> int:
        """Days of a length of days or weeks; 0 for any other."""
        return 0 if self.seconds % _DAY_S else self.seconds // _DAY_S

    @property
    def longest_us(self) -> int:
        """Microseconds of the longest it can be: a month of 31 days, a day of 25 hours."""
        days = self.months * 31 or self.whole_days
        return days * DAY_US + HOUR_US if days else self.seconds * SECOND_US

    def buckets(self, zone: str) -> Buckets:
        """How this length cuts a range, in the local time of a zone where it is made of days or months."""
        if self.months % 12 == 0 and self.months:
            return LocalBuckets(Calendar.YEAR, zone, self.months // 12)
        if self.months:
            return LocalBuckets(Calendar.MONTH, zone, self.months)
        if self.whole_days:
            weeks, rest = divmod(self.whole_days, 7)
            if not rest and weeks <= 52:
                return LocalBuckets(Calendar.WEEK, zone, weeks)
            return LocalBuckets(Calendar.DAY, zone, self.whole_days)
        return FixedBuckets(self.seconds)

    def before(self, moment: datetime, zone: str) -> datetime:
        """The moment so much earlier on the local calendar; the last day of a month stands in for a missing one."""
        return from_us(int(self.all_before(np.array([to_us(moment)], np.int64), zone)[0]))

    def all_before(self, us: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
        """(n,) as `before`, microseconds since 1970."""
        there = ZoneInfo(zone)
        if not self.months and not self.whole_days:
            return us - self.seconds * SECOND_US
        if self.months:
            return np.array(
                [_months_before(each, self.months, there) for each in us.tolist()], np.int64
            )
        earlier = us - self.whole_days * DAY_US
        guess = earlier + _offsets(us, there) - _offsets(earlier, there)
        return earlier + _offsets(us, there) - _offsets(guess, there)


def parse(text: str) -> Length | None:
    """The length of an ISO 8601 duration or of whole seconds; None when it is neither, or mixes months with others."""
    if re.fullmatch(r"[0-9]{1,9}", text):
        return Length(0, int(text))
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    years, months, weeks, days, hours, minutes, rest = (int(part or 0) for part in match.groups())
    seconds = (weeks * 7 + days) * _DAY_S + hours * 3600 + minutes * 60 + rest
    months += years * 12
    return None if months and seconds else Length(months, seconds)


def _bucket(value: object) -> object:
    found = value if isinstance(value, Length) else parse(str(value))
    if found is None or found.months > 12 or not (found.months or 1 <= found.seconds <= _LONGEST_S):
        raise PydanticCustomError("bucket", BUCKET_RULE)
    return found


def _shift(value: object) -> object:
    found = value if isinstance(value, Length) else parse(str(value))
    if (
        found is None
        or not (found.months or found.whole_days)
        or not 0 <= found.months <= 120
        or found.seconds > 10 * _LONGEST_S
    ):
        raise PydanticCustomError("shift", SHIFT_RULE)
    return found


_TEXT: Final = PlainSerializer(lambda length: length.text, return_type=str)
Bucket = Annotated[
    Length,
    BeforeValidator(_bucket),
    _TEXT,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(P(\d+Y|\d+M|(\d+W)?(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?)|\d{1,8})$",
        }
    ),
]
"""A bucket's length."""

Shift = Annotated[
    Length,
    BeforeValidator(_shift),
    _TEXT,
    WithJsonSchema({"type": "string", "pattern": r"^P(\d+Y|\d+M|\d+W|\d+D)$"}),
]
"""The way back to an earlier period."""


def _months_before(us: int, months: int, zone: ZoneInfo) -> int:
    local = from_us(us).astimezone(zone)
    month = local.year * 12 + local.month - 1 - months
    year, month = divmod(month, 12)
    day = local.replace(tzinfo=None)
    while True:
        try:
            earlier = day.replace(year=year, month=month + 1)
            break
        except ValueError:
            day -= timedelta(days=1)
    return to_us(earlier.replace(tzinfo=zone, fold=local.fold).astimezone(UTC))


def _offsets(us: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.int64]:
    """(n,) microseconds that local time is ahead of UTC; zones change at quarters of an hour."""
    quarters, which = np.unique(us // _QUARTER_US, return_inverse=True)
    found = np.empty(len(quarters), np.int64)
    for i, quarter in enumerate(quarters.tolist()):
        ahead = from_us(quarter * _QUARTER_US).astimezone(zone).utcoffset()
        assert ahead is not None
        found[i] = round(ahead.total_seconds()) * SECOND_US
    return found[which]
