"""Tables as Arrow IPC streams and Parquet files, written block by block into memory that is handed on at once.

pyarrow does the writing. It is an extra (citygauge[arrow]), because it is larger than everything else together; without
it these two forms are refused with a sentence, and all others work.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from io import BytesIO
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from services.api.errors import FormMissing
from services.api.history.forms.negotiation import Form
from services.api.history.forms.table import NO_TIME, Block, Column, ColumnKind, Table, Words
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
    first = next(table.blocks, None)
    blocks = iter(()) if first is None else chain([first], table.blocks)
    words = [each.name for each in table.columns if each.kind is ColumnKind.WORD]
    with pq.ParquetWriter(
        pa.PythonFile(sink, mode="w"),
        schema,
        compression="zstd",
        use_dictionary=words + _repeated(table, first or {}),
        write_statistics=[*words, *(c.name for c in table.columns if c.kind is ColumnKind.TIME)],
    ) as writer:
        waiting: list[Any] = []
        rows = 0
        for block in blocks:
            batch = _batch(table, schema, block, form)
            waiting.append(batch)
            rows += batch.num_rows
            if rows >= ROW_GROUP_ROWS:
                writer.write_table(pa.Table.from_batches(waiting, schema))
                waiting, rows = [], 0
                yield sink.taken()
        if rows:
            writer.write_table(pa.Table.from_batches(waiting, schema))
    yield sink.taken()


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


def _repeated(table: Table, block: Block) -> list[str]:
    """Columns of numbers that have few different values: a dictionary makes them smaller, and others larger."""
    found = []
    for each in table.columns:
        values = block.get(each.name)
        if each.kind in {ColumnKind.NUMBER, ColumnKind.INTEGER} and isinstance(values, np.ndarray):
            some = values[:_SAMPLE]
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
    import pyarrow as pa

    values = block[column.name]
    if isinstance(values, Words):
        codes = pa.array(values.codes, pa.int32(), mask=values.codes < 0)
        return pa.DictionaryArray.from_arrays(codes, pa.array(list(values.texts), pa.utf8()))
    if column.kind is ColumnKind.NUMBER:
        missing = ~np.isfinite(values)
        return pa.array(values, kind, mask=missing if missing.any() else None)
    if column.kind is ColumnKind.TIME:
        missing = values == NO_TIME
        mask = missing if missing.any() else None
        if pa.types.is_timestamp(kind):
            return pa.array(values, pa.int64(), mask=mask).cast(kind)
        return pa.array(values if DIVISORS[form] == 1 else values / DIVISORS[form], kind, mask=mask)
    return pa.array(values, kind)
