"""Rows of the feed through the core, and the stream's clock, in one way for what is new and what is read again.

It refuses to swallow a failing detector: `DetectorFailed` names the batches, and the runner decides.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from services.detect.late.heard import Heard
from services.detect.late.marks import Marks, late_rows
from services.detect.metrics import DetectMetrics
from services.detect.roster import Roster
from services.detect.settings import Clock
from services.detect.table import NEVER
from services.detect.ticks import parts_by_time
from services.domain.batch import ReadingBatch, concatenate
from services.domain.catalogue import Domain
from services.domain.condition import Condition
from services.domain.errors import CitygaugeError
from services.domain.instant import HOUR_US
from services.store.feed import FeedRow


class DetectorFailed(CitygaugeError):
    """A detector raised an exception; its state is not to be trusted any more.

    Attributes:
        batches: ids of the rows of the feed that it was given; empty when only the clock went on.
    """

    retriable = True

    def __init__(self, batches: Sequence[int], problem: str) -> None:
        self.batches, self.problem = tuple(batches), problem
        named = ", ".join(map(str, self.batches)) or "none, the clock went on"
        super().__init__(f"a detector failed: batches={named} problem={problem}")


class Stream:
    """The core over the feed.

    Args:
        clock: wall: time goes on with the receipt of readings; stream: with their own times, as far as the core
            believes them.
        clock_us: stream time so far, microseconds since 1970; 0 when nothing is known.

    Attributes:
        marks: sensors that late readings passed by; somebody else judges them again.
        heard: who wants to know what the core takes, while sensors are judged again.
    """

    def __init__(
        self, roster: Roster, clock: Clock, metrics: DetectMetrics, clock_us: int = 0
    ) -> None:
        self.roster = roster
        self.clock_us = clock_us
        self.marks = Marks()
        self.heard: Heard | None = None
        self._clock, self._metrics = clock, metrics
        # a domain of the registry that has not spoken since the start holds time back too: its rows may come next
        self._newest = {sensor.domain: clock_us for sensor in roster.sensors.values()}
        self._settled_us = 0

    def feed(self, rows: Sequence[FeedRow], alone: Iterable[int] = ()) -> list[Condition]:
        """What the rows and the time that they bring mean; neighbours of one domain are stepped together.

        Args:
            rows: in the order of the feed.
            alone: ids of rows that are stepped by themselves, because one of them is suspected.
        """
        by_readings = self._clock is Clock.STREAM
        apart = frozenset(row.id for row in rows) if by_readings else frozenset(alone)
        conditions: list[Condition] = []
        for group in _groups(rows, apart):
            batch = concatenate([row.batch for row in group])
            ids = [row.id for row in group]
            if not by_readings:
                conditions += self.learn(batch, ids)
                continue
            for part, reached_us in parts_by_time(batch):
                conditions += self.learn(part, ids)
                conditions += self._pass(batch.domain, reached_us)
        return conditions

    def _pass(self, domain: Domain, reached_us: int) -> list[Condition]:
        """Let time pass up to what every domain has reached: a replay puts days into one batch of the feed.

        A domain whose batch of the same hour comes next must not look silent, nor all when one clock is ahead.
        """
        credible_us = self.roster.core.clock_us(domain)
        if credible_us != NEVER:
            near = reached_us <= credible_us + HOUR_US
            self._reach({domain}, reached_us if near else credible_us)
        everywhere = min(self._newest.values(), default=0)
        return self._ticked(everywhere) if everywhere else []

    def _reach(self, domains: Iterable[Domain], us: int) -> None:
        for domain in domains:
            self._newest[domain] = max(self._newest.get(domain, 0), us)

    def learn(self, batch: ReadingBatch, ids: Sequence[int] = ()) -> list[Condition]:
        """What one batch means; `ids` names the rows of the feed that it came from, if it came from there."""
        batch = self.roster.known(batch)
        if not len(batch):
            return []
        by_receipt = self._clock is Clock.WALL
        if by_receipt:
            self.clock_us = max(self.clock_us, int(batch.received_us.max()))
        started = time.perf_counter()
        late = late_rows(batch, self.roster.core.newest_us(batch.sensor))
        if late.size:
            self.marks.add(batch.take(late))
            self._metrics.late.inc(late.size)
        try:
            conditions = self.roster.core.step(batch, self.clock_us)
        except Exception as error:
            raise DetectorFailed(ids, _problem(error)) from error
        if self.heard is not None:
            self.heard.add(batch)
        if not by_receipt:
            newest_us = min(int(batch.observed_us.max()), self.roster.core.clock_us(batch.domain))
            self.clock_us = max(self.clock_us, newest_us)
        self._metrics.detection_seconds.observe(time.perf_counter() - started)
        self._metrics.readings.inc(len(batch))
        return conditions

    def tick(self, now_us: int = 0) -> list[Condition]:
        """What the clock alone means, at `now_us` or at the stream's time where that is later."""
        self.clock_us = max(self.clock_us, now_us)
        return self._ticked(self.clock_us) if self.clock_us else []

    def tick_behind(self) -> list[Condition]:
        """What the clock means behind rows of the feed of which more may be waiting.

        On the stream's own clock nothing: a domain whose rows come next must not look silent. `feed` let time pass
        up to what every domain has reached, and `settle` does the rest.
        """
        return [] if self._clock is Clock.STREAM else self.tick()

    @property
    def settled(self) -> bool:
        """Whether `settle` has nothing to add."""
        return self._settled_us == self.clock_us

    def settle(self) -> list[Condition]:
        """What the stream's own time means when everything in the feed was taken."""
        self._settled_us = self.clock_us
        self._reach(self._newest, self.clock_us)
        return self.tick()

    def catch_up(self, told_us: int) -> list[Condition]:
        """Let time pass as far as it had when the last alert was told (0: none): that is not in the feed."""
        if self._clock is not Clock.STREAM:
            return self.tick(told_us)
        return self._ticked(told_us) if told_us else []

    def _ticked(self, now_us: int) -> list[Condition]:
        try:
            return self.roster.core.tick(now_us)
        except Exception as error:
            raise DetectorFailed((), _problem(error)) from error


def _groups(rows: Sequence[FeedRow], alone: frozenset[int]) -> Iterator[list[FeedRow]]:
    group: list[FeedRow] = []
    for row in rows:
        together = group and row.batch.domain is group[-1].batch.domain
        if group and not (together and row.id not in alone and group[-1].id not in alone):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _problem(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
