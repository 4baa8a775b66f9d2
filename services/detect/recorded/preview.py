"""What other limits would have told over stored readings, beside what the present ones tell, and how those ended.

Both configurations run over the same readings, in the same way; alerts of both that overlap at one sensor are one.
Each is held against the alerts that people had and judged. It refuses to change anything, and to judge for them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from statistics import median
from typing import Any, Final, NamedTuple

from services.detect.detector_settings import DetectorSettings
from services.detect.late.groups import Places, groups
from services.detect.late.marks import Marks
from services.detect.recorded.backtest import Case, run_case
from services.detect.recorded.recordings import Slice
from services.detect.recorded.stored_case import StoredCase
from services.detect.recorded.told import RECORDED_NAMES
from services.detect.recorded.verdicts import judged_alerts
from services.detect.scoring.families import family_of
from services.detect.watches.registry import ALONE
from services.domain.alert import Alert
from services.domain.catalogue import Domain
from services.domain.condition import Rule, Severity
from services.domain.errors import UnknownPlace, UnknownSensor
from services.domain.instant import isoformat, parse_time, to_us
from services.domain.judgement import was_right
from services.domain.sensor import Sensor
from services.store.connection import Connection
from services.store.sensors import SensorRepository

MOST_ITEMS: Final = 300
"""Alerts of each outcome that are listed; all are counted."""
_HOUR_US: Final = 3_600_000_000
_OF_ROADS: Final = ("congestion_", "unusual_", "stuck_traffic_", "silent_traffic_")
_SEVERITIES: Final = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)


@dataclass(frozen=True, slots=True)
class PreviewOrder:
    """What is compared.

    Attributes:
        present, changed: the two configurations; rules: those that the changed limits belong to.
        start, end: alerts that are told in [start, end); `warm` before it is read so that the habits are known.
        sensor_id, zone, road: where; everywhere without any.
    """

    present: DetectorSettings
    changed: DetectorSettings
    rules: frozenset[Rule]
    start: datetime
    end: datetime
    warm: timedelta
    sensor_id: str | None = None
    zone: str | None = None
    road: str | None = None


class Told(NamedTuple):
    """One alert that a configuration tells; times in microseconds since 1970, `ended_us` infinite while open."""

    sensor_id: str
    rule: Rule
    started_us: int
    told_us: int
    ended_us: float
    severity: Severity
    sentence: str


class Pair(NamedTuple):
    """An alert as the present and as the changed configuration tell it; None where one does not. And what was."""

    present: Told | None
    changed: Told | None
    past: Alert | None

    @property
    def outcome(self) -> str:
        """kept, gained or lost."""
        if self.present is None:
            return "gained"
        return "lost" if self.changed is None else "kept"

    @property
    def alike(self) -> bool:
        """Whether people would see no difference."""
        a, b = self.present, self.changed
        return a is not None and b is not None and a[:4] + a[5:6] == b[:4] + b[5:6]


def previewed(
    conn: Connection, order: PreviewOrder, report: Callable[[float], None]
) -> dict[str, Any]:
    """Run both configurations and compare; `report` is told the share that is done and may raise.

    Raises:
        UnknownSensor, UnknownPlace: there is nothing of that name.
    """
    found, _ = SensorRepository(conn).changed_since(0)
    sensors = {each.number: each.sensor for each in found}
    domains = _domains(order.present, order.changed)
    chosen, heard = _scope(order, sensors)
    heard = {number for number in heard if sensors[number].domain in domains}
    by_id = {sensors[number].id: sensors[number] for number in chosen & heard}
    ids = by_id.keys()
    case = StoredCase(conn, order.start, order.end, order.warm, heard)
    present = _told(_Counted(case, report, 0.0), order.present, order, ids)
    changed = _told(_Counted(case, report, 0.5), order.changed, order, ids)
    past = [alert for alert in judged_alerts(conn, order.start, None) if alert.subject in ids]
    pairs = [
        pair
        for pair in with_past(paired(present, changed), past)
        if not pair.alike or _told_of(pair).rule in order.rules
    ]
    again = {pair.past.id for pair in pairs if pair.past is not None and pair.present is not None}
    end_us = to_us(order.end)
    missing = [
        alert
        for alert in past
        if alert.rule in order.rules and alert.id not in again and to_us(alert.raised_at) < end_us
    ]
    return {
        "sensors": len(ids),
        "present": _figures(pairs, "present"),
        "changed": _figures(pairs, "changed"),
        "kept": sum(pair.outcome == "kept" for pair in pairs),
        "gained": sum(pair.outcome == "gained" for pair in pairs),
        "lost": sum(pair.outcome == "lost" for pair in pairs),
        "not_again": len(missing),
        "items": [_item(pair, by_id[_told_of(pair).sensor_id]) for pair in _listed(pairs)],
    }


def paired(
    present: Sequence[Told], changed: Sequence[Told]
) -> list[tuple[Told | None, Told | None]]:
    """The alerts of both, those of one rule and sensor that overlap in time together, each used once."""
    waiting: dict[tuple[str, Rule], list[Told]] = defaultdict(list)
    for told in sorted(changed, key=lambda each: each.started_us):
        waiting[told.sensor_id, told.rule].append(told)
    found: list[tuple[Told | None, Told | None]] = []
    for told in sorted(present, key=lambda each: each.started_us):
        others = waiting[told.sensor_id, told.rule]
        match = next((each for each in others if _overlap(told, each)), None)
        if match is not None:
            others.remove(match)
        found.append((told, match))
    return found + [(None, told) for others in waiting.values() for told in others]


def with_past(
    pairs: Iterable[tuple[Told | None, Told | None]], past: Sequence[Alert]
) -> list[Pair]:
    """Each pair with the alert that people had then and there: of its rule, else of the same kind of trouble."""
    by_subject: dict[str, list[Alert]] = defaultdict(list)
    for alert in past:
        by_subject[alert.subject].append(alert)
    found = []
    for present, changed in pairs:
        told = present or changed
        assert told is not None
        family = family_of(RECORDED_NAMES[told.rule])
        near = [
            alert
            for alert in by_subject[told.sensor_id]
            if family_of(RECORDED_NAMES[alert.rule]) == family and _during(told, alert)
        ]
        near.sort(
            key=lambda a: (a.rule is not told.rule, abs(to_us(a.started_at) - told.started_us))
        )
        found.append(Pair(present, changed, near[0] if near else None))
    return found


class _Counted:
    """A case that says how far it has been read, the second half of the work or the first."""

    def __init__(self, case: StoredCase, report: Callable[[float], None], done: float) -> None:
        self._case, self._report, self._done = case, report, done
        self.arrivals = case.arrivals

    @property
    def numbered(self) -> Sequence[tuple[int, Sensor]]:
        return self._case.numbered

    def slices(self, every_us: Mapping[Domain, int]) -> Iterator[Slice]:
        first_us, end_us = self._case.span_us()
        for part in self._case.slices(every_us):
            share = (part.last_us - first_us) / max(end_us - first_us, 1)
            self._report(self._done + min(max(share, 0.0), 1.0) / 2)
            yield part


def _told(
    case: Case, settings: DetectorSettings, order: PreviewOrder, ids: Collection[str]
) -> list[Told]:
    """The alerts of a configuration, each once, with the worst severity that it reached."""
    found: dict[tuple[str, Rule, int], Told] = {}
    for line in run_case(case, settings, to_us(order.start), to_us(order.end)):
        if line["sensor_id"] not in ids:
            continue
        ended = line["ended_at"]
        told = Told(
            line["sensor_id"],
            Rule(line["rule"]),
            parse_time(line["started_at"]),
            parse_time(line["detected_at"]),
            parse_time(ended) if ended else inf,
            Severity(line["severity"]),
            line["sentence"],
        )
        before = found.get(told[:3])
        if before is not None:
            worst = max(before.severity, told.severity, key=_SEVERITIES.index)
            told = before._replace(told_us=min(before.told_us, told.told_us), severity=worst)
        found[told[:3]] = told
    return list(found.values())


def _scope(order: PreviewOrder, sensors: Mapping[int, Sensor]) -> tuple[set[int], set[int]]:
    """The sensors whose alerts are asked for, and those that must be heard with them: a road or zone as a whole."""
    if order.sensor_id is not None:
        one = next((n for n, sensor in sensors.items() if sensor.id == order.sensor_id), None)
        if one is None:
            raise UnknownSensor(order.sensor_id)
        marks = Marks()
        marks.change(one, sensors[one])
        [group] = groups(marks, Places(sensors, ALONE), 1)
        return {one}, set(group.numbers)
    chosen = {
        number
        for number, sensor in sensors.items()
        if order.zone in (None, sensor.zone) and order.road in (None, sensor.road)
    }
    if not chosen and (order.zone or order.road):
        raise UnknownPlace("zone" if order.zone else "road", order.zone or order.road or "")
    return chosen, chosen


def _domains(present: DetectorSettings, changed: DetectorSettings) -> set[Domain]:
    """Whose sensors the limits are for that differ."""
    before, after = present.model_dump(), changed.model_dump()
    names = [name for name in before if before[name] != after[name]]
    return {Domain.TRAFFIC if name.startswith(_OF_ROADS) else Domain.WATER for name in names}


def _told_of(pair: Pair) -> Told:
    told = pair.changed or pair.present
    assert told is not None
    return told


def _overlap(one: Told, other: Told) -> bool:
    return one.started_us <= other.ended_us and other.started_us <= one.ended_us


def _during(told: Told, alert: Alert) -> bool:
    ended = to_us(alert.cleared_at) if alert.cleared_at else inf
    return to_us(alert.started_at) <= told.ended_us and told.started_us <= ended


def _figures(pairs: Sequence[Pair], which: str) -> dict[str, object]:
    """How many are told, what people said of them, and how soon they come."""
    told = [(each, pair.past) for pair in pairs if (each := getattr(pair, which)) is not None]
    verdicts = [None if past is None else was_right(past.rule, past.verdict) for _, past in told]
    right, wrong = verdicts.count(True), verdicts.count(False)
    hours = [(each.told_us - each.started_us) / _HOUR_US for each, _ in told]
    return {
        "told": len(told),
        "right": right,
        "wrong": wrong,
        "unjudged": len(told) - right - wrong,
        "precision": right / (right + wrong) if right + wrong else None,
        "median_h": median(hours) if hours else None,
    }


def _listed(pairs: Sequence[Pair]) -> Iterator[Pair]:
    """At most so many of each outcome: what changes first, of it the newest first."""
    left = dict.fromkeys(("gained", "lost", "kept"), MOST_ITEMS)

    def order(pair: Pair) -> tuple[int, bool, int]:
        return list(left).index(pair.outcome), pair.alike, -_told_of(pair).told_us

    for pair in sorted(pairs, key=order):
        left[pair.outcome] -= 1
        if left[pair.outcome] >= 0:
            yield pair


def _item(pair: Pair, sensor: Sensor) -> dict[str, object]:
    told, past = _told_of(pair), pair.past

    def of(each: Told | None) -> dict[str, object] | None:
        if each is None:
            return None
        return {
            "started_at": isoformat(each.started_us),
            "told_at": isoformat(each.told_us),
            "ended_at": None if each.ended_us == inf else isoformat(int(each.ended_us)),
            "severity": each.severity.value,
        }

    return {
        "outcome": pair.outcome,
        "rule": told.rule.value,
        "sensor_id": told.sensor_id,
        "name": sensor.name,
        "time_zone": sensor.time_zone,
        "present": of(pair.present),
        "changed": of(pair.changed),
        "sentence": told.sentence,
        "alert_id": None if past is None else str(past.id),
        "alert_rule": None if past is None else past.rule.value,
        "verdict": None if past is None or past.verdict is None else past.verdict.value,
    }
