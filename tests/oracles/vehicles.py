"""A road on which vehicles are conserved: each one enters, travels at its own speed, and may wait at one place.

The plain counterpart of what detection works out from counts: it knows where each vehicle is. Nothing of a queue
reaches a station; who counts what, and wrongly, is up to the caller.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Blockage:
    """A place where each vehicle waits from `begin_s` to `end_s`: `waits_s` on average."""

    metres: float
    begin_s: float
    end_s: float
    waits_s: float


def counts(
    random: np.random.Generator,
    stations_m: Floats,
    step_s: float,
    steps: int,
    veh_per_h: Floats,
    blockage: Blockage | None = None,
) -> tuple[Floats, Floats]:
    """Vehicles and their mean speed in km/h (NaN where none passed) at each station, (steps, stations).

    Args:
        veh_per_h: (minutes,) that enter; the first five minutes fill the road.
    """
    minutes = zip(range(len(veh_per_h)), random.poisson(veh_per_h / 60), strict=True)
    at_s = np.concatenate([60 * m + random.uniform(0, 60, n) for m, n in minutes]) - 300.0
    truck = random.random(len(at_s)) < 0.12
    own = np.where(truck, random.normal(24.5, 0.7, len(at_s)), random.normal(29.0, 1.8, len(at_s)))
    waits = np.zeros(len(at_s))
    if blockage is not None:
        there = at_s + blockage.metres / own
        held = (there >= blockage.begin_s) & (there < blockage.end_s)
        waits = np.where(held, blockage.waits_s * random.uniform(0.5, 1.5, len(at_s)), 0.0)
    seen, mean = [], []
    for metres in stations_m:
        beyond = blockage is not None and metres > blockage.metres
        bins = np.floor((at_s + metres / own + waits * beyond) / step_s).astype(int)
        here = (bins >= 0) & (bins < steps)
        count = np.bincount(bins[here], minlength=steps).astype(float)
        total = np.bincount(bins[here], 3.6 * own[here], minlength=steps)
        seen.append(count)
        mean.append(np.where(count > 0, total / np.maximum(count, 1), np.nan))
    return np.stack(seen, axis=1), np.stack(mean, axis=1)
