"""Which form and which compression an answer has: `format=` first, then the headers Accept and Accept-Encoding.

It refuses to guess: a form that is not offered is a 406 that names those that are.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from services.api.errors import NotAcceptable

if TYPE_CHECKING or sys.version_info < (3, 14):
    from backports import zstd
else:
    from compression import zstd


class Form(StrEnum):
    """How a table is written."""

    JSON = "json"
    """One document, column by column."""
    ROWS = "rows"
    """One document, an object for each row."""
    NDJSON = "ndjson"
    """An object a line."""
    CSV = "csv"
    """RFC 4180: a head, then a line for each row; an empty cell is missing."""
    ARROW = "arrow"
    """Arrow IPC stream."""
    PARQUET = "parquet"
    """Apache Parquet."""
    GEOJSON = "geojson"
    """RFC 7946, for things that have a place."""


MEDIA_TYPES: Final[Mapping[Form, str]] = {
    Form.JSON: "application/json",
    Form.ROWS: "application/json",
    Form.NDJSON: "application/x-ndjson",
    Form.CSV: "text/csv",
    Form.ARROW: "application/vnd.apache.arrow.stream",
    Form.PARQUET: "application/vnd.apache.parquet",
    Form.GEOJSON: "application/geo+json",
}
SUFFIXES: Final[Mapping[Form, str]] = {
    Form.JSON: "json",
    Form.ROWS: "json",
    Form.NDJSON: "ndjson",
    Form.CSV: "csv",
    Form.ARROW: "arrows",
    Form.PARQUET: "parquet",
    Form.GEOJSON: "geojson",
}
TABLES: Final = (Form.JSON, Form.ROWS, Form.NDJSON, Form.CSV, Form.ARROW, Form.PARQUET)
"""Forms of a table of readings; JSON where nothing is asked for."""
STREAMED: Final = frozenset({Form.NDJSON, Form.CSV, Form.ARROW, Form.PARQUET})
"""Forms that may be written block by block; the others are one document, a page."""

_ALREADY_SMALL: Final = frozenset({Form.PARQUET})


def choose(asked: Form | None, accept: str | None, offered: Iterable[Form]) -> Form:
    """The form of an answer; the first offered one where the client does not care.

    Raises:
        NotAcceptable: the client takes none of them.
    """
    forms = list(offered)
    if asked is not None:
        if asked not in forms:
            raise NotAcceptable(asked.value, [form.value for form in forms])
        return asked
    best: tuple[float, int] = (0.0, 0)
    chosen: Form | None = None
    for pattern, weight in _preferences(accept or "*/*"):
        for at, form in enumerate(forms):
            rank = (weight, -at)
            if weight > 0 and _matches(pattern, MEDIA_TYPES[form]) and rank > best:
                best, chosen = rank, form
                break
    if chosen is None:
        raise NotAcceptable(accept or "", [MEDIA_TYPES[form] for form in forms])
    return chosen


def _preferences(header: str) -> list[tuple[str, float]]:
    """Media ranges and weights of an Accept header (RFC 9110, 12.5.1); unreadable weights count as 0."""
    found = []
    for part in header.split(",")[:50]:
        pattern, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                weight = _weight(parameter[2:])
        if pattern:
            found.append((pattern, weight))
    return found


def _weight(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 <= value <= 1 else 0.0


def _matches(pattern: str, media_type: str) -> bool:
    kind, _, _ = media_type.partition("/")
    return pattern in {media_type, "*/*", f"{kind}/*"}


class Coding(StrEnum):
    """How the bytes of an answer are compressed on their way."""

    ZSTD = "zstd"
    GZIP = "gzip"


class Compressor(Protocol):
    """Bytes in, fewer bytes out."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


def coding(accept_encoding: str | None, form: Form) -> Coding | None:
    """The compression that the client takes, zstd before gzip; None: as it is."""
    if form in _ALREADY_SMALL or not accept_encoding:
        return None
    weights = dict(_preferences(accept_encoding))
    offered = [each for each in Coding if weights.get(each, weights.get("*", 0.0)) > 0]
    return max(offered, key=lambda each: weights.get(each, 0.0), default=None)


def compressor(chosen: Coding) -> Compressor:
    """A compressor of one answer."""
    if chosen is Coding.ZSTD:
        return zstd.ZstdCompressor(level=3)
    return zlib.compressobj(5, zlib.DEFLATED, zlib.MAX_WBITS | 16)


def compressed_whole(data: bytes, chosen: Coding) -> bytes:
    """A whole answer, compressed; the same bytes for the same answer."""
    if chosen is Coding.ZSTD:
        return zstd.compress(data, level=3)
    return gzip.compress(data, 5, mtime=0)


def compressed(pieces: Iterable[bytes], chosen: Coding | None) -> Iterator[bytes]:
    """Pieces of an answer, compressed as they come; empty pieces are left out."""
    if chosen is None:
        yield from (piece for piece in pieces if piece)
        return
    press = compressor(chosen)
    for piece in pieces:
        if smaller := press.compress(piece):
            yield smaller
    yield press.flush()
