"""A question about summaries of many sensors, and the blocks that answer it. It refuses what no answer could hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.domain.buckets import Buckets
from services.domain.catalogue import CATALOGUE, Domain
from services.domain.errors import InvalidInput
from services.domain.instant import to_us
from services.domain.quality import Quality
from services.domain.register import MeterEvent
from services.domain.statistic import Statistic

MOST_SUMMARISED: Final = 100_000
"""Sensors of one question about summaries."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of readings observed in [start, end).

    Attributes:
        sensors: numbers, each once, at most MOST_SUMMARISED; the answer keeps their order.
        metrics: column names of the domain, at least one.
        buckets: how the range is cut; the first and the last bucket hold what lies inside the range.
        statistics: what is asked of each metric in each bucket, at least one.
        exclude: readings with any of these bits are left out.

    Raises:
        InvalidInput: a metric or the range is wrong, or there are too many sensors or buckets.
    """

    domain: Domain
    sensors: Sequence[int]
    metrics: Sequence[str]
    start: datetime
    end: datetime
    buckets: Buckets
    statistics: Sequence[Statistic]
    exclude: Quality = Quality.GOOD

    def __post_init__(self) -> None:
        known = CATALOGUE[self.domain].by_column
        for name in self.metrics:
            if name not in known:
                raise InvalidInput("metrics", name, f"{self.domain} has {', '.join(known)}")
        if not self.metrics:
            raise InvalidInput("metrics", "", f"at least one of {', '.join(known)}")
        if not self.statistics:
            raise InvalidInput("statistics", "", f"at least one of {', '.join(Statistic)}")
        if len(self.sensors) > MOST_SUMMARISED:
            raise InvalidInput(
                "sensors",
                len(self.sensors),
                f"at most {MOST_SUMMARISED:,} sensors in one question: ask for a zone or a road at a time",
            )
        if len(set(self.sensors)) < len(self.sensors):
            raise InvalidInput("sensors", "a number that comes twice", "each sensor once")
        if self.start_us >= self.end_us:
            raise InvalidInput(
                "end", self.end.isoformat(), f"a time after {self.start.isoformat()}"
            )
        self.edges_us()

    @property
    def start_us(self) -> int:
        """The range's beginning, microseconds since 1970."""
        return to_us(self.start)

    @property
    def end_us(self) -> int:
        """The range's end, microseconds since 1970."""
        return to_us(self.end)

    def edges_us(self) -> NDArray[np.int64]:
        """(b + 1,) bounds of the buckets that touch the range."""
        return self.buckets.edges_us(self.start_us, self.end_us)


@dataclass(frozen=True, slots=True)
class Block:
    """Summaries of k of the question's sensors in m of its buckets that follow each other.

    Attributes:
        sensor: (k,) int32 numbers.
        edges_us: (m + 1,) int64, the buckets' bounds, microseconds since 1970. A bucket that the range cuts keeps its
            bounds, and holds what lies inside the range.
        values: metric column -> statistic -> (k, m) float64; NaN where there is no value (a count: 0). A time-weighted
            mean is there as long as the last value holds: two and a half times the sensor's cadence where it is
            declared, else until the next value.
        coverage: metric column -> (k, m) share of the expected values that are there, 0 to 1, of that part of the
            bucket which lies inside the range; NaN where the sensor's cadence is not declared.
    """

    sensor: NDArray[np.int32]
    edges_us: NDArray[np.int64]
    values: Mapping[str, Mapping[Statistic, NDArray[np.float64]]]
    coverage: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class ConsumptionBlock:
    """Litres that went through k of the question's sensors in m buckets that follow each other.

    From registers where a sensor has any in the range, else from reported volumes, else from rates of flow. What ran
    between two readings counts as if it had run evenly.

    Attributes:
        sensor, edges_us: as in `Block`.
        litres: (k, m) float64; NaN where nothing is known; negative where water ran back.
        known: (k, m) share of the bucket's time (inside the range) for which litres are known. A register's
            difference covers the hole in which its readings are missing.
        coverage: (k, m) as in `Block`, of the readings from which the litres are.
        events: (k, m) int16, bit 1 << `MeterEvent` for each event of a register in the bucket.
    """

    sensor: NDArray[np.int32]
    edges_us: NDArray[np.int64]
    litres: NDArray[np.float64]
    known: NDArray[np.float64]
    coverage: NDArray[np.float64]
    events: NDArray[np.int16]

    def has(self, event: MeterEvent) -> NDArray[np.bool_]:
        """(k, m) whether a register did this in the bucket."""
        return (self.events >> int(event) & 1).astype(np.bool_)
