"""The hour of the week (0..167, Monday 00 h is 0) in each sensor's own time zone, daylight saving included.

The offsets of a zone are tabulated once from the IANA data; it refuses to guess zones.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from services.detect.table import Array
from services.domain.instant import HOUR_US, SECOND_US

SLOTS: Final = 168
_FIRST: Final = datetime(1999, 12, 31, tzinfo=UTC)
_LAST: Final = datetime(2051, 1, 1, tzinfo=UTC)
_MONDAY_SHIFT_US: Final = 3 * 24 * HOUR_US  # 1970-01-01 was a Thursday


@lru_cache(maxsize=512)
def transitions(time_zone: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Instants (m,) from which an offset holds, and the offsets (m,), in microseconds, 2000 to 2050.

    The first entry holds for all earlier times, the last for all later ones.
    """
    zone = ZoneInfo(time_zone)

    def offset(second: int) -> int:
        local = datetime.fromtimestamp(second, UTC).astimezone(zone).utcoffset()
        return int((local or timedelta()).total_seconds())

    day, last = int(_FIRST.timestamp()), int(_LAST.timestamp())
    starts, offsets = [np.iinfo(np.int64).min], [offset(day)]
    while day < last:
        following = day + 86400
        if offset(following) != offsets[-1]:
            low, high = day, following
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == offsets[-1] else (low, middle)
            starts.append(high * SECOND_US)
            offsets.append(offset(high))
        day = following
    return np.array(starts, np.int64), np.array(offsets, np.int64) * SECOND_US


class LocalClock:
    """Local hours of instants, for sensors of several zones."""

    def __init__(self) -> None:
        self._zones: list[str] = []

    def zone(self, time_zone: str) -> int:
        """Index of a zone for `offset_us`; known zones keep theirs."""
        if time_zone not in self._zones:
            self._zones.append(time_zone)
        return self._zones.index(time_zone)

    def offset_us(self, zone: Array, us: Array) -> Array:
        """(n,) offset from UTC in microseconds; zone (n,) indices, us (n,) instants."""
        out = np.zeros(len(us), np.int64)
        for index in (0,) if len(self._zones) == 1 else np.unique(zone):
            mine = slice(None) if len(self._zones) == 1 else zone == index
            starts, offsets = transitions(self._zones[index])
            chosen = us[mine]
            if len(chosen) == 0:
                continue
            first, last = np.searchsorted(starts, (chosen.min(), chosen.max()), side="right") - 1
            out[mine] = (
                offsets[first]
                if first == last
                else offsets[np.searchsorted(starts, chosen, side="right") - 1]
            )
        return out

    def slot(self, zone: Array, us: Array) -> Array:
        """(n,) intp hour of the local week, 0..167."""
        return slot_of_local(us + self.offset_us(zone, us))


def slot_of_local(local_us: Array) -> Array:
    """(n,) intp hour of the local week of instants that carry their offset already."""
    return (((local_us + _MONDAY_SHIFT_US) // HOUR_US) % SLOTS).astype(np.intp)
