"""The native payload's forms as msgspec structs, made from the catalogue, and the unit mappings as factor tables.

It refuses to explain failures: `native_rules.py` does.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, Literal

import msgspec
import numpy as np
from msgspec import UNSET, Raw, UnsetType
from numpy.typing import NDArray

from services.domain.catalogue import CATALOGUE, Domain
from services.domain.units import CONVERSIONS, Conversion
from services.ingest.decoders.json_document import Refused
from services.ingest.decoders.native_rules import read_units

Time = str | int | float
QualityWord = Literal["good", "estimated"]
NO_UNITS: Final = Raw(b"")


@dataclass(frozen=True, slots=True)
class UnitTable:
    """One units mapping as arrays over the domain's metrics, in the catalogue's order.

    Attributes:
        number: place in the memory's stacked tables.
        factor, offset: (metrics,) float64; factor is NaN for a metric that the mapping leaves out.
    """

    number: int
    factor: NDArray[np.float64]
    offset: NDArray[np.float64]


class UnitTables:
    """Remembers the tables of the units mappings seen, as bytes of JSON or as a sensor's registered unit."""

    def __init__(self, domain: Domain, limit: int = 4096) -> None:
        self._domain, self._limit = domain, limit
        self._by_bytes: dict[bytes, UnitTable | None] = {}
        self._by_unit: dict[str | None, UnitTable] = {}
        self._tables: list[UnitTable] = []
        self.reset()

    def reset(self) -> None:
        """Forgets everything when the limit is reached; call between runs of messages only."""
        if self._tables and len(self._by_bytes) + len(self._by_unit) < self._limit:
            return
        self._by_bytes, self._by_unit, self._tables = {}, {}, []
        self._add({})

    def of_mapping(self, raw: bytes) -> UnitTable | None:
        """The table of a units object; None when it is not a valid one."""
        try:
            return self._by_bytes[raw]
        except KeyError:
            pass
        table = None
        with suppress(Refused, msgspec.MsgspecError, ValueError, RecursionError):
            table = self._add(read_units(self._domain, msgspec.json.decode(raw)))
        if len(self._by_bytes) < 2 * self._limit:
            self._by_bytes[raw] = table
        return table

    def of_unit(self, unit: str | None) -> UnitTable:
        """The table of a payload without units from a sensor with this registered unit."""
        table = self._by_unit.get(unit)
        if table is None:
            found = {
                metric.name: CONVERSIONS[metric.quantity][unit]
                for metric in CATALOGUE[self._domain].metrics
                if unit is not None and unit in CONVERSIONS[metric.quantity]
            }
            table = self._by_unit[unit] = self._add(found)
        return table

    def stacked(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Factors and offsets of all tables, each (tables, metrics)."""
        return (
            np.array([table.factor for table in self._tables]),
            np.array([table.offset for table in self._tables]),
        )

    def _add(self, units: dict[str, Conversion]) -> UnitTable:
        missing = Conversion(np.nan, 0.0)
        found = [units.get(metric.name, missing) for metric in CATALOGUE[self._domain].metrics]
        table = UnitTable(
            len(self._tables),
            np.array([each.factor for each in found]),
            np.array([each.offset for each in found]),
        )
        self._tables.append(table)
        return table


@dataclass(frozen=True, slots=True)
class Forms:
    """The compiled decoders of one domain.

    Attributes:
        one: the struct of one reading (time, values, units, sensor_id, quality).
        decode_body: bytes -> one or list of one; decode_columns: bytes -> the columns form. Both raise
            msgspec.MsgspecError for everything that is not plainly right.
        values: metric name -> how to take it from a `values` struct (None where missing).
    """

    one: type[Any]
    decode_body: Callable[[bytes], Any]
    decode_columns: Callable[[bytes], Any]
    values: dict[str, Callable[[Any], Any]]
    units: UnitTables


def forms_of(domain: Domain) -> Forms:
    """Builds the structs of a domain from its metrics."""
    names = [metric.name for metric in CATALOGUE[domain].metrics]
    values = msgspec.defstruct(
        f"{domain.title()}Values",
        [(name, float | None, None) for name in names],
        forbid_unknown_fields=True,
        gc=False,
    )
    one = msgspec.defstruct(
        f"{domain.title()}Reading",
        [
            ("time", Time),
            ("values", values),
            ("units", Raw, NO_UNITS),
            ("sensor_id", str | UnsetType, UNSET),
            ("quality", QualityWord | UnsetType, UNSET),
        ],
        forbid_unknown_fields=True,
        gc=False,
    )
    columns = msgspec.defstruct(
        f"{domain.title()}Columns",
        [
            ("time", list[Time]),
            ("sensor_id", list[str] | UnsetType, UNSET),
            ("quality", list[QualityWord] | UnsetType, UNSET),
            *((name, list[float | None] | UnsetType, UNSET) for name in names),
        ],
        forbid_unknown_fields=True,
        gc=False,
    )
    message = msgspec.defstruct(
        f"{domain.title()}ColumnsMessage",
        [("columns", columns), ("units", Raw, NO_UNITS)],
        forbid_unknown_fields=True,
        gc=False,
    )
    return Forms(
        one,
        msgspec.json.Decoder(one | list[one]).decode,  # type: ignore[valid-type]
        msgspec.json.Decoder(message).decode,
        {name: attrgetter(name) for name in names},
        UnitTables(domain),
    )
