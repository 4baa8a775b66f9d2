"""Keeps what was rejected, each once, and lists the sensors that nobody has registered.

It writes in the caller's transaction and refuses to judge: why a message was rejected is in the rejection.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.domain.catalogue import Domain
from services.domain.instant import SECOND_US, from_us
from services.domain.rejection import RejectReason
from services.ingest.prepared import Kept
from services.store import rejected
from services.store.connection import Connection
from services.store.sensors import SensorRepository, Sighting
from services.store.writing import seen


def keep(conn: Connection, kept: Sequence[Kept]) -> list[Kept]:
    """Writes those that are not kept yet and returns them; messages that came again may be."""
    fresh = _not_kept_yet(conn, kept)
    _write(conn, fresh)
    return fresh


def _not_kept_yet(conn: Connection, kept: Sequence[Kept]) -> list[Kept]:
    again = [each for each in kept if each.again]
    if not again:
        return list(kept)
    known = seen.kept_already(conn, [each.rejection for each in again])
    gone = {id(again[place]) for place in known}
    return [each for each in kept if id(each) not in gone]


def _write(conn: Connection, kept: Sequence[Kept]) -> None:
    by_second: dict[int, list[Kept]] = {}
    unknown: dict[tuple[str, Domain], Sighting] = {}
    for each in kept:
        by_second.setdefault(each.received_us // SECOND_US, []).append(each)
        rejection = each.rejection
        if rejection.reason is not RejectReason.UNKNOWN_SENSOR or each.domain is None:
            continue
        assert rejection.sensor_id is not None
        key = (rejection.sensor_id, each.domain)
        before = unknown[key].readings if key in unknown else 0
        unknown[key] = Sighting(
            *key, from_us(each.received_us), before + rejection.readings, rejection.topic
        )
    for group in by_second.values():
        rejected.add(conn, [each.rejection for each in group], from_us(group[0].received_us))
    if unknown:
        SensorRepository(conn).quarantine(list(unknown.values()))
