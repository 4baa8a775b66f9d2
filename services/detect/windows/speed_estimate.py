"""A speed for stations that count vehicles and measure occupancy but no speed: flow over occupancy, against free flow.

At free flow a station shows a ratio of flow to occupancy of its own (it depends on the length of vehicles, the loop and
the lanes); speed falls in proportion to it. Formula: v = 100 km/h x (q / occ) / (q / occ in free traffic), with q and
occ as sums that fade with 60 s; free traffic is an occupancy of at most 8 %, and 40 readings of it must have been seen.
Source: the g-factor of PeMS (Jia, Chen, Coifman, Varaiya 2001), learned here from free flow instead of a fixed length.
It refuses to replace a speed that was measured, and to know the free speed of a road: 100 km/h is assumed, so that an
estimate says which share of the free speed is left.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.elementwise import clip
from services.detect.table import Array, Field, Rows, Table

FREE_KM_PER_H: Final = 100.0
_FREE_PCT: Final = 8.0
_FADE_H: Final = 60.0 / 3600.0
_LEAST_PCT, _LEAST_PCT_H = 0.01, 1e-6
"""Less occupancy (and occupancy times hours) than any detector can measure: nothing is worked out from it."""
_LEAST_VEH: Final = 3.0
_KNOWN: Final = 40
_LONG: Final = 2000
"""Readings of free traffic over which the ratio is remembered."""
_WINSOR: Final = 0.7


class SpeedEstimate:
    """Flow over occupancy of each station, and what it is in free traffic."""

    def __init__(self) -> None:
        self.table = Table(
            {
                "vehicles": Field("f8"),
                "covered": Field("f8"),
                "free": Field("f8"),
                "seen": Field("i4"),
            }
        )

    def push(self, rows: Rows, hours: Array, vehicles: Array, occupancy: Array) -> Array:
        """Take one reading of each of `rows` (distinct) and return the (n,) speed in km/h; NaN where it is not known.

        Args:
            hours: (n,) that the reading stands for; vehicles: (n,) in them; occupancy: (n,) %; NaN missing.
        """
        t = self.table
        known = np.isfinite(vehicles) & np.isfinite(occupancy) & (hours > 0)
        if not known.any():
            return np.full(len(rows), np.nan)
        keep = np.exp(-np.where(known, hours, 0.0) / _FADE_H)
        passed = keep * t["vehicles"][rows] + np.where(known, vehicles, 0.0)
        covered = keep * t["covered"][rows] + np.where(known, occupancy * hours, 0.0)
        t["vehicles"][rows], t["covered"][rows] = passed, covered
        free, seen = t["free"][rows], t["seen"][rows]
        light = (
            known & (vehicles >= _LEAST_VEH) & (occupancy >= _LEAST_PCT) & (occupancy <= _FREE_PCT)
        )
        ratio = np.log(np.where(light, vehicles / np.where(light, occupancy * hours, 1.0), 1.0))
        off = np.where(seen >= _KNOWN, clip(ratio - free, -_WINSOR, _WINSOR), ratio - free)
        t["free"][rows] = np.where(light, free + off / np.minimum(seen + 1.0, _LONG), free)
        t["seen"][rows] = np.minimum(seen + light, 2**30)
        able = known & (seen >= _KNOWN) & (passed > 0) & (covered >= _LEAST_PCT_H) & (vehicles > 0)
        now = np.log(np.where(able, passed / np.where(able, covered, 1.0), 1.0))
        speed: Array = FREE_KM_PER_H * np.exp(np.minimum(now - free, np.log(1.3)))
        return np.where(able, speed, np.nan)
