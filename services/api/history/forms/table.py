"""A table of readings on its way out: named columns with units, in blocks of bounded size.

It refuses rows: a column stays one array until its bytes are written. A missing number is NaN, never zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray


class ColumnKind(StrEnum):
    """What a column holds, and as which array a block carries it."""

    TIME = "time"
    """(n,) int64, microseconds since 1970 UTC; NO_TIME where there is none."""
    NUMBER = "number"
    """(n,) float64; NaN is missing."""
    INTEGER = "integer"
    """(n,) of an integer type."""
    FLAG = "flag"
    """(n,) bool."""
    WORD = "word"
    """`Words`: few different texts, many times."""


NO_TIME: Final = int(np.iinfo(np.int64).min)
"""A time that is missing."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name (which ends in the unit), what it holds, and the UCUM code of its unit."""

    name: str
    kind: ColumnKind
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """Texts by their place in a short list.

    Attributes:
        codes: (n,) int32, indices into `texts`; -1 is missing.
        texts: the different texts.
    """

    codes: NDArray[np.int32]
    texts: Sequence[str]

    def __len__(self) -> int:
        return len(self.codes)


Values = NDArray[Any] | Words
Block = Mapping[str, Values]
"""Column name -> values; all of one length."""


@dataclass(frozen=True, slots=True)
class Table:
    """An answer before it has a form.

    Attributes:
        columns: in their order; every block has exactly these.
        blocks: the rows, a block at a time, made when they are asked for.
        about: what else the answer says (sensor, range, bucket...), plain data.
        next: cursor of the following page, for a table that is a page; None at the end or for a whole range.
    """

    columns: Sequence[Column]
    blocks: Iterator[Block]
    about: Mapping[str, object] = field(default_factory=dict)
    next: str | None = None


def length(block: Block) -> int:
    """Rows of a block."""
    return len(next(iter(block.values()), ()))
