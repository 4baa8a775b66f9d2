"""Makes and ends what people told us to expect, from words as they gave them; what it means for alerts is done at once.

It refuses places and sensors that nobody knows, and what is over before it begins.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.domain.buckets import zone_of
from services.domain.catalogue import Domain
from services.domain.condition import Rule
from services.domain.errors import InvalidInput, UnknownSensor
from services.domain.sentences.problem import problem
from services.domain.subject import SubjectKind, kind_of_subject
from services.domain.suppression import Suppression, SuppressionKind, WeeklyHours
from services.store.alerting.alert_watch import watch
from services.store.alerting.suppressions import SuppressionRepository
from services.store.connection import Connection
from services.store.sensors import SensorRepository


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is to be expected, where, when and why; `Suppression` says what each means.

    Attributes:
        starts_at: None: now.
        time_zone: None: that of the sensors that it is for, UTC where they have several.
    """

    subjects: Sequence[str]
    rules: Sequence[Rule]
    domain: Domain | None
    zone: str | None
    road: str | None
    starts_at: datetime | None
    ends_at: datetime
    hours: Sequence[WeeklyHours]
    time_zone: str | None
    reason: str


def expect(
    conn: Connection, kind: SuppressionKind, asked: Expectation, by: str, now: datetime
) -> Suppression:
    """Make one, and hold back what it explains.

    Args:
        by: who says so; now: aware UTC.

    Raises:
        InvalidInput: it contradicts itself, names nobody, or is over already.
    """
    zones = _time_zones(conn, asked)
    made = Suppression(
        id=uuid.uuid4(),
        kind=kind,
        subjects=tuple(dict.fromkeys(asked.subjects)),
        rules=tuple(dict.fromkeys(asked.rules)),
        domain=asked.domain,
        zone=asked.zone,
        road=asked.road,
        starts_at=asked.starts_at or now,
        ends_at=asked.ends_at,
        hours=tuple(asked.hours),
        time_zone=asked.time_zone or (zones[0] if len(set(zones)) == 1 else "UTC"),
        reason=asked.reason,
        created_at=now,
        created_by=by,
    )
    if made.ends_at <= now:
        raise InvalidInput("ends_at", made.ends_at.isoformat(), problem("future"))
    SuppressionRepository(conn).create(made)
    watch(conn, now, now)
    return made


def end(
    conn: Connection,
    kind: SuppressionKind,
    id_: uuid.UUID,
    by: str,
    now: datetime,
    *,
    comment: str | None = None,
) -> Suppression:
    """End one before its time, and tell what it held back and is still there.

    Raises:
        UnknownSuppression: there is none of this kind and id. InvalidInput: it is over already.
    """
    ended = SuppressionRepository(conn).end(kind, id_, by, now, comment)
    watch(conn, now, now)
    return ended


def _time_zones(conn: Connection, asked: Expectation) -> list[str]:
    """Time zones of the sensors that are named, each of which must be known; else of the zone's or the road's."""
    sensors = SensorRepository(conn)
    zones = []
    for subject in asked.subjects:
        if kind_of_subject(subject) is SubjectKind.SENSOR:
            try:
                zones.append(sensors.get(subject).time_zone)
            except UnknownSensor:
                allowed = problem("subject")
                raise InvalidInput("subjects", subject, allowed) from None
    if not zones and (asked.zone or asked.road):
        some = sensors.page(limit=1, zone=asked.zone, road=asked.road).items
        if not some:
            field, value = ("zone", asked.zone) if asked.zone else ("road", asked.road)
            raise InvalidInput(field, value, problem("registered"))
        zones = [some[0].time_zone]
    if asked.time_zone is not None:
        zone_of(asked.time_zone)
    return zones
