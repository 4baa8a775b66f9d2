"""When the live service judges sensors again whose past changed, and with what of the database.

It takes at most a fifth of the service's time, one group of sensors after the other, a slice at a time between two
looks at the feed. It refuses to write: the runner commits what is found, and takes the new state over when that is
committed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, NamedTuple
from uuid import UUID

import numpy as np

from services.detect.cases import Cases
from services.detect.late.groups import Group, Places, groups
from services.detect.late.heard import Heard
from services.detect.late.reevaluation import Outcome, Reevaluation, Steps
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
"""Of one subject, the newest."""


class Judged(NamedTuple):
    """A group and what judging it again brought; None where the detectors failed on its past."""

    group: Group
    outcome: Outcome | None


@dataclass
class _Current:
    """A group that is being judged: what is left to do, and what it cost so far."""

    group: Group
    steps: Steps
    heard: Heard | None
    seconds: float = 0.0
    longest_s: float = 0.0
    slices: int = 0


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
        self._current: _Current | None = None
        self._places: tuple[int, Places] | None = None

    def begin(self) -> None:
        """Forget what was planned and begun: the state was built anew."""
        self._waiting, self._current, self._places = [], None, None

    def due(self, stream: Stream) -> bool:
        """Whether something waits to be judged and it is time to."""
        return self.pause_s(stream) == 0

    def pause_s(self, stream: Stream) -> float:
        """Seconds until judging begins or goes on; infinite where nothing waits to be judged."""
        for number, old in stream.roster.take_changed().items():
            stream.marks.change(number, old)
        waits = self._current is not None or bool(stream.marks)
        return max(0.0, self._next - time.monotonic()) if waits else inf

    def judge(self, stream: Stream, cases: Cases) -> Judged | None:
        """Judge the next group for a slice of time; None when there is none, or it is not done yet.

        The caller lets the feed go on then, and says `done` when it has committed an outcome.

        Raises:
            CitygaugeError: of the database; nothing is lost, the marks stay.
        """
        begun = time.perf_counter()
        try:
            if self._current is None:
                self._current = self._next_group(stream, cases)
            current = self._current
            if current is None:
                return None
            judged = self._go_on(current, begun)
        finally:
            seconds = time.perf_counter() - begun
            self._metrics.late_slice_seconds.observe(seconds)
        current.seconds += seconds
        current.slices += 1
        current.longest_s = max(current.longest_s, seconds)
        lives = bool(self._settings.late_s)
        pause_s = seconds * (1 / _SHARE - 1) if lives else 0.0
        if judged is not None:
            self._tell(current, judged.outcome)
            if len(self._waiting) == 1:
                pause_s = max(pause_s, self._settings.late_s)
        self._next = time.monotonic() + pause_s
        return judged

    def _next_group(self, stream: Stream, cases: Cases) -> _Current | None:
        """Begin with the group that waits longest; what comes late from now on is judged another time."""
        marks, roster = stream.marks, stream.roster
        if not self._waiting:
            if marks.changed:
                _redescribe(stream)
            if self._places is None or self._places[0] != roster.revision:
                self._places = roster.revision, Places(dict(roster.numbered), ALONE)
            self._waiting = groups(marks, self._places[1], _SINGLES)
        if not self._waiting:
            marks.done(marks.numbers())  # of sensors that nobody knows
            return None
        group = self._waiting[0]
        work = Reevaluation(
            self._make_core, self._past, _Log(self._conn, cases), self._settings.warm_days
        )
        apart = marks.set_apart(group.marked)
        heard = stream.heard = work.listener(group)
        core = roster.core
        steps = work.steps(group, apart, roster.numbered, core, lambda: stream.clock_us, heard)
        return _Current(group, steps, heard)

    def _go_on(self, current: _Current, begun: float) -> Judged | None:
        """Piece after piece until the feed has waited long enough; to the end where it goes faster than the judging."""
        try:
            while True:
                next(current.steps)
                waited_s = time.perf_counter() - begun
                if current.heard is not None and current.heard.full:
                    continue
                if waited_s * 1000 >= self._settings.late_slice_ms:
                    return None
        except StopIteration as done:
            outcome: Outcome = done.value
            return Judged(current.group, outcome)
        except Exception as error:
            if isinstance(error, CitygaugeError) and error.retriable:
                raise  # the database is away: the marks stay
            self._metrics.failed_steps.inc()
            _LOG.exception("sensors cannot be judged again: sensors=%d", len(current.group.numbers))
            return Judged(current.group, None)

    def _tell(self, current: _Current, outcome: Outcome | None) -> None:
        group = current.group
        self._metrics.judging_again_seconds.observe(current.seconds)
        self._metrics.judged_again.inc(len(group.marked))
        if outcome is not None:
            _LOG.info(
                "judged again after late data: domain=%s sensors=%d marked=%d readings=%d found=%d seconds=%.2f "
                "slices=%d longest_ms=%.0f",
                group.domain,
                len(group.numbers),
                len(group.marked),
                outcome.readings,
                outcome.found,
                current.seconds,
                current.slices,
                current.longest_s * 1000,
            )

    def done(self, judged: Judged, stream: Stream) -> None:
        """The outcome is committed: take the state over and forget the marks."""
        self._waiting, self._current, stream.heard = self._waiting[1:], None, None
        if judged.outcome is not None and judged.outcome.adopted:
            stream.roster.core.adopt(judged.outcome.core, judged.outcome.adopted)
        stream.marks.forget_apart({n for group in self._waiting for n in group.marked})

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

    def of(self, subjects: Collection[str], since_us: int) -> Mapping[str, Sequence[Alert]]:
        known = self._repository.raised_since(subjects, from_us(since_us), limit=_ALERTS)
        known += [alert for alert in self._cases.open if alert.subject in subjects]
        found: dict[str, dict[UUID, Alert]] = {}
        for alert in known:
            found.setdefault(alert.subject, {})[alert.id] = alert
        return {subject: list(alerts.values()) for subject, alerts in found.items()}


def unknown_since(stream: Stream) -> None:
    """Mark the sensors that the registry changed after the marks were stored, while nobody looked."""
    marks, roster = stream.marks, stream.roster
    if marks.revision and marks.revision != roster.revision:
        numbers = roster.changed_since(marks.revision)
        heard = roster.core.newest_us(np.array(numbers, np.int64))
        for number, newest in zip(numbers, heard.tolist(), strict=True):
            if newest:
                marks.change(number, None)
