"""What decoders hand over: readings in columns, and what they refused.

It refuses to know sensors' numbers, clocks and limits: a block says what the payload says, in canonical units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from services.domain.catalogue import Domain
from services.domain.rejection import RejectReason

WHOLE = -1
"""`element` of a reading that is its message's only one."""


@dataclass(slots=True)
class Block:
    """Decoded readings of one domain, n rows in order of arrival.

    Attributes:
        domain: whose table they belong to.
        sensor_id: n sensor ids, each a valid name.
        message: (n,) int64, position of the message that brought the row.
        element: (n,) int64, its place in an array or in columns; WHOLE for a message of one reading.
        observed_us: (n,) int64, device time, microseconds since 1970 UTC.
        estimated: (n,) bool, the device says that the values are imputed.
        metrics: column -> (n,) float64, canonical unit, NaN is missing; each row has at least one value.
    """

    domain: Domain
    sensor_id: list[str]
    message: NDArray[np.int64]
    element: NDArray[np.int64]
    observed_us: NDArray[np.int64]
    estimated: NDArray[np.bool_]
    metrics: dict[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.sensor_id)

    def take(self, rows: NDArray[np.bool_]) -> Block:
        """The rows where the mask is true."""
        chosen = np.flatnonzero(rows).tolist()
        return Block(
            self.domain,
            [self.sensor_id[row] for row in chosen],
            self.message[rows],
            self.element[rows],
            self.observed_us[rows],
            self.estimated[rows],
            {name: column[rows] for name, column in self.metrics.items()},
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message, or a part of one, that could not be decoded.

    Attributes:
        message: position of the message.
        reason, detail: why.
        sensor_id: whose reading, where known.
        body: the part as a message of its own; None for the whole message.
    """

    message: int
    reason: RejectReason
    detail: str
    sensor_id: str | None = None
    body: bytes | None = None


@dataclass(slots=True)
class Decoded:
    """Everything that a run of messages said: each message is in a block, in a refusal, or in both by parts."""

    blocks: list[Block] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One reading of one sensor as a decoder of single messages gives it.

    Attributes:
        values: column -> value in the canonical unit; missing metrics are absent; at least one.
        element: its place in the message; WHOLE for the only one.
    """

    domain: Domain
    sensor_id: str
    observed_us: int
    values: Mapping[str, float]
    estimated: bool = False
    element: int = WHOLE


def block_of(domain: Domain, rows: Sequence[tuple[int, Measurement]]) -> Block:
    """One block of (message position, measurement) pairs, all of `domain`."""
    n = len(rows)
    metrics: dict[str, NDArray[np.float64]] = {}
    for row, (_, measurement) in enumerate(rows):
        for name, value in measurement.values.items():
            if name not in metrics:
                metrics[name] = np.full(n, np.nan)
            metrics[name][row] = value
    return Block(
        domain,
        [measurement.sensor_id for _, measurement in rows],
        np.array([message for message, _ in rows], dtype=np.int64),
        np.array([measurement.element for _, measurement in rows], dtype=np.int64),
        np.array([measurement.observed_us for _, measurement in rows], dtype=np.int64),
        np.array([measurement.estimated for _, measurement in rows], dtype=np.bool_),
        metrics,
    )


def joined(blocks: list[Block]) -> Block:
    """Blocks of one domain as one, rows in order of arrival."""
    if len(blocks) == 1:
        return blocks[0]
    message = np.concatenate([block.message for block in blocks])
    element = np.concatenate([block.element for block in blocks])
    order = np.lexsort((element, message))
    ids = [sensor_id for block in blocks for sensor_id in block.sensor_id]
    names = list(dict.fromkeys(name for block in blocks for name in block.metrics))
    return Block(
        blocks[0].domain,
        [ids[row] for row in order.tolist()],
        message[order],
        element[order],
        np.concatenate([block.observed_us for block in blocks])[order],
        np.concatenate([block.estimated for block in blocks])[order],
        {
            name: np.concatenate(
                [
                    block.metrics[name] if name in block.metrics else np.full(len(block), np.nan)
                    for block in blocks
                ]
            )[order]
            for name in names
        },
    )
