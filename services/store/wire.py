"""Columns on PostgreSQL's wire: numpy arrays to binary COPY rows and binary array parameters, and back, without a loop.

It refuses NULL inside arrays: NaN is how a missing measurement travels, COALESCE and NULLIF turn it at the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import pq
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.rows import TupleRow

from services.domain.batch import ReadingBatch
from services.domain.instant import OLDEST_US
from services.store.connection import Connection

POSTGRES_EPOCH_US: Final = OLDEST_US
"""Microseconds from 1970 to 2000-01-01 UTC, where PostgreSQL's time stamps begin."""
_COPY_HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_COPY_TRAILER: Final = b"\xff\xff"
_NULL: Final = -1
_EMPTY_ARRAY_BYTES: Final = 12
_ARRAY_HEADER_BYTES: Final = 20


def copy_stream(batch: ReadingBatch) -> bytes:
    """The batch as the whole stream of a binary COPY into (time, sensor, quality, received_at, *metrics).

    A missing value (NaN) becomes NULL. Source: PostgreSQL documentation, COPY, "Binary Format".
    """
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in (("time", ">i8"), ("sensor", ">i4"), ("quality", ">i2"), ("received", ">i8")):
        fields += [(f"{name}_size", ">i4"), (name, kind)]
    for name in batch.metrics:
        fields += [(f"{name}_size", ">i4"), (name, ">f8")]
    row = np.dtype(fields)
    rows = np.empty(len(batch), row)
    rows["fields"] = 4 + len(batch.metrics)
    for name, size in (("time", 8), ("sensor", 4), ("quality", 2), ("received", 8)):
        rows[f"{name}_size"] = size
    rows["time"] = batch.observed_us - POSTGRES_EPOCH_US
    rows["sensor"] = batch.sensor
    rows["quality"] = batch.quality
    rows["received"] = batch.received_us - POSTGRES_EPOCH_US
    absent: list[tuple[NDArray[np.bool_], int]] = []
    for name, values in batch.metrics.items():
        rows[f"{name}_size"] = 8
        rows[name] = values
        missing = np.isnan(values)
        if missing.any():
            rows[f"{name}_size"][missing] = _NULL
            absent.append((missing, row.fields[name][1]))  # type: ignore[index]
    return b"".join((_COPY_HEADER, _without(rows, absent), _COPY_TRAILER))


def _without(rows: NDArray[Any], absent: list[tuple[NDArray[np.bool_], int]]) -> bytes:
    """The rows' bytes, less the eight of each missing value (its offset in the row)."""
    if not absent:
        return rows.tobytes()
    cells = rows.view(np.uint8).reshape(len(rows), rows.dtype.itemsize)
    kept = np.ones(cells.shape, np.bool_)
    for missing, start in absent:
        kept[missing, start : start + 8] = False
    return cells[kept].tobytes()


class WireArray:
    """A parameter that is a whole array: its bytes in PostgreSQL's binary form. Subclasses fix the element's type."""

    element_oid: ClassVar[int]
    element: ClassVar[np.dtype[Any]]
    __slots__ = ("data",)

    def __init__(self, values: NDArray[Any]) -> None:
        cells = np.empty(len(values), [("size", ">i4"), ("value", self.element)])
        cells["size"] = self.element.itemsize
        cells["value"] = values
        shape = (
            [1, 0, self.element_oid, len(values), 1] if len(values) else [0, 0, self.element_oid]
        )
        self.data = np.array(shape, ">i4").tobytes() + cells.tobytes()


class Integers(WireArray):
    """int4[]"""

    element_oid, element = 23, np.dtype(">i4")


class Smallints(WireArray):
    """int2[]"""

    element_oid, element = 21, np.dtype(">i2")


class Floats(WireArray):
    """float8[]"""

    element_oid, element = 701, np.dtype(">f8")


class Times(WireArray):
    """timestamptz[] from microseconds since 1970."""

    element_oid, element = 1184, np.dtype(">i8")

    def __init__(self, us: NDArray[np.int64]) -> None:
        super().__init__(us - POSTGRES_EPOCH_US)


class _WireDumper(Dumper):
    format = pq.Format.BINARY

    def dump(self, obj: WireArray) -> Buffer | None:
        return obj.data


class _IntegersDumper(_WireDumper):
    oid = 1007


class _SmallintsDumper(_WireDumper):
    oid = 1005


class _FloatsDumper(_WireDumper):
    oid = 1022


class _TimesDumper(_WireDumper):
    oid = 1185


class _ArrayLoader(Loader):
    """numpy array of a binary array without NULLs."""

    format = pq.Format.BINARY
    element: ClassVar[np.dtype[Any]]
    native: ClassVar[np.dtype[Any]]

    def load(self, data: Buffer) -> NDArray[Any]:
        raw = bytes(data)
        if len(raw) <= _EMPTY_ARRAY_BYTES:
            return np.empty(0, self.native)
        cell = np.dtype([("size", ">i4"), ("value", self.element)])
        return np.frombuffer(raw, cell, offset=_ARRAY_HEADER_BYTES)["value"].astype(self.native)


class _IntegersLoader(_ArrayLoader):
    element, native = np.dtype(">i4"), np.dtype(np.int32)


class _SmallintsLoader(_ArrayLoader):
    element, native = np.dtype(">i2"), np.dtype(np.int16)


class _BigintsLoader(_ArrayLoader):
    element, native = np.dtype(">i8"), np.dtype(np.int64)


class _FloatsLoader(_ArrayLoader):
    element, native = np.dtype(">f8"), np.dtype(np.float64)


class _TimesLoader(_ArrayLoader):
    element, native = np.dtype(">i8"), np.dtype(np.int64)

    def load(self, data: Buffer) -> NDArray[np.int64]:
        return super().load(data) + POSTGRES_EPOCH_US


_DUMPERS: Final[Mapping[type[WireArray], type[Dumper]]] = {
    Integers: _IntegersDumper,
    Smallints: _SmallintsDumper,
    Floats: _FloatsDumper,
    Times: _TimesDumper,
}
_LOADERS: Final[Mapping[int, type[Loader]]] = {
    1007: _IntegersLoader,
    1005: _SmallintsLoader,
    1016: _BigintsLoader,
    1022: _FloatsLoader,
    1185: _TimesLoader,
}


def columnar(conn: Connection) -> psycopg.Cursor[TupleRow]:
    """A cursor that takes `WireArray` parameters and returns arrays as numpy (times: int64 us since 1970)."""
    cursor = conn.cursor(binary=True)
    for kind, dumper in _DUMPERS.items():
        cursor.adapters.register_dumper(kind, dumper)
    for oid, loader in _LOADERS.items():
        cursor.adapters.register_loader(oid, loader)
    return cursor
