"""The registry as ingest needs it in the hot path: ids to numbers, numbers to domain and newest time, as arrays.

It refuses to query: rows are handed in, and `newest_of` is asked for sensors seen for the first time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.domain.catalogue import Domain
from services.domain.sensor import Sensor

UNKNOWN: Final = -1
NEVER: Final = np.iinfo(np.int64).min
_CODE: Final[Mapping[Domain, int]] = {domain: code for code, domain in enumerate(Domain)}


class SensorTable:
    """Sensors by number, growing as they are registered."""

    def __init__(self) -> None:
        self.marker = 0
        """Up to which change of the registry this table is complete."""
        self._number: dict[str, int] = {}
        self._asked: tuple[Sequence[str], NDArray[np.int64]] | None = None
        """The last list that was asked for, and its numbers: a batch is asked for three times."""
        self._unit: dict[str, str] = {}
        self._domain = np.full(1024, UNKNOWN, dtype=np.int8)
        self._newest = np.full(1024, NEVER, dtype=np.int64)
        self._primed = np.zeros(1024, dtype=np.bool_)

    def __len__(self) -> int:
        return len(self._number)

    def update(self, sensors: Iterable[tuple[int, Sensor]], marker: int) -> None:
        """Adds sensors or takes over their changes."""
        self._asked = None
        for number, sensor in sensors:
            while number >= len(self._domain):
                self._grow()
            self._number[sensor.id] = number
            self._domain[number] = _CODE[sensor.domain]
            if sensor.unit is None:
                self._unit.pop(sensor.id, None)
            else:
                self._unit[sensor.id] = sensor.unit
        self.marker = marker

    def _grow(self) -> None:
        more = len(self._domain)
        self._domain = np.concatenate([self._domain, np.full(more, UNKNOWN, dtype=np.int8)])
        self._newest = np.concatenate([self._newest, np.full(more, NEVER, dtype=np.int64)])
        self._primed = np.concatenate([self._primed, np.zeros(more, dtype=np.bool_)])

    def unit_of(self, sensor_id: str) -> str | None:
        """The registered UCUM code for payloads without units."""
        return self._unit.get(sensor_id)

    def numbers(self, sensor_ids: Sequence[str]) -> NDArray[np.int64]:
        """(n,) numbers; UNKNOWN for a sensor that is not registered. Neither list nor answer may be changed later."""
        if self._asked is not None and self._asked[0] is sensor_ids:
            return self._asked[1]
        number = self._number
        try:
            found = np.fromiter(map(number.__getitem__, sensor_ids), np.int64, len(sensor_ids))
        except KeyError:
            known = [number.get(sensor_id, UNKNOWN) for sensor_id in sensor_ids]
            found = np.array(known, dtype=np.int64)
        self._asked = sensor_ids, found
        return found

    def in_domain(self, numbers: NDArray[np.int64], domain: Domain) -> NDArray[np.bool_]:
        """(n,) whether each registered number belongs to the domain."""
        same: NDArray[np.bool_] = self._domain[numbers] == _CODE[domain]
        return same

    def unprimed(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers, each once, whose newest reading has not been asked for yet."""
        primed = self._primed[numbers]
        return np.unique(numbers[~primed]) if not primed.all() else numbers[:0]

    def prime(self, numbers: NDArray[np.int64], newest_us: Mapping[int, int]) -> None:
        """Takes over the newest stored times of sensors; a sensor that `newest_us` lacks has no reading."""
        for number, newest in newest_us.items():
            self._newest[number] = max(int(self._newest[number]), newest)
        self._primed[numbers] = True

    def newest(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) the newest observed time of each sensor, microseconds; NEVER where there is none."""
        return self._newest[numbers]

    def advance(self, numbers: NDArray[np.int64], observed_us: NDArray[np.int64]) -> None:
        """Takes over newer observed times."""
        np.maximum.at(self._newest, numbers, observed_us)
