"""Motorways as cells through which traffic moves by a triangular fundamental diagram; queues grow upstream.

The cell transmission model (Daganzo 1994, Transportation Research B 28, 269-287): what a cell sends is limited by
its traffic and its capacity, what the next one takes by its room. No stations and no noise here.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

FREE_KM_PER_H: Final = 112.0
CAPACITY_VEH_PER_H: Final = 1900.0
"""Of one lane."""
WAVE_KM_PER_H: Final = 17.0
"""Speed at which the back of a queue moves upstream."""
CRITICAL_VEH_PER_KM: Final = CAPACITY_VEH_PER_H / FREE_KM_PER_H
JAM_VEH_PER_KM: Final = CRITICAL_VEH_PER_KM + CAPACITY_VEH_PER_H / WAVE_KM_PER_H

Grid = NDArray[np.float64]
"""(roads, cells), always for one lane."""


class Passed(NamedTuple):
    """What passed in an interval, each (roads, cells) and for one lane.

    Attributes:
        vehicles: how many left each cell.
        veh_per_km: mean density.
        km_per_h: mean speed.
    """

    vehicles: Grid
    veh_per_km: Grid
    km_per_h: Grid


class Cells:
    """Roads of equal cells; vehicles are fractions, the noise of counting is the stations' business."""

    def __init__(self, roads: int, cells: int, cell_km: float) -> None:
        self._cell_km = cell_km
        self._density = np.zeros((roads, cells))
        self._waiting = np.zeros(roads)

    def fill(self, demand: NDArray[np.float64]) -> None:
        """Put the traffic of a steady `demand` (roads,) on the roads, so that they need no warm-up."""
        steady = np.minimum(demand, CAPACITY_VEH_PER_H) / FREE_KM_PER_H
        self._density[:] = steady[:, None]

    def pass_time(self, seconds: float, demand: NDArray[np.float64], capacity: Grid) -> Passed:
        """Let traffic move for an interval.

        Args:
            seconds: its length.
            demand: (roads,) vehicles an hour and lane that want to enter.
            capacity: (roads, cells) share of the capacity of a cell's end that is open, 0..1.
        """
        longest_s = self._cell_km / FREE_KM_PER_H * 3600
        slices = int(np.ceil(seconds / longest_s))
        hours = seconds / slices / 3600
        open_flow = CAPACITY_VEH_PER_H * capacity
        vehicles = np.zeros_like(self._density)
        density = np.zeros_like(self._density)
        for _ in range(slices):
            sent, taken = self._flows(open_flow)
            # The queue before the first cell holds who found no room.
            self._waiting += demand * hours
            entering = np.minimum(self._waiting / hours, taken[:, 0])
            self._waiting -= entering * hours
            leaving = sent.copy()
            leaving[:, :-1] = np.minimum(sent[:, :-1], taken[:, 1:])
            inflow = np.concatenate((entering[:, None], leaving[:, :-1]), axis=1)
            self._density += (inflow - leaving) * (hours / self._cell_km)
            vehicles += leaving * hours
            density += self._density
        density /= slices
        flow = vehicles / (seconds / 3600)
        speed = np.divide(
            flow, density, out=np.full_like(flow, FREE_KM_PER_H), where=density > 1e-6
        )
        return Passed(vehicles, density, np.clip(speed, 3.0, FREE_KM_PER_H))

    def _flows(self, open_flow: Grid) -> tuple[Grid, Grid]:
        """What each cell could send and could take, vehicles an hour and lane."""
        sent = np.minimum(FREE_KM_PER_H * self._density, open_flow)
        room = np.maximum(WAVE_KM_PER_H * (JAM_VEH_PER_KM - self._density), 0.0)
        return sent, np.minimum(CAPACITY_VEH_PER_H, room)
