"""Runs the live detectors and the live alert logic over recorded readings, in the order in which they arrived.

`citygauge backtest` and the scorecard use it; a case is a folder (`recordings`) or a range of the database
(`stored_case`). Where the readings pause, the clock goes on as it does live. It refuses to read truth, and needs
neither database nor broker itself.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from services.detect.cases import Cases
from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.late.groups import Places, groups
from services.detect.late.marks import Marks, late_rows
from services.detect.late.memory_past import MemoryPast
from services.detect.late.reevaluation import Reevaluation
from services.detect.recorded.recordings import Slice, read_case
from services.detect.recorded.told import Told
from services.detect.ticks import TICK_US
from services.detect.watches.registry import ALONE
from services.detect.words.sentences import say
from services.domain.alert import Alert, EventKind
from services.domain.alert_fold import fold
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain
from services.domain.condition import NOTES, Condition
from services.domain.instant import SECOND_US, parse_time, to_us
from services.domain.sensor import Sensor
from services.domain.subject import SubjectKind, kind_of_subject

WARM_DAYS: Final = 35.0
"""Of a past that is judged again; as the live service's `warm_days`."""
_SINGLES: Final = 200
_PAUSE_SHARE: Final = 64
"""In a pause the clock is looked at every sixty-fourth of its length so far."""


class Case(Protocol):
    """Recorded readings, from wherever."""

    @property
    def numbered(self) -> Sequence[tuple[int, Sensor]]:
        """Its sensors, by the numbers that its batches have."""

    @property
    def arrivals(self) -> bool:
        """Whether it is told when readings arrived; then late ones are judged as the live service does."""

    def slices(self, every_us: Mapping[Domain, int]) -> Iterator[Slice]:
        """Its readings in the order of arrival, cut where the clock is looked at."""


