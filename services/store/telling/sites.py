"""Where alerts are: domain, zone, local time and place of what their subjects name, for those who decide whom to tell.

A subject that the registry does not know has a site of which nothing is known; it refuses to guess one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from services.domain.catalogue import Domain
from services.domain.subject import SubjectKind, kind_of_subject, name_of_subject
from services.store.connection import Connection
from services.store.text import storable

SENSORS: Final[LiteralString] = """
    SELECT id, ARRAY[domain], array_remove(ARRAY[zone], NULL), time_zone, name, lon, lat, road, direction
      FROM sensor WHERE id = ANY(%s)
"""
# Of many sensors: their domains and zones, the zone of time that most are in, and no place of their own.
_MANY: Final[LiteralString] = """
           array_agg(DISTINCT domain), coalesce(array_agg(DISTINCT zone) FILTER (WHERE zone IS NOT NULL), '{}'),
           mode() WITHIN GROUP (ORDER BY time_zone)
"""
GATEWAYS: Final[LiteralString] = (
    f"SELECT gateway, {_MANY} FROM sensor WHERE gateway = ANY(%s) GROUP BY gateway"
)
FEEDS: Final[LiteralString] = (
    f"SELECT domain, {_MANY} FROM sensor WHERE domain = ANY(%s) GROUP BY domain"
)
ZONES: Final[LiteralString] = f"""
    SELECT zone, {_MANY}, NULL, avg(lon), avg(lat) FROM sensor WHERE zone = ANY(%s) GROUP BY zone
"""


@dataclass(frozen=True, slots=True)
class Site:
    """What the registry knows of a subject.

    Attributes:
        subject: as alerts write it.
        domains, zones: of the sensor, or of every sensor behind a gateway, a feed or in a zone; empty: not known.
        time_zone: IANA name; None where it is not known.
        name: what people call it; lon, lat: WGS 84 degrees; road, direction: of the sensor.
    """

    subject: str
    domains: frozenset[Domain] = frozenset()
    zones: frozenset[str] = frozenset()
    time_zone: str | None = None
    name: str | None = None
    lon: float | None = None
    lat: float | None = None
    road: str | None = None
    direction: str | None = None

    def words(self, zones: str | None = None) -> str:
        """The place: name, road and direction, zones; the subject where nothing is known.

        Args:
            zones: in so many words, where there are too many to name.
        """
        road = " ".join(part for part in (self.road, self.direction) if part)
        named = ", ".join(sorted(self.zones)) if zones is None else zones
        return ", ".join(part for part in (self.name, road, named) if part) or self.subject


NOWHERE: Final = Site("")
"""The site of nothing in particular."""


def sites(conn: Connection, subjects: Iterable[str]) -> Mapping[str, Site]:
    """The site of each subject."""
    wanted = {subject: storable(subject) for subject in subjects}
    found: dict[str, Site] = {}
    by_kind: dict[SubjectKind, dict[str, str]] = {kind: {} for kind in SubjectKind}
    for subject in wanted.values():
        by_kind[kind_of_subject(subject)][name_of_subject(subject)] = subject
    statements: list[tuple[LiteralString, dict[str, str]]] = [
        (SENSORS, by_kind[SubjectKind.SENSOR]),
        (GATEWAYS, by_kind[SubjectKind.GATEWAY]),
        (FEEDS, by_kind[SubjectKind.FEED]),
        (FEEDS, by_kind[SubjectKind.FLOOD]),
    ]
    for statement, names in statements:
        found |= _found(conn, statement, names)
    left = {name: name for name in by_kind[SubjectKind.SENSOR] if name not in found}
    found |= _found(conn, ZONES, left)
    return {subject: found.get(text, Site(subject)) for subject, text in wanted.items()}


def _found(
    conn: Connection, statement: LiteralString, subjects: Mapping[str, str]
) -> dict[str, Site]:
    if not subjects:
        return {}
    rows: Sequence[Any] = conn.execute(statement, (list(subjects),)).fetchall()
    return {
        subjects[row[0]]: Site(
            subjects[row[0]],
            frozenset(Domain(domain) for domain in row[1]),
            frozenset(row[2]),
            *row[3:],
        )
        for row in rows
    }
