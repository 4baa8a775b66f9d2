"""Keeps the rollups: follows the batch feed, marks the hours that readings touched, and rolls them up when they settle.

One process at a time does it (`claim`). Marks and feed position commit together, and so do rollups and the end of
their marks, so that a kill at any moment leaves nothing wrong: what is marked, or not followed yet, is answered from
the readings themselves. It refuses long transactions (the feed's readers would wait) and costs ingest nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.domain.batch import CorruptBatch, ReadingBatch
from services.domain.catalogue import Domain
from services.domain.instant import DAY_US, HOUR_US, SECOND_US, from_us, to_us
from services.store.connection import Connection, transaction
from services.store.feed import FeedReader
from services.store.query.columns import Spans
from services.store.rollups import rollup_statements as statements
from services.store.rollups.rollup_level import CONSUMER, FINEST_OF_KIND, Level, finest_of, relation
from services.store.rollups.rollup_rows import mark, roll
from services.store.wire import Integers, Smallints, Times, columnar

Keys = NDArray[np.int64]
SETTLES: Final = timedelta(minutes=2)
"""An hour is rolled up when it has been over for so long; until then its readings answer."""
_READINGS_AT_ONCE: Final = 200_000
_HOURS_AT_ONCE: Final = 500
_ROWS_AT_ONCE: Final = 15_000
"""Readings of one transaction that builds: under a tenth of a second."""
_SENSORS_AT_ONCE: Final = 2_000
_BUILD_US: Final = 7 * DAY_US
_USUAL_CADENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Work:
    """What one round did: batches followed, hours rolled up, sensors begun, weeks of sensors built."""

    batches: int = 0
    hours: int = 0
    begun: int = 0
    built: int = 0

    @property
    def any(self) -> bool:
        """Whether there was something to do; then there may be more."""
        return bool(self.batches or self.hours or self.begun or self.built)


class Rollups:
    """The rollups' keeper, over one connection in autocommit mode."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._reader = FeedReader(conn, CONSUMER)
        row = conn.execute(statements.CONTINUOUS, (relation(Domain.WATER, Level.HOUR),)).fetchone()
        self._continuous = bool(row and row[0])
        self._claimed = False
        self._marked: dict[Domain, Keys] = {domain: np.empty(0, np.int64) for domain in Domain}

    def claim(self) -> bool:
        """Become the only keeper until the connection ends; False where there is another, or one that was killed
        and whose last statement the server has not ended yet.
        """
        self._claimed = self._claimed or self._reader.claim()
        return self._claimed

    def release(self) -> None:
        """Give up what `claim` took."""
        self._reader.release()
        self._claimed = False

    def round(self, now: datetime) -> Work:
        """A little of everything that waits: call it again at once while it finds something. `claim` comes first.

        Args:
            now: the database's time.

        Raises:
            Conflict: another keeper is at work. DatabaseUnavailable: try again; nothing is lost.
        """
        if not self._claimed:
            raise RuntimeError(
                "who keeps the rollups must have claimed them: two would undo each other's marks"
            )
        begun = self._begin(now)
        batches = self._follow()
        hours = self._settle(now)
        return Work(batches, hours, begun, 0 if batches or hours else self._build())

    def waiting(self, now: datetime) -> tuple[int, int]:
        """Hours that could be rolled up, and sensors whose past is not built yet."""
        row = self._conn.execute(statements.WAITING, {"before": _settled(now)}).fetchone()
        assert row is not None
        return row[0], row[1]

    def _follow(self) -> int:
        self._reader.rewind()
        try:
            rows = self._reader.poll(_READINGS_AT_ONCE)
        except CorruptBatch:
            try:
                rows = self._reader.poll(1)
            except CorruptBatch:
                return self._begin_anew()
        if rows:
            touched = [(d, self._touched(d, [r.batch for r in rows])) for d in Domain]
            with transaction(self._conn):
                for domain, keys in touched:
                    mark(self._conn, domain, *_of_keys(keys))
                self._reader.advance()
            for domain, keys in touched:
                self._marked[domain] = np.union1d(self._marked[domain], keys)
        return len(rows)

    def _touched(self, domain: Domain, batches: Sequence[ReadingBatch]) -> Keys:
        """Hours of sensors in these batches that are not marked already."""
        keys = [
            _keys(each.sensor, each.observed_us // HOUR_US)
            for each in batches
            if each.domain is domain
        ]
        found = np.unique(np.concatenate(keys)) if keys else np.empty(0, np.int64)
        return np.setdiff1d(found, self._marked[domain], assume_unique=True)

    def _begin_anew(self) -> int:
        """A damaged batch may have touched anything: nothing is trusted until it has been built again."""
        with transaction(self._conn):
            self._conn.execute(statements.DISTRUST)
            self._reader.skip()
            self._reader.advance()
        self._marked = {domain: np.empty(0, np.int64) for domain in Domain}
        return 1

    def _begin(self, now: datetime) -> int:
        finest = json.dumps({kind.value: int(level) for kind, level in FINEST_OF_KIND.items()})
        found = self._conn.execute(
            statements.TO_BEGIN, {"finest": finest, "limit": _SENSORS_AT_ONCE}
        ).fetchall()
        for domain in Domain:
            new = [row for row in found if row[0] == domain.value]
            if new:
                values = {
                    "domain": domain.value,
                    "sensors": Integers(np.array([row[1] for row in new])),
                    "finest": Smallints(np.array([finest_of(row[2]) for row in new])),
                    "now": now,
                }
                with columnar(self._conn) as cursor:
                    cursor.execute(statements.begin(domain), values)
        return len(found)

    def _settle(self, now: datetime) -> int:
        with columnar(self._conn) as cursor:
            found = cursor.execute(
                statements.SETTLED, {"before": _settled(now), "limit": _HOURS_AT_ONCE}
            ).fetchall()
        for name, sensors, hours, finest in found:
            domain, done = Domain(name), Spans(sensors, hours, hours + HOUR_US)
            self._refresh(domain, done)
            values = {"domain": name, "sensors": Integers(sensors), "hours": Times(hours)}
            with transaction(self._conn), columnar(self._conn) as cursor:
                if not self._continuous:
                    roll(self._conn, domain, done, finest)
                cursor.execute(statements.CLEAN, values)
            self._marked[domain] = np.setdiff1d(
                self._marked[domain], _keys(sensors, hours // HOUR_US)
            )
        return sum(len(row[1]) for row in found)

    def _build(self) -> int:
        """Some weeks of sensors that are not rolled up to their beginning, the newest first."""
        chosen = self._to_build()
        if not chosen:
            return 0
        domain = Domain(chosen[0][0])
        sensors = np.array([row[1] for row in chosen], np.int32)
        since = np.array([to_us(row[3]) for row in chosen], np.int64)
        with columnar(self._conn) as cursor:
            values = {"sensors": Integers(sensors), "since": Times(since)}
            older: dict[int, datetime | None] = dict(
                cursor.execute(statements.before(domain), values).fetchall()
            )
        over = [int(each) for each in sensors if older[int(each)] is None]
        left = np.array([older[int(each)] is not None for each in sensors])
        newest = np.array(
            [to_us(each) for each in map(older.get, sensors.tolist()) if each], np.int64
        )
        end = (newest // DAY_US + 1) * DAY_US
        spans = Spans(sensors[left], end - _BUILD_US, end)
        finest = np.array([row[2] for row in chosen], np.int16)[left]
        self._refresh(domain, spans)
        with transaction(self._conn), columnar(self._conn) as cursor:
            if len(spans):
                if not self._continuous:
                    roll(self._conn, domain, spans, finest)
                built = {"sensors": Integers(spans.sensor), "since": Times(spans.start_us)}
                cursor.execute(statements.BUILT, {"domain": domain.value, **built})
            cursor.execute(statements.COMPLETE, {"domain": domain.value, "sensors": over})
        # what was touched in these weeks before was not marked: from now on it must be
        marked = self._marked[domain]
        self._marked[domain] = marked[~np.isin(marked >> 32, sensors)]
        return len(chosen)

    def _to_build(self) -> Sequence[Sequence[Any]]:
        """Sensors of one domain whose next weeks hold as many readings as one transaction may."""
        found = self._conn.execute(statements.TO_BUILD, {"limit": _SENSORS_AT_ONCE}).fetchall()
        rows = 0.0
        chosen: list[Sequence[Any]] = []
        for row in found:
            rows += _BUILD_US / SECOND_US / (row[4] or _USUAL_CADENCE_S)
            if row[0] != found[0][0] or (chosen and rows > _ROWS_AT_ONCE):
                break
            chosen.append(row)
        return chosen

    def _refresh(self, domain: Domain, spans: Spans) -> None:
        """On the Community edition: the continuous aggregates, for the time of these spans, outside transactions."""
        if not self._continuous or not len(spans):
            return
        start = int(spans.start_us.min()) // DAY_US * DAY_US
        end = -(-int(spans.end_us.max()) // DAY_US) * DAY_US
        for level in Level:
            values = {"name": relation(domain, level), "start": from_us(start), "end": from_us(end)}
            self._conn.execute(statements.REFRESH, values)


def _settled(now: datetime) -> datetime:
    """Hours that begin before this have been over for long enough."""
    return now - SETTLES - timedelta(hours=1)


def _keys(sensor: NDArray[np.int32], hour: NDArray[np.int64]) -> Keys:
    """One number for each sensor and hour since 1970."""
    return sensor.astype(np.int64) << 32 | hour


def _of_keys(keys: Keys) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    return (keys >> 32).astype(np.int32), (keys & (2**32 - 1)) * HOUR_US
