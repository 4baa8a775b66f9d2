"""Is traffic far too thin for the low speed that a station tells? Then its speeds are noise, before that is proven.

Slow traffic is dense: occupancy x speed / flow, the length that a vehicle seems to have, stays what it is here as a
rule, or grows where one lane alone stands. Formula: belied where that length is below 1 / 1.65 of its habit
(`sensor_fault.py`) at less than 70 km/h, an occupancy of 1 to 15 % and five vehicles or more; such a speed is no
measurement. The share of such readings fades with 2 1/2 minutes (five readings at least, where they are rarer one);
above .15 the station is in doubt. Above .75 neither holds: noise changes, and a speed that stays low is one.
Units: km/h, %, vehicles. Missing: without occupancy or counts, or while the habit is not known, nothing is belied.
It refuses to say that a sensor is faulty.
"""

from __future__ import annotations

import numpy as np

from services.detect.elementwise import clip
from services.detect.table import Array, Field, Rows, Table
from services.domain.instant import SECOND_US

_DENIED, _LEAST_PCT, _FREE_PCT, _LEAST_VEH, _FREE_KM_PER_H = 0.5, 1.0, 15.0, 5, 70.0
_FADE, _FADE_US, _DOUBT, _STAYS = 0.2, 150 * SECOND_US, 0.15, 0.75


class ThinTraffic:
    """The share of readings of late whose speed is belied."""

    def __init__(self) -> None:
        self.table = Table({"share": Field("f4")})

    def push(
        self,
        rows: Rows,
        dt_us: Array,
        vehicles: Array,
        speed: Array,
        occupancy: Array,
        habit: Array,
    ) -> Array:
        """(n,) bool, the speeds of a reading of each of `rows` (distinct) are belied.

        Args:
            dt_us: (n,) that the reading stands for; vehicles: (n,) in it; speed: (n,) km/h; occupancy: (n,) %.
            habit: (n,) logarithm of the usual length as % x km/h x microseconds for each vehicle, NaN not known.
        """
        known = (vehicles >= _LEAST_VEH) & (occupancy >= _LEAST_PCT) & (occupancy <= _FREE_PCT)
        known &= np.isfinite(habit) & (speed >= 0) & (dt_us > 0)
        length = occupancy * np.maximum(speed, 1.0) * dt_us / np.where(known, vehicles, 1.0)
        belied = known & (speed < _FREE_KM_PER_H)
        belied &= np.log(np.where(known, length, 1.0)) < habit - _DENIED
        old = self.table["share"][rows]
        step = clip(dt_us / _FADE_US, _FADE, 1.0)
        self.table["share"][rows] = np.where(known, old + step * (belied - old), old)
        return np.asarray(belied & (old <= _STAYS))

    def doubtful(self, rows: Rows) -> Array:
        """(n,) bool, too many of late."""
        share = self.table["share"][rows]
        return np.asarray((share > _DOUBT) & (share <= _STAYS))
