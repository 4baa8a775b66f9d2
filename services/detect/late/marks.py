"""Late readings: which sensors must be judged again, and since when; kept with the checkpoint until that is done.

A reading is late when its sensor has spoken of a later time, or of the same (a metric that was filled in). Marks that
are read again after a restart are only made again: judging twice changes nothing. It refuses to judge.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np

from services.detect.late.before import Before
from services.detect.table import Array
from services.domain.batch import ReadingBatch, concatenate
from services.domain.catalogue import Domain, SensorKind
from services.domain.errors import CitygaugeError
from services.domain.sensor import Sensor

LATE_SHARD: Final = -1
"""Under this number the marks are stored beside the shards of the state."""
MOST_ROWS: Final = 1_000_000
"""Late readings of a domain that are remembered one by one; of more (a year is imported) the oldest of each sensor."""
_MAGIC: Final = b"CGL1"
_TELLING: Final = (
    "kind", "zone", "road", "direction", "position_m", "lanes", "cadence_s", "time_zone", "gateway",
    "area_m2",
)  # fmt: skip
"""What of a sensor's description the detectors look at."""


class CorruptMarks(CitygaugeError, ValueError):
    """Bytes that should hold marks do not."""


def late_rows(batch: ReadingBatch, newest_us: Array) -> Array:
    """Places of the readings that are not newer than what their sensor said before, in the order of the batch.

    Args:
        newest_us: (n,) the newest time that each row's sensor had spoken of before the batch.
    """
    order = np.argsort(batch.sensor, kind="stable")
    sensor, at = batch.sensor[order], batch.observed_us[order]
    begins = np.concatenate([[True], sensor[1:] != sensor[:-1]])
    if (at > np.where(begins, newest_us[order], np.concatenate([[0], at[:-1]]))).all():
        return np.empty(0, np.intp)
    times, rank = np.unique(at, return_inverse=True)
    floor = (np.cumsum(begins) - 1) * len(times)  # the running maximum of each sensor by itself
    highest = times[np.maximum.accumulate(floor + rank) - floor]
    before = np.where(begins, 0, np.concatenate([[0], highest[:-1]]))
    late = at <= np.maximum(before, newest_us[order])
    return np.sort(order[late])


def description_changed(old: Sensor, new: Sensor) -> bool:
    """Whether the detectors would see another sensor."""
    return any(getattr(old, name) != getattr(new, name) for name in _TELLING)


