"""Episodes of conditions beside the alerts of the log: what late data would have changed.

Pure comparison; it refuses to run detectors and to write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from services.detect.cases import Key
from services.detect.words.late_words import IN_TIME
from services.domain.alert import Alert, alert_id
from services.domain.condition import Change, Condition, Rule
from services.domain.instant import SECOND_US, to_us

UNJUDGED: Final = frozenset(rule for rule in Rule if rule.value.endswith("silent"))
"""Rules about arrival itself: late data were truly not there."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One condition from its begin to its end.

    Attributes:
        first: the raise. last: the newest raise or update. end: the clear, None while it is on.
    """

    first: Condition
    last: Condition
    end: Condition | None = None

    @property
    def key(self) -> Key:
        """Its rule and subject."""
        return self.first.rule, self.first.subject

    def meets(self, alert: Alert) -> bool:
        """Whether the alert speaks of the same time."""
        if alert.id == alert_id(*self.key, self.first.onset_us):
            return True
        ended = alert.cleared_at is None or to_us(alert.cleared_at) >= self.first.onset_us
        return ended and (self.end is None or to_us(alert.started_at) <= self.end.at_us)


class Verdict(StrEnum):
    """What the comparison of an episode with the log found."""

    MISSING = "missing"
    EARLIER = "earlier"
    OVER = "over"
    DISPROVED = "disproved"
    PAST = "past"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the log must still hear.

    Attributes:
        verdict: missing: no alert speaks of it; earlier: it would have been told before; over: it had ended;
            disproved: nothing speaks for the alert any more; past: no alert speaks of it, it is over, and another
            alert of its rule and subject is open.
        key: rule and subject.
        episode: what was found; None where it is disproved.
        alert: whom it concerns; None where it is missing or past.
    """

    verdict: Verdict
    key: Key
    episode: Episode | None
    alert: Alert | None

    @property
    def told_us(self) -> int:
        """When the service would have told it."""
        return self.episode.first.at_us if self.episode else 0


def episodes(conditions: Iterable[Condition]) -> list[Episode]:
    """The episodes that a run's conditions make, in the order of their begin; arrival itself is left out."""
    found: list[Episode] = []
    at: dict[Key, int] = {}
    for condition in conditions:
        key = (condition.rule, condition.subject)
        if condition.rule in UNJUDGED:
            continue
        if condition.change is Change.CLEAR:
            if key in at:
                place = at.pop(key)
                found[place] = replace(found[place], end=condition)
        elif key in at:
            found[at[key]] = replace(found[at[key]], last=condition)
        else:
            at[key] = len(found)
            found.append(Episode(condition, condition))
    return found


def findings(
    found: Sequence[Episode],
    subjects: Iterable[str],
    alerts_of: Callable[[str], Sequence[Alert]],
    since_us: int,
) -> list[Finding]:
    """How episodes and log differ.

    Args:
        subjects: whom the run was about.
        alerts_of: the alerts of a subject, open ones and those that ended within the time of the run.
        since_us: episodes that ended before are of no interest.
    """
    by_key: dict[Key, list[Episode]] = {}
    for episode in found:
        if episode.end is None or episode.end.at_us >= since_us:
            by_key.setdefault(episode.key, []).append(episode)
    out: list[Finding] = []
    for subject in sorted(subjects):
        alerts = alerts_of(subject)
        mine = [key for key in by_key if key[1] == subject]
        keys = {*mine, *((a.rule, subject) for a in alerts if a.rule not in UNJUDGED)}
        for key in sorted(keys):
            own = [alert for alert in alerts if alert.rule is key[0]]
            out += _of_key(key, by_key.get(key, []), own)
    return out


def _of_key(key: Key, found: Sequence[Episode], alerts: Sequence[Alert]) -> list[Finding]:
    out: list[Finding] = []
    for alert in alerts:
        if not alert.active:
            continue
        met = [episode for episode in found if episode.meets(alert)]
        if not met:
            out.append(Finding(Verdict.DISPROVED, key, None, alert))
            continue
        earliest = met[0]
        if earliest.first.at_us < _known_us(alert) - SECOND_US:
            out.append(Finding(Verdict.EARLIER, key, earliest, alert))
        if met[-1].end is not None:
            out.append(Finding(Verdict.OVER, key, met[-1], alert))
    busy = any(alert.active for alert in alerts)  # only one alert of a rule and subject can be open
    for episode in found:
        met_by = [alert for alert in alerts if episode.meets(alert)]
        if busy:
            if not met_by and episode.end is not None:
                out.append(Finding(Verdict.PAST, key, episode, None))
        elif not met_by or episode.end is None:
            out.append(Finding(Verdict.MISSING, key, episode, met_by[-1] if met_by else None))
    return out


def _known_us(alert: Alert) -> int:
    """When it was told, or when it is known that it would have been."""
    numbers = alert.evidence.get("numbers")
    told = numbers.get(IN_TIME) if isinstance(numbers, Mapping) else None
    raised_us = to_us(alert.raised_at)
    return min(raised_us, round(float(told) * SECOND_US)) if told is not None else raised_us


def caused(with_late: Sequence[Finding], without: Sequence[Finding]) -> list[Finding]:
    """What only the late data say: a run without them over the same past does not find it too."""
    known: dict[tuple[Verdict, Key], list[Finding]] = {}
    for finding in without:
        known.setdefault((finding.verdict, finding.key), []).append(finding)
    return [f for f in with_late if not any(_same(f, o) for o in known.get((f.verdict, f.key), []))]


def _same(one: Finding, other: Finding) -> bool:
    if one.episode is None or other.episode is None or one.verdict is Verdict.OVER:
        return True
    if one.verdict is Verdict.EARLIER:
        return other.told_us <= one.told_us + SECOND_US
    a, b = one.episode, other.episode
    begins_before = b.end is None or a.first.onset_us <= b.end.at_us
    return begins_before and (a.end is None or b.first.onset_us <= a.end.at_us)
