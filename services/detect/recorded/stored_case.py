"""A range of the city's own database as a case for the backtest, in the order of the readings' own times.

It refuses to write, and to hold more than one step of the past.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.detect.recorded.recordings import Slice, sliced
from services.domain.catalogue import Domain
from services.domain.instant import MICROSECOND, to_us
from services.domain.sensor import Sensor
from services.store.connection import Connection
from services.store.past import newest_time, oldest_time, past_steps
from services.store.sensors import SensorRepository


class StoredCase:
    """What was observed in a range of time, with the registry of today.

    Args:
        start: from when it is reported; None: everything that is stored.
        end: the newest stored reading when not given.
        warm: what is read before `start`, so that the detectors know the habits.
        only: numbers of the sensors that it is about; None: all.
    """

    arrivals = False
    """Readings are taken in the order of their own times."""

    def __init__(
        self,
        conn: Connection,
        start: datetime | None,
        end: datetime | None,
        warm: timedelta,
        only: Collection[int] | None = None,
    ) -> None:
        self.conn = conn
        found, _ = SensorRepository(conn).changed_since(0)
        self._numbered = [
            (each.number, each.sensor) for each in found if only is None or each.number in only
        ]
        self._only = None if only is None else _by_domain(self._numbered)
        newest = newest_time(conn)
        self._end = end or (newest + MICROSECOND if newest else None)
        self._start = None if start is None else start - warm

    @property
    def numbered(self) -> list[tuple[int, Sensor]]:
        """Every registered sensor by its number."""
        return self._numbered

    def span_us(self) -> tuple[int, int]:
        """From when on readings are taken or asked for, and their end; both 0 when nothing is stored."""
        if self._end is None:
            return 0, 0
        first = self._start or oldest_time(self.conn) or self._end
        return to_us(first), to_us(self._end)

    def slices(self, every_us: Mapping[Domain, int]) -> Iterator[Slice]:
        """The stored readings, cut where the clock is looked at."""
        if self._end is None:
            return
        domains = {sensor.domain for _, sensor in self._numbered}
        every = min((every_us[domain] for domain in domains), default=1)
        start = self._start or datetime(2000, 1, 1, tzinfo=self._end.tzinfo)
        for block in past_steps(self.conn, start, self._end, only=self._only):
            in_order = {
                domain: replace(batch, received_us=batch.observed_us)
                for domain, batch in block.items()
            }
            yield from sliced(in_order, every)


def _by_domain(numbered: Sequence[tuple[int, Sensor]]) -> dict[Domain, list[int]]:
    found: dict[Domain, list[int]] = {}
    for number, sensor in numbered:
        found.setdefault(sensor.domain, []).append(number)
    return found
