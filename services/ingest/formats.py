"""The payload formats by name, and on which topics each is expected; `decoders` maps each to what reads it.

Settings name formats: this file imports no decoder, so that commands which only read settings start fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Format(StrEnum):
    """A payload format, as settings name it."""

    NATIVE = "native"


DEFAULT_TOPICS: Final[Mapping[str, Format]] = {
    "citygauge/v1/+/+/reading": Format.NATIVE,
}
"""MQTT topic filter -> the format of what comes there; the first that matches counts."""
