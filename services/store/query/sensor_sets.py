"""Sensors by many ids at once, of a zone or of a road, for questions about more than one of them.

It refuses to leave anybody out: an id, a zone or a road that nobody knows is an error that names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, LiteralString

import numpy as np
from numpy.typing import NDArray

from services.domain.catalogue import Domain, SensorKind
from services.domain.errors import UnknownPlace, UnknownSensors
from services.domain.sensor import Sensor
from services.store.connection import Connection
from services.store.sensors import COLUMNS, RegisteredSensor
from services.store.text import storable
from services.store.wire import Integers, columnar

BY_IDS: Final[LiteralString] = f"SELECT number, {COLUMNS} FROM sensor WHERE id = ANY(%(ids)s)"
OF_ZONE: Final[LiteralString] = f"""
    SELECT number, {COLUMNS} FROM sensor
     WHERE zone = %(zone)s AND (%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s)) ORDER BY id LIMIT %(limit)s
"""
OF_ROAD: Final[LiteralString] = f"""
    SELECT number, {COLUMNS} FROM sensor
     WHERE road = %(road)s AND (%(direction)s::text IS NULL OR direction = %(direction)s)
       AND (%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s))
     ORDER BY direction, position_m, id LIMIT %(limit)s
"""
NAMES: Final[LiteralString] = """
    SELECT array_agg(number ORDER BY id), array_agg(id ORDER BY id) FROM sensor
     WHERE domain = %(domain)s AND (%(zone)s::text IS NULL OR zone = %(zone)s)
       AND (%(road)s::text IS NULL OR road = %(road)s) AND (%(kind)s::text IS NULL OR kind = %(kind)s)
"""
IDS: Final[LiteralString] = "SELECT number, id FROM sensor WHERE number = ANY(%(sensors)s)"
ZONE: Final[LiteralString] = """
    SELECT time_zone FROM sensor WHERE number = ANY(%(sensors)s) GROUP BY time_zone LIMIT 2
"""


def by_ids(conn: Connection, ids: Sequence[str]) -> list[RegisteredSensor]:
    """The sensors of these ids, each once, in the order in which they were asked for.

    Raises:
        UnknownSensors: some are not registered; it names them.
    """
    wanted = list(dict.fromkeys(ids))
    rows = conn.execute(BY_IDS, {"ids": [storable(each) for each in wanted]}).fetchall()
    found = {row[1]: _registered(row) for row in rows}
    missing = [each for each in wanted if each not in found]
    if missing:
        raise UnknownSensors(missing)
    return [found[each] for each in wanted]


def of_zone(
    conn: Connection, zone: str, *, limit: int, kinds: Sequence[SensorKind] | None = None
) -> list[RegisteredSensor]:
    """At most `limit` sensors of a zone, of these kinds (None: of any), in the order of ids.

    Raises:
        UnknownPlace: no such sensor belongs to a zone of this name.
    """
    parameters = {"zone": storable(zone), "kinds": _texts(kinds), "limit": limit}
    rows = conn.execute(OF_ZONE, parameters).fetchall()
    if not rows:
        raise UnknownPlace("zone", zone)
    return [_registered(row) for row in rows]


def of_road(
    conn: Connection,
    road: str,
    *,
    limit: int,
    direction: str | None = None,
    kinds: Sequence[SensorKind] | None = None,
) -> list[RegisteredSensor]:
    """At most `limit` sensors of a road in a direction (None: any), in the order of travel.

    Raises:
        UnknownPlace: no such sensor watches a road of this name.
    """
    parameters = {
        "road": storable(road),
        "direction": None if direction is None else storable(direction),
        "kinds": _texts(kinds),
        "limit": limit,
    }
    rows = conn.execute(OF_ROAD, parameters).fetchall()
    if not rows:
        raise UnknownPlace("road", road if direction is None else f"{road}, {direction}")
    return [_registered(row) for row in rows]


def _texts(kinds: Sequence[SensorKind] | None) -> list[str] | None:
    return None if kinds is None else [kind.value for kind in kinds]


def _registered(row: Sequence[Any]) -> RegisteredSensor:
    number, id_, kind, *rest = row
    return RegisteredSensor(number, Sensor(id_, SensorKind(kind), *rest))


def names_of(
    conn: Connection,
    domain: Domain,
    *,
    zone: str | None = None,
    road: str | None = None,
    kind: SensorKind | None = None,
) -> tuple[NDArray[np.int32], list[str]]:
    """Numbers (n,) and ids of all sensors of a domain (of a zone, of a road, of a kind), in the order of ids.

    It is for thousands at once, where the rest of each sensor is not wanted.
    """
    parameters = {
        "domain": domain.value,
        "zone": None if zone is None else storable(zone),
        "road": None if road is None else storable(road),
        "kind": kind,
    }
    with columnar(conn) as cursor:
        row = cursor.execute(NAMES, parameters).fetchone()
    assert row is not None, "an aggregate without GROUP BY always returns a row"
    return (np.empty(0, np.int32), []) if row[0] is None else (row[0], row[1])


def zone_of(conn: Connection, numbers: NDArray[np.int32]) -> str:
    """The time zone of these sensors; UTC where they have several, or there are none."""
    with columnar(conn) as cursor:
        rows = cursor.execute(ZONE, {"sensors": Integers(numbers)}).fetchall()
    return str(rows[0][0]) if len(rows) == 1 else "UTC"


def ids_of(conn: Connection, numbers: NDArray[np.int32]) -> dict[int, str]:
    """Ids by number; who is not registered is not there."""
    with columnar(conn) as cursor:
        return dict(cursor.execute(IDS, {"sensors": Integers(numbers)}).fetchall())
