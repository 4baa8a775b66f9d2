"""The core together with the registry: new sensors are made known to it, unknown ones never reach it.

It reads the registry and nothing else of the database, and refuses to decide what a failure of the core means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.detect.late.marks import description_changed
from services.detect.metrics import DetectMetrics
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain
from services.domain.condition import Condition
from services.domain.sensor import SHARDS, Sensor
from services.store.connection import Connection
from services.store.sensors import SensorRepository


class Detecting(Protocol):
    """What the runner needs of a core: no clock, no I/O, the same answers however the feed is cut."""

    def add_sensors(self, sensors: Sequence[tuple[int, Sensor]]) -> None:
        """Know these sensors, or their new descriptions."""

    def step(self, batch: ReadingBatch, now_us: int) -> list[Condition]:
        """Take readings of one domain."""

    def tick(self, now_us: int) -> list[Condition]:
        """Judge silence at this time."""

    def newest_us(self, numbers: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """(n,) the newest time that each of these sensors has spoken of; 0 for never."""

    def clock_us(self, domain: Domain) -> int:
        """The newest time of a domain's feed that is to be believed; the least integer before its first reading."""

    def adopt(self, other: Any, numbers: Sequence[int]) -> None:
        """Take over another core's state of these sensors, except for when they were last heard."""

    def changed_shards(self) -> Sequence[int]:
        """Shards whose state is another than when it was dumped or loaded last."""

    def dumps(self, shard: int) -> bytes:
        """The state of a shard."""

    def loads(self, shard: int, data: bytes) -> None:
        """Take over the state of a shard. Raises a CitygaugeError where the bytes are not such a state."""


MakeCore: TypeAlias = Callable[[Sequence[tuple[int, Sensor]]], Detecting]


class Roster:
    """One core over the sensors that are registered now."""

    def __init__(self, conn: Connection, make_core: MakeCore, metrics: DetectMetrics) -> None:
        self._conn, self._metrics = conn, metrics
        self._make_core = make_core
        found, self._marker = SensorRepository(conn).changed_since(0)
        self._by_id: dict[str, Sensor] = {entry.sensor.id: entry.sensor for entry in found}
        self._by_number = {entry.number: entry.sensor for entry in found}
        self._changed: dict[int, Sensor] = {}
        self._known: NDArray[np.bool_] = np.zeros(1, dtype=bool)
        self._know([entry.number for entry in found])
        self.core = make_core([(entry.number, entry.sensor) for entry in found])

    @property
    def sensors(self) -> Mapping[str, Sensor]:
        """The registered sensors by id; it grows as they register."""
        return self._by_id

    @property
    def numbered(self) -> Mapping[int, Sensor]:
        """The registered sensors by number."""
        return self._by_number

    @property
    def revision(self) -> int:
        """Up to where changes of the registry are known."""
        return self._marker

    def changed_since(self, revision: int) -> list[int]:
        """The numbers of sensors that registered or changed since a revision."""
        found, _ = SensorRepository(self._conn).changed_since(revision)
        return [entry.number for entry in found]

    def take_changed(self) -> dict[int, Sensor]:
        """Sensors whose description changed since the last call, as the core still knows them, by number."""
        changed, self._changed = self._changed, {}
        return changed

    def redescribe(self) -> None:
        """Another core that knows the sensors as they are described now, with the state of the one before."""
        fresh = self._make_core(list(self._by_number.items()))
        for shard in range(SHARDS):
            fresh.loads(shard, self.core.dumps(shard))
        self.core = fresh

    @property
    def numbers(self) -> NDArray[np.intp]:
        """(n,) the numbers of the registered sensors, ascending."""
        return np.flatnonzero(self._known)

    def refresh(self) -> int:
        """Make sensors known that registered or changed since the last look; returns how many."""
        found, self._marker = SensorRepository(self._conn).changed_since(self._marker)
        if found:
            self.core.add_sensors([(entry.number, entry.sensor) for entry in found])
            for number, sensor in ((entry.number, entry.sensor) for entry in found):
                old = self._by_number.get(number)
                if old is not None and description_changed(old, sensor):
                    self._changed.setdefault(number, old)
                self._by_number[number] = sensor
            self._by_id |= {entry.sensor.id: entry.sensor for entry in found}
            self._know([entry.number for entry in found])
        return len(found)

    def known(self, batch: ReadingBatch) -> ReadingBatch:
        """The batch without the readings of sensors that nobody has registered, after one more look for them."""
        mask = self._mask(batch)
        if not mask.all():
            self.refresh()
            mask = self._mask(batch)
        if mask.all():
            return batch
        self._metrics.unknown.inc(int(np.count_nonzero(~mask)))
        return batch.take(mask)

    def _mask(self, batch: ReadingBatch) -> NDArray[np.bool_]:
        within = (batch.sensor >= 0) & (batch.sensor < len(self._known))
        return within & self._known[np.where(within, batch.sensor, 0)]

    def _know(self, numbers: Sequence[int]) -> None:
        if not numbers:
            return
        size = max(numbers) + 1
        if size > len(self._known):
            grown = np.zeros(max(size, 2 * len(self._known)), dtype=bool)
            grown[: len(self._known)] = self._known
            self._known = grown
        self._known[list(numbers)] = True
