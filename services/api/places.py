"""Where alerts are: the sensors that their subjects name, looked up once a minute at most.

It refuses to hold the whole registry; the least recently found are forgotten.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from services.api.documents import PlaceDocument
from services.domain.sensor import Sensor
from services.store.connection import Connection
from services.store.sensors import SensorRepository

_KEPT: Final = 20_000
_FRESH_S: Final = 60.0
_FIELDS: Final = tuple(PlaceDocument.model_fields)

Place = Mapping[str, object]


class Places:
    """Places by sensor id; safe for several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, Place | None]] = OrderedDict()

    def of(self, connection: Connection, subjects: Iterable[str]) -> Mapping[str, Place | None]:
        """The place of each subject; None for one that is no registered sensor."""
        wanted = dict.fromkeys(subjects)
        found = self.known(wanted)
        if len(found) == len(wanted):
            return found
        now = self._clock()
        missing = [subject for subject in wanted if subject not in found]
        sensors = SensorRepository(connection).many(missing)
        for subject in missing:
            sensor = sensors.get(subject)
            found[subject] = None if sensor is None else place_of(sensor)
            self._keep(subject, found[subject], now + _FRESH_S)
        return found

    def known(self, subjects: Iterable[str]) -> dict[str, Place | None]:
        """Those of the places that need not be looked up."""
        now = self._clock()
        found: dict[str, Place | None] = {}
        with self._lock:
            for subject in subjects:
                until, place = self._known.get(subject, (0.0, None))
                if now < until:
                    found[subject] = place
        return found

    def one(self, connection: Connection, subject: str) -> Place | None:
        """The place of one subject; None for one that is no registered sensor."""
        return self.of(connection, [subject])[subject]

    def _keep(self, subject: str, place: Place | None, until: float) -> None:
        with self._lock:
            self._known[subject] = (until, place)
            self._known.move_to_end(subject)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)


def place_of(sensor: Sensor) -> Place:
    """The sensor's place as it is served."""
    return {name: getattr(sensor, name) for name in _FIELDS}
