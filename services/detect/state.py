"""The state of a shard's sensors as versioned bytes: a header of JSON with layout and checksum, then the arrays.

It refuses bytes of another version, shard or layout, and those that are damaged; it knows neither watches nor rules.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from services.detect.table import Array
from services.domain.errors import CitygaugeError

STATE_VERSION: Final = 9
_MAGIC: Final = b"CGS1"


class CorruptState(CitygaugeError, ValueError):
    """Bytes that should hold a shard's state do not, or were written by another version: rebuild from history."""


@dataclass(frozen=True, slots=True)
class ShardState:
    """What the bytes hold.

    Attributes:
        numbers: (n,) int64 numbers of the sensors; kinds: (n,) int8 index of each one's kind, -1 none.
        arrays: entries of the sensors by "table.field".
        facts: what is not of one sensor, as plain JSON.
    """

    numbers: Array
    kinds: Array
    arrays: Mapping[str, Array]
    facts: Mapping[str, Any]


def packed(shard: int, state: ShardState) -> bytes:
    """The state as bytes; `opened` gives it back."""
    layout = [[name, array.dtype.str, list(array.shape)] for name, array in state.arrays.items()]
    body = b"".join(
        np.ascontiguousarray(array).tobytes()
        for array in (state.numbers, state.kinds, *state.arrays.values())
    )
    header = json.dumps(
        {
            "version": STATE_VERSION,
            "shard": shard,
            "sensors": len(state.numbers),
            "facts": state.facts,
            "layout": layout,
            "crc": zlib.crc32(body),
        }
    ).encode()
    return b"".join((_MAGIC, len(header).to_bytes(4, "little"), header, body))


def opened(shard: int, data: bytes, kinds: Sequence[str]) -> ShardState:
    """The state in the bytes.

    Args:
        kinds: the kinds of sensors that the reader knows, in its order; facts["kinds"] must be the same.

    Raises:
        CorruptState: wrong magic, version, shard, kinds or checksum.
    """
    header, body = _checked(shard, data)
    facts = header["facts"]
    if facts["kinds"] != list(kinds):
        raise CorruptState(f"the state of shard {shard} knows other kinds of sensors")
    count = int(header["sensors"])
    numbers = np.frombuffer(body, np.int64, count)
    of_kind = np.frombuffer(body, np.int8, count, numbers.nbytes)
    offset = numbers.nbytes + of_kind.nbytes
    arrays: dict[str, Array] = {}
    for name, dtype, shape in header["layout"]:
        size = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(body, np.dtype(dtype), size, offset).reshape(shape)
        offset += arrays[name].nbytes
    return ShardState(numbers, of_kind, arrays, facts)


def _checked(shard: int, data: bytes) -> tuple[dict[str, Any], memoryview]:
    view = memoryview(data)
    if bytes(view[:4]) != _MAGIC:
        raise CorruptState(f"the state of shard {shard} has the wrong magic bytes")
    size = int.from_bytes(view[4:8], "little")
    try:
        header = json.loads(bytes(view[8 : 8 + size]))
        version, stored, crc = header["version"], header["shard"], header["crc"]
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptState(
            f"the header of the state of shard {shard} is damaged: {error}"
        ) from error
    if version != STATE_VERSION or stored != shard:
        raise CorruptState(
            f"state of version {version}, shard {stored}; wanted {STATE_VERSION}, {shard}"
        )
    body = view[8 + size :]
    if zlib.crc32(body) != crc:
        raise CorruptState(f"the checksum of the state of shard {shard} does not fit")
    return header, body
