"""Faults of detectors, put into a simulated recording: what a device says that hangs, chatters or has died.

Each is what detectors of the field are known for (PeMS: constant, no data, zero, high; IRIS: locked on, chatter, no
hits), for 2 to 5 1/2 hours at one station. Everything follows from the seed. It refuses to place two on one station.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Draw = np.random.Generator
_HOURS: Final = (2.0, 5.5)
_COLUMNS: Final = ("count", "speed", "occupancy")


class Fault(NamedTuple):
    """One fault: what, at which station, and the first and last look of it."""

    kind: str
    station: int
    first: int
    last: int


class Said(NamedTuple):
    """(n,) vehicles, km/h (NaN where no vehicle passed) and % of a station while it is faulty."""

    vehicles: Floats
    speed: Floats
    occupancy: Floats


def _stuck_value(true: Said, draw: Draw) -> Said:
    del draw
    some = np.flatnonzero(np.isfinite(true.speed) & (true.vehicles > 0))
    first = int(some[0]) if some.size else 0
    return Said(*(np.full_like(column, column[first]) for column in true))


def _dead_zero(true: Said, draw: Draw) -> Said:
    del draw
    zero = np.zeros_like(true.vehicles)
    return Said(zero, np.full_like(zero, np.nan), zero)


def _stuck_on(true: Said, draw: Draw) -> Said:
    del draw
    zero = np.zeros_like(true.vehicles)
    return Said(zero, np.full_like(zero, np.nan), zero + 100.0)


def _zero_flow_nonzero_occ(true: Said, draw: Draw) -> Said:
    del draw
    zero = np.zeros_like(true.vehicles)
    return Said(zero, np.full_like(zero, np.nan), np.maximum(true.occupancy, 0.3))


def _chatter(true: Said, draw: Draw) -> Said:
    """Each vehicle is counted several times."""
    least = draw.uniform(1.5, 2.5)
    times = draw.uniform(least, least + draw.uniform(2.0, 4.0), len(true.vehicles))
    return true._replace(vehicles=np.round(true.vehicles * times))


def _noise_speed(true: Said, draw: Draw) -> Said:
    noise = draw.uniform(5.0, draw.uniform(110.0, 145.0), len(true.vehicles))
    return true._replace(speed=np.where(np.isfinite(true.speed), noise, np.nan))


def _missing(true: Said, draw: Draw) -> Said:
    del draw
    none = np.full_like(true.vehicles, np.nan)
    return Said(none, none, none)


KINDS: Final[Mapping[str, Callable[[Said, Draw], Said]]] = {
    "stuck_value": _stuck_value,
    "dead_zero": _dead_zero,
    "stuck_on": _stuck_on,
    "zero_flow_nonzero_occ": _zero_flow_nonzero_occ,
    "chatter": _chatter,
    "noise_speed": _noise_speed,
    "missing": _missing,
}
"""Name -> what the device says instead of the truth."""


def faulty(
    seen: dict[str, NDArray[Any]], first_day: int, cadence_s: int, draw: Draw
) -> tuple[dict[str, NDArray[Any]], list[Fault]]:
    """One fault of each kind, each at another station, on days from `first_day` on.

    Args:
        seen: count, speed and occupancy, (looks, stations), and day, (looks,).

    Returns:
        The recording with what the devices said (NaN where nothing came), and the faults.
    """
    said = seen | {name: seen[name].copy() for name in _COLUMNS}
    stations = draw.permutation(seen["count"].shape[1])
    days = np.unique(seen["day"][seen["day"] >= first_day])
    found = []
    for (kind, change), station in zip(KINDS.items(), stations.tolist(), strict=False):
        looks = np.flatnonzero(seen["day"] == draw.choice(days))
        lasts = round(draw.uniform(*_HOURS) * 3600 / cadence_s)
        first = int(looks[0]) + int(draw.integers(60, len(looks) - lasts - 20))
        part = slice(first, first + lasts)
        true = Said(*(seen[name][part, station] for name in _COLUMNS))
        for name, column in zip(_COLUMNS, change(true, draw), strict=True):
            said[name][part, station] = column
        found.append(Fault(kind, station, first, first + lasts - 1))
    return said, found
