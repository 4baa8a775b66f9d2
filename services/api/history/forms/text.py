"""Tables as text: JSON by columns or by rows, NDJSON, CSV. Whole columns become cells, cells become lines, in C.

It refuses to let a spreadsheet compute: a text that would be read as a formula gets an apostrophe in front
(OWASP, "CSV Injection"). Numbers are numbers, also negative ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

import msgspec
import numpy as np

from services.api.encoding import column, encoded, times
from services.api.history.forms.table import (
    NO_TIME,
    Block,
    Column,
    ColumnKind,
    Table,
    Values,
    Words,
)

CSV_NEWLINE: Final = b"\r\n"
_WIDE: Final = ("\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Full-width = + - @, which some spreadsheets read as the narrow ones."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", *_WIDE)
_NEEDS_QUOTES: Final = frozenset(',"\r\n')


class TimeForm(StrEnum):
    """How times are written."""

    ISO = "iso"
    """RFC 3339 in UTC."""
    EPOCH_S = "epoch_s"
    """Seconds since 1970 UTC; with a fraction only where there is one."""
    EPOCH_MS = "epoch_ms"
    """Milliseconds since 1970 UTC."""
    EPOCH_US = "epoch_us"
    """Microseconds since 1970 UTC, exact."""


DIVISORS: Final = {
    TimeForm.ISO: 1,
    TimeForm.EPOCH_S: 1_000_000,
    TimeForm.EPOCH_MS: 1_000,
    TimeForm.EPOCH_US: 1,
}
"""Microseconds of the unit of a time's number."""


def array(kind: ColumnKind, values: Values, form: TimeForm) -> msgspec.Raw:
    """A column as a JSON array."""
    if isinstance(values, Words):
        return msgspec.Raw(b"[" + b",".join(_word_cells(values)) + b"]")
    if kind is ColumnKind.TIME:
        return _times(values, form)
    if kind is ColumnKind.NUMBER:
        return column(values)
    return msgspec.Raw(encoded(values.tolist()))


def by_columns(table: Table, form: TimeForm) -> bytes:
    """One document: what the table is about, then its columns, then where the next page is."""
    block = next(table.blocks, None) or {}
    columns = {each.name: array(each.kind, block[each.name], form) for each in table.columns}
    return encoded(_document(table, {"columns": columns}))


def by_rows(table: Table, form: TimeForm) -> bytes:
    """One document with an object for each row."""
    block = next(table.blocks, None) or {}
    rows = msgspec.Raw(b"[" + b",".join(_objects(table.columns, block, form)) + b"]")
    return encoded(_document(table, {"rows": rows}))


def _document(table: Table, body: dict[str, object]) -> dict[str, object]:
    tail = {"next": table.next, "has_more": table.next is not None}
    return {**table.about, **body, **tail}


def ndjson(table: Table, form: TimeForm) -> Iterator[bytes]:
    """An object a line, a block at a time."""
    for block in table.blocks:
        lines = _objects(table.columns, block, form)
        if lines:
            yield b"\n".join(lines) + b"\n"


def csv(table: Table, form: TimeForm) -> Iterator[bytes]:
    """The head, then lines, a block at a time."""
    yield b",".join(csv_text(each.name) for each in table.columns) + CSV_NEWLINE
    for block in table.blocks:
        cells = [_csv_cells(each.kind, block[each.name], form) for each in table.columns]
        lines = CSV_NEWLINE.join(map(b",".join, zip(*cells, strict=True)))
        if lines:
            yield lines + CSV_NEWLINE


def _objects(columns: Sequence[Column], block: Block, form: TimeForm) -> list[bytes]:
    names = (encoded(each.name).replace(b"%", b"%%") + b":%b" for each in columns)
    template = b"{" + b",".join(names) + b"}"
    cells = [_json_cells(each.kind, block[each.name], form) for each in columns]
    return list(map(template.__mod__, zip(*cells, strict=True)))


def _json_cells(kind: ColumnKind, values: Values, form: TimeForm) -> list[bytes]:
    """Each value as JSON; none but words may hold a comma, and those are never cut."""
    if isinstance(values, Words):
        return _word_cells(values)
    text = bytes(array(kind, values, form))[1:-1]
    return text.split(b",") if text else []


def _word_cells(words: Words) -> list[bytes]:
    return _looked_up(words, [encoded(text) for text in words.texts], b"null")


def _csv_cells(kind: ColumnKind, values: Values, form: TimeForm) -> list[bytes]:
    if isinstance(values, Words):
        return _looked_up(words=values, known=[csv_text(t) for t in values.texts], missing=b"")
    text = bytes(array(kind, values, form))[1:-1].replace(b"null", b"").replace(b'"', b"")
    return text.split(b",") if len(values) else []


def _looked_up(words: Words, known: Sequence[bytes], missing: bytes) -> list[bytes]:
    table = np.empty(len(known) + 1, object)
    table[:-1] = known
    table[-1] = missing
    found: list[bytes] = table[words.codes].tolist()
    return found


def csv_text(text: str) -> bytes:
    """A text as one cell that no spreadsheet takes for a formula."""
    if text.lstrip(" ").startswith(_FORMULA):
        text = f"'{text}"
    if _NEEDS_QUOTES.intersection(text):
        text = '"' + text.replace('"', '""') + '"'
    return text.encode()


def _times(us: np.ndarray, form: TimeForm) -> msgspec.Raw:
    missing = us == NO_TIME
    if missing.any():
        return _times_with_gaps(us, missing, form)
    if form is TimeForm.ISO:
        return times(us)
    whole, rest = np.divmod(us, DIVISORS[form])
    numbers = us / DIVISORS[form] if rest.any() else whole
    return msgspec.Raw(encoded(numbers.tolist()))


def _times_with_gaps(us: np.ndarray, missing: np.ndarray, form: TimeForm) -> msgspec.Raw:
    known = bytes(_times(us[~missing], form))[1:-1]
    cells = np.full(len(us), b"null", object)
    cells[~missing] = known.split(b",") if known else []
    return msgspec.Raw(b"[" + b",".join(cells.tolist()) + b"]")
