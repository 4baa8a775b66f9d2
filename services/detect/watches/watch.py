"""A watch looks after all sensors of one kind: their windows and their detectors, as rows of one set of tables.

It refuses to know other kinds, batches and shards; `core.py` does.
"""

from __future__ import annotations

from typing import Protocol

from services.detect.table import Array, Rows, Table
from services.domain.condition import Condition
from services.domain.sensor import Sensor


class Watch(Protocol):
    """What the core needs of the watch over a kind of sensor."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the catalogue that `step` wants, in its order."""

    def add(self, sensors: list[Sensor]) -> None:
        """New rows at the end, in order."""

    def tables(self) -> dict[str, Table]:
        """All state by name; every table has the same rows."""

    def look(self, end_us: int) -> list[Condition]:
        """A half-minute of the feed's time is complete: compare sensors with each other."""

    def step(self, rows: Rows, at_us: Array, values: list[Array]) -> list[Condition]:
        """One reading of each of `rows` (distinct), finite or NaN values in the order of `columns`."""
