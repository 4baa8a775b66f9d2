"""A look at stations and their neighbours downstream, as the signs of an incident share it. It refuses to judge."""

from __future__ import annotations

from dataclasses import dataclass

from services.detect.table import Array, Rows
from services.detect.windows.presence import Presence


@dataclass(frozen=True, slots=True)
class Road:
    """What the watch knows of all its rows at a look.

    Attributes:
        downstream, upstream: (rows,) row of the next station, -1 none.
        metres: (rows,) to the station downstream, NaN none.
        hour, day: (rows,) local.
        doubtful: (rows,) bool, the sensor is not to be believed.
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
    cadence_us: Array
    congested: Array
    presence: Presence


@dataclass(frozen=True, slots=True)
class Pairs:
    """One look at n stations that spoke, and at the neighbour downstream of each.

    Attributes:
        rows, safe: (n,) rows of the station and of its neighbour; the station itself where it has none.
        end_us: of the look; gap: (n,) bool, the look before was too long ago; dt_s: (n,) seconds since it, 0 at a gap.
        v, vd: (n,) km/h here and downstream; slow, slow_beyond: (n,) the same over the last quarter of an hour without
            signs; NaN not known.
        fit: (n,) bool, there is a neighbour, and both are to be believed.
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
