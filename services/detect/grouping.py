"""Which alerts tell of one event: a queue over several stations, one leak by two rules, a broken main and its homes.

An alert is about one rule at one sensor; what happened in the street is often more than that. Whoever is told wants
one message for one event, so an alert that is raised beside an open one of the same event joins its group. It
refuses to decide who is told; the store does, when it writes the event. A silent gateway or feed is an alert of its
own (`detectors/feed_silent.py`), not a group.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final, TypeAlias

from services.domain.alert import Alert
from services.domain.condition import Rule
from services.domain.instant import from_us
from services.domain.sensor import Sensor

QUEUE_REACH_M: Final = 2_500.0
"""Metres along the road between two stations that may stand in one queue: a station between them may be silent."""

ZONE_REACH: Final = timedelta(hours=6)
"""How far apart a zone's loss and what its premises show of it may begin."""

_LEAK, _SENSOR, _QUEUE, _ROAD, _ZONE = "leak", "sensor", "queue", "road", "zone"
_FAMILIES: Final[Mapping[Rule, str]] = {
    Rule.CONTINUOUS_FLOW: _LEAK,
    Rule.BURST: _LEAK,
    Rule.NIGHT_FLOW: _LEAK,
    Rule.INTERMITTENT_LEAK: _LEAK,
    Rule.SILENT: _SENSOR,
    Rule.STUCK: _SENSOR,
    Rule.SENSOR_FAULT: _SENSOR,
    Rule.CONGESTION: _QUEUE,
    Rule.INCIDENT: _QUEUE,
}
"""Rule -> what its alerts tell of. Alerts of different families never tell of one event, others stand alone."""

_OF_THE_MAIN: Final = frozenset({Rule.BURST, Rule.BACKFLOW})
"""What a broken main does to the premises behind it: water rushes or runs back."""

_Place: TypeAlias = tuple[str | None, ...]


class Groups:
    """The open alerts by place, oldest first.

    Same event: the same family of rules at the same sensor; for queues also stations of one road and direction
    within `QUEUE_REACH_M` of each other; and what premises show within `ZONE_REACH` of their zone's loss, if that was
    told first (never the other way round: one home's burst is no reason to say less of a zone). A raise costs the
    number of open alerts on its road or of its zone, and one look elsewhere.

    Args:
        sensors: by id; may grow. A subject that is not among them is alone with itself.
    """

    def __init__(self, sensors: Mapping[str, Sensor]) -> None:
        self._sensors = sensors
        self._open: dict[_Place, dict[uuid.UUID, Alert]] = {}

    def add(self, alert: Alert) -> None:
        """An alert is open; the ones before it were raised before it."""
        for place in self._kept_at(alert):
            self._open.setdefault(place, {})[alert.id] = alert

    def discard(self, alert: Alert) -> None:
        """An alert has cleared."""
        for place in self._kept_at(alert):
            if (here := self._open.get(place)) is not None:
                here.pop(alert.id, None)
                if not here:
                    del self._open[place]

    def group_of(self, rule: Rule, subject: str, onset_us: int) -> uuid.UUID | None:
        """The group of the oldest open alert that tells of the same event, or None when there is none.

        Args:
            onset_us: when the alert that is raised began in the data.
        """
        here = self._sensors.get(subject)
        for place in self._places(rule, subject):
            for alert in self._open.get(place, {}).values():
                if place[0] != _ROAD or _near(here, self._sensors.get(alert.subject)):
                    return alert.group_id or alert.id
        if rule in _OF_THE_MAIN and here is not None and here.zone is not None:
            for alert in self._open.get((_ZONE, here.zone), {}).values():
                if abs(from_us(onset_us) - alert.started_at) <= ZONE_REACH:
                    return alert.group_id or alert.id
        return None

    def _kept_at(self, alert: Alert) -> Iterator[_Place]:
        yield from self._places(alert.rule, alert.subject)
        sensor = self._sensors.get(alert.subject)
        if alert.rule is Rule.ZONE_LEAK and sensor is not None and sensor.zone is not None:
            yield (_ZONE, sensor.zone)

    def _places(self, rule: Rule, subject: str) -> Iterator[_Place]:
        family = _FAMILIES.get(rule)
        if family is None:
            return
        sensor = self._sensors.get(subject)
        if family == _QUEUE and sensor is not None and sensor.road is not None:
            yield (_ROAD, sensor.road, sensor.direction)
        else:
            yield (family, subject)


def _near(here: Sensor | None, there: Sensor | None) -> bool:
    if here is None or there is None:
        return False
    if here.position_m is None or there.position_m is None:
        return here.id == there.id
    return abs(here.position_m - there.position_m) <= QUEUE_REACH_M
