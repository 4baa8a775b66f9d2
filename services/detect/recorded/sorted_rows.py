"""Rows of numbers in the order of a key, however many and in whatever order they come: sorted runs on disk, merged.

As long as they fit into memory nothing is written. It refuses to know what the numbers mean.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from services.detect.table import Array
from services.domain.instant import HOUR_US

IN_MEMORY: Final = 4_000_000
"""Rows (28 bytes each) that are held before a sorted run is written."""
_CHUNK: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Rows:
    """n rows.

    Attributes:
        key_us: (n,) int64, what they are ordered by: when they arrived.
        at_us: (n,) int64, when they were observed.
        series: (n,) int32. value: (n,) float64.
    """

    key_us: Array
    at_us: Array
    series: Array
    value: Array

    def __len__(self) -> int:
        return len(self.key_us)

    def take(self, places: Array | slice) -> Rows:
        """The chosen rows."""
        return Rows(
            self.key_us[places], self.at_us[places], self.series[places], self.value[places]
        )


class SortedRows:
    """A collection of rows: `add` all, then read `blocks`, as often as wanted."""

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._pending: tuple[list[int], list[int], list[int], list[float]] = ([], [], [], [])
        self._held: list[Rows] = []
        self._rows = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._runs: list[Rows] = []

    def add(self, key_us: int, at_us: int, series: int, value: float) -> None:
        """One more row."""
        key, at, which, values = self._pending
        key.append(key_us)
        at.append(at_us)
        which.append(series)
        values.append(value)
        if len(key) >= min(_CHUNK, self._in_memory):
            self._settle()

    def blocks(self) -> Iterator[Rows]:
        """All rows in the order of the key, equal ones as they came; no hour of the key is divided."""
        self._settle()
        if not self._runs:
            if self._held:
                yield _merged(self._held)
            return
        if self._rows:
            self._write()
        yield from self._hours()

    def _hours(self) -> Iterator[Rows]:
        at = [0] * len(self._runs)
        while left := [i for i, run in enumerate(self._runs) if at[i] < len(run)]:
            first = min(int(self._runs[i].key_us[at[i]]) for i in left)
            end = (first // HOUR_US + 1) * HOUR_US
            parts = []
            for i in left:
                run = self._runs[i]
                until = int(np.searchsorted(run.key_us, end))
                if until > at[i]:
                    parts.append(run.take(slice(at[i], until)))
                    at[i] = until
            yield _merged(parts)

    def _settle(self) -> None:
        key, at, series, value = self._pending
        if not key:
            return
        self._held.append(
            Rows(
                np.array(key, np.int64),
                np.array(at, np.int64),
                np.array(series, np.int32),
                np.array(value, np.float64),
            )
        )
        self._rows += len(key)
        self._pending = ([], [], [], [])
        if self._rows >= self._in_memory:
            self._write()

    def _write(self) -> None:
        """One sorted run onto the disk, each column a file that is mapped when it is read."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="citygauge-")
        run = _merged(self._held)
        columns = []
        for name in ("key_us", "at_us", "series", "value"):
            path = Path(self._folder.name) / f"{len(self._runs)}.{name}.npy"
            np.save(path, getattr(run, name))
            columns.append(np.load(path, mmap_mode="r"))
        self._runs.append(Rows(*columns))
        self._held, self._rows = [], 0


def _merged(parts: list[Rows]) -> Rows:
    whole = Rows(
        np.concatenate([part.key_us for part in parts]),
        np.concatenate([part.at_us for part in parts]),
        np.concatenate([part.series for part in parts]),
        np.concatenate([part.value for part in parts]),
    )
    if (np.diff(whole.key_us) >= 0).all():
        return whole
    return whole.take(np.argsort(whole.key_us, kind="stable"))
