"""State of many sensors as named arrays, one row a sensor, that grow by doubling.

It refuses to know what the numbers mean: windows and detectors declare their fields and own a table each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Rows = NDArray[np.intp]
NEVER: Final = np.iinfo(np.int64).min
"""An instant that has not happened."""


@dataclass(frozen=True, slots=True)
class Field:
    """One array of a table: dtype, what a new row holds, and the shape of one row's entry."""

    dtype: str
    fill: float | int | bool = 0
    shape: tuple[int, ...] = ()


class Table:
    """Growing arrays with one row for each sensor.

    Attributes:
        n: rows in use. Arrays hold at least that many; rows beyond are spare and carry the fill value.
    """

    def __init__(self, fields: Mapping[str, Field]) -> None:
        self.fields = dict(fields)
        self.n = 0
        self._arrays: dict[str, Array] = {name: _filled(f, 0) for name, f in self.fields.items()}
        self._capacity = 0

    def __getitem__(self, name: str) -> Array:
        """(capacity, ...) array of the field; index it with rows."""
        return self._arrays[name]

    @property
    def bytes_per_row(self) -> int:
        """Bytes of state that one sensor costs."""
        return sum(
            np.dtype(f.dtype).itemsize * int(np.prod(f.shape, dtype=np.int64))
            for f in self.fields.values()
        )

    def add(self, count: int) -> None:
        """Append `count` rows with fill values; amortised constant time a row."""
        self.n += count
        if self.n <= self._capacity:
            return
        capacity = max(self.n, 2 * self._capacity, 64)
        for name, f in self.fields.items():
            grown = _filled(f, capacity)
            grown[: self._capacity] = self._arrays[name]
            self._arrays[name] = grown
        self._capacity = capacity

    def take(self, rows: Rows) -> dict[str, Array]:
        """Copies of the rows' entries, by field."""
        return {name: array[rows] for name, array in self._arrays.items()}

    def put(self, rows: Rows, entries: Mapping[str, Array]) -> None:
        """Set the rows' entries; fields that are absent keep their values."""
        for name, values in entries.items():
            if name in self._arrays:
                self._arrays[name][rows] = values


def _filled(f: Field, capacity: int) -> Array:
    return np.full((capacity, *f.shape), f.fill, dtype=f.dtype)
