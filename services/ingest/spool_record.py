"""How a message lies in a segment of the spool: framed, checksummed, bound to its place. Bytes only, no files.

A segment begins with a header (magic, its number, the number of its first record, checksum); records follow without
gaps. A record's checksum covers its place too, so that bytes which were copied elsewhere are no record there. It
refuses to guess: what comes after the first damaged byte of a segment is not looked for.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from services.ingest.messages import Messages

MAGIC: Final = b"CGSPOOL1"
_HEADER: Final = struct.Struct("<8sQQI")
_FRAME: Final = struct.Struct("<II")
_BODY: Final = struct.Struct("<qBIH")
HEADER_BYTES: Final = _HEADER.size
_AGAIN: Final = 1
_CUT: Final = 2
LARGEST_BODY_BYTES: Final = 300 * 1024 * 1024
_MASK: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Record:
    """A message as it was taken from the broker.

    Attributes:
        received_us: when, microseconds since 1970.
        again: the broker had delivered it before, or it may have been committed before it was put by.
        full_bytes: size of a payload of which only the beginning is here; None for a whole one.
        end: offset in the segment at which the next record begins.
    """

    topic: bytes
    payload: bytes
    received_us: int
    again: bool
    full_bytes: int | None
    end: int


def header(segment: int, first_record: int) -> bytes:
    """The beginning of a segment."""
    start = _HEADER.pack(MAGIC, segment, first_record, 0)[:-4]
    return start + struct.pack("<I", zlib.crc32(start))


def read_header(data: bytes, segment: int) -> int | None:
    """Number of the first record; None where `data` does not begin as this segment must."""
    if len(data) < HEADER_BYTES:
        return None
    magic, number, first_record, check = _HEADER.unpack_from(data)
    if (magic, number) != (MAGIC, segment) or check != zlib.crc32(data[: HEADER_BYTES - 4]):
        return None
    return int(first_record)


def encode(messages: Messages, segment: int, offset: int) -> bytes:
    """The messages as records that begin at an offset of a segment."""
    parts: list[bytes] = []
    for place, (topic, payload, received_us) in enumerate(
        zip(messages.topics, messages.payloads, messages.received_us, strict=True)
    ):
        cut = messages.cut.get(place)
        flags = (_AGAIN if place in messages.redelivered else 0) | (0 if cut is None else _CUT)
        body = b"".join((_BODY.pack(received_us, flags, cut or 0, len(topic)), topic, payload))
        parts += (_FRAME.pack(len(body), _check(body, segment, offset)), body)
        offset += _FRAME.size + len(body)
    return b"".join(parts)


def decode(data: bytes, segment: int, base: int) -> Iterator[Record]:
    """The records at the beginning of `data`, which starts at offset `base`; ends at the first that is not whole."""
    at = 0
    while at + _FRAME.size + _BODY.size <= len(data):
        length, check = _FRAME.unpack_from(data, at)
        start, end = at + _FRAME.size, at + _FRAME.size + length
        if not _BODY.size <= length <= LARGEST_BODY_BYTES or end > len(data):
            return
        body = data[start:end]
        if check != _check(body, segment, base + at):
            return
        received_us, flags, full, topic_bytes = _BODY.unpack_from(body)
        payload_at = _BODY.size + topic_bytes
        if payload_at > length:
            return
        yield Record(
            body[_BODY.size : payload_at],
            body[payload_at:],
            received_us,
            bool(flags & _AGAIN),
            full if flags & _CUT else None,
            base + end,
        )
        at = end


def needed(data: bytes) -> int:
    """Bytes that the record at the beginning of `data` says it has; 0 where that cannot be one."""
    if len(data) < _FRAME.size:
        return _FRAME.size + _BODY.size
    length: int = _FRAME.unpack_from(data)[0]
    return _FRAME.size + length if _BODY.size <= length <= LARGEST_BODY_BYTES else 0


def _check(body: bytes, segment: int, offset: int) -> int:
    place = (segment * 0x9E3779B1 + offset * 0x85EBCA6B + len(body)) & _MASK
    return zlib.crc32(body, place)
