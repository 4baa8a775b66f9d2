"""The paces of all domains' feeds, over one table of what their sensors said of the time.

It refuses to know readings beyond their times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from services.detect.pace import BIN_US, Pace, words
from services.detect.table import Array, Rows
from services.detect.voices import said
from services.domain.catalogue import Domain
from services.domain.instant import HOUR_US
from services.domain.sensor import Sensor

_BIN_US: Final[Mapping[Domain, int]] = {Domain.WATER: HOUR_US}
"""How long the bins are in which neighbours are compared, where it is not half a minute: zones go by the hour."""


class Paces:
    """One pace a domain; sensors are the rows of the core.

    Attributes:
        said: what each sensor said last of the time.
    """

    def __init__(self) -> None:
        self.said = said()
        self._of = {domain: Pace(_BIN_US.get(domain, BIN_US), self.said) for domain in Domain}

    def add(self, sensors: Sequence[Sensor]) -> None:
        """New rows, in order."""
        first = self.said.n
        self.said.add(len(sensors))
        for domain, pace in self._of.items():
            mine = np.array([sensor.domain is domain for sensor in sensors])
            pace.voices.join(first + np.flatnonzero(mine))

    def clock_us(self, domain: Domain) -> int:
        """The newest credible time of the feed; `table.NEVER` before its first reading."""
        return self._of[domain].clock_us

    def segments(
        self, domain: Domain, observed_us: Array, received_us: Array, rows: Rows, cut: bool
    ) -> Iterator[tuple[Rows, int | None]]:
        """As `Pace.segments`, of all readings: which ones are repeats depends on how the feed is cut."""
        return self._of[domain].segments(*words(observed_us, received_us), rows, cut)

    def facts(self) -> dict[str, list[Any]]:
        """State as plain numbers by domain, without the table."""
        return {domain.value: pace.facts() for domain, pace in self._of.items()}

    def restore(self, facts: Mapping[str, list[Any]]) -> None:
        """Take over `facts` where they are newer than what is known."""
        for name, known in facts.items():
            self._of[Domain(name)].restore(known)
