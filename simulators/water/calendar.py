"""How the homes of a district spend each day of any year: who is there, who rests, how late the city stays up.

One `HolidayYear` for each calendar year, one `HomeYear` for each home in it, all from the seed, made when first asked
for. It refuses to know water, meters and detectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from services.domain.instant import from_us, to_us
from simulators.water.year import HolidayYear


@dataclass(frozen=True, slots=True)
class LivedYear:
    """A year of n homes.

    Attributes:
        calendar: of the city.
        there: (days, n) share of each home's people who are there; restful: (days, n) bool, lived like a Sunday.
        late: (days, 24) uses to add to an hour's, as shares of a mean hour's.
    """

    calendar: HolidayYear
    there: NDArray[np.float32]
    restful: NDArray[np.bool_]
    late: NDArray[np.float64]


class Calendar:
    """The days of n homes."""

    def __init__(self, homes: int, seed: int, time_zone: str) -> None:
        self._homes, self._seed, self._zone = homes, seed, ZoneInfo(time_zone)
        self._years: dict[int, LivedYear] = {}

    def day(
        self, local: date
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]:
        """(n,) share of people there, (n,) whether the day is restful, (24,) uses to add by hour."""
        lived = self._year(local.year)
        number = (local - lived.calendar.first).days
        return lived.there[number], lived.restful[number], lived.late[number]

    def harmless(self, start_us: int, end_us: int) -> Iterator[tuple[int, str, tuple[int, int]]]:
        """(home, "vacation" or "guests", [begin, end) in microseconds) that touch [start_us, end_us), by home."""
        first, last = (from_us(at).astimezone(self._zone).date() for at in (start_us, end_us))
        days = [first + timedelta(days=k) for k in range((last - first).days + 1)]
        there = np.stack([self.day(each)[0] for each in days])
        for name, which in (("vacation", there < 1), ("guests", there > 1)):
            padded = np.pad(which.astype(np.int8), ((1, 1), (0, 0)))
            home, place = np.nonzero(np.diff(padded, axis=0).T)
            for k in range(0, len(home), 2):
                begin, end = (first + timedelta(days=int(each)) for each in place[k : k + 2])
                yield int(home[k]), name, (self._midnight_us(begin), self._midnight_us(end))

    def _midnight_us(self, day: date) -> int:
        return to_us(datetime.combine(day, time(), self._zone))

    def _year(self, year: int) -> LivedYear:
        if year not in self._years:
            calendar = HolidayYear(year, self._seed)
            draw = np.random.default_rng([self._seed, 79, year])
            there = np.empty((calendar.days, self._homes), np.float32)
            restful = np.empty((calendar.days, self._homes), np.bool_)
            for home in range(self._homes):
                spent = calendar.of_home(draw)
                there[:, home], restful[:, home] = spent.there, spent.restful
            self._years[year] = LivedYear(calendar, there, restful, calendar.late())
        return self._years[year]
