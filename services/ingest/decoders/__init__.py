"""The payload formats: a literal mapping from each format to its decoder, one file each.

A new format is a member of `Format`, an entry of `DECODERS`, a default topic, and its file. Nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from services.ingest.decoders.base import Decoder
from services.ingest.decoders.native import NativeDecoder


class Format(StrEnum):
    """A payload format, as settings name it."""

    NATIVE = "native"


DECODERS: Final[Mapping[Format, Callable[[], Decoder]]] = {
    Format.NATIVE: NativeDecoder,
}

DEFAULT_TOPICS: Final[Mapping[str, Format]] = {
    "citygauge/v1/+/+/reading": Format.NATIVE,
}
"""MQTT topic filter -> the format of what comes there; the first that matches counts."""
