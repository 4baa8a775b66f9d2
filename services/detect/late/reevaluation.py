"""Judges sensors again whose past changed: late readings, filled-in metrics, another description.

A second core of these sensors alone runs through their stored past, once as it is now and, where that differs from the
log of alerts, once as it was before: only what differs between the two is due to what changed. The core that knows the
whole past then replaces the live state of these sensors. Arrival itself (silence) is not judged. It goes piece by
piece, so that whoever asks can let the live core go on between two; the outcome is that of the moment at which it is
there. It refuses to write, to read a clock, and to know where the past is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeAlias

import numpy as np

from services.detect.late.episodes import (
    Episode,
    Finding,
    Verdict,
    caused,
    episodes,
    findings,
)
from services.detect.late.groups import Group
from services.detect.late.heard import Heard
from services.detect.late.marks import Marks
from services.detect.late.rerun import Known, Past, Rerun, caught_up
from services.detect.roster import Detecting, MakeCore
from services.detect.words.late_words import ARRIVED, ENDED, IN_TIME
from services.domain.alert import Alert
from services.domain.catalogue import Domain
from services.domain.condition import Change, Condition, Evidence
from services.domain.instant import DAY_US, SECOND_US, to_us
from services.domain.sensor import Sensor

TRAFFIC_DAYS: Final = 1.0
"""Of a road at most so much of the past is read: its neighbours are compared every half minute of it."""


class Log(Protocol):
    """The alerts of the detectors."""

    @property
    def open(self) -> Sequence[Alert]:
        """Every alert whose measurement still shows it."""

    def of(self, subjects: Collection[str], since_us: int) -> Mapping[str, Sequence[Alert]]:
        """The open alerts of each subject, and those that were raised since; oldest first. None: left out."""


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


Steps: TypeAlias = Generator[None, None, Outcome]
"""Judging that pauses after every piece and returns what it brought."""


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

    def judge(
        self,
        group: Group,
        marks: Marks,
        sensors: Mapping[int, Sensor],
        live: Detecting,
        now_us: int,
    ) -> Outcome:
        """What the log must hear of the group, and the state that knows its whole past; at one go.

        Args:
            sensors: by number, as they are described now.
            live: the running core; it is only asked up to where it has read.
            now_us: the stream's time: when it is told.
        """
        steps = self.steps(group, marks, sensors, live, lambda: now_us)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                outcome: Outcome = done.value
                return outcome

    @staticmethod
    def listener(group: Group) -> Heard | None:
        """Who must hear what the live core takes while a group is judged step by step; a road's state is kept."""
        return None if group.domain is Domain.TRAFFIC else Heard(group.domain, group.numbers)

    def steps(
        self,
        group: Group,
        marks: Marks,
        sensors: Mapping[int, Sensor],
        live: Detecting,
        clock_us: Callable[[], int],
        heard: Heard | None = None,
    ) -> Steps:
        """As `judge`, piece by piece. The last step ends with the live core's state: the caller adopts it at once.

        Args:
            marks: as they were at the first step; late readings that come after it are judged another time.
            clock_us: the stream's time.
            heard: the group's `listener`, to which the live core's batches are given from the first step on.
        """
        newest = live.newest_us(np.array(group.numbers, np.int64))
        now = [(number, sensors[number]) for number in group.numbers]
        subjects = {sensor.id: number for number, sensor in now}
        since_us = marks.first_us(group.marked)
        if since_us is None:
            since_us = clock_us()  # a description changed: what is over is of no interest
        days = self._warm_days
        if group.domain is Domain.TRAFFIC:
            days = min(days, TRAFFIC_DAYS)
        span_us = round(days * DAY_US)
        begun_us = [
            to_us(alert.started_at) for alert in self._log.open if alert.subject in subjects
        ]
        known = Known(self._past, group, newest, min([since_us, *begun_us]) - span_us, heard)

        def compared(said: Sequence[Episode]) -> list[Finding]:
            interesting = {a.subject for a in self._log.open} | {e.first.subject for e in said}
            interesting &= subjects.keys()
            alerts = self._log.of(interesting, since_us - span_us)
            return findings(said, interesting, lambda subject: alerts.get(subject, ()), since_us)

        yield
        run = Rerun(self._make_core(now), known)
        yield from run.past()
        yield from caught_up([run])
        found = compared(episodes(run.said))
        kept: set[int] = set()
        readings = run.readings
        if found:
            before = [(n, marks.changed.get(n) or sensor) for n, sensor in now]
            other = Rerun(self._make_core(before), known, marks.late.get(group.domain))
            yield from other.past()
            yield from caught_up([run, other])
            found, same = compared(episodes(run.said)), compared(episodes(other.said))
            every, found = found, caused(found, same)
            # an alert that neither run knows is older than what they read: the live state knows better
            kept = {
                subjects[f.key[1]]
                for f in every
                if f.verdict is Verdict.DISPROVED and f not in found
            }
            readings = run.readings + other.readings
        adopted = tuple(number for number in group.numbers if number not in kept)
        if group.domain is Domain.TRAFFIC:
            # its windows are minutes: the live state says by itself what is on now, and knows the habits of weeks
            found, adopted = [f for f in found if _of_the_past(f)], ()
        now_us = clock_us()
        now_known = [f for f in found if f.verdict is not Verdict.PAST]
        over = [f for f in found if f.verdict is Verdict.PAST]
        conditions = tuple(self._conditions(now_known, group, marks, subjects, now_us))
        ends = tuple(self._conditions(over, group, marks, subjects, now_us))
        past = tuple(zip(ends[::2], ends[1::2], strict=True))
        return Outcome(conditions, past, run.core, adopted, readings)

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
        over = {} if episode.end is None else {ENDED: episode.end.at_us / SECOND_US}
        told = _with(episode.last, {**numbers, **over})
        yield replace(told, change=Change.RAISE, onset_us=onset_us, at_us=now_us)
        if episode.end is not None:
            yield _over(episode.end, numbers, onset_us, now_us)
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
        yield _over(episode.end, numbers, onset_us, now_us)


def _over(end: Condition, numbers: Mapping[str, float], onset_us: int, now_us: int) -> Condition:
    """Told now, with the time at which it was over."""
    known = _with(end, {**numbers, ENDED: end.at_us / SECOND_US})
    return replace(known, change=Change.CLEAR, onset_us=onset_us, at_us=now_us)


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
