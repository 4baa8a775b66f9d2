"""How much water homes use: random uses whose rate follows the hour and the day of the week. No meters here.

Each interval draws from a generator of its own, so the litres do not depend on how time is cut into calls.
"""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from services.domain.instant import HOUR_US, SECOND_US, from_us
from simulators.water.calendar import Calendar

# fmt: off
_WEEKDAY: Final = np.array([
    0.12, 0.06, 0.04, 0.03, 0.05, 0.25, 1.0, 1.9, 1.6, 1.0, 0.8, 0.8,
    0.9, 1.0, 0.9, 0.8, 0.8, 1.0, 1.3, 1.6, 1.7, 1.5, 0.9, 0.4,
])
_WEEKEND: Final = np.array([
    0.20, 0.10, 0.06, 0.04, 0.04, 0.08, 0.3, 0.8, 1.5, 1.9, 1.9, 1.6,
    1.5, 1.4, 1.2, 1.0, 1.0, 1.1, 1.3, 1.5, 1.5, 1.2, 0.9, 0.5,
])
# fmt: on
_USE_LITRES: Final = 12.0
_USE_SHAPE: Final = 1.3


class Homes:
    """n homes of 1 to 6 people.

    Args:
        calendar: how they spend their days; None: every week is like the others.

    Attributes:
        people: (n,) persons.
        mean_litres_per_h: (n,) what each uses on average.
    """

    def __init__(
        self,
        n: int,
        litres_a_person_a_day: float,
        time_zone: str,
        seed: int,
        calendar: Calendar | None = None,
    ) -> None:
        self._calendar = calendar
        draw = np.random.default_rng([seed, 1])
        self._seed = seed
        self._zone = ZoneInfo(time_zone)
        self._habit = draw.lognormal(0.0, 0.25, n)
        self._late_h = draw.normal(0.0, 0.7, n)
        self.people: NDArray[np.int64] = 1 + draw.binomial(5, 0.33, n)
        self._uses_a_day = self.people * self._habit * litres_a_person_a_day / _USE_LITRES
        self.mean_litres_per_h: NDArray[np.float64] = self._uses_a_day * _USE_LITRES / 24

    def litres(self, start_us: int, length_us: int) -> NDArray[np.float64]:
        """(n,) litres that each home uses in [start_us, start_us + length_us)."""
        draw = np.random.default_rng([self._seed, 2, start_us // SECOND_US])
        local = from_us(start_us + length_us // 2).astimezone(self._zone)
        weekend = local.weekday() >= 5
        hour = local.hour + local.minute / 60 - 0.5 - self._late_h
        below = np.floor(hour).astype(int)
        part = hour - below

        def share(table: NDArray[np.float64]) -> NDArray[np.float64]:
            mixed = table[below % 24] * (1 - part) + table[(below + 1) % 24] * part
            of_the_day: NDArray[np.float64] = mixed / table.sum()
            return of_the_day

        expected = share(_WEEKEND if weekend else _WEEKDAY)
        if self._calendar is not None:
            there, restful, late = self._calendar.day(local.date())
            if not weekend:
                expected = np.where(restful, share(_WEEKEND), expected)
            expected = there * (expected + late[local.hour] / 24)
        uses = draw.poisson(self._uses_a_day * expected * (length_us / HOUR_US))
        litres = draw.gamma(np.maximum(uses, 1) * _USE_SHAPE, _USE_LITRES / _USE_SHAPE)
        return np.where(uses > 0, litres, 0.0)
