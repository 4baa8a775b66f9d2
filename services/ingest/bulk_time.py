"""Parses many time stamps at once: the three common spellings in numpy, all others one by one by the same rule.

It refuses to have a rule of its own: `services.domain.instant.parse_time` is the rule, this is its fast form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.domain.errors import InvalidInput
from services.domain.instant import parse_time

INVALID: Final = np.iinfo(np.int64).min
"""Stands for a time stamp that `parse_time` refuses."""

_FRACTION_DIGITS: Final = {20: 0, 24: 3, 27: 6}
_PUNCTUATION: Final = ((4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"))
_DIGITS: Final = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18)
_DAYS_IN_MONTH: Final = np.array(
    [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int64
)
_FEW: Final = 8


def parse_times(values: Sequence[object]) -> NDArray[np.int64]:
    """Microseconds since 1970 of each time stamp, shape (n,), INVALID where `parse_time` raises."""
    if len(values) <= _FEW:
        return np.array([_single(value) for value in values], dtype=np.int64)
    try:
        lengths = set(map(len, values))  # type: ignore[arg-type]
    except TypeError:
        lengths = set()
    if len(lengths) == 1 and (length := lengths.pop()) in _FRACTION_DIGITS:
        return _same_length(values, length)
    return _mixed(values)


def _single(value: object) -> int:
    try:
        us = parse_time(value)
    except InvalidInput:
        return int(INVALID)
    return us if -(2**62) < us < 2**62 else int(INVALID)


def _mixed(values: Sequence[object]) -> NDArray[np.int64]:
    out = np.full(len(values), INVALID, dtype=np.int64)
    groups: dict[int, list[int]] = {}
    for place, value in enumerate(values):
        length = len(value) if isinstance(value, str) else 0
        groups.setdefault(length if length in _FRACTION_DIGITS else 0, []).append(place)
    for length, places in groups.items():
        chosen = [values[place] for place in places]
        if length and len(places) > _FEW:
            out[places] = _same_length(chosen, length)
        else:
            out[places] = [_single(value) for value in chosen]
    return out


def _same_length(values: Sequence[object], length: int) -> NDArray[np.int64]:
    try:
        text = "".join(values)  # type: ignore[arg-type]
    except TypeError:
        text = "\ufffd"
    if not text.isascii():
        return np.array([_single(value) for value in values], dtype=np.int64)
    raw = np.frombuffer(text.encode(), dtype=np.uint8).reshape(len(values), length).T
    digit = (raw - 48).astype(np.int64)
    good = raw[length - 1] == ord("Z")
    for place, mark in _PUNCTUATION:
        good &= raw[place] == ord(mark)
    count = _FRACTION_DIGITS[length]
    if count:
        good &= raw[19] == ord(".")
    fraction = np.zeros(len(values), dtype=np.int64)
    for place in range(20, 20 + count):
        fraction = fraction * 10 + digit[place]
    for place in (*_DIGITS, *range(20, 20 + count)):
        good &= digit[place] <= 9
    year = digit[0] * 1000 + digit[1] * 100 + digit[2] * 10 + digit[3]
    month, day = digit[5] * 10 + digit[6], digit[8] * 10 + digit[9]
    hour, minute = digit[11] * 10 + digit[12], digit[14] * 10 + digit[15]
    second = digit[17] * 10 + digit[18]
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    longest = _DAYS_IN_MONTH[np.where(month <= 12, month, 0)] + (leap & (month == 2))
    good &= (year >= 1) & (day >= 1) & (day <= longest)
    good &= (hour < 24) & (minute < 60) & (second < 60)
    seconds = _days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
    out: NDArray[np.int64] = seconds * 1_000_000 + fraction * 10 ** (6 - count)
    for row in np.flatnonzero(~good).tolist():
        out[row] = _single(values[row])
    return out


def _days(
    year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Days since 1970-01-01 in the Gregorian calendar (Hinnant, days_from_civil)."""
    shifted = year - (month <= 2)
    era = shifted // 400
    of_era = shifted - era * 400
    of_year = (153 * (month + np.where(month > 2, -3, 9)) + 2) // 5 + day - 1
    days: NDArray[np.int64] = (
        era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
    )
    return days
