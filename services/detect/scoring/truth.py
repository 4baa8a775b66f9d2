"""What is known to be true of a case: its events, the windows where nobody knows, and the harmless things in it.

Times are microseconds since 1970. It refuses to read files and stops at the first fact that it does not understand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any, Final

from services.detect.scoring.families import family_of
from services.domain.errors import InvalidInput
from services.domain.instant import DAY_US, HOUR_US, parse_time

_WORKING_SHARE: Final = 5 / 7
"""Cases with hours of the day are recorded on working days."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened and should be told.

    Attributes:
        id: name within the case.
        series: ids of the sensors that show it; patterns with * are allowed.
        kind, family: what it was.
        start_us, end_us: when it lasted.
        found_by_us: an alert after this (and the case's grace) comes too late.
        scored: False: alerts for it cost nothing and earn nothing.
        size: how large it was, by name with unit, as the case says.
    """

    id: str
    series: tuple[str, ...]
    kind: str
    family: str
    start_us: int
    end_us: int
    found_by_us: int
    scored: bool
    size: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time at some sensors: truth unknown there (families: of which alerts), or something harmless.

    Attributes:
        series: ids of sensors; "*" for all of them.
        families: the alerts it speaks of; "*" for all of them.
        start_us, end_us: both ends belong to it.
        reason: in the case's words.
    """

    series: tuple[str, ...]
    families: tuple[str, ...]
    start_us: int
    end_us: int
    reason: str


@dataclass(frozen=True, slots=True)
class Truth:
    """A labelled case.

    Attributes:
        case, domain: its name and "water" or "traffic".
        start_us, end_us: only alerts told in [start, end + grace] are judged; before it detectors learn.
        grace_us: how long after its end an event may still be told.
        merge_us: false alarms of one sensor and family that follow each other so closely are one episode.
        events, ignored, benign: see `Event` and `Window`.
        scored_sensors: only their alerts are judged; empty: everybody's.
        one_to_one: an alert is credited to one event alone (events overlap and have no sensor).
        duplicate_us: with one_to_one, how long after the last credit a further alert costs nothing.
        recorded_share: the share of the time that is recorded at all (hours of working days); 1 for always.
        spacing_m: median distance of neighbouring stations along the road; None where the case has no road.
    """

    case: str
    domain: str
    start_us: int
    end_us: int
    grace_us: int
    merge_us: int
    events: tuple[Event, ...]
    ignored: tuple[Window, ...]
    benign: tuple[Window, ...]
    scored_sensors: tuple[str, ...]
    one_to_one: bool
    duplicate_us: int
    recorded_share: float
    spacing_m: float | None

    @property
    def days(self) -> float:
        """Days of recorded time that are judged, of 24 hours each."""
        return (self.end_us - self.start_us) / DAY_US * self.recorded_share


def names(patterns: Sequence[str], sensor_id: str) -> bool:
    """Whether one of the ids or patterns means the sensor."""
    return any(
        each in ("*", sensor_id) or ("*" in each and fnmatchcase(sensor_id, each))
        for each in patterns
    )


def parse_truth(facts: Mapping[str, Any]) -> Truth:
    """The truth of a case from its JSON document.

    Raises:
        InvalidInput: a field is missing or of another form; it is named.
    """
    try:
        return Truth(
            case=str(facts.get("case", "")),
            domain=str(facts.get("domain", "")),
            start_us=parse_time(facts["eval_start"]),
            end_us=parse_time(facts["eval_end"]),
            grace_us=round(float(facts.get("match_grace_hours", 0)) * HOUR_US),
            merge_us=round(float(facts.get("fa_merge_hours", 24)) * HOUR_US),
            events=tuple(_event(each) for each in facts["events"]),
            ignored=tuple(
                _window(each, each["families"], str(each.get("reason", "")))
                for each in facts.get("ignore", ())
            ),
            benign=tuple(
                _window(each, ("*",), str(each.get("kind", ""))) for each in facts.get("benign", ())
            ),
            scored_sensors=tuple(facts.get("score_sensors") or ()),
            one_to_one=bool(facts.get("one_to_one", False)),
            duplicate_us=round(float(facts.get("dup_days", 7)) * DAY_US),
            recorded_share=_recorded_share(facts.get("day_windows")),
            spacing_m=_spacing(facts.get("sensors") or ()),
        )
    except KeyError as error:
        raise InvalidInput(
            "truth", facts.get("case", "?"), f"the field {error} is needed"
        ) from error
    except (TypeError, AttributeError, ValueError) as error:
        raise InvalidInput("truth", facts.get("case", "?"), f"its form: {error}") from error


def _event(facts: Mapping[str, Any]) -> Event:
    end_us = parse_time(facts["end"])
    size = facts.get("size") or {}
    return Event(
        id=str(facts["id"]),
        series=tuple(facts["series"]),
        kind=str(facts["kind"]),
        family=family_of(str(facts["kind"])),
        start_us=parse_time(facts["start"]),
        end_us=end_us,
        found_by_us=parse_time(facts["detect_by"]) if facts.get("detect_by") else end_us,
        scored=bool(facts.get("scored", True)),
        size=size if isinstance(size, Mapping) else {"size": size},
    )


def _window(facts: Mapping[str, Any], families: Sequence[str], reason: str) -> Window:
    return Window(
        tuple(facts["series"]),
        tuple(families),
        parse_time(facts["start"]),
        parse_time(facts["end"]),
        reason,
    )


def _recorded_share(hours: object) -> float:
    """'12:00-20:00' on working days is 8/24 of 5/7."""
    if not hours:
        return 1.0
    begin, end = (
        int(clock[:2]) + int(clock[3:5]) / 60
        for clock in (part.strip() for part in str(hours).split("-"))
    )
    return ((end - begin) % 24 or 24) / 24 * _WORKING_SHARE


def _spacing(sensors: Sequence[Mapping[str, Any]]) -> float | None:
    """Median distance in metres of neighbours in the order of the road."""
    ordered = [each for each in sensors if each.get("order") is not None]
    ordered.sort(key=lambda each: float(each["order"]))
    at = [
        float(each["position_m"])
        if each.get("position_m") is not None
        else float(each["position_mile"]) * 1609.344
        for each in ordered
        if each.get("position_m") is not None or each.get("position_mile") is not None
    ]
    gaps = sorted(abs(b - a) for a, b in pairwise(at))
    return gaps[len(gaps) // 2] if gaps else None
