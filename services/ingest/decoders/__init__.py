"""The decoders: a literal mapping from each format to what reads it, one file each.

A new format is a member of `Format` and a default topic (`ingest/formats.py`), an entry of `DECODERS`, and its file.
Nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from services.ingest.decoders.base import Decoder
from services.ingest.decoders.native import NativeDecoder
from services.ingest.formats import Format

DECODERS: Final[Mapping[Format, Callable[[], Decoder]]] = {
    Format.NATIVE: NativeDecoder,
}
