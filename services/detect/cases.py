"""From conditions to events of alerts: what is open, in memory, and what the next condition means for it.

It writes nothing: the runner commits its events with the position, and loads it anew after anything went wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from services.detect.grouping import Groups
from services.detect.words.late_words import late_words, still_late
from services.domain.alert import Alert, AlertEvent, EventKind, event_of_condition
from services.domain.alert_fold import fold
from services.domain.condition import Change, Condition, Rule
from services.domain.instant import from_us
from services.domain.sensor import Sensor
from services.domain.sentences.language import in_english
from services.domain.sentences.said import Said
from services.domain.subject import SubjectKind, kind_of_subject, name_of_subject

_LOG: Final = logging.getLogger("citygauge.detect")
Key: TypeAlias = tuple[Rule, str]
"""A rule and its subject: at most one open alert exists for it."""
Words: TypeAlias = Callable[[Condition, Sensor], Said | str]
"""A condition at a sensor in words; a plain text can be said in English alone."""


class Cases:
    """The open alerts of the detectors.

    Args:
        say: puts a condition at a sensor into words.
        sensors: by id; a subject without one is put into words by its id and rule alone.
    """

    def __init__(self, say: Words, sensors: Mapping[str, Sensor]) -> None:
        self._say, self._sensors = say, sensors
        self._open: dict[Key, Alert] = {}
        self._groups = Groups(sensors)

    @property
    def open(self) -> Sequence[Alert]:
        """Every alert whose measurement still shows it."""
        return tuple(self._open.values())

    def load(self, alerts: Iterable[Alert]) -> None:
        """Forget all and know these open alerts."""
        self._open = {}
        self._groups = Groups(self._sensors)
        for alert in sorted(alerts, key=lambda each: (each.raised_at, each.id)):
            self._open[alert.rule, alert.subject] = alert
            self._groups.add(alert)

    def take(self, conditions: Iterable[Condition]) -> list[AlertEvent]:
        """The events that the conditions mean, in their order."""
        events = []
        for said in conditions:
            key = (said.rule, said.subject)
            alert = self._open.get(key)
            condition = still_late(said, alert)
            event = event_of_condition(condition, self._words(condition), alert)
            if event is None:
                continue
            if event.kind is EventKind.RAISED:
                group = self._groups.group_of(condition.rule, condition.subject, condition.onset_us)
                if group is not None:
                    event = replace(event, data={**event.data, "group_id": str(group)})
            events.append(event)
            folded = fold(None if event.kind is EventKind.RAISED else alert, event)
            if folded.active:
                self._open[key] = folded
                if event.kind is EventKind.RAISED:
                    self._groups.add(folded)
            else:
                del self._open[key]
                self._groups.discard(folded)
        return events

    def of_the_past(self, episodes: Iterable[tuple[Condition, Condition]]) -> list[AlertEvent]:
        """The events of episodes (raise, clear) that are over: alerts of their own, beside what is open.

        They belong to no group: the open alert tells of another event.
        """
        events = []
        for begun, ended in episodes:
            raised = event_of_condition(begun, self._words(begun), None)
            if raised is not None:
                raised = replace(raised, data={**raised.data, "past": True})
                cleared = event_of_condition(ended, self._words(ended), fold(None, raised))
                events += [raised] if cleared is None else [raised, cleared]
        return events

    def reconcile(
        self, last: Mapping[Key, Condition], now_us: int
    ) -> tuple[list[AlertEvent], list[Alert]]:
        """What the log must still hear after the state was rebuilt from history.

        Args:
            last: the last condition of each rule and subject in that history.
            now_us: stream time at its end; what is found only now was decided now.

        Returns:
            Events: a raise for each condition that is on and has no open alert, a clear for each open alert whose
            condition has ended. And the open alerts of which the history says nothing: they stay open and are
            carried on by the next condition of their rule and subject.
        """
        found = []
        for key, condition in last.items():
            alert = self._open.get(key)
            ended = condition.change is Change.CLEAR
            if ended and alert is not None and from_us(condition.at_us) < alert.raised_at:
                continue  # it ended before this alert began
            if ended == (alert is not None):
                at_us = max(condition.at_us, now_us)
                change = Change.CLEAR if ended else Change.RAISE
                found.append(replace(condition, change=change, at_us=at_us))
        silent = [
            alert
            for key, alert in self._open.items()
            if key not in last and alert.rule is not Rule.ALERT_FLOOD
        ]
        return self.take(found), silent

    def _sensor_of(self, subject: str) -> Sensor | None:
        """The sensor; for a feed or a gateway any one of its sensors."""
        name = name_of_subject(subject)
        match kind_of_subject(subject):
            case SubjectKind.FEED | SubjectKind.FLOOD:
                return next((s for s in self._sensors.values() if s.domain.value == name), None)
            case SubjectKind.GATEWAY:
                return next((s for s in self._sensors.values() if s.gateway == name), None)
            case SubjectKind.SENSOR:
                return self._sensors.get(name)

    def _words(self, condition: Condition) -> Said | str:
        sensor = self._sensor_of(condition.subject)
        plain = f"{condition.rule} at {condition.subject}: {condition.change}."
        if sensor is None:
            return plain
        try:
            said, late = self._say(condition, sensor), late_words(condition)
            if late is None:
                return said
            if isinstance(said, Said):
                return said.and_also(late)
            return f"{said} {in_english(Said((late,), None, sensor.time_zone))}"
        except Exception:
            _LOG.exception(
                "a condition cannot be put into words: rule=%s subject=%s",
                condition.rule,
                condition.subject,
            )
            return plain
