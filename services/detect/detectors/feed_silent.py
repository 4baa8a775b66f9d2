"""Has the way by which many sensors' readings come stopped working: broker, link, ingest, or one gateway?

Question: have most sensors of a domain, or of a gateway, fallen silent together?
Formula: of the n sensors with a past and without a silence of their own (n >= 4), more than half are missing when the
    first of them is overdue. Missing: silent for more than 3/4 of the own limit (limits hold four cadences at least,
    so that all are past 3/4 when the first one reaches its own); or for more than 1.5 cadences, where no reading at
    all has come for 3/4 of that limit. A domain of which nobody ever spoke counts from when its sensors became known.
    Over when half of those that it took have spoken again. Sensors that it took are not reported one by one while it
    lasts, and have their whole limit anew from its end.
Which: a gateway's, where all that are missing in the domain share it and others still speak; the domain's otherwise.
Units: microseconds, seconds in evidence. Severity: critical, nobody watches what is behind it.
Missing, late, duplicated data: as `silent.py`, whose table it reads. It needs `tick`; it keeps nothing of one sensor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.detect.table import NEVER, Array
from services.domain.catalogue import Domain
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.domain.instant import SECOND_US
from services.domain.sensor import Sensor
from services.domain.subject import feed_subject, gateway_subject, name_of_subject

_MANY: Final = 4
_FEEDS: Final = frozenset(feed_subject(domain) for domain in Domain)


@dataclass(slots=True)
class _Way:
    """What is remembered of one feed or gateway, microseconds.

    Attributes:
        judged_us: when it changed last; of two memories the later one is right.
        onset_us: the last reading before it fell silent; NEVER while it is not.
        until_us: sensors whose last reading is not later are taken by it.
        held_us: end of the last silence; those who were taken count from there.
    """

    judged_us: int = NEVER
    onset_us: int = NEVER
    until_us: int = NEVER
    held_us: int = NEVER

    @property
    def active(self) -> bool:
        return self.onset_us != NEVER


@dataclass(frozen=True, slots=True)
class Presence:
    """How long each sensor has been silent, (n,) each.

    Attributes:
        reference_us: its last reading, or since when it is known where there is none.
        spoke: whether it ever spoke; told: whether its own silence was told.
        limit_us: how long it may be silent; cadence_us: its usual interval, 0 unknown.
    """

    reference_us: Array
    spoke: Array
    told: Array
    limit_us: Array
    cadence_us: Array


class FeedSilent:
    """The feeds of all domains and all gateways; sensors are the rows of the core."""

    rule = Rule.FEED_SILENT

    def __init__(self) -> None:
        self._ways: dict[str, _Way] = {feed_subject(domain): _Way() for domain in Domain}
        self._gateways: list[str] = []
        self._number: dict[str, int] = {}
        self._domain = np.empty(0, np.int8)
        self._gateway = np.empty(0, np.int32)

    def add(self, sensors: Sequence[Sensor]) -> None:
        """New rows, in order."""
        domains = [tuple(Domain).index(sensor.domain) for sensor in sensors]
        gateways = [-1 if s.gateway is None else self._of(s.gateway) for s in sensors]
        self._domain = np.concatenate([self._domain, np.array(domains, np.int8)])
        self._gateway = np.concatenate([self._gateway, np.array(gateways, np.int32)])

    def _of(self, gateway: str) -> int:
        if gateway not in self._number:
            self._number[gateway] = len(self._gateways)
            self._gateways.append(gateway)
        return self._number[gateway]

    @property
    def active(self) -> bool:
        """Whether any of them is silent now."""
        return any(way.active for way in self._ways.values())

    def judge(self, now_us: int, presence: Presence) -> tuple[list[Condition], Array]:
        """What falls silent or comes back at now_us, and (n,) from when each sensor's own silence counts.

        A sensor that is taken counts from now: it is not overdue.
        """
        out: list[Condition] = []
        since = presence.reference_us.copy()
        for d, domain in enumerate(Domain):
            rows = np.flatnonzero(self._domain == d)
            if rows.size:
                out += self._look(feed_subject(domain), rows, now_us, presence, since)
        overdue = (now_us - since > presence.limit_us) & ~presence.told & (self._gateway >= 0)
        suspects = set(np.unique(self._gateway[overdue]).tolist())
        longest = int(presence.limit_us.max(initial=0))
        for subject, way in self._ways.items():
            if subject not in _FEEDS and (way.active or now_us - way.held_us <= longest):
                suspects.add(self._of(name_of_subject(subject)))
        for g in sorted(suspects):
            rows = np.flatnonzero(self._gateway == g)
            out += self._look(gateway_subject(self._gateways[g]), rows, now_us, presence, since)
        return out, since

    def _look(
        self, subject: str, rows: Array, now_us: int, presence: Presence, since: Array
    ) -> list[Condition]:
        """One look at the sensors (rows) of one way; moves `since` of those that it takes or took."""
        way = self._ways.get(subject, _Way())
        reference, spoke = presence.reference_us[rows], presence.spoke[rows]
        base = ~presence.told[rows]
        if spoke.any():
            base &= spoke
        out: list[Condition] = []
        taken = base & (reference <= way.until_us) & way.active
        if way.active and 2 * int(taken.sum()) <= int(base.sum()):
            # a clock that goes behind the readings is not asked when they came
            now_us = max(now_us, int(reference[base].max(initial=now_us)))
            out.append(self._say(subject, way, Change.CLEAR, now_us, base, taken, reference))
            way.onset_us, way.held_us, way.judged_us = NEVER, now_us, now_us
            taken = np.zeros(len(rows), np.bool_)
        rest = base & ~taken
        # Those that a wider silence took count from now and are missing to nobody else.
        counts_from = np.maximum(
            since[rows], np.where(reference <= way.until_us, way.held_us, NEVER)
        )
        missing, limit = self._missing(rows, rest, now_us - counts_from, presence)
        if missing.any() and not self._is_one_gateway(subject, rows, rest, missing):
            newest = int(reference[missing].max())
            change = Change.UPDATE if way.active else Change.RAISE
            way.onset_us = way.onset_us if way.active else newest
            way.until_us, way.judged_us = max(way.until_us, newest), now_us
            self._ways[subject] = way
            taken = base & (reference <= way.until_us)
            out.append(self._say(subject, way, change, now_us, base, taken, reference, limit))
        if way.active:
            counts_from = np.where(taken | ~spoke, now_us, counts_from)
        since[rows] = np.maximum(since[rows], counts_from)
        return out

    def _missing(
        self, rows: Array, rest: Array, waited: Array, presence: Presence
    ) -> tuple[Array, int]:
        """Who of the rest is missing, all False where it is not most of them; and the limit that decided."""
        none = np.zeros(len(rows), np.bool_)
        limit = presence.limit_us[rows]
        overdue = rest & (waited > limit)
        if int(rest.sum()) < _MANY or not overdue.any():
            return none, 0
        decided = int(limit[overdue].min())
        missing = rest & (4 * waited > 3 * limit)
        if 4 * int(waited[rest].min()) > 3 * decided:  # nobody speaks
            missing |= rest & (2 * waited > 3 * presence.cadence_us[rows])
        return (missing, decided) if 2 * int(missing.sum()) > int(rest.sum()) else (none, 0)

    def _is_one_gateway(self, subject: str, rows: Array, rest: Array, missing: Array) -> bool:
        """Whether all that is missing in a domain came through one gateway, and others speak: its own case."""
        if subject not in _FEEDS:
            return False
        through = np.unique(self._gateway[rows[missing]])
        return through.size == 1 and through[0] >= 0 and bool((rest & ~missing).any())

    def _say(
        self,
        subject: str,
        way: _Way,
        change: Change,
        now_us: int,
        base: Array,
        taken: Array,
        reference: Array,
        limit_us: int = 0,
    ) -> Condition:
        silent, sensors = int(taken.sum()), int(base.sum())
        waited = (now_us - way.onset_us) / SECOND_US
        newest = int(reference[base].max()) if sensors else way.onset_us
        threshold = round(limit_us / SECOND_US, 1) if limit_us else None
        evidence = Evidence(
            "observed_at", "s", round(waited, 1), threshold, None, round(waited, 1), 0,
            round(silent / max(sensors, 1), 4),
            {
                "silent_sensors_1": float(silent),
                "sensors_1": float(sensors),
                "newest_reading_at_s": newest / SECOND_US,
            },
        )  # fmt: skip
        return Condition(
            self.rule, subject, change, way.onset_us, now_us, Severity.CRITICAL, 0.95, evidence
        )

    # ---- state

    def facts(self) -> dict[str, list[int]]:
        """Everything that is remembered, as plain numbers by subject."""
        return {
            subject: [way.judged_us, way.onset_us, way.until_us, way.held_us]
            for subject, way in self._ways.items()
            if way.judged_us != NEVER
        }

    def restore(self, facts: Mapping[str, Sequence[int]]) -> None:
        """Take over what was remembered later than what is known here."""
        for subject, numbers in facts.items():
            if subject not in self._ways or numbers[0] > self._ways[subject].judged_us:
                self._ways[subject] = _Way(*numbers)
