"""How many vehicles a reading tells, and of how much time: of its own interval, not of the readings lost before it.

Without counts, those of one lane that would cover the sensor as long: occupancy x speed / 6 m (a vehicle's length for a
loop, with the loop's own). Where a speed is missing too, traffic is free, or, at a sensor that measures speeds, nobody
has passed (up to 25 % of occupancy: in a queue vehicles stand). It is good enough to know whether traffic is usual now.
Units: vehicles, microseconds, km/h, %. Source: speed = flow x length / occupancy (Athol 1965), solved for the flow.
It refuses to estimate vehicles of a sensor that has ever told any.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.table import Array, Field, Rows, Table
from services.detect.windows.speed_estimate import FREE_KM_PER_H
from services.domain.instant import HOUR_US

WHOLE: Final = 1.5
"""Intervals since the last reading from which on one has been lost."""
LONGEST_US: Final = HOUR_US // 2
"""A pause longer than this is a gap: no vehicles are counted over it and nothing is learned from it."""
_VEHICLE_M, _QUEUE_PCT = 6.0, 25.0


class Vehicles:
    """Which sensors tell counts, and which speeds."""

    def __init__(self) -> None:
        self.table = Table({"counts": Field("?"), "measures": Field("?")})

    def passed(
        self, rows: Rows, own_us: Array, vehicles: Array, speed: Array, occupancy: Array
    ) -> Array:
        """(n,) vehicles of one reading of each of `rows`, told or estimated; NaN where neither can be.

        Args:
            own_us: (n,) that the reading stands for; vehicles: (n,) as told; speed: km/h; occupancy: %; NaN missing.
        """
        t = self.table
        t["counts"][rows] |= np.isfinite(vehicles)
        counts = t["counts"][rows]
        if counts.all():
            return vehicles
        measured = np.isfinite(speed)
        t["measures"][rows] |= measured
        none = t["measures"][rows] & ~measured & (occupancy <= _QUEUE_PCT)
        pace = np.where(measured, speed, np.where(none, 0.0, FREE_KM_PER_H))
        covering = occupancy / 100 * pace * 1000 / _VEHICLE_M * (own_us / HOUR_US)
        return np.where(counts, vehicles, covering)


def own_us(dt_us: Array, cadence_us: Array) -> Array:
    """(n,) microseconds that a reading stands for.

    Args:
        dt_us: (n,) since the last reading, 0 at the first; cadence_us: (n,) between readings, 0 not known.
    """
    whole = (dt_us > 0) & (dt_us <= WHOLE * cadence_us)
    return np.where(whole, dt_us, np.minimum(cadence_us, LONGEST_US))
