"""The questions of `history`, put together from the catalogue's names; every value travels as a parameter."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from psycopg import sql

from services.domain.catalogue import CATALOGUE, Domain

# Each sensor's rows come from the unique index (sensor, time); LIMIT in LATERAL keeps the planner from anything else.
RAW: Final = sql.SQL("""
    SELECT array_agg(sensor), array_agg(time), {received}, array_agg(quality), {stored}, {aggregates}
      FROM (SELECT r.*
              FROM unnest(%(sensors)s) AS wanted (sensor)
             CROSS JOIN LATERAL (
                   SELECT r.sensor, r.time, r.received_at, r.quality, r.stored_at, {values} FROM {table} AS r
                    WHERE r.sensor = wanted.sensor AND r.time >= %(start)s AND r.time < %(end)s
                      AND (r.time, r.sensor) > (%(after)s, %(after_sensor)s)
                      AND ({present})
                    ORDER BY r.time LIMIT %(share)s) AS r
             ORDER BY r.time, r.sensor) AS found
""")
LATEST: Final = sql.SQL("""
    SELECT array_agg(sensor), array_agg(time), array_agg(received_at), array_agg(quality), array_agg(stored_at),
           {aggregates}
      FROM (SELECT r.*
              FROM unnest(%(sensors)s) AS wanted (sensor)
             CROSS JOIN LATERAL (
                   SELECT r.sensor, r.time, r.received_at, r.quality, r.stored_at, {values} FROM {table} AS r
                    WHERE r.sensor = wanted.sensor
                    ORDER BY r.time DESC LIMIT 1) AS r
             ORDER BY r.time, r.sensor) AS found
""")
COLUMN: Final = sql.SQL("array_agg({name})")
STAMP: Final = sql.SQL("array_agg({})")
NO_STAMP: Final = sql.SQL("NULL::timestamptz[]")
VALUE: Final = sql.SQL("coalesce(r.{metric}, 'NaN') AS {metric}")
PRESENT: Final = sql.SQL("r.{metric} IS NOT NULL")
_COMMA: Final = sql.SQL(", ")
_OR: Final = sql.SQL(" OR ")


def raw(domain: Domain, names: Sequence[str], *, stamps: bool = True) -> sql.Composed:
    """The first %(share)s readings of each sensor in the range; stamps: with when they were received and stored."""
    return _raw(domain, tuple(names), stamps)


def latest(domain: Domain, names: Sequence[str]) -> sql.Composed:
    """The newest reading of each sensor."""
    return _latest(domain, tuple(names))


@lru_cache(maxsize=256)
def _raw(domain: Domain, names: tuple[str, ...], stamps: bool) -> sql.Composed:
    return RAW.format(
        table=_table(domain),
        received=STAMP.format(sql.Identifier("received_at")) if stamps else NO_STAMP,
        stored=STAMP.format(sql.Identifier("stored_at")) if stamps else NO_STAMP,
        aggregates=_columns(names),
        values=_values(names),
        present=_present(names),
    )


@lru_cache(maxsize=256)
def _latest(domain: Domain, names: tuple[str, ...]) -> sql.Composed:
    return LATEST.format(table=_table(domain), aggregates=_columns(names), values=_values(names))


def _table(domain: Domain) -> sql.Identifier:
    return sql.Identifier(CATALOGUE[domain].table)


def _columns(names: Sequence[str]) -> sql.Composed:
    return _COMMA.join(COLUMN.format(name=sql.Identifier(name)) for name in names)


def _values(names: Sequence[str]) -> sql.Composed:
    return _COMMA.join(VALUE.format(metric=sql.Identifier(name)) for name in names)


def _present(names: Sequence[str]) -> sql.Composed:
    return _OR.join(PRESENT.format(metric=sql.Identifier(name)) for name in names)
