"""Credits alerts to events: hits, duplicates, ignored alerts, and the rest as episodes of false alarm.

An alert finds an event of its family at one of the event's sensors when it is told between the event's start and its
end (or the moment by which it had to be found) plus the case's grace. It refuses to look at when an alert says that
the event began: only when it was told counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.detect.scoring.alert_lines import AlertLine
from services.detect.scoring.families import finds
from services.detect.scoring.truth import Event, Truth, Window, names
from services.domain.instant import DAY_US


@dataclass(frozen=True, slots=True)
class Hit:
    """An event that was found: by which alert first, and how many further alerts told of it."""

    event: Event
    alert: AlertLine

    @property
    def delay_us(self) -> int:
        """From the event's start to the moment at which a person knew."""
        return self.alert.detected_us - self.event.start_us


@dataclass(frozen=True, slots=True)
class Episode:
    """False alarms of one sensor and family that followed each other closely; counted once.

    Attributes:
        alerts: in the order in which they were told.
        benign: the harmless thing during which the first was told, if there was one.
    """

    alerts: tuple[AlertLine, ...]
    benign: Window | None


@dataclass(frozen=True, slots=True)
class Matching:
    """What became of every alert and every event of a case.

    Attributes:
        hits: scored and unscored events that were found, in the order of finding.
        misses: scored events that were not.
        false_alarms: in the order of sensor, family and time.
        judged: how many alerts were looked at (told in the judged time, at a judged sensor).
        duplicates: how many told again of what was known.
        ignored: how many fell where the truth is unknown.
    """

    hits: tuple[Hit, ...]
    misses: tuple[Event, ...]
    false_alarms: tuple[Episode, ...]
    judged: int
    duplicates: int
    ignored: int


def match(truth: Truth, alerts: Sequence[AlertLine], *, any_family: bool = False) -> Matching:
    """Match a case's alerts with its events.

    Args:
        truth: the case.
        alerts: in any order.
        any_family: let an alert find an event of any family.
    """
    hits: dict[str, Hit] = {}
    wrong: list[AlertLine] = []
    judged = duplicates = ignored = 0
    credited_us: int | None = None
    for alert in sorted(alerts, key=lambda each: each.detected_us):
        at = alert.detected_us
        if not truth.start_us <= at <= truth.end_us + truth.grace_us:
            continue
        if truth.scored_sensors and alert.sensor_id not in truth.scored_sensors:
            continue
        judged += 1
        found = [
            event
            for event in truth.events
            if event.start_us <= at <= event.found_by_us + truth.grace_us
            and (any_family or finds(alert.family, event.family))
            and names(event.series, alert.sensor_id)
        ]
        fresh = [event for event in found if event.id not in hits]
        if truth.one_to_one and fresh:
            latest = max(fresh, key=lambda event: event.start_us)
            hits[latest.id] = Hit(latest, alert)
            credited_us = at
        elif found and not truth.one_to_one:
            hits |= {event.id: Hit(event, alert) for event in fresh}
            duplicates += len(found) - len(fresh)
        elif found and credited_us is not None and at - credited_us <= truth.duplicate_us:
            duplicates += 1
        elif _is_ignored(truth, alert):
            ignored += 1
        else:
            wrong.append(alert)
    return Matching(
        hits=tuple(hits.values()),
        misses=tuple(e for e in truth.events if e.scored and e.id not in hits),
        false_alarms=_episodes(truth, wrong),
        judged=judged,
        duplicates=duplicates,
        ignored=ignored,
    )


def _is_ignored(truth: Truth, alert: AlertLine) -> bool:
    return any(
        window.start_us <= alert.detected_us <= window.end_us
        and (alert.family in window.families or "*" in window.families)
        and (alert.sensor_id in window.series or "*" in window.series)
        for window in truth.ignored
    )


def _episodes(truth: Truth, wrong: list[AlertLine]) -> tuple[Episode, ...]:
    runs: list[list[AlertLine]] = []
    for alert in sorted(wrong, key=lambda each: (each.sensor_id, each.family, each.detected_us)):
        last = runs[-1][-1] if runs else None
        if (
            last is not None
            and (last.sensor_id, last.family) == (alert.sensor_id, alert.family)
            and alert.detected_us - last.detected_us <= truth.merge_us
        ):
            runs[-1].append(alert)
        else:
            runs.append([alert])
    return tuple(Episode(tuple(run), _benign(truth, run[0])) for run in runs)


def _benign(truth: Truth, alert: AlertLine) -> Window | None:
    """The harmless thing that was under way, or had ended within a day, when the alert was told."""
    for window in truth.benign:
        if names(window.series, alert.sensor_id) and (
            window.start_us <= alert.detected_us <= window.end_us + DAY_US
        ):
            return window
    return None
