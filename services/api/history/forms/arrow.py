"""Tables as Arrow IPC streams and Parquet files, written block by block into memory that is handed on at once.

pyarrow does the writing. It is an extra (citygauge[arrow]), because it is larger than everything else together; without
it these two forms are refused with a sentence, and all others work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from io import BytesIO
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.api.errors import FormMissing
from services.api.history.forms.negotiation import Form
from services.api.history.forms.table import (
    NO_TIME,
    Block,
    Column,
    ColumnKind,
    Table,
    Words,
    length,
)
from services.api.history.forms.text import DIVISORS, TimeForm

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP_ROWS: Final = 131_072
"""Rows of a Parquet row group: what is held in memory until it is written."""
_SAMPLE: Final = 10_000


def require(form: Form) -> None:
    """Raise FormMissing where pyarrow is not installed."""
    if find_spec("pyarrow") is None:
        raise FormMissing(form.value)


def stream(table: Table, form: TimeForm) -> Iterator[bytes]:
    """An Arrow IPC stream, a record batch for each block."""
    import pyarrow as pa

    schema = _schema(table, form)
    sink = BytesIO()
    with pa.ipc.new_stream(sink, schema) as writer:
        for block in table.blocks:
            writer.write_batch(_batch(table, schema, block, form))
            yield _drained(sink)
    yield _drained(sink)


def parquet(table: Table, form: TimeForm) -> Iterator[bytes]:
    """A Parquet file, zstd inside; blocks are gathered into row groups.

    Statistics are kept for times and words, by which readers choose row groups; minima of measurements help nobody.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(table, form)
    sink = _Tail()
    groups = _row_groups(table.blocks)
    first = next(groups, [])
    words = [each.name for each in table.columns if each.kind is ColumnKind.WORD]
    with pq.ParquetWriter(
        pa.PythonFile(sink, mode="w"),
        schema,
        compression="zstd",
        use_dictionary=words + _repeated(table, first),
        write_statistics=[*words, *(c.name for c in table.columns if c.kind is ColumnKind.TIME)],
    ) as writer:
        for group in chain([first] if first else [], groups):
            batches = [_batch(table, schema, block, form) for block in group]
            writer.write_table(pa.Table.from_batches(batches, schema))
            yield sink.taken()
    yield sink.taken()


def _row_groups(blocks: Iterator[Block]) -> Iterator[list[Block]]:
    """Blocks that together have the rows of a row group; the last ones fewer."""
    waiting: list[Block] = []
    rows = 0
    for block in blocks:
        waiting.append(block)
        rows += length(block)
        if rows >= ROW_GROUP_ROWS:
            yield waiting
            waiting, rows = [], 0
    if rows:
        yield waiting


class _Tail:
    """A file that gives away what was written: Parquet never looks back, it only asks where it is."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._at = 0
        self.closed = False

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._at += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        """Nothing waits anywhere else."""

    def close(self) -> None:
        self.closed = True

    def taken(self) -> bytes:
        """What was written since the last call."""
        whole = b"".join(self._pieces)
        self._pieces.clear()
        return whole


def _drained(sink: BytesIO) -> bytes:
    piece = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return piece


def _repeated(table: Table, group: Sequence[Block]) -> list[str]:
    """Columns of numbers that have few different values: a dictionary makes them smaller, and others larger."""
    found = []
    for each in table.columns:
        if group and each.kind in {ColumnKind.NUMBER, ColumnKind.INTEGER}:
            values = np.concatenate([np.asarray(block[each.name]) for block in group])
            some = values[:: -(-len(values) // _SAMPLE)]
            if len(np.unique(some)) <= len(some) // 10:
                found.append(each.name)
    return found


def _schema(table: Table, form: TimeForm) -> pa.Schema:
    import pyarrow as pa

    kinds = {
        ColumnKind.TIME: {
            TimeForm.ISO: pa.timestamp("us", "UTC"),
            TimeForm.EPOCH_US: pa.int64(),
        }.get(form, pa.float64()),
        ColumnKind.NUMBER: pa.float64(),
        ColumnKind.INTEGER: pa.int64(),
        ColumnKind.FLAG: pa.bool_(),
        ColumnKind.WORD: pa.dictionary(pa.int32(), pa.utf8()),
    }
    fields = [
        pa.field(each.name, kinds[each.kind], metadata={"unit": each.unit} if each.unit else None)
        for each in table.columns
    ]
    about = {"citygauge": msgspec.json.encode(dict(table.about), enc_hook=str)}
    return pa.schema(fields, metadata=about)


def _batch(table: Table, schema: pa.Schema, block: Block, form: TimeForm) -> pa.RecordBatch:
    import pyarrow as pa

    arrays = [
        _array(each, block, kind, form)
        for each, kind in zip(table.columns, schema.types, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(column: Column, block: Block, kind: pa.DataType, form: TimeForm) -> pa.Array:
    """The column's own memory as Arrow: `pa.array` would import pandas first, where it is installed."""
    import pyarrow as pa

    values = block[column.name]
    if isinstance(values, Words):
        codes = _over(pa.int32(), values.codes.astype(np.int32, copy=False), values.codes < 0)
        return pa.DictionaryArray.from_arrays(codes, _texts(values.texts))
    if column.kind is ColumnKind.FLAG:
        return _over(kind, np.packbits(values, bitorder="little"), None, len(values))
    missing = None
    if column.kind is ColumnKind.NUMBER:
        missing = ~np.isfinite(values)
    elif column.kind is ColumnKind.TIME:
        missing = values == NO_TIME
        values = values if DIVISORS[form] == 1 else values / DIVISORS[form]
    return _over(
        kind, values.astype(np.float64 if kind == pa.float64() else np.int64, copy=False), missing
    )


def _over(
    kind: pa.DataType,
    values: NDArray[Any],
    missing: NDArray[np.bool_] | None,
    length: int | None = None,
) -> pa.Array:
    """An array of the kind over the bytes of (n,) values, of which some are missing."""
    import pyarrow as pa

    there = None
    if missing is not None and missing.any():
        there = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    buffers = [there, pa.py_buffer(np.ascontiguousarray(values))]
    return pa.Array.from_buffers(kind, len(values) if length is None else length, buffers)


def _texts(texts: Sequence[str]) -> pa.Array:
    import pyarrow as pa

    data = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, data)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(data), pa.py_buffer(ends), pa.py_buffer(b"".join(data)))
