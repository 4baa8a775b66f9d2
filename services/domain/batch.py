"""Readings as columns: the one form in which they travel from ingest through the feed to the detectors.

It refuses to hold what is not canonical: units are converted and times are microseconds before a batch is built.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.domain.catalogue import CATALOGUE, Domain
from services.domain.errors import CitygaugeError

_MAGIC: Final = b"CGB2"
"""Magic, CRC-32 of everything after it, length of the header, header (JSON), columns one after the other."""
_HEAD: Final = 12
_FIXED: Final[Mapping[str, np.dtype[np.generic]]] = {
    "sensor": np.dtype("<i4"),
    "observed_us": np.dtype("<i8"),
    "received_us": np.dtype("<i8"),
    "quality": np.dtype("<i2"),
}
_VALUE: Final = np.dtype("<f8")


class CorruptBatch(CitygaugeError):
    """Bytes that should hold a batch do not; the feed row is damaged or was written by another version."""


@dataclass(frozen=True, slots=True)
class ReadingBatch:
    """Readings of one domain, n rows.

    Attributes:
        domain: whose table they belong to.
        sensor: (n,) int32, the sensors' numbers in the database.
        observed_us: (n,) int64, device time, microseconds since 1970 UTC.
        received_us: (n,) int64, when ingest took them from the broker, microseconds since 1970 UTC.
        quality: (n,) int16, bits of `Quality`.
        metrics: column name -> (n,) float64 in canonical units; NaN is missing. A column that no row has is absent.
    """

    domain: Domain
    sensor: NDArray[np.int32]
    observed_us: NDArray[np.int64]
    received_us: NDArray[np.int64]
    quality: NDArray[np.int16]
    metrics: Mapping[str, NDArray[np.float64]]

    def __post_init__(self) -> None:
        n = len(self.sensor)
        known = CATALOGUE[self.domain].by_column
        for name, column in (*self._fixed().items(), *self.metrics.items()):
            if column.shape != (n,):
                raise ValueError(f"column {name} has shape {column.shape}, not ({n},)")
        for name in self.metrics:
            if name not in known:
                raise ValueError(f"{self.domain} has no metric column {name}")

    def __len__(self) -> int:
        return len(self.sensor)

    def _fixed(self) -> dict[str, NDArray[np.generic]]:
        return {
            "sensor": self.sensor,
            "observed_us": self.observed_us,
            "received_us": self.received_us,
            "quality": self.quality,
        }

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> ReadingBatch:
        """The chosen rows (indices or mask), as a new batch."""
        return ReadingBatch(
            self.domain,
            self.sensor[rows],
            self.observed_us[rows],
            self.received_us[rows],
            self.quality[rows],
            {name: column[rows] for name, column in self.metrics.items()},
        )

    def dumps(self) -> bytes:
        """Bytes that `loads` turns back into an equal batch, on any machine."""
        fixed = self._fixed()
        parts = [
            np.ascontiguousarray(fixed[name], dtype).tobytes() for name, dtype in _FIXED.items()
        ]
        parts += [
            np.ascontiguousarray(column, _VALUE).tobytes() for column in self.metrics.values()
        ]
        header = json.dumps(
            {"domain": self.domain, "n": len(self), "metrics": list(self.metrics)}
        ).encode()
        sealed = b"".join((len(header).to_bytes(4, "little"), header, *parts))
        return b"".join((_MAGIC, zlib.crc32(sealed).to_bytes(4, "little"), sealed))

    @classmethod
    def loads(cls, data: bytes | bytearray | memoryview) -> ReadingBatch:
        """The batch that `dumps` wrote; arrays are read-only views of `data`.

        Raises:
            CorruptBatch: magic or checksum do not fit, or it holds a domain or metric unknown to this version.
        """
        view = memoryview(data).toreadonly()
        if bytes(view[:4]) != _MAGIC:
            raise CorruptBatch("not a batch of readings: wrong magic bytes")
        if len(view) < _HEAD or zlib.crc32(view[8:]) != int.from_bytes(view[4:8], "little"):
            raise CorruptBatch("the checksum of a batch of readings does not fit its bytes")
        body = _HEAD + int.from_bytes(view[8:_HEAD], "little")
        try:
            header = json.loads(bytes(view[_HEAD:body]))
            return cls._of_columns(
                Domain(header["domain"]), header["n"], header["metrics"], view[body:]
            )
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptBatch(f"a batch of readings cannot be read: {error}") from error

    @classmethod
    def _of_columns(
        cls, domain: Domain, n: int, names: Sequence[str], body: memoryview
    ) -> ReadingBatch:
        offset = 0
        columns: dict[str, NDArray[np.generic]] = {}
        for name, dtype in (*_FIXED.items(), *((name, _VALUE) for name in names)):
            columns[name] = np.frombuffer(body, dtype, count=n, offset=offset)
            offset += n * dtype.itemsize
        return cls(
            domain,
            sensor=columns.pop("sensor"),  # type: ignore[arg-type]
            observed_us=columns.pop("observed_us"),  # type: ignore[arg-type]
            received_us=columns.pop("received_us"),  # type: ignore[arg-type]
            quality=columns.pop("quality"),  # type: ignore[arg-type]
            metrics=columns,  # type: ignore[arg-type]
        )


def concatenate(batches: Sequence[ReadingBatch]) -> ReadingBatch:
    """One batch of all rows in order; all of one domain, at least one batch.

    Raises:
        ValueError: no batch, or batches of several domains.
    """
    if not batches or len({batch.domain for batch in batches}) != 1:
        raise ValueError("concatenate takes at least one batch, all of one domain")
    if len(batches) == 1:
        return batches[0]
    names = list(dict.fromkeys(name for batch in batches for name in batch.metrics))
    return ReadingBatch(
        batches[0].domain,
        np.concatenate([batch.sensor for batch in batches]),
        np.concatenate([batch.observed_us for batch in batches]),
        np.concatenate([batch.received_us for batch in batches]),
        np.concatenate([batch.quality for batch in batches]),
        {
            name: np.concatenate(
                [
                    batch.metrics[name] if name in batch.metrics else np.full(len(batch), np.nan)
                    for batch in batches
                ]
            )
            for name in names
        },
    )