class Rehearsal:
    """One run over a case.

    Args:
        case: what was recorded.
        settings: of the detectors.
        start_us: what would have been told before is not reported; readings before it are the warm-up and are all
            taken. end_us: readings that arrived at or after it are not taken, the clock goes on up to it.
    """

    def __init__(
        self,
        case: Case,
        settings: DetectorSettings,
        start_us: int | None = None,
        end_us: int | None = None,
    ) -> None:
        self._case, self._start_us, self._end_us = case, start_us, end_us
        self._make_core = partial(Core, settings)
        self._core = Core(settings, case.numbered)
        self._marks, self._past = Marks(), MemoryPast()
        self._ended: list[Alert] = []
        self._sensors = {sensor.id: sensor for _, sensor in case.numbered}
        domains = {sensor.domain for sensor in self._sensors.values()}
        self._every_us = min((TICK_US[domain] for domain in domains), default=SECOND_US)
        self._cases = Cases(say, self._sensors)
        self._book: dict[Any, Told] = {}

    def run(self) -> Iterator[dict[str, Any]]:
        """The lines of `run_case`."""
        clock_us: int | None = None
        for part in self._bounded():
            yield from self._pass(clock_us, part.first_us)
            yield from self._told(self._core.tick(part.first_us))
            for batch in part.batches:
                self._mark(batch)
                yield from self._told(self._core.step(batch, part.last_us))
            yield from self._told(self._core.tick(part.last_us))
            yield from self._judged_again(part.last_us)
            clock_us = part.last_us
        if self._end_us is not None:
            yield from self._pass(clock_us, self._end_us)
        for told in self._book.values():
            yield from self._reported(told)

    def _bounded(self) -> Iterator[Slice]:
        """The slices up to the end."""
        for part in self._case.slices(TICK_US):
            if self._end_us is None or part.last_us < self._end_us:
                yield part
                continue
            rest = _before(part, self._end_us)
            if rest.batches:
                yield rest
            return

    def _pass(self, since_us: int | None, until_us: int) -> Iterator[dict[str, Any]]:
        """Let time go by in which nothing arrived."""
        if since_us is None:
            return
        every = self._every_us
        at_us = since_us + every
        while at_us < until_us:
            yield from self._told(self._core.tick(at_us))
            at_us += max(every, (at_us - since_us) // _PAUSE_SHARE)

    def _mark(self, batch: ReadingBatch) -> None:
        """Remember what arrived, where the case says when, and which sensors it came too late for."""
        if not self._case.arrivals:
            return
        late = batch.take(late_rows(batch, self._core.newest_us(batch.sensor)))
        self._marks.add(late.take(self._past.news(late)))
        self._past.add(batch)

    def _judged_again(self, now_us: int) -> Iterator[dict[str, Any]]:
        """What late readings reveal, as the live service finds it."""
        if not self._marks:
            return
        sensors = dict(self._case.numbered)
        for group in groups(self._marks, Places(sensors, ALONE), _SINGLES):
            work = Reevaluation(self._make_core, self._past, self, WARM_DAYS)
            outcome = work.judge(group, self._marks, sensors, self._core, now_us)
            yield from self._told(outcome.conditions, outcome.past)
            if outcome.adopted and isinstance(outcome.core, Core):
                self._core.adopt(outcome.core, outcome.adopted)
        self._marks = Marks()

    @property
    def open(self) -> Sequence[Alert]:
        """The open alerts, for the judging of late readings."""
        return self._cases.open

    def of(self, subjects: Collection[str], since_us: int) -> Mapping[str, Sequence[Alert]]:
        """The alerts of each subject that are open or were raised since."""
        found: dict[str, list[Alert]] = {}
        for alert in (*self._ended, *(told.now for told in self._book.values())):
            if alert.subject in subjects and (alert.active or to_us(alert.raised_at) >= since_us):
                found.setdefault(alert.subject, []).append(alert)
        return found

    def _told(
        self,
        conditions: Iterable[Condition],
        past: Iterable[tuple[Condition, Condition]] = (),
    ) -> Iterator[dict[str, Any]]:
        for event in self._cases.take(conditions) + self._cases.of_the_past(past):
            if event.kind is EventKind.RAISED:
                self._book[event.alert_id] = Told(fold(None, event))
                continue
            told = self._book[event.alert_id]
            told.take(event)
            if event.kind is EventKind.CLEARED:
                del self._book[event.alert_id]
                if self._case.arrivals:
                    self._ended.append(told.now)
                yield from self._reported(told)

    def _reported(self, told: Told) -> Iterator[dict[str, Any]]:
        if kind_of_subject(told.now.subject) is not SubjectKind.SENSOR:
            return  # the nights that a recording leaves out are silences of its feed, and nobody labels them
        if told.now.rule in NOTES:
            return
        for line in told.lines(self._sensors[told.now.subject]):
            if self._start_us is None or parse_time(line["detected_at"]) >= self._start_us:
                yield line


def _before(part: Slice, end_us: int) -> Slice:
    """The readings of a slice that arrived before an end."""
    cut = tuple(b for batch in part.batches if len(b := batch.take(batch.received_us < end_us)))
    last_us = max((int(batch.received_us[-1]) for batch in cut), default=part.first_us)
    return Slice(part.first_us, last_us, cut)


def run_case(
    case: Path | Case,
    settings: DetectorSettings | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
) -> Iterator[dict[str, Any]]:
    """The alerts of a case, in the order in which they ended, the open ones last.

    A line is what a person was told at that moment (`told`). A person is told anew when an alert's severity rises:
    that is a line of its own, detected then.

    Args:
        case: folder with readings.csv[.gz] and perhaps sensors.json, or a case that is open already. Kinds and
            metrics that the catalogue does not know raise no alert.
        settings: of the detectors; the defaults otherwise.
        start_us: what would have been told before is not reported; microseconds since 1970.
        end_us: readings that arrived at or after it are not taken.

    Yields:
        {sensor_id, kind, rule, started_at, detected_at, ended_at (None while open), severity, score, evidence,
        sentence, last, ended_sentence}; detected_at is the stream time at which the service would have told a person,
        evidence what it decided by then; `last` is the alert as it stood at its end, or at the recording's.
    """
    chosen = read_case(case) if isinstance(case, Path) else case
    return Rehearsal(chosen, settings or DetectorSettings(), start_us, end_us).run()


def in_order(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines in the order in which a person would have heard of them."""
    return sorted(lines, key=lambda line: (line["detected_at"], line["sensor_id"]))


def write_alerts(case: Path, out: Path, settings: DetectorSettings | None = None) -> int:
    """Write a case's alerts as JSON lines in the order of detection and return how many there are."""
    lines = in_order(run_case(case, settings))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return len(lines)
