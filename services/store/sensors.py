"""The registry of sensors: import that can be repeated, pages, cheap refreshing, and who spoke without being known.

A sensor's number never changes and is never given away; nothing here deletes a sensor or its readings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from services.domain.catalogue import DOMAIN_OF_KIND, Domain, SensorKind
from services.domain.errors import InvalidInput, UnknownSensor
from services.domain.sensor import Sensor
from services.store.connection import Connection, transaction
from services.store.page import Page, check_limit, decode_cursor, page_of
from services.store.text import containing, storable

CHANNEL: Final = "citygauge_sensors"
"""Told when the registry changed: a hint to call `changed_since`."""
_CHUNK: Final = 5_000
_LOCK_KEY: Final = 0x6369_7479_7365_6E73  # "citysens"

COLUMNS: Final[LiteralString] = (
    "id, kind, name, lon, lat, zone, road, direction, position_m, lanes, unit, cadence_s, time_zone, gateway, "
    "area_m2"
)
"""Columns of a `Sensor`, in the order of its fields."""
_TYPES: Final[LiteralString] = (
    "id text, kind text, name text, lon float8, lat float8, zone text, road text, direction text, "
    "position_m float8, lanes int2, unit text, cadence_s float8, time_zone text, gateway text, "
    "area_m2 float8, "
    "domain text, shard int2"
)
TAKE_TURNS: Final[LiteralString] = "SELECT pg_advisory_xact_lock(%s)"
NEXT_REVISION: Final[LiteralString] = "SELECT nextval('sensor_revision')"
OTHER_DOMAIN: Final[LiteralString] = f"""
    SELECT s.id, s.domain FROM sensor AS s
      JOIN jsonb_to_recordset(%(sensors)s::jsonb) AS new({_TYPES}) ON new.id = s.id
     WHERE s.domain <> new.domain ORDER BY s.id LIMIT 1
"""
UPDATE: Final[LiteralString] = f"""
    UPDATE sensor AS s
       SET kind = new.kind, name = new.name, lon = new.lon, lat = new.lat, zone = new.zone, road = new.road,
           direction = new.direction, position_m = new.position_m, lanes = new.lanes, unit = new.unit,
           cadence_s = new.cadence_s, time_zone = new.time_zone, gateway = new.gateway,
           area_m2 = new.area_m2, shard = new.shard,
           updated_at = now(), revision = %(revision)s
      FROM jsonb_to_recordset(%(sensors)s::jsonb) AS new({_TYPES})
     WHERE s.id = new.id
       AND (s.kind, s.name, s.lon, s.lat, s.zone, s.road, s.direction, s.position_m, s.lanes, s.unit,
            s.cadence_s, s.time_zone, s.gateway, s.area_m2, s.shard)
           IS DISTINCT FROM
           (new.kind, new.name, new.lon, new.lat, new.zone, new.road, new.direction, new.position_m, new.lanes,
            new.unit, new.cadence_s, new.time_zone, new.gateway, new.area_m2, new.shard)
"""
INSERT: Final[LiteralString] = f"""
    INSERT INTO sensor ({COLUMNS}, domain, shard, revision)
    SELECT {COLUMNS}, domain, shard, %(revision)s
      FROM jsonb_to_recordset(%(sensors)s::jsonb) AS new({_TYPES})
     WHERE NOT EXISTS (SELECT FROM sensor AS s WHERE s.id = new.id)
     ORDER BY id
"""
RELEASE: Final[LiteralString] = "DELETE FROM quarantined_sensor WHERE id = ANY(%s)"
TELL: Final[LiteralString] = f"NOTIFY {CHANNEL}"
GET: Final[LiteralString] = f"SELECT number, {COLUMNS} FROM sensor WHERE id = %s"
MANY: Final[LiteralString] = f"SELECT number, {COLUMNS} FROM sensor WHERE id = ANY(%s)"
PAGE: Final[LiteralString] = f"""
    SELECT number, {COLUMNS} FROM sensor
     WHERE (%(after)s::text IS NULL OR id > %(after)s)
       AND (%(domain)s::text IS NULL OR domain = %(domain)s)
       AND (%(kind)s::text IS NULL OR kind = %(kind)s)
       AND (%(zone)s::text IS NULL OR zone = %(zone)s)
       AND (%(road)s::text IS NULL OR road = %(road)s)
       AND (%(text)s::text IS NULL OR id ILIKE %(text)s OR name ILIKE %(text)s)
     ORDER BY id LIMIT %(limit)s
