"""Water that households use, minute by minute, from single uses: toilets, taps, showers, machines, gardens. No meters.

Each use has a begin, a length and litres, so that what a meter sees in a quarter of an hour looks like what people do
and not like a smooth curve. Sizes and frequencies follow end-use studies of homes (some 40 L a day for toilets, 8 L a
minute for a shower, 50 L a wash). It refuses to know leaks, faults and registers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

DAY_MIN: Final = 1440


class Life(StrEnum):
    """When people are at home."""

    WORK = "work"
    HOME = "home"
    SHIFT = "shift"
    WEEKENDS = "weekends"
    OFFICE = "office"


# fmt: off
_AT_HOME: Final[Mapping[Life, tuple[tuple[float, ...], tuple[float, ...]]]] = {
    Life.WORK: (
        (.10, .05, .05, .05, .10, .5, 2., 2.5, 1.2, .3, .2, .2, .3, .3, .2, .3, .6, 1.2, 1.8, 2., 1.8, 1.6, 1., .4),
        (
            .25, .12, .06, .05, .05, .1, .3, .9, 1.6, 2., 1.8, 1.5,
            1.5, 1.3, 1.1, 1., 1., 1.2, 1.5, 1.6, 1.5, 1.3, 1., .6,
        ),
    ),
    Life.HOME: (
        (
            .15, .10, .10, .10, .12, .3, .8, 1.6, 1.8, 1.6, 1.3, 1.3,
            1.5, 1.2, 1., 1., 1.1, 1.2, 1.5, 1.5, 1.3, 1.2, .8, .3,
        ),
    ) * 2,
    Life.SHIFT: (
        (1., .9, .7, .6, .6, .8, 1.2, 1.6, 1., .2, .15, .1, .1, .2, .6, 1.4, 1.5, 1.4, 1.5, 1.4, 1.2, 1., 1., 1.),
    ) * 2,
    Life.WEEKENDS: (
        (0.,) * 24,
        (
            .25, .12, .06, .05, .05, .1, .3, .9, 1.6, 2., 1.8, 1.5,
            1.5, 1.3, 1.1, 1., 1., 1.2, 1.5, 1.6, 1.5, 1.3, 1., .6,
        ),
    ),
    Life.OFFICE: (
        (0., 0., 0., 0., 0., .1, .5, 1.2, 1.6, 1.6, 1.6, 1.6, 1.8, 1.6, 1.5, 1.5, 1.4, .8, .3, .1, 0., 0., 0., 0.),
        (0.,) * 24,
    ),
}
# fmt: on
"""Uses by hour of the day, on working days and at weekends; only their proportions count."""


@dataclass(frozen=True, slots=True)
class _Use:
    """One kind of use: how often a person has it in a day, litres (log-normal) and minutes."""

    a_day: float
    litres: float
    spread: float
    minutes: tuple[int, int]
    fills: int = 1
    """Machines take water several times, a quarter of an hour or so apart."""


_USES: Final = (
    _Use(5.0, 7.0, 0.15, (1, 2)),  # toilet
    _Use(9.0, 1.6, 0.8, (1, 1)),  # taps
    _Use(1.2, 9.0, 0.6, (2, 5)),  # kitchen
    _Use(0.75, 48.0, 0.45, (4, 10)),  # shower
    _Use(0.25, 12.0, 0.2, (1, 2), 4),  # dishwasher, litres in all
    _Use(0.25, 50.0, 0.25, (2, 4), 4),  # washing machine
)


@dataclass(frozen=True, slots=True)
class Household:
    """Who lives there, and what else takes water.

    Attributes:
        people: persons (of an office: desks).
        life: when they are there.
        garden: minutes of irrigation at 5 h, every other day; 0 for none.
        softener: a water softener that takes 90 L at 2 h, every fourth night.
    """

    people: int
    life: Life = Life.WORK
    garden: int = 0
    softener: bool = False

    def litres(
        self,
        weekday: int,
        there: NDArray[np.float64],
        draw: np.random.Generator,
        *,
        restful: NDArray[np.bool_] | None = None,
        late: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """(days * 1440,) litres by the minute.

        Args:
            weekday: of the first day, 0 for Monday.
            there: (days,) share of the people who are there; above 1 with guests. Gardens and softeners go on.
            restful: (days,) bool, lived as at weekends; late: (days, 24) uses more than usual at an hour.
        """
        days = len(there)
        out = np.zeros(days * DAY_MIN)
        weekend = (np.arange(days) + weekday) % 7 >= 5
        if restful is not None:
            weekend |= restful
        hours = np.array(_AT_HOME[self.life])[weekend.astype(int)]
        busy = hours.sum(axis=1) > 0
        share = (hours if late is None else hours + late) / np.where(busy, hours.sum(axis=1), 1.0)[
            :, None
        ]
        for use in _USES:
            often = use.a_day * (0.4 if self.life is Life.OFFICE else 1.0)
            expected = self.people * often * there * busy * draw.gamma(6.0, 1 / 6.0, days)
            number = draw.poisson(expected[:, None] * share)
            day, hour = np.nonzero(number)
            begin = np.repeat(day * DAY_MIN + hour * 60, number[day, hour]).astype(np.float64)
            begin += draw.uniform(0, 60, len(begin))
            self._take(out, use, begin, draw)
        first = int(draw.integers(0, 4))
        if self.garden:
            for watered in range(first % 2, days, 2):
                _pour(out, watered * DAY_MIN + 300, self.garden, 11.0 * self.garden)
        if self.softener:
            for night in range(first, days, 4):
                _pour(out, night * DAY_MIN + 120, 60, 90.0)
        return out

    @staticmethod
    def _take(
        out: NDArray[np.float64],
        use: _Use,
        begin: NDArray[np.float64],
        draw: np.random.Generator,
    ) -> None:
        litres = use.litres * draw.lognormal(0.0, use.spread, len(begin)) / use.fills
        for fill in range(use.fills):
            at = begin + fill * draw.uniform(9, 25, len(begin))
            minutes = draw.integers(use.minutes[0], use.minutes[1] + 1, len(begin))
            for k in range(use.minutes[1]):
                on = minutes > k
                place = np.minimum(at[on].astype(np.int64) + k, len(out) - 1)
                np.add.at(out, place, (litres / minutes)[on])


def _pour(out: NDArray[np.float64], begin: int, minutes: int, litres: float) -> None:
    out[begin : begin + minutes] += litres / minutes
