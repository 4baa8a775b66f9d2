"""Keeps the rollups: follows the batch feed, marks the hours that readings touched, and rolls them up when they settle.

One process at a time does it (`claim`). Marks and feed position commit together, and so do rollups and the end of
their marks, so that a kill at any moment leaves nothing wrong: what is marked, or not followed yet, is answered from
the readings themselves. It refuses long transactions (the feed's readers would wait) and costs ingest nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from services.domain.batch import CorruptBatch, ReadingBatch
from services.domain.catalogue import Domain
from services.domain.instant import DAY_US, HOUR_US, from_us
from services.store.connection import Connection, transaction
from services.store.feed import FeedReader
from services.store.query.columns import Spans
from services.store.rollups import rollup_statements as statements
from services.store.rollups.building import MOST, Building
from services.store.rollups.marks import Keys, Marks, keys_of, of_keys
from services.store.rollups.pace import Pace
from services.store.rollups.rollup_level import CONSUMER, FINEST_OF_KIND, Level, finest_of, relation
from services.store.rollups.rollup_rows import mark, roll
from services.store.wire import Integers, Smallints, Times, columnar

SETTLES: Final = timedelta(minutes=2)
"""An hour is rolled up when it has been over for so long; until then its readings answer."""
_READINGS_AT_ONCE: Final = 200_000
_HOURS_AT_ONCE: Final = (500, 100, 10_000)
"""Hours of one transaction that settles: at first, at least, at most."""
_SENSORS_AT_ONCE: Final = 2_000


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

    def __init__(self, conn: Connection, most: int = MOST) -> None:
        """At most so many readings are rolled up in one transaction that builds the past."""
        self._conn = conn
        self._most = most
        self._pace = Pace(*_HOURS_AT_ONCE)
        self._reader = FeedReader(conn, CONSUMER)
        row = conn.execute(statements.CONTINUOUS, (relation(Domain.WATER, Level.HOUR),)).fetchone()
        self._continuous = bool(row and row[0])
        self._claimed = False
        self._start()

    def _start(self) -> None:
        """Know nothing of what another keeper may have changed."""
        self._marks = Marks()
        self._building = Building(self._conn, self._marks, self._most)
        self._begun = -1  # the revision of the register up to which all sensors are begun

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
        self._start()

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
                    mark(self._conn, domain, *of_keys(keys))
                self._reader.advance()
            for domain, keys in touched:
                self._marks.add(domain, keys)
        return len(rows)

    def _touched(self, domain: Domain, batches: Sequence[ReadingBatch]) -> Keys:
        """Hours of sensors in these batches that are not marked already."""
        keys = [keys_of(each.sensor, each.observed_us) for each in batches if each.domain is domain]
        found = np.unique(np.concatenate(keys)) if keys else np.empty(0, np.int64)
        return self._marks.new(domain, found)

    def _begin_anew(self) -> int:
        """A damaged batch may have touched anything: nothing is trusted until it has been built again."""
        with transaction(self._conn):
            self._conn.execute(statements.DISTRUST)
            self._reader.skip()
            self._reader.advance()
        self._start()
        return 1

    def _begin(self, now: datetime) -> int:
        """Whoever has registered, or is of another kind, since the last time."""
        row = self._conn.execute(statements.REVISION).fetchone()
        assert row is not None
        if row[0] == self._begun:
            return 0
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
        if found:
            self._building.forget()
        if len(found) < _SENSORS_AT_ONCE:
            self._begun = row[0]
        return len(found)

    def _settle(self, now: datetime) -> int:
        values = {"before": _settled(now), "limit": int(self._pace.amount)}
        with columnar(self._conn) as cursor:
            found = cursor.execute(statements.SETTLED, values).fetchall()
        for name, sensors, hours, finest in found:
            domain, done = Domain(name), Spans(sensors, hours, hours + HOUR_US)
            self._refresh(domain, done)
            clean = {"domain": name, "sensors": Integers(sensors), "hours": Times(hours)}
            began = time.perf_counter()
            with transaction(self._conn), columnar(self._conn) as cursor:
                if not self._continuous:
                    roll(self._conn, domain, done, finest)
                cursor.execute(statements.CLEAN, clean)
            self._pace.took(len(hours), time.perf_counter() - began)
            self._marks.remove(domain, keys_of(sensors, hours))
        return sum(len(row[1]) for row in found)

    def _build(self) -> int:
        """A piece of what is not rolled up to its beginning."""
        piece = self._building.next()
        if piece is None:
            return 0
        self._refresh(piece.domain, piece.spans)
        began = time.perf_counter()
        with transaction(self._conn):
            if not self._continuous:
                roll(self._conn, piece.domain, piece.spans, piece.finest)
            self._building.built(piece)
        self._building.took(piece, time.perf_counter() - began)
        return len(piece.spans)

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
