"""How many vehicles want to enter a motorway at an hour of the week. No roads here."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from services.domain.instant import SECOND_US, from_us
from simulators.traffic.cells import CAPACITY_VEH_PER_H

# fmt: off
_WEEKDAY: Final = np.array([
    0.10, 0.07, 0.06, 0.07, 0.14, 0.34, 0.60, 0.74, 0.70, 0.56, 0.52, 0.54,
    0.57, 0.59, 0.60, 0.65, 0.76, 0.92, 0.82, 0.60, 0.42, 0.33, 0.25, 0.16,
])
_WEEKEND: Final = np.array([
    0.16, 0.12, 0.09, 0.08, 0.09, 0.13, 0.20, 0.29, 0.40, 0.50, 0.57, 0.60,
    0.60, 0.58, 0.57, 0.58, 0.60, 0.61, 0.58, 0.52, 0.44, 0.36, 0.28, 0.20,
])
# fmt: on


class Demand:
    """The demand of n roads; each road and each day has its own measure of busyness."""

    def __init__(self, n: int, time_zone: str, seed: int) -> None:
        self._n, self._seed = n, seed
        self._zone = ZoneInfo(time_zone)
        self._busy = np.random.default_rng([seed, 11]).normal(1.0, 0.02, n)

    def at(self, at_us: int) -> NDArray[np.float64]:
        """(n,) vehicles an hour and lane."""
        local = from_us(at_us).astimezone(self._zone)
        table = _WEEKEND if local.weekday() >= 5 else _WEEKDAY
        hour = local.hour + local.minute / 60 - 0.5
        below = int(np.floor(hour))
        part = hour - below
        share = table[below % 24] * (1 - part) + table[(below + 1) % 24] * part
        today = np.random.default_rng([self._seed, 12, local.toordinal()]).normal(1, 0.015, self._n)
        gust = np.random.default_rng([self._seed, 13, at_us // SECOND_US]).normal(1, 0.04, self._n)
        wanted: NDArray[np.float64] = CAPACITY_VEH_PER_H * share * self._busy * today * gust
        return wanted.clip(min=0.0)
