"""When the live service judges sensors again whose past changed, and with what of the database.

It takes at most a fifth of the service's time, one group of sensors after the other. It refuses to write: the runner
commits what is found, and takes the new state over when that is committed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from services.detect.cases import Cases
from services.detect.late.marks import Group, groups
from services.detect.late.reevaluation import Outcome, Reevaluation
from services.detect.metrics import DetectMetrics
from services.detect.roster import MakeCore
from services.detect.settings import DetectSettings
from services.detect.stream import Stream
from services.detect.watches.registry import ALONE
from services.domain.alert import Alert
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain
from services.domain.errors import CitygaugeError
from services.domain.instant import from_us
from services.store.alerting.alerts import AlertRepository
from services.store.connection import Connection
from services.store.past import past_of

_LOG: Final = logging.getLogger("citygauge.detect")
_SHARE: Final = 0.2
"""Of the time, at most, goes into judging again."""
_SINGLES: Final = 200
"""Meters that are judged in one go."""
_ALERTS: Final = 1_000


class Judged(NamedTuple):
    """A group and what judging it again brought; None where the detectors failed on its past."""

    group: Group
    outcome: Outcome | None


class LateWork:
    """The judging of one leader, over its connection."""

    def __init__(
        self,
        conn: Connection,
        settings: DetectSettings,
        make_core: MakeCore,
        metrics: DetectMetrics,
    ) -> None:
        self._conn, self._settings, self._metrics = conn, settings, metrics
        self._make_core = make_core
        self._next = 0.0
        self._waiting: list[Group] = []

    def begin(self) -> None:
        """Forget what was planned: the state was built anew."""
        self._waiting = []

    def due(self, stream: Stream) -> bool:
        """Whether something waits to be judged and it is time to."""
        for number, old in stream.roster.take_changed().items():
            stream.marks.change(number, old)
        return bool(stream.marks) and time.monotonic() >= self._next

    def judge(self, stream: Stream, cases: Cases) -> Judged | None:
        """Judge the next group; None when there is none. The caller says `done` when it has committed the outcome.

        Raises:
            CitygaugeError: of the database; nothing is lost, the marks stay.
        """
        if not self._waiting:
            if stream.marks.changed:
                _redescribe(stream)
            self._waiting = groups(stream.marks, stream.roster.numbered, ALONE, _SINGLES)
        if not self._waiting:
            stream.marks.done(stream.marks.numbers())  # of sensors that nobody knows
            return None
        group = self._waiting[0]
        begun = time.perf_counter()
        work = Reevaluation(
            self._make_core, self._past, _Log(self._conn, cases), self._settings.warm_days
        )
        outcome: Outcome | None = None
        try:
            outcome = work.judge(
                group, stream.marks, stream.roster.numbered, stream.roster.core, stream.clock_us
            )
        except Exception as error:
            if isinstance(error, CitygaugeError) and error.retriable:
                raise  # the database is away: the marks stay
            self._metrics.failed_steps.inc()
            _LOG.exception("sensors cannot be judged again: sensors=%d", len(group.numbers))
        seconds = time.perf_counter() - begun
        self._metrics.judging_again_seconds.observe(seconds)
        self._metrics.judged_again.inc(len(group.marked))
        if outcome is not None:
            _LOG.info(
                "judged again after late data: domain=%s sensors=%d marked=%d readings=%d found=%d seconds=%.2f",
                group.domain,
                len(group.numbers),
                len(group.marked),
                outcome.readings,
                outcome.found,
                seconds,
            )
        pause = seconds / _SHARE if self._settings.late_s else 0.0
        self._next = time.monotonic() + max(
            0.0 if len(self._waiting) > 1 else self._settings.late_s, pause
        )
        return Judged(group, outcome)

    def done(self, judged: Judged, stream: Stream) -> None:
        """The outcome is committed: take the state over and forget the marks."""
        self._waiting = self._waiting[1:]
        if judged.outcome is not None and judged.outcome.adopted:
            stream.roster.core.adopt(judged.outcome.core, judged.outcome.adopted)
        left = {number for group in self._waiting for number in group.marked}
        stream.marks.done(set(judged.group.marked) - left)

    def _past(
        self, domain: Domain, numbers: Sequence[int], start_us: int, end_us: int
    ) -> Iterator[ReadingBatch]:
        return past_of(self._conn, domain, numbers, from_us(start_us), from_us(end_us))


def _redescribe(stream: Stream) -> None:
    try:
        stream.roster.redescribe()
    except Exception as error:
        if isinstance(error, CitygaugeError) and error.retriable:
            raise
        _LOG.exception("the changed registry is heeded at the next start only")


class _Log:
    """The alerts in the database."""

    def __init__(self, conn: Connection, cases: Cases) -> None:
        self._repository, self._cases = AlertRepository(conn), cases

    @property
    def open(self) -> Sequence[Alert]:
        return self._cases.open

    def of(self, subject: str, since_us: int) -> Sequence[Alert]:
        page = self._repository.page(
            limit=_ALERTS, now=from_us(since_us), subject=subject, start=from_us(since_us)
        )
        found = {alert.id: alert for alert in reversed(page.items)}
        found |= {alert.id: alert for alert in self._cases.open if alert.subject == subject}
        return list(found.values())


def unknown_since(stream: Stream) -> None:
    """Mark the sensors that the registry changed after the marks were stored, while nobody looked."""
    marks, roster = stream.marks, stream.roster
    if marks.revision and marks.revision != roster.revision:
        numbers = roster.changed_since(marks.revision)
        heard = roster.core.newest_us(np.array(numbers, np.int64))
        for number, newest in zip(numbers, heard.tolist(), strict=True):
            if newest:
                marks.change(number, None)
