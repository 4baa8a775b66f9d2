"""A city in memory that hears readings, also late ones, and judges again: what the runner does, without a database."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from uuid import UUID

import numpy as np

from services.detect.cases import Cases
from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.late.groups import Group, Places, groups
from services.detect.late.heard import Heard
from services.detect.late.marks import Marks, late_rows
from services.detect.late.memory_past import MemoryPast
from services.detect.late.reevaluation import Outcome, Reevaluation
from services.detect.watches.registry import ALONE
from services.detect.words.sentences import say
from services.domain.alert import Alert, AlertEvent, EventKind
from services.domain.alert_fold import fold
from services.domain.batch import ReadingBatch
from services.domain.condition import Condition
from services.domain.instant import to_us
from services.domain.sensor import Sensor

WARM_DAYS = 35.0


class City:
    """The live core, the log of alerts, what was stored, and what came late."""

    def __init__(self, settings: DetectorSettings, numbered: Sequence[tuple[int, Sensor]]) -> None:
        self._settings = settings
        self.sensors = dict(numbered)
        self.core = Core(settings, numbered)
        self.cases = Cases(say, {sensor.id: sensor for _, sensor in numbered})
        self.past, self.marks, self.book = MemoryPast(), Marks(), dict[UUID, Alert]()
        self.log: list[AlertEvent] = []
        self.heard: Heard | None = None
        self.clock_us = 0

    @property
    def open(self) -> Sequence[Alert]:
        return self.cases.open

    def of(self, subjects: Collection[str], since_us: int) -> Mapping[str, Sequence[Alert]]:
        found: dict[str, list[Alert]] = {}
        for alert in self.book.values():
            if alert.subject in subjects and (alert.active or to_us(alert.raised_at) >= since_us):
                found.setdefault(alert.subject, []).append(alert)
        return found

    def hear(self, batch: ReadingBatch) -> None:
        """Readings arrive: stored, marked where they are late, and given to the live core."""
        if not len(batch):
            return
        late = batch.take(late_rows(batch, self.core.newest_us(batch.sensor)))
        self.marks.add(late.take(self.past.news(late)))
        self.past.add(batch)
        self.tell(self.core.step(batch, 0))
        if self.heard is not None:
            self.heard.add(batch)
        self.clock_us = max(self.clock_us, int(batch.observed_us.max()))

    def tell(
        self,
        conditions: Iterable[Condition],
        past: Iterable[tuple[Condition, Condition]] = (),
    ) -> None:
        for event in self.cases.take(conditions) + self.cases.of_the_past(past):
            self.log.append(event)
            self.book[event.alert_id] = fold(self.book.get(event.alert_id), event)

    def groups(self) -> list[Group]:
        return groups(self.marks, Places(self.sensors, ALONE), 200)

    def reevaluation(self) -> Reevaluation:
        return Reevaluation(
            lambda sensors: Core(self._settings, sensors), self.past, self, WARM_DAYS
        )

    def judged(self, group: Group) -> Iterator[Outcome | None]:
        """Judge a group piece by piece: None until the outcome is there, which is told and adopted then."""
        apart = self.marks.set_apart(group.marked)
        work = self.reevaluation()
        self.heard = work.listener(group)
        steps = work.steps(group, apart, self.sensors, self.core, lambda: self.clock_us, self.heard)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                outcome: Outcome = done.value
                break
            yield None
        yield outcome
        self.take(outcome)

    def take(self, outcome: Outcome) -> None:
        """Tell an outcome and adopt its state."""
        self.tell(outcome.conditions, outcome.past)
        assert isinstance(outcome.core, Core)
        self.core.adopt(outcome.core, outcome.adopted)
        self.marks.forget_apart()
        self.heard = None

    def judge_all(self) -> None:
        """Judge at one go until nothing is marked."""
        while self.marks:
            for group in self.groups():
                for _ in self.judged(group):
                    pass

    def raised(self) -> list[AlertEvent]:
        return [event for event in self.log if event.kind is EventKind.RAISED]


def in_time(batch: ReadingBatch) -> ReadingBatch:
    """The readings in the order of time."""
    return batch.take(np.argsort(batch.observed_us, kind="stable"))
