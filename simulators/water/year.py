"""A year of a city's people: public and school holidays, vacations, guests, festival nights and the change of clocks.

`HolidayYear` says which days are lived like Sundays and which are holiday weeks; `of_home` draws how one home spends
it. Everything follows from the seed. It refuses to know water, meters and detectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

_FIXED: Final = ((1, 1), (1, 6), (5, 1), (8, 15), (10, 3), (11, 1), (12, 25), (12, 26))
_SCHOOL: Final = ((2, 10, 7), (7, 18, 42), (10, 20, 7), (12, 22, 14))
"""(month, day, days) of school holidays; the spring's two weeks go with its movable days."""
_AWAY_DAYS: Final = 14
_AWAY, _GUESTS, _FAMILIES = 0.6, 0.35, 0.45
_LATE: Final = (1.2, 1.0, 0.8, 0.3)
"""Uses of the hours 0 to 3 of a festival night, beside about 1 by day."""
_DAY_MIN: Final = 1440


@dataclass(frozen=True, slots=True)
class HomeYear:
    """How a home spends it.

    Attributes:
        there: (days,) share of its people who are there, above 1 with guests.
        restful: (days,) bool, lived like a Sunday.
    """

    there: NDArray[np.float64]
    restful: NDArray[np.bool_]


class HolidayYear:
    """The calendar of one year.

    Attributes:
        days: how many; first: the first of January.
        public, school, festival: (days,) bool; holiday: (days,) bool, in a week (Monday to Sunday) with any of them.
    """

    def __init__(self, year: int, seed: int) -> None:
        draw = np.random.default_rng([seed, 77])
        self.first = date(year, 1, 1)
        self.days = (date(year + 1, 1, 1) - self.first).days
        self.public, self.school, self.festival = np.zeros((3, self.days), np.bool_)
        friday = date(year, 3, 26) + timedelta(days=int(draw.integers(0, 24)))
        friday += timedelta(days=(4 - friday.weekday()) % 7)
        moving = (friday, friday + timedelta(days=3))
        for each in (*(date(year, month, day) for month, day in _FIXED), *moving):
            self.public[self._number(each)] = True
        spring = (friday - timedelta(days=4)).timetuple()
        for month, day, length in (*_SCHOOL, (spring.tm_mon, spring.tm_mday, 14)):
            begin = self._number(date(year, month, day))
            self.school[begin : begin + length] = True
        summer = date(year, 6, 15) + timedelta(days=int(draw.integers(0, 21)))
        saturday = summer + timedelta(days=(5 - summer.weekday()) % 7)
        for each in (saturday, date(year, 12, 31)):
            self.festival[self._number(each)] = True
        week = (np.arange(self.days) + self.first.weekday()) // 7
        some = self.public | self.school | self.festival
        self.holiday = np.isin(week, week[some])

    def of_home(self, draw: np.random.Generator) -> HomeYear:
        """One home's year: a vacation in school holidays, guests at the end of the year, children or none."""
        there = np.ones(self.days)
        family = draw.random() < _FAMILIES
        summer = np.flatnonzero(self.school & (np.arange(self.days) // 30 >= 6))
        if draw.random() < _AWAY:
            begin = (
                int(draw.choice(summer[: -_AWAY_DAYS - 14]))
                if family
                else int(draw.integers(120, 290))
            )
            there[begin : begin + _AWAY_DAYS] = 0.0
        if draw.random() < _GUESTS:
            begin = self.days - int(draw.integers(7, 11))
            there[begin : begin + int(draw.integers(3, 7))] *= float(draw.uniform(1.5, 2.5))
        elif draw.random() < 0.3:
            there[self.days - 9 : self.days - 2] = 0.0
        return HomeYear(there, self.public | (self.school & family))

    def late(self) -> NDArray[np.float64]:
        """(days, 24) uses to add to an hour's usual ones, as shares of a day's mean hour: nights of festivals."""
        out = np.zeros((self.days, 24))
        after = np.flatnonzero(self.festival) + 1
        for k, share in enumerate(_LATE):
            out[after[after < self.days], k] = share
        return out

    def by_clock(self, local: NDArray[np.float64], time_zone: str) -> NDArray[np.float64]:
        """What people do by (days * 1440,) minutes of the wall clock, by minutes of UTC from the first midnight on.

        The hour that the clock leaves out in spring is not lived, the one that it repeats in autumn is lived twice.
        """
        zone = ZoneInfo(time_zone)
        midnight = datetime(self.first.year, self.first.month, self.first.day, tzinfo=zone)
        utc_s = midnight.timestamp() + 60.0 * np.arange(len(local))
        hours = [datetime.fromtimestamp(s, zone).utcoffset() for s in utc_s[::60]]
        offset = np.repeat([0 if h is None else h.total_seconds() // 60 for h in hours], 60)
        place = np.arange(len(local)) + (offset[: len(local)] - offset[0]).astype(np.int64)
        lived: NDArray[np.float64] = local[np.minimum(place, len(local) - 1)]
        return lived

    def _number(self, day: date) -> int:
        return (day - self.first).days
