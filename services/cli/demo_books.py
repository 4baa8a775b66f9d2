"""What the demo's person sees: the books of readings, the lag, the alerts. It only reads, and prints nothing."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from services.domain.alert import Alert, EventKind
from services.domain.catalogue import Domain
from services.domain.instant import from_us, to_us
from services.store import accounting, arrivals
from services.store.accounting import Account
from services.store.alerting.alerts import AlertRepository
from services.store.connection import Connection, transaction
from services.store.feed import FeedReader, horizon

_KEPT: Final = 4000
_CLEARED: Final = 5
_SPEAKING: Final = timedelta(hours=3)
_SPEAKING_EVERY_S: Final = 2.0
_RATE_S: Final = 4.0
_EVENTS: Final = 500


@dataclass(frozen=True, slots=True)
class Lag:
    """Milliseconds from publishing; None as long as nothing was measured.

    Attributes:
        p50, p99: to the transaction that stored a reading.
        alert_p50, alert_p99: from the reading that decided to the change of its alert.
    """

    p50: float | None = None
    p99: float | None = None
    alert_p50: float | None = None
    alert_p99: float | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The demo at one moment.

    Attributes:
        published: readings that the broker has acknowledged to the simulators.
        virtual_time: how far the simulators are.
        received, stored, duplicates, rejected, in_flight: since the demo began.
        rate: readings a second that were dealt with, over the last seconds.
        speaking: sensors that spoke lately, and how many there are.
        open, cleared: alerts; the newest first.
    """

    published: int
    virtual_time: datetime
    received: int
    stored: int
    duplicates: int
    rejected: int
    in_flight: int
    rate: float
    speaking: tuple[int, int]
    lag: Lag
    open: Sequence[Alert]
    cleared: Sequence[Alert]

    @property
    def balanced(self) -> bool:
        """Whether every published reading is accounted for."""
        return self.published == self.accounted

    @property
    def accounted(self) -> int:
        """Readings of which ingest has said what became of them."""
        return self.stored + self.duplicates + self.rejected