@dataclass
class Marks:
    """What waits to be judged again.

    Attributes:
        late: late readings by domain, in the order in which they came.
        changed: sensors whose description changed, as they were before, by number; None where that is not known.
        revision: up to where changes of the registry are among `changed` or were judged.
        apart: the marks of sensors that are being judged; what comes meanwhile is marked beside them.
    """

    late: dict[Domain, ReadingBatch] = field(default_factory=dict)
    changed: dict[int, Sensor | None] = field(default_factory=dict)
    revision: int = 0
    apart: Marks | None = None

    def __bool__(self) -> bool:
        return bool(self.late or self.changed)

    def add(self, batch: ReadingBatch) -> None:
        """Mark the sensors of these late readings."""
        if not len(batch):
            return
        known = self.late.get(batch.domain)
        whole = concatenate([known, batch] if known is not None else [batch])
        self.late[batch.domain] = whole if len(whole) <= MOST_ROWS else _oldest(whole)

    def change(self, number: int, old: Sensor | None) -> None:
        """Mark a sensor whose description changed."""
        self.changed.setdefault(number, old)

    def first_us(self, numbers: Iterable[int]) -> int | None:
        """The oldest late reading of these sensors."""
        chosen = np.array(list(numbers), np.int64)
        found = [
            int(batch.observed_us[mine].min())
            for batch in self.late.values()
            if (mine := np.isin(batch.sensor, chosen)).any()
        ]
        return min(found, default=None)

    def arrived_us(self, numbers: Iterable[int]) -> int | None:
        """When the newest late reading of these sensors arrived."""
        chosen = np.array(list(numbers), np.int64)
        found = [
            int(batch.received_us[mine].max())
            for batch in self.late.values()
            if (mine := np.isin(batch.sensor, chosen)).any()
        ]
        return max(found, default=None)

    def numbers(self) -> set[int]:
        """Every sensor that is marked."""
        found = set(self.changed)
        for batch in self.late.values():
            found.update(np.unique(batch.sensor).tolist())
        return found

    def without(self, batch: ReadingBatch) -> ReadingBatch:
        """A batch of the past as it was before the late readings and metrics came."""
        return Before(self.late.get(batch.domain)).without(batch)

    def done(self, numbers: Iterable[int]) -> None:
        """Forget the marks of these sensors."""
        gone = set(numbers)
        self.changed = {n: old for n, old in self.changed.items() if n not in gone}
        chosen = np.array(sorted(gone), np.int64)
        rest = {d: batch.take(~np.isin(batch.sensor, chosen)) for d, batch in self.late.items()}
        self.late = {domain: batch for domain, batch in rest.items() if len(batch)}

    def set_apart(self, numbers: Iterable[int]) -> Marks:
        """Set the marks of these sensors apart while they are judged, and return them."""
        chosen = np.array(sorted(numbers), np.int64)
        mine = {d: batch.take(np.isin(batch.sensor, chosen)) for d, batch in self.late.items()}
        self.apart = Marks(
            {domain: batch for domain, batch in mine.items() if len(batch)},
            {n: self.changed[n] for n in chosen.tolist() if n in self.changed},
        )
        self.done(chosen.tolist())
        return self.apart

    def forget_apart(self, keep: Iterable[int] = ()) -> None:
        """What was set apart is judged; the marks of `keep` wait for another judgement."""
        if self.apart is not None:
            self.apart.done(self.apart.numbers() - set(keep))
            whole = self.whole()
            self.late, self.changed, self.apart = whole.late, whole.changed, None

    def whole(self) -> Marks:
        """What waits, together with what was set apart: nothing is judged before it is committed."""
        if self.apart is None:
            return self
        known = Marks(dict(self.apart.late), {**self.changed, **self.apart.changed}, self.revision)
        for batch in self.late.values():
            known.add(batch)
        return known

    def dumps(self) -> bytes:
        """Bytes that `loads` turns back into equal marks."""
        known = self.whole()
        parts = [batch.dumps() for batch in known.late.values()]
        head = json.dumps(
            {
                "revision": known.revision,
                "changed": [[n, asdict(old) if old else None] for n, old in known.changed.items()],
                "sizes": [len(part) for part in parts],
            }
        ).encode()
        return b"".join((_MAGIC, len(head).to_bytes(4, "little"), head, *parts))

    @classmethod
    def loads(cls, data: bytes) -> Marks:
        """The marks in the bytes.

        Raises:
            CorruptMarks: they are none.
        """
        if data[:4] != _MAGIC:
            raise CorruptMarks("these are no marks of late readings")
        try:
            size = 8 + int.from_bytes(data[4:8], "little")
            head = json.loads(data[8:size])
            late = {}
            for length in head["sizes"]:
                batch = ReadingBatch.loads(data[size : size + length])
                late[batch.domain] = batch
                size += length
            changed = {number: _sensor(old) for number, old in head["changed"]}
            return cls(late, changed, head["revision"])
        except (ValueError, KeyError, TypeError, CitygaugeError) as error:
            raise CorruptMarks(f"the marks of late readings are damaged: {error}") from error


def _oldest(batch: ReadingBatch) -> ReadingBatch:
    order = np.lexsort((batch.observed_us, batch.sensor))
    sensor = batch.sensor[order]
    return batch.take(np.sort(order[np.concatenate([[True], sensor[1:] != sensor[:-1]])]))


def _sensor(facts: Mapping[str, Any] | None) -> Sensor | None:
    return None if facts is None else Sensor(**{**facts, "kind": SensorKind(facts["kind"])})
