"""Which zone a sensor belongs to and which inlet speaks for a zone: numbers that never change, however sensors come.

A sensor that registers costs the same whatever the registry holds. It refuses to know readings.
"""

from __future__ import annotations

from typing import Final

from services.detect.table import Array, Field, Rows, Table

NOWHERE: Final = 0
"""The zone of sensors that name none."""


class ZoneMap:
    """Zones by name, each with the row of its first inlet (-1 before one came) and its customers' number."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}
        self._zones = Table({"lead": Field("i8", -1), "customers": Field("f8")})
        self._zones.add(1)

    def __len__(self) -> int:
        return self._zones.n

    def index(self, zone: str | None) -> int:
        """The number of a zone; a new one where the name is new."""
        if zone is None:
            return NOWHERE
        if zone not in self._index:
            self._index[zone] = self._zones.n
            self._zones.add(1)
        return self._index[zone]

    def alone(self) -> int:
        """A zone without a name, for an inlet that names none."""
        self._zones.add(1)
        return self._zones.n - 1

    def lead(self, zone: int, row: int) -> None:
        """An inlet of the zone; the first one speaks for it."""
        if self._zones["lead"][zone] < 0:
            self._zones["lead"][zone] = row

    def serve(self, zone: int) -> None:
        """One more customer meter in the zone."""
        self._zones["customers"][zone] += 1.0

    def leads(self, zones: Array) -> Rows:
        """(n,) rows of the inlets that speak for (n,) zones, -1 where none does."""
        rows: Rows = self._zones["lead"][zones]
        return rows

    def customers(self) -> Array:
        """(zones,) customer meters of each."""
        return self._zones["customers"][: self._zones.n]


class Members:
    """The zones of one kind's sensors, by row."""

    def __init__(self) -> None:
        self._table = Table({"zone": Field("i8", NOWHERE)})

    def add(self, zone: int) -> None:
        """The next sensor's zone."""
        self._table.add(1)
        self._table["zone"][self._table.n - 1] = zone

    @property
    def zones(self) -> Array:
        """(n,) numbers of the sensors' zones."""
        return self._table["zone"][: self._table.n]
