"""Speeds along a road as time and distance, the time that it takes to travel it, and what of that is delay.

Pure arithmetic on arrays. A station stands for the road halfway to its neighbours (the mid-point method); between
stations that measured, speeds of those that did not are interpolated along the road, and the measured share of the
length says how much that was. It refuses to know a travel time when less than half of the road is measured.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ENOUGH: Final = 0.5
FREE_SHARE: Final = 85.0
"""Percentile of a station's speeds that counts as free flow (FHWA, Traffic Monitoring Guide)."""
_STANDING_KM_PER_H: Final = 3.0
"""Slower than walking: a travel time from a standing queue would be endless."""


def lengths_m(position_m: Floats) -> Floats:
    """(s,) metres of road that each of s stations stands for, in the order of travel."""
    if len(position_m) < 2:
        return np.zeros(len(position_m))
    edges = np.concatenate(
        [position_m[:1], (position_m[1:] + position_m[:-1]) / 2, position_m[-1:]]
    )
    found: Floats = np.diff(edges)
    return found


def along(speed: Floats, position_m: Floats) -> Floats:
    """(s, m) speeds where those of silent stations lie on the line between their neighbours; the ends go on level."""
    found = speed.copy()
    for column in range(speed.shape[1]):
        known = ~np.isnan(speed[:, column])
        if known.any() and not known.all():
            found[~known, column] = np.interp(
                position_m[~known], position_m[known], speed[known, column]
            )
    return found


def travel_time_s(speed: Floats, position_m: Floats) -> tuple[Floats, Floats]:
    """Seconds from the first to the last station with the speeds of each bucket, and the measured share of the length.

    Args:
        speed: (s, m) km/h of s stations in m buckets; NaN is missing.
        position_m: (s,) metres along the road, rising.

    Returns:
        (m,) seconds, NaN where less than half of the length is measured; (m,) share, 0 to 1.
    """
    length = lengths_m(position_m)
    whole = length.sum()
    if whole <= 0:
        return np.full(speed.shape[1], np.nan), np.zeros(speed.shape[1])
    share = (length[:, None] * ~np.isnan(speed)).sum(axis=0) / whole
    metres_per_s = np.maximum(along(speed, position_m), _STANDING_KM_PER_H) / 3.6
    seconds = (length[:, None] / metres_per_s).sum(axis=0)
    return np.where(share >= ENOUGH, seconds, np.nan), share


def free_speed(speed: Floats) -> Floats:
    """(s,) km/h of each station in free flow: the 85th percentile of what it measured, or NaN."""
    known = ~np.isnan(speed)
    ranked = np.sort(speed, axis=1)  # NaN last
    number = known.sum(axis=1)
    place = (np.maximum(number, 1) - 1) * FREE_SHARE / 100
    low = np.floor(place).astype(np.intp)
    high = np.minimum(low + 1, np.maximum(number, 1) - 1)
    rows = np.arange(len(speed))
    below, above = ranked[rows, low], ranked[rows, high]
    return np.where(number > 0, below + (above - below) * (place - low), np.nan)
