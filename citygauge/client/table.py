"""An answer: columns with units, as numpy, pandas or polars, without a copy where Arrow can do without one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas
    import polars


class Table:
    """Columns of one length.

    Attributes:
        arrow: the pyarrow.Table; missing values are nulls, times are UTC.
    """

    def __init__(self, arrow: Any) -> None:
        self.arrow = arrow

    @classmethod
    def of_stream(cls, data: bytes) -> Table:
        """The table of an Arrow IPC stream."""
        with pa.ipc.open_stream(pa.BufferReader(data)) as reader:
            return cls(reader.read_all())

    def __len__(self) -> int:
        return int(self.arrow.num_rows)

    def __repr__(self) -> str:
        return f"<Table of {len(self):,} rows: {', '.join(self.columns)}>"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.arrow.column_names)

    @property
    def units(self) -> Mapping[str, str]:
        """UCUM code of each column that has a unit."""
        found = {}
        for field in self.arrow.schema:
            if field.metadata and b"unit" in field.metadata:
                found[field.name] = field.metadata[b"unit"].decode()
        return found

    @property
    def about(self) -> Mapping[str, Any]:
        """What else the answer says: range, bucket, sensors."""
        found = (self.arrow.schema.metadata or {}).get(b"citygauge", b"{}")
        about: Mapping[str, Any] = json.loads(found)
        return about

    def to_numpy(self) -> dict[str, NDArray[Any]]:
        """Each column as an array: times datetime64[us] in UTC, numbers float64 with NaN for missing, texts objects."""
        return {name: self._array(name) for name in self.columns}

    def _array(self, name: str) -> NDArray[Any]:
        column = self.arrow[name]
        kind = column.type
        if pa.types.is_timestamp(kind):
            times: NDArray[Any] = column.cast(pa.timestamp("us")).to_numpy()
            return times.astype("datetime64[us]")
        if pa.types.is_dictionary(kind):
            column = column.cast(pa.string())
        found: NDArray[Any] = column.to_numpy()
        return found.astype(np.float64) if pa.types.is_floating(kind) else found

    def to_pandas(self, index: str | None = "time") -> pandas.DataFrame:
        """A pandas DataFrame; `index` (where there is such a column) becomes its index."""
        frame = self.arrow.to_pandas()
        return frame.set_index(index) if index in self.columns else frame

    def to_polars(self) -> polars.DataFrame:
        """A polars DataFrame."""
        import polars

        frame = polars.from_arrow(self.arrow)
        assert isinstance(frame, polars.DataFrame)
        return frame