"""
CHANGED: Final[LiteralString] = f"""
    SELECT revision, number, {COLUMNS} FROM sensor WHERE revision > %s ORDER BY revision, number
"""
COUNT: Final[LiteralString] = "SELECT domain, count(*) FROM sensor GROUP BY domain"
QUARANTINE: Final[LiteralString] = """
    INSERT INTO quarantined_sensor AS q (id, domain, first_seen, last_seen, readings, last_topic)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (id) DO UPDATE SET
        domain = excluded.domain, readings = q.readings + excluded.readings, last_topic = excluded.last_topic,
        first_seen = least(q.first_seen, excluded.first_seen), last_seen = greatest(q.last_seen, excluded.last_seen)
"""
QUARANTINED: Final[LiteralString] = """
    SELECT id, domain, first_seen, last_seen, readings, last_topic FROM quarantined_sensor
     WHERE (%(after)s::text IS NULL OR id > %(after)s) ORDER BY id LIMIT %(limit)s
"""


class Upserted(NamedTuple):
    """How many sensors of an import were new, changed, and the same as before."""

    created: int
    updated: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class RegisteredSensor:
    """A sensor and its number, by which readings refer to it."""

    number: int
    sensor: Sensor


@dataclass(frozen=True, slots=True)
class SensorRegistry:
    """Sensors by id, and the marker to ask `changed_since` with."""

    by_id: Mapping[str, RegisteredSensor]
    marker: int


class Sighting(NamedTuple):
    """An unregistered sensor spoke: readings at a time on a topic of a domain."""

    id: str
    domain: Domain
    seen_at: datetime
    readings: int
    topic: str


@dataclass(frozen=True, slots=True)
class QuarantinedSensor:
    """Somebody who speaks without being registered; first and last_seen are times of receipt."""

    id: str
    domain: Domain
    first_seen: datetime
    last_seen: datetime
    readings: int
    last_topic: str


class SensorRepository:
    """The table of sensors, over one connection."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def upsert(self, sensors: Sequence[Sensor]) -> Upserted:
        """Registers new sensors and changes known ones, all or none; the same call again changes nothing.

        Writers take turns (an advisory lock until the transaction ends). Registered sensors leave quarantine.

        Raises:
            InvalidInput: an id comes twice, or a registered sensor would move to another domain.
        """
        seen: set[str] = set()
        for sensor in sensors:
            if sensor.id in seen:
                raise InvalidInput("sensor_id", sensor.id, "each sensor once in an import")
            seen.add(sensor.id)
        created = updated = 0
        with transaction(self._conn):
            self._conn.execute(TAKE_TURNS, (_LOCK_KEY,))
            revision = _one(self._conn.execute(NEXT_REVISION).fetchone())
            for start in range(0, len(sensors), _CHUNK):
                chunk = sensors[start : start + _CHUNK]
                parameters = {
                    "sensors": json.dumps([_plain(s) for s in chunk]),
                    "revision": revision,
                }
                self._refuse_other_domain(parameters, chunk)
                updated += self._conn.execute(UPDATE, parameters).rowcount
                created += self._conn.execute(INSERT, parameters).rowcount
                self._conn.execute(RELEASE, ([sensor.id for sensor in chunk],))
            if created or updated:
                self._conn.execute(TELL)
        return Upserted(created, updated, len(sensors) - created - updated)

    def _refuse_other_domain(self, parameters: Mapping[str, Any], chunk: Sequence[Sensor]) -> None:
        row = self._conn.execute(OTHER_DOMAIN, parameters).fetchone()
        if row is not None:
            kind = next(sensor.kind for sensor in chunk if sensor.id == row[0])
            raise InvalidInput(
                "kind",
                kind.value,
                f"sensor {row[0]} is registered in the domain {row[1]} and stays there",
            )

    def get(self, sensor_id: str) -> Sensor:
        """The sensor of this id. Raises UnknownSensor."""
        return self.registered(sensor_id).sensor

    def registered(self, sensor_id: str) -> RegisteredSensor:
        """The sensor of this id with its number. Raises UnknownSensor."""
        row = self._conn.execute(GET, (storable(sensor_id),)).fetchone()
        if row is None:
            raise UnknownSensor(sensor_id)
        return _registered(row)

    def many(self, sensor_ids: Iterable[str]) -> Mapping[str, Sensor]:
        """The sensors of these ids, by id; one that is not registered is left out."""
        asked = {storable(each): each for each in sensor_ids}
        rows = self._conn.execute(MANY, (list(asked),)).fetchall()
        return {asked[row[1]]: _registered(row).sensor for row in rows}

    def page(
        self,
        *,
        limit: int,
        domain: Domain | None = None,
        kind: SensorKind | None = None,
        zone: str | None = None,
        road: str | None = None,
        text: str | None = None,
        after: str | None = None,
    ) -> Page[Sensor]:
        """Sensors in the order of their ids, at most `limit` (up to 10,000); `text` is searched in id and name."""
        rows = self._conn.execute(
            PAGE,
            {
                "limit": check_limit(limit) + 1,
                "domain": domain,
                "kind": kind,
                "zone": None if zone is None else storable(zone),
                "road": None if road is None else storable(road),
                "text": None if text is None else containing(text),
                "after": None if after is None else decode_cursor(after, str)[0],
            },
        ).fetchall()
        return page_of([_registered(row).sensor for row in rows], limit, lambda s: (s.id,))

    def all(self) -> Iterator[Sensor]:
        """Every sensor in the order of ids, fetched by pages."""
        after: str | None = None
        while True:
            page = self.page(limit=_CHUNK, after=after)
            yield from page.items
            if (after := page.next) is None:
                return

    def registry(self) -> SensorRegistry:
        """Every sensor by id, for those who must know them all."""
        changed, marker = self.changed_since(0)
        return SensorRegistry({found.sensor.id: found for found in changed}, marker)

    def changed_since(self, marker: int) -> tuple[Sequence[RegisteredSensor], int]:
        """Sensors registered or changed since `marker` (0: ever), and the marker of now. It misses nobody."""
        rows = self._conn.execute(CHANGED, (marker,)).fetchall()
        return [_registered(row[1:]) for row in rows], rows[-1][0] if rows else marker

    def counts(self) -> Mapping[Domain, int]:
        """Registered sensors by domain; 0 where there are none."""
        found: dict[str, int] = dict(self._conn.execute(COUNT).fetchall())
        return {domain: found.get(domain.value, 0) for domain in Domain}

    def quarantine(
        self, sightings: Sequence[Sighting | tuple[str, Domain, datetime, int, str]]
    ) -> None:
        """Keeps who spoke without being registered; several sightings of one id add up."""
        rows = sorted(
            (storable(id_), domain.value, at, at, readings, storable(topic))
            for id_, domain, at, readings, topic in sightings
        )
        with transaction(self._conn), self._conn.cursor() as cursor:
            cursor.executemany(QUARANTINE, rows)

    def quarantined(self, *, limit: int, after: str | None = None) -> Page[QuarantinedSensor]:
        """Who spoke without being registered, in the order of ids."""
        key = None if after is None else decode_cursor(after, str)[0]
        rows = self._conn.execute(
            QUARANTINED, {"after": key, "limit": check_limit(limit) + 1}
        ).fetchall()
        found = [QuarantinedSensor(row[0], Domain(row[1]), *row[2:]) for row in rows]
        return page_of(found, limit, lambda sensor: (sensor.id,))


def _plain(sensor: Sensor) -> dict[str, object]:
    plain = {
        name: storable(value) if isinstance(value, str) else value
        for name, value in asdict(sensor).items()
    }
    return {**plain, "domain": DOMAIN_OF_KIND[sensor.kind].value, "shard": sensor.shard}


def _registered(row: Sequence[Any]) -> RegisteredSensor:
    number, id_, kind, *rest = row
    return RegisteredSensor(number, Sensor(id_, SensorKind(kind), *rest))


def _one(row: Sequence[Any] | None) -> Any:
    assert row is not None, "the statement always returns a row"
    return row[0]
