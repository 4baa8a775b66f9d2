"""What became of each event and each false alarm under a configuration, one by one: what a proposal rests on.

So that a person reads not only how many but which, and whether a configuration that was chosen on these cases is any
better on those of them that it could not be fitted to. It refuses to choose.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from typing import Final

from services.detect.scoring import words
from services.detect.scoring.matching import Matching
from services.domain.instant import HOUR_US

_SAME_H: Final = 0.5
"""Told sooner or later by less than this is told at the same time."""
FEW: Final = 20
"""With fewer events and false alarms, one more or less is likely to be chance."""


class Kind(StrEnum):
    """What it was."""

    FOUND = "found"
    MISSED = "missed"
    FALSE = "false"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One event or one false alarm.

    Attributes:
        sensor: where; of several the first.
        label: what it is called: 'continuous flow at M003, 14 Sep 2016', the same under every configuration.
        hours: from its start until a person knew; 0 where nobody did.
    """

    kind: Kind
    sensor: str
    label: str
    hours: float = 0.0


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of some outcomes."""

    found: int
    missed: int
    false_alarms: int
    hours: float

    @property
    def events(self) -> int:
        """Found or not."""
        return self.found + self.missed


def outcomes(matching: Matching, complete: bool) -> Iterator[Outcome]:
    """The outcomes of a case; where not all is known (not `complete`), false alarms are those that people judged so."""
    for hit in matching.hits:
        if hit.event.scored:
            label = _label(words.event_title(hit.event), hit.event.start_us)
            yield Outcome(Kind.FOUND, hit.event.series[0], label, hit.delay_us / HOUR_US)
    for event in matching.misses:
        label = _label(words.event_title(event), event.start_us)
        yield Outcome(Kind.MISSED, event.series[0], label)
    for episode in matching.false_alarms:
        first = episode.alerts[0]
        if complete or episode.benign is not None:
            title = f"{first.kind.replace('_', ' ')} at {first.sensor_id}"
            yield Outcome(Kind.FALSE, first.sensor_id, _label(title, first.detected_us))


def tally(found: Iterable[Outcome]) -> Tally:
    """Their counts, and the hours in which nobody knew of what was found."""
    several = list(found)
    number = {kind: sum(each.kind is kind for each in several) for kind in Kind}
    return Tally(
        number[Kind.FOUND], number[Kind.MISSED], number[Kind.FALSE],
        sum(each.hours for each in several),
    )  # fmt: skip


def halves(found: Sequence[Outcome]) -> tuple[Tally, Tally]:
    """The counts of either half of the sensors; which half a sensor is in follows from its name alone."""
    first = [each for each in found if zlib.crc32(each.sensor.encode()) % 2 == 0]
    second = [each for each in found if zlib.crc32(each.sensor.encode()) % 2 == 1]
    return tally(first), tally(second)


def differences(present: Sequence[Outcome], other: Sequence[Outcome]) -> Iterator[str]:
    """A line for each event and false alarm that becomes another one, what is lost first."""
    now = {each.label: each for each in present if each.kind is not Kind.FALSE}
    then = {each.label: each for each in other if each.kind is not Kind.FALSE}
    moved = [(now[label], then[label]) for label in now if label in then]
    for a, b in moved:
        if a.kind is Kind.FOUND and b.kind is Kind.MISSED:
            yield f"no longer found: {a.label}"
    alarms = [{each.label for each in some if each.kind is Kind.FALSE} for some in (present, other)]
    yield from (f"new false alarm: {label}" for label in sorted(alarms[1] - alarms[0]))
    yield from (f"no false alarm any more: {label}" for label in sorted(alarms[0] - alarms[1]))
    for a, b in moved:
        if a.kind is Kind.MISSED and b.kind is Kind.FOUND:
            yield f"found now: {b.label}, {words.span(b.hours)} after its start"
    both = [(a, b) for a, b in moved if a.kind is b.kind is Kind.FOUND]
    for a, b in sorted(both, key=lambda pair: -abs(pair[1].hours - pair[0].hours)):
        apart = b.hours - a.hours
        if abs(apart) >= _SAME_H:
            yield f"told {words.span(abs(apart))} {'later' if apart > 0 else 'sooner'}: {b.label}"


def _label(title: str, at_us: int) -> str:
    return f"{title}, {words.moment(at_us, UTC, year=True)[:-6]}"
