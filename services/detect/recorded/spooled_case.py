"""A case that was read once and lies in a file of columns, for many runs over it and for other processes.

It refuses to hold more than a slice in memory, and to cut the readings otherwise than when it was written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.detect.recorded.backtest import Case
from services.detect.recorded.recordings import Slice
from services.detect.ticks import TICK_US
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain
from services.domain.sensor import Sensor

_HEAD: Final = struct.Struct("<qqq")
"""First and last arrival, microseconds since 1970, and how many batches follow, each behind its length."""
_LENGTH: Final = struct.Struct("<q")


@dataclass(frozen=True, slots=True)
class SpooledCase:
    """The file and what else a run must know of the case.

    Attributes:
        numbered, arrivals: as the case has them. readings: how many there are.
    """

    path: Path
    numbered: tuple[tuple[int, Sensor], ...]
    arrivals: bool
    readings: int

    def slices(self, every_us: Mapping[Domain, int]) -> Iterator[Slice]:
        """Its readings in the order of arrival, as they were cut when the file was written."""
        del every_us
        with self.path.open("rb") as file:
            while head := file.read(_HEAD.size):
                first_us, last_us, count = _HEAD.unpack(head)
                batches = []
                for _ in range(count):
                    (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
                    batches.append(ReadingBatch.loads(file.read(length)))
                yield Slice(first_us, last_us, tuple(batches))


def spooled(case: Case, path: Path) -> SpooledCase:
    """Write a case's readings to a file, cut where the backtest looks at the clock."""
    readings = 0
    with path.open("wb") as file:
        for part in case.slices(TICK_US):
            file.write(_HEAD.pack(part.first_us, part.last_us, len(part.batches)))
            for batch in part.batches:
                data = batch.dumps()
                file.write(_LENGTH.pack(len(data)) + data)
                readings += len(batch)
    return SpooledCase(path, tuple(case.numbered), case.arrivals, readings)
