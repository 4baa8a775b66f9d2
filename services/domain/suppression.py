"""What people told us to expect: exemptions (a hydrant flushed on Tuesdays, a vacant home) and maintenance windows.

Where one applies, an alert is kept in the log and shown, and nobody is told of it while it lasts. It refuses to hide:
the alert names the rule that holds it back, and what outlasts the rule is told.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.domain.alert import Alert
from services.domain.catalogue import Domain
from services.domain.condition import Rule
from services.domain.errors import InvalidInput
from services.domain.sentences.problem import problem

LONGEST: Final = timedelta(days=3 * 366)


class SuppressionKind(StrEnum):
    """EXEMPTION: known and harmless, whenever it began. MAINTENANCE: works that may raise what begins in them."""

    EXEMPTION = "exemption"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class WeeklyHours:
    """Hours that come back every week, in a site's local time.

    Attributes:
        days: ISO weekdays, 1 Monday to 7 Sunday, on which they begin.
        start, end: naive local times, end not included; an end that is not after start is on the next day.
    """

    days: tuple[int, ...]
    start: time
    end: time

    def covers(self, local: datetime) -> bool:
        """Whether they hold at this local time."""
        today, now = local.isoweekday(), local.time()
        if self.start < self.end:
            return today in self.days and self.start <= now < self.end
        yesterday = (today - 2) % 7 + 1
        return (today in self.days and now >= self.start) or (
            yesterday in self.days and now < self.end
        )


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where an alert's subject is; None where it is nowhere, or in several."""

    domain: Domain | None = None
    zone: str | None = None
    road: str | None = None
    gateway: str | None = None


NOWHERE: Final = Whereabouts()


@dataclass(frozen=True, slots=True)
class Suppression:
    """One exemption or maintenance window. What is None or empty does not narrow it; something must.

    Attributes:
        subjects: ids of sensors, feeds and gateways; rules: which questions.
        domain, zone, road: where the subject is.
        starts_at, ends_at: aware; end not included.
        hours: when in the week, in `time_zone` (IANA); empty: all the time.
        ended_at, ended_by: a person has ended it before its time.
    """

    id: uuid.UUID
    kind: SuppressionKind
    subjects: tuple[str, ...]
    rules: tuple[Rule, ...]
    domain: Domain | None
    zone: str | None
    road: str | None
    starts_at: datetime
    ends_at: datetime
    hours: tuple[WeeklyHours, ...]
    time_zone: str
    reason: str
    created_at: datetime
    created_by: str
    ended_at: datetime | None = None
    ended_by: str | None = None

    def __post_init__(self) -> None:
        if not (self.subjects or self.rules or self.domain or self.zone or self.road):
            allowed = (
                "at least one of subjects, rules, domain, zone, road: it would hold back everything"
            )
            raise InvalidInput("subjects", list(self.subjects), allowed)
        if self.kind is SuppressionKind.MAINTENANCE and not (
            self.subjects or self.zone or self.road
        ):
            raise InvalidInput("zone", self.zone, "works are somewhere: subjects, a zone or a road")
        if self.ends_at <= self.starts_at:
            raise InvalidInput("ends_at", self.ends_at.isoformat(), problem("after_start"))
        if self.ends_at - self.starts_at > LONGEST:
            raise InvalidInput("ends_at", self.ends_at.isoformat(), problem("three_years"))
        if not self.reason.strip():
            raise InvalidInput("reason", self.reason, problem("in_words"))
        for each in self.hours:
            if not each.days or not set(each.days) <= set(range(1, 8)):
                raise InvalidInput(
                    "days", list(each.days), "weekdays from 1 (Monday) to 7 (Sunday)"
                )
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InvalidInput("time_zone", self.time_zone, "an IANA name: Europe/Madrid") from None

    @property
    def name(self) -> str:
        """How an alert names it: exemption/<id>."""
        return f"{self.kind.value}/{self.id}"

    def live(self, at: datetime) -> bool:
        """Whether it holds at this time."""
        if not self.starts_at <= at < min(self.ends_at, self.ended_at or self.ends_at):
            return False
        if not self.hours:
            return True
        local = at.astimezone(ZoneInfo(self.time_zone))
        return any(each.covers(local) for each in self.hours)

    def matches(self, alert: Alert, where: Whereabouts) -> bool:
        """Whether the alert is of what it was made for."""
        return (
            (not self.subjects or alert.subject in self.subjects)
            and (not self.rules or alert.rule in self.rules)
            and (self.domain is None or where.domain is self.domain)
            and (self.zone is None or where.zone == self.zone)
            and (self.road is None or where.road == self.road)
        )

    def holds(self, alert: Alert, where: Whereabouts, at: datetime) -> bool:
        """Whether it keeps the alert from being told at this time; works do not explain what was there before."""
        if not (self.matches(alert, where) and self.live(at)):
            return False
        return self.kind is SuppressionKind.EXEMPTION or self.live(alert.raised_at)
