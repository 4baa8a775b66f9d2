"""What a run of messages comes to before it is written: accepted rows by domain, and what was rejected."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain
from services.domain.rejection import Rejection
from services.ingest.messages import Messages


@dataclass(frozen=True, slots=True)
class Kept:
    """A rejection with the facts of its message.

    Attributes:
        received_us: when the message came.
        again: whether the broker had delivered it before.
        domain: of the reading, where one was decoded.
    """

    rejection: Rejection
    received_us: int
    again: bool
    domain: Domain | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Accepted readings of one domain in order of arrival.

    Attributes:
        batch: the readings, n of them; a (sensor, time) may come more than once.
        message: (n,) positions of their messages; element: (n,) places within them.
    """

    batch: ReadingBatch
    message: NDArray[np.int64]
    element: NDArray[np.int64]


@dataclass(slots=True)
class Prepared:
    """What a run of messages comes to.

    Attributes:
        messages: the run.
        rows: accepted readings, domains in the catalogue's order, at most one entry for each.
        kept: what was rejected.
        refused: positions of messages of which the decoder refused the whole or a part.
    """

    messages: Messages
    rows: list[Rows] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)

    @property
    def readings(self) -> int:
        """Accepted and rejected readings together."""
        return sum(len(rows.batch) for rows in self.rows) + self.rejected

    @property
    def rejected(self) -> int:
        """Rejected readings."""
        return sum(kept.rejection.readings for kept in self.kept)

    def delivered_before(self) -> Prepared:
        """The same, every message marked as delivered before: its first commit may have succeeded."""
        kept = [replace(each, again=True) for each in self.kept]
        messages = replace(self.messages, redelivered=set(range(len(self.messages))))
        return replace(self, messages=messages, kept=kept)
