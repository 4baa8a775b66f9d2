"""Where the subjects of alerts are: a sensor's domain, zone, road and gateway, or what a gateway's sensors share."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, LiteralString

from services.domain.catalogue import Domain
from services.domain.subject import SubjectKind, kind_of_subject, name_of_subject
from services.domain.suppression import Whereabouts
from services.store.connection import Connection

SENSORS: Final[LiteralString] = (
    "SELECT id, domain, zone, road, gateway FROM sensor WHERE id = ANY(%s)"
)
GATEWAYS: Final[LiteralString] = """
    SELECT gateway, CASE WHEN count(DISTINCT domain) = 1 THEN min(domain) END,
           CASE WHEN count(DISTINCT zone) = 1 AND count(zone) = count(*) THEN min(zone) END,
           CASE WHEN count(DISTINCT road) = 1 AND count(road) = count(*) THEN min(road) END
      FROM sensor WHERE gateway = ANY(%s) GROUP BY gateway
"""
ZONES: Final[LiteralString] = (
    "SELECT DISTINCT ON (zone) zone, domain FROM sensor WHERE zone = ANY(%s) ORDER BY zone, domain"
)


def whereabouts(conn: Connection, subjects: Collection[str]) -> dict[str, Whereabouts]:
    """By subject; those of which nothing is known are absent."""
    found: dict[str, Whereabouts] = {}
    sensors, gateways = [], {}
    for subject in subjects:
        name = name_of_subject(subject)
        match kind_of_subject(subject):
            case SubjectKind.FEED | SubjectKind.FLOOD:
                if name in set(map(str, Domain)):
                    found[subject] = Whereabouts(Domain(name))
            case SubjectKind.GATEWAY:
                gateways[name] = subject
            case SubjectKind.SENSOR:
                sensors.append(subject)
    if sensors:
        for id_, domain, zone, road, gateway in conn.execute(SENSORS, (sensors,)):
            found[id_] = Whereabouts(Domain(domain), zone, road, gateway)
    if gateways:
        for name, domain, zone, road in conn.execute(GATEWAYS, (list(gateways),)):
            known = None if domain is None else Domain(domain)
            found[gateways[name]] = Whereabouts(known, zone, road)
    others = [each for each in sensors if each not in found]
    if others:  # a zone can be a subject by its own name
        for zone, domain in conn.execute(ZONES, (others,)):
            found[zone] = Whereabouts(Domain(domain), zone)
    return found
