"""A look at stations and their neighbours downstream, as the signs of an incident share it. It refuses to judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.detect.table import Array, Rows
from services.detect.windows.presence import Presence

NEIGHBOUR_M: Final = 3000.0
"""How far apart stations may be that are compared."""


@dataclass(frozen=True, slots=True)
class Road:
    """What the watch knows of all its rows at a look.

    Attributes:
        downstream, upstream: (rows,) row of the next station, -1 none.
        metres: (rows,) to the station downstream, NaN none.
        hour, day: (rows,) local.
        doubtful: (rows,) bool, the sensor is not to be believed.
        misfit: (rows,) bool, counts do not fit occupancy and speed as they do as a rule.
        cadence_us: (rows,) between readings, 0 not known.
        congested: (rows,) bool, a jam at the station has been told already.
        presence: the times of the stations' readings.
    """

    downstream: Array
    upstream: Array
    metres: Array
    hour: Array
    day: Array
    doubtful: Array
    misfit: Array
    cadence_us: Array
    congested: Array
    presence: Presence

    def ahead(self, rows: Rows, wrong: Array) -> Array:
        """(n,) row of the next station downstream that is to be believed; of the next one where none is, -1 none.

        Args:
            wrong: (rows,) bool, the sensor is silent or not to be believed. It is passed over, two in a row at most,
                as far as stations may be apart.
        """
        first = self.downstream[rows]
        found, metres = first, self.metres[rows]
        for _ in range(2):
            over = (found >= 0) & wrong[found]
            if not over.any():
                return np.asarray(found)
            metres = np.where(over, metres + self.metres[found], metres)
            beyond = self.downstream[found]
            found = np.where(over & (beyond >= 0) & (metres <= NEIGHBOUR_M), beyond, found)
        return np.where((found >= 0) & ~wrong[found], found, first)


@dataclass(frozen=True, slots=True)
class Pairs:
    """One look at n stations that spoke, and at the neighbour downstream of each.

    Attributes:
        rows, safe: (n,) rows of the station and of its neighbour; the station itself where it has none.
        end_us: of the look; gap: (n,) bool, the look before was too long ago; dt_s: (n,) seconds since it, 0 at a gap.
        v, vd: (n,) km/h here and downstream; slow, slow_beyond: (n,) the same over the last quarter of an hour without
            signs; NaN not known.
        fit: (n,) bool, there is a neighbour, it is the next one, and both are to be believed.
    """

    rows: Rows
    safe: Rows
    end_us: int
    gap: Array
    dt_s: Array
    v: Array
    vd: Array
    slow: Array
    slow_beyond: Array
    fit: Array