class Books:
    """Follows one demo from its beginning, over a connection in autocommit mode.

    Args:
        progress: the file in which the simulators report.
        sensors: how many there are.
        begin: where simulated time begins.

    Attributes:
        begun: the history, where there is one, is published, and the live part can begin.
        finished: the simulators have ended by themselves.
        alerts: everything that was told, by id.
    """

    def __init__(self, conn: Connection, progress: Path, sensors: int, begin: datetime) -> None:
        self._conn, self._path, self._sensors = conn, progress, sensors
        self._alerts = AlertRepository(conn)
        self._base = accounting.totals(conn)
        self._position = self._alerts.last_position()
        self._offset = 0
        self._published = 0
        self._virtual = begin
        self._fresh: list[tuple[str, int, int]] = []
        self._published_us: deque[tuple[int, int]] = deque(maxlen=_KEPT)
        self._lags_ms: deque[float] = deque(maxlen=_KEPT)
        self._alert_lags_ms: deque[float] = deque(maxlen=_KEPT)
        self._rates: deque[tuple[float, int]] = deque()
        self._speaking, self._speaking_due = 0, 0.0
        self.begun = self.finished = False
        self.alerts: dict[str, Alert] = {}

    def look(self) -> Snapshot:
        """The demo now."""
        self._read_progress()
        self._measure()
        self._follow_alerts()
        account = accounting.totals(self._conn)
        done = self._done(account)
        now = time.monotonic()
        self._rates.append((now, done))
        while now - self._rates[0][0] > _RATE_S:
            self._rates.popleft()
        begun, then = self._rates[0]
        ordered = sorted(self.alerts.values(), key=lambda alert: alert.raised_at, reverse=True)
        return Snapshot(
            published=self._published,
            virtual_time=self._virtual,
            received=account.received - self._base.received,
            stored=account.stored - self._base.stored,
            duplicates=account.duplicate - self._base.duplicate,
            rejected=account.rejected - self._base.rejected,
            in_flight=account.in_flight,
            rate=(done - then) / (now - begun) if now > begun else 0.0,
            speaking=(self._count_speaking(now), self._sensors),
            lag=Lag(*_quantiles(self._lags_ms), *_quantiles(self._alert_lags_ms)),
            open=[alert for alert in ordered if alert.active],
            cleared=sorted(
                (alert for alert in ordered if alert.cleared_at is not None),
                key=lambda alert: str(alert.cleared_at),
                reverse=True,
            )[:_CLEARED],
        )

    def begin_detection(self, consumer: str) -> None:
        """Put a consumer of the feed at its end: what is stored until now is history to learn from, not news."""
        reader = FeedReader(self._conn, consumer)
        reader.seek(horizon(self._conn))
        with transaction(self._conn):
            reader.advance()

    def drained(self, consumer: str) -> bool:
        """Whether a consumer of the feed has done everything that is committed."""
        return FeedReader(self._conn, consumer).lag().batches == 0

    def _done(self, account: Account) -> int:
        return account.stored + account.duplicate + account.rejected

    def _read_progress(self) -> None:
        """Take in the whole lines that the simulators have added to their file."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            report = json.loads(line)
            self._published = report["readings"]
            self._virtual = datetime.fromisoformat(report["virtual_time"])
            self.begun |= report["live"]
            self.finished |= report["done"]
            for sensor_id, observed_us, published_us in report["marks"]:
                self._fresh.append((sensor_id, observed_us, published_us))
                self._published_us.append((observed_us, published_us))

    def _measure(self) -> None:
        """Ask for the marked readings when they were stored; those that are not there yet wait."""
        waiting: list[tuple[str, int, int]] = []
        fresh, self._fresh = self._fresh[-_KEPT:], waiting
        # The sensor's id does not say its domain; a reading is in one of the tables.
        keys = [(sensor_id, from_us(observed_us)) for sensor_id, observed_us, _ in fresh]
        found: list[datetime | None] = [None] * len(keys)
        for domain in Domain:
            answers = arrivals.stored_at(self._conn, domain, keys)
            found = [old or new for old, new in zip(found, answers, strict=True)]
        for mark, at in zip(fresh, found, strict=True):
            if at is None:
                waiting.append(mark)
            else:
                self._lags_ms.append(max((to_us(at) - mark[2]) / 1000, 0.0))

    def _follow_alerts(self) -> None:
        """Take in what happened to alerts, and how long after its reading was published."""
        events = self._alerts.events_after(self._position, limit=_EVENTS)
        if events:
            touched = self._alerts.many(list({stored.event.alert_id for stored in events}))
            self.alerts |= {str(each): alert for each, alert in touched.items()}
        marks = sorted(self._published_us)
        for stored in events:
            self._position = stored.position
            event = stored.event
            at_us = to_us(event.at)
            if event.kind in (EventKind.RAISED, EventKind.CLEARED) and len(marks) > 1:
                observed = [each for each, _ in marks]
                if observed[0] <= at_us <= observed[-1]:
                    published = float(np.interp(at_us, observed, [each for _, each in marks]))
                    self._alert_lags_ms.append(max((to_us(stored.stored_at) - published) / 1000, 0))

    def _count_speaking(self, now: float) -> int:
        if now >= self._speaking_due:
            self._speaking_due = now + _SPEAKING_EVERY_S
            since = self._virtual - 2 * _SPEAKING
            self._speaking = sum(
                arrivals.speaking(self._conn, domain, since, _SPEAKING) for domain in Domain
            )
        return self._speaking


def _quantiles(values_ms: Sequence[float]) -> tuple[float | None, float | None]:
    if not values_ms:
        return None, None
    p50, p99 = np.percentile(np.asarray(values_ms), (50, 99))
    return round(float(p50), 1), round(float(p99), 1)
