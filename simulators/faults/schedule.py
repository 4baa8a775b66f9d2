"""Faults as windows in time: which of a model's devices have which fault in an interval, and how strongly.

It refuses a fault of a device that the model does not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.domain.errors import InvalidInput
from services.domain.instant import HOUR_US
from simulators.scenario import Fault, FaultKind


@dataclass(frozen=True, slots=True)
class Placed:
    """A fault whose device is known by its row in the model."""

    fault: Fault
    row: int


class Schedule:
    """The faults of one model with n devices."""

    def __init__(self, faults: Sequence[Fault], ids: Sequence[str], live_us: int) -> None:
        """`ids` names the n devices in order; `live_us` is the time from which the faults' hours count."""
        rows = {each: row for row, each in enumerate(ids)}
        self._n = len(ids)
        self._live_us = live_us
        self._placed: dict[FaultKind, list[Placed]] = {}
        for fault in faults:
            row = rows.get(fault.sensor, -1) if isinstance(fault.sensor, str) else fault.sensor
            if not 0 <= row < self._n:
                allowed = f"a number from 0 to {self._n - 1}, or an id such as {[*ids, '?'][0]}"
                raise InvalidInput(f"sensor of the fault {fault.kind}", fault.sensor, allowed)
            self._placed.setdefault(fault.kind, []).append(Placed(fault, row))

    def of(self, *kinds: FaultKind) -> list[Placed]:
        """The faults of some kinds."""
        return [placed for kind in kinds for placed in self._placed.get(kind, ())]

    def hours(self, kind: FaultKind, start_us: int, end_us: int) -> NDArray[np.float64]:
        """(n,) hours of [start_us, end_us) in which each device has the fault, times its size."""
        total = np.zeros(self._n)
        for placed in self._placed.get(kind, ()):
            for begin, end in placed.fault.windows(self._live_us, start_us, end_us):
                overlap = min(end, end_us) - max(begin, start_us)
                total[placed.row] += overlap / HOUR_US * placed.fault.size
        return total

    def active(self, kind: FaultKind, at_us: int) -> NDArray[np.bool_]:
        """(n,) whether each device has the fault at an instant."""
        mask = np.zeros(self._n, dtype=bool)
        for placed in self._placed.get(kind, ()):
            for begin, end in placed.fault.windows(self._live_us, at_us, at_us + 1):
                mask[placed.row] |= begin <= at_us < end
        return mask

    def strength(self, kind: FaultKind, at_us: int) -> NDArray[np.float64]:
        """(n,) the greatest size of the fault at an instant; 0 where a device does not have it."""
        sizes = np.zeros(self._n)
        for placed in self._placed.get(kind, ()):
            if any(placed.fault.windows(self._live_us, at_us, at_us + 1)):
                sizes[placed.row] = max(sizes[placed.row], placed.fault.size)
        return sizes

    def windows(self, placed: Placed, start_us: int, end_us: int) -> list[tuple[int, int]]:
        """The times of one fault that touch [start_us, end_us)."""
        return list(placed.fault.windows(self._live_us, start_us, end_us))
