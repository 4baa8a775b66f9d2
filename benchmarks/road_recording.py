"""A labelled recording of a road in memory, and ways to make another of it: coarser, thinner, with less told.

Every change is a function of a `Recording` to a new one and follows from its seed. What happened on the road stays as
it was, so its truth holds. It refuses to know a detector, and to write files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.detect.recorded.recordings import Slice, read_recording, sliced
from services.detect.scoring.case_files import read_truth
from services.detect.scoring.truth import Truth
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain
from services.domain.instant import DAY_US, SECOND_US
from services.domain.sensor import Sensor

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
COUNT, SPEED, OCCUPANCY = "count_veh", "speed_km_per_h", "occupancy_pct"
METRICS: Final = (COUNT, SPEED, OCCUPANCY)


@dataclass(frozen=True, slots=True)
class Recording:
    """Readings in the order of time, n of them, and what is true of them.

    Attributes:
        sensors: of the road; sensor: (n,) which of them; at_us: (n,).
        values: metric -> (n,), NaN missing.
        truth: what happened.
        arrivals: never told.
    """

    sensors: tuple[Sensor, ...]
    sensor: NDArray[np.int32]
    at_us: Times
    values: Mapping[str, Floats]
    truth: Truth
    arrivals: bool = field(default=False, init=False)

    @property
    def numbered(self) -> Sequence[tuple[int, Sensor]]:
        """As a backtest wants them."""
        return list(enumerate(self.sensors))

    def slices(self, every_us: Mapping[Domain, int]) -> Iterator[Slice]:
        """As a backtest wants them."""
        n = len(self.at_us)
        batch = ReadingBatch(
            Domain.TRAFFIC, self.sensor, self.at_us, self.at_us, np.zeros(n, np.int16),
            {name: v for name, v in self.values.items() if np.isfinite(v).any()},
        )  # fmt: skip
        return sliced({Domain.TRAFFIC: batch}, every_us[Domain.TRAFFIC])

    @property
    def dates(self) -> int:
        """On how many dates of the judged time there are readings."""
        judged = (self.at_us >= self.truth.start_us) & (self.at_us < self.truth.end_us)
        return len(np.unique(self.at_us[judged] // DAY_US))

    def taken(self, keep: NDArray[Any]) -> Recording:
        """Only the readings of a mask or of positions."""
        return replace(
            self, sensor=self.sensor[keep], at_us=self.at_us[keep],
            values={name: v[keep] for name, v in self.values.items()},
        )  # fmt: skip

    def ordered(self) -> Recording:
        """In the order of time, then of the sensor; what has no value left out."""
        order = np.lexsort((self.sensor, self.at_us))
        some = np.any([np.isfinite(v) for v in self.values.values()], axis=0)
        return self.taken(order[some[order]])


def recording_of(folder: Path) -> Recording:
    """A labelled case of a folder."""
    read = read_recording(folder)
    batch = read.batches[Domain.TRAFFIC]
    values = {
        name: batch.metrics.get(name, np.full(len(batch), np.nan)).astype(np.float64)
        for name in METRICS
    }
    return Recording(
        read.sensors, batch.sensor, batch.observed_us, values, read_truth(folder)
    ).ordered()


def rounded(values: Floats, digits: int) -> Floats:
    """As a device tells them."""
    return np.asarray(np.round(values, digits), np.float64)


def thinned(road: Recording, every_s: int) -> Recording:
    """One reading where there were several: counts added, occupancies and speeds (by vehicles) as means."""
    every = every_s * SECOND_US
    key = (road.at_us // every) * len(road.sensors) + road.sensor
    first, place = np.unique(key, return_inverse=True)
    count = road.values[COUNT]
    weight = np.where(np.isfinite(count), np.maximum(count, 1e-3), 1.0)

    def total(x: Floats) -> Floats:
        return np.bincount(place, np.nan_to_num(x), len(first)).astype(np.float64)

    def mean(x: Floats, w: Floats) -> Floats:
        w = np.where(np.isfinite(x), w, 0.0)
        below = total(w)
        return total(np.nan_to_num(x) * w) / np.where(below > 0, below, np.nan)

    known = total(np.isfinite(count).astype(np.float64))
    heard = np.bincount(place, minlength=len(first))
    whole = known >= 0.5 * heard.max()
    counts = np.where((known > 0) & whole, total(count), np.nan)
    values = {
        COUNT: counts,
        SPEED: rounded(mean(road.values[SPEED], weight), 1),
        OCCUPANCY: rounded(mean(road.values[OCCUPANCY], np.ones_like(weight)), 2),
    }
    return Recording(
        road.sensors, (first % len(road.sensors)).astype(np.int32), (first // len(road.sensors) + 1) * every,
        values, road.truth,
    ).ordered()  # fmt: skip


def without(road: Recording, *metrics: str) -> Recording:
    """These metrics are not told."""
    values = {
        name: np.full_like(v, np.nan) if name in metrics else v for name, v in road.values.items()
    }
    return replace(road, values=values).ordered()


def lossy(road: Recording, share: float, seed: int = 1) -> Recording:
    """A share of the messages does not arrive."""
    return road.taken(np.random.default_rng([seed, 41]).random(len(road.at_us)) >= share)


def jittered(road: Recording, most_s: float, seed: int = 1) -> Recording:
    """Stamps are up to so many seconds late."""
    late = np.random.default_rng([seed, 42]).uniform(0, most_s * SECOND_US, len(road.at_us))
    return replace(road, at_us=road.at_us + late.astype(np.int64)).ordered()


def noisy(road: Recording, share: float, seed: int = 1) -> Recording:
    """Speed and occupancy err by a share (standard deviation), counts by half of it."""
    draw = np.random.default_rng([seed, 43])
    n = len(road.at_us)
    v = road.values
    return replace(
        road,
        values={
            COUNT: np.maximum(rounded(v[COUNT] * (1 + draw.normal(0, share / 2, n)), 0), 0.0),
            SPEED: rounded(np.maximum(v[SPEED] * (1 + draw.normal(0, share, n)), 1.0), 1),
            OCCUPANCY: rounded(np.clip(v[OCCUPANCY] * (1 + draw.normal(0, share, n)), 0, 100), 2),
        },
    )


def slower(road: Recording, factor: float) -> Recording:
    """Another speed limit: all speeds times a factor, and vehicles cover the sensor longer."""
    v = road.values
    return replace(
        road,
        values={
            COUNT: v[COUNT], SPEED: rounded(v[SPEED] * factor, 1),
            OCCUPANCY: np.minimum(rounded(v[OCCUPANCY] / factor, 2), 100.0),
        },
    )  # fmt: skip


def renamed(road: Recording) -> Recording:
    """The order of names (and so of readings of one time) is turned round; places stay."""
    n = len(road.sensors)
    ids = [f"Z{n - i:03d}" for i in range(n)]
    named = {s.id: new for s, new in zip(road.sensors, ids, strict=True)}
    order = np.argsort(ids)
    back = np.empty(n, np.int32)
    back[order] = np.arange(n)

    def told(each: Any) -> Any:
        return replace(each, series=tuple(named.get(s, s) for s in each.series))

    truth = replace(
        road.truth,
        events=tuple(told(e) for e in road.truth.events),
        ignored=tuple(told(e) for e in road.truth.ignored),
        benign=tuple(told(e) for e in road.truth.benign),
        scored_sensors=tuple(named.get(s, s) for s in road.truth.scored_sensors),
    )
    sensors = tuple(replace(road.sensors[i], id=ids[i]) for i in order)
    return replace(road, sensors=sensors, sensor=back[road.sensor], truth=truth).ordered()


def short(road: Recording, days: float) -> Recording:
    """History begins only so many days before the judged time."""
    return road.taken(road.at_us >= road.truth.start_us - round(days * DAY_US))
