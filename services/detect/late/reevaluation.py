"""Judges sensors again whose past changed: late readings, filled-in metrics, another description.

A second core of these sensors alone runs through their stored past, once as it is now and, where that differs from the
log of alerts, once as it was before: only what differs between the two is due to what changed. The core that knows the
whole past then replaces the live state of these sensors. Arrival itself (silence) is not judged. It refuses to write,
to read a clock, and to know where the past is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, Protocol

import numpy as np

from services.detect.late.episodes import (
    Episode,
    Finding,
    Verdict,
    caused,
    episodes,
    findings,
)
from services.detect.late.marks import Group, Marks
from services.detect.roster import Detecting, MakeCore
from services.detect.table import Array
from services.detect.words.late_words import ARRIVED, IN_TIME
from services.domain.alert import Alert
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain
from services.domain.condition import Change, Condition, Evidence
from services.domain.instant import DAY_US, SECOND_US, to_us
from services.domain.sensor import Sensor

TRAFFIC_DAYS: Final = 1.0
"""Of a road at most so much of the past is read: its neighbours are compared every half minute of it."""


class Past(Protocol):
    """Where stored readings are."""

    def __call__(
        self, domain: Domain, numbers: Sequence[int], start_us: int, end_us: int
    ) -> Iterator[ReadingBatch]:
        """Readings of the sensors observed in [start, end), in the order of time."""


class Log(Protocol):
    """The alerts of the detectors."""

    @property
    def open(self) -> Sequence[Alert]:
        """Every alert whose measurement still shows it."""

    def of(self, subject: str, since_us: int) -> Sequence[Alert]:
        """The open alerts of a subject, and those that were raised since; oldest first."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What judging a group again brought.

    Attributes:
        conditions: for `Cases.take`, in order; decided at the live stream's time.
        past: for `Cases.of_the_past`: begin and end of what was over before the open alert of its rule and subject.
        core: the state of the group, and of which of its sensors it is to be taken over.
        adopted: their numbers.
        readings: how many readings of the past were run through.
    """

    conditions: tuple[Condition, ...]
    past: tuple[tuple[Condition, Condition], ...]
    core: Detecting
    adopted: tuple[int, ...]
    readings: int

    @property
    def found(self) -> int:
        """How many things the log must hear."""
        return len(self.conditions) + 2 * len(self.past)


class Reevaluation:
    """How to judge a group again.

    Args:
        make_core: makes the second core.
        past: the stored readings.
        log: the alerts.
        warm_days: how much of the past before the change is needed to know the habits.
    """

    def __init__(self, make_core: MakeCore, past: Past, log: Log, warm_days: float) -> None:
        self._make_core, self._past, self._log = make_core, past, log
        self._warm_days = warm_days
        self._readings = 0

    def judge(
        self,
        group: Group,
        marks: Marks,
        sensors: Mapping[int, Sensor],
        live: Detecting,
        now_us: int,
    ) -> Outcome:
        """What the log must hear of the group, and the state that knows its whole past.

        Args:
            sensors: by number, as they are described now.
            live: the running core; it is only asked up to where it has read.
            now_us: the stream's time: when it is told.
        """
        self._readings = 0
        newest = live.newest_us(np.array(group.numbers, np.int64))
        now = [(number, sensors[number]) for number in group.numbers]
        subjects = {sensor.id: number for number, sensor in now}
        since_us = marks.first_us(group.marked)
        if since_us is None:
            since_us = now_us  # a description changed: what is over is of no interest
        days = self._warm_days
        if group.domain is Domain.TRAFFIC:
            days = min(days, TRAFFIC_DAYS)
        span_us = round(days * DAY_US)
        open_now = [alert for alert in self._log.open if alert.subject in subjects]
        start_us = min([since_us, *(to_us(alert.started_at) for alert in open_now)]) - span_us
        alerts_of = cache(lambda subject: self._log.of(subject, since_us - span_us))

        def compared(said: Sequence[Episode]) -> list[Finding]:
            interesting = {a.subject for a in open_now} | {e.first.subject for e in said}
            return findings(said, interesting & subjects.keys(), alerts_of, since_us)

        core, said = self._run(group, now, start_us, newest, None)
        found = compared(said)
        kept: set[int] = set()
        if found:
            before = [(n, marks.changed.get(n) or sensor) for n, sensor in now]
            _, otherwise = self._run(group, before, start_us, newest, marks)
            same = compared(otherwise)
            every, found = found, caused(found, same)
            # an alert that neither run knows is older than what they read: the live state knows better
            kept = {
                subjects[f.key[1]]
                for f in every
                if f.verdict is Verdict.DISPROVED and f not in found
            }
        adopted = tuple(number for number in group.numbers if number not in kept)
        if group.domain is Domain.TRAFFIC:
            # its windows are minutes: the live state says by itself what is on now, and knows the habits of weeks
            found, adopted = [f for f in found if _of_the_past(f)], ()
        now_known = [f for f in found if f.verdict is not Verdict.PAST]
        over = [f for f in found if f.verdict is Verdict.PAST]
        conditions = tuple(self._conditions(now_known, group, marks, subjects, now_us))
        ends = tuple(self._conditions(over, group, marks, subjects, now_us))
        past = tuple(zip(ends[::2], ends[1::2], strict=True))
        return Outcome(conditions, past, core, adopted, self._readings)

    def _run(
        self,
        group: Group,
        sensors: Sequence[tuple[int, Sensor]],
        start_us: int,
        newest: Array,
        without: Marks | None,
    ) -> tuple[Detecting, list[Episode]]:
        """A second core over the past up to what the live one has read; `without` takes out what came late."""
        core = self._make_core(sensors)
        said: list[Condition] = []
        end_us = int(newest.max(initial=start_us)) + 1
        limits = np.zeros(max(group.numbers, default=0) + 1, np.int64)
        limits[list(group.numbers)] = newest
        for stored in self._past(group.domain, group.numbers, start_us, end_us):
            known = stored.take(stored.observed_us <= limits[stored.sensor])
            batch = known if without is None else without.without(known)
            if len(batch):
                said += core.step(batch, int(batch.observed_us[-1]))
                self._readings += len(batch)
        return core, episodes(said)

    def _conditions(
        self,
        found: Sequence[Finding],
        group: Group,
        marks: Marks,
        subjects: Mapping[str, int],
        now_us: int,
    ) -> Iterator[Condition]:
        for finding in found:
            number = subjects[finding.key[1]]
            arrived = marks.arrived_us([number]) or marks.arrived_us(group.marked)
            numbers = {} if arrived is None else {ARRIVED: arrived / SECOND_US}
            if finding.episode is not None and arrived is not None:
                numbers[IN_TIME] = finding.told_us / SECOND_US
            yield from _of_finding(finding, numbers, now_us)


def _of_the_past(finding: Finding) -> bool:
    over = finding.episode is not None and finding.episode.end is not None
    known = finding.verdict in (Verdict.EARLIER, Verdict.PAST)
    return known or (finding.verdict is Verdict.MISSING and over)


def _of_finding(finding: Finding, numbers: Mapping[str, float], now_us: int) -> Iterator[Condition]:
    episode, alert = finding.episode, finding.alert
    if finding.verdict in (Verdict.MISSING, Verdict.PAST):
        assert episode is not None, "what is missing was found"
        onset_us = episode.first.onset_us
        if alert is not None and alert.cleared_at is not None:
            onset_us = to_us(alert.cleared_at)  # its alert has ended: this is another one
        told = replace(
            _with(episode.last, numbers), change=Change.RAISE, onset_us=onset_us, at_us=now_us
        )
        yield told
        if episode.end is not None:
            yield replace(
                _with(episode.end, numbers), change=Change.CLEAR, onset_us=onset_us, at_us=now_us
            )
        return
    assert alert is not None, "the other verdicts are about an alert"
    onset_us = to_us(alert.started_at)
    if finding.verdict is Verdict.DISPROVED or episode is None:
        yield Condition(
            *finding.key, Change.CLEAR, onset_us, now_us, alert.severity, alert.score,
            _evidence(alert, numbers),
        )  # fmt: skip
    elif finding.verdict is Verdict.EARLIER:
        yield replace(
            _with(episode.last, numbers), change=Change.UPDATE, onset_us=onset_us, at_us=now_us
        )
    elif episode.end is not None:
        yield replace(
            _with(episode.end, numbers), change=Change.CLEAR, onset_us=onset_us, at_us=now_us
        )


def _with(condition: Condition, numbers: Mapping[str, float]) -> Condition:
    evidence = condition.evidence
    return replace(condition, evidence=replace(evidence, numbers={**evidence.numbers, **numbers}))


def _evidence(alert: Alert, numbers: Mapping[str, float]) -> Evidence:
    """The alert's own evidence, with what is known now."""
    facts = alert.evidence
    numbers_of = facts.get("numbers")
    known = {
        name: value
        for name, value in (numbers_of.items() if isinstance(numbers_of, Mapping) else ())
        if name not in (ARRIVED, IN_TIME)
    }

    def number(name: str) -> float | None:
        value = facts.get(name)
        return float(value) if isinstance(value, int | float) else None

    return Evidence(
        str(facts.get("metric", "")),
        str(facts.get("unit", "")),
        number("value"),
        number("threshold"),
        number("baseline"),
        number("window_s") or 0.0,
        int(number("readings") or 0),
        number("missing_share") or 0.0,
        {**known, **numbers},
    )
