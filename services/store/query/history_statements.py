"""The questions of `history`, put together from the catalogue's names; every value travels as a parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from psycopg import sql

from services.domain.catalogue import CATALOGUE, Domain

# Each sensor's rows come from the unique index (sensor, time); LIMIT in LATERAL keeps the planner from anything else.
RAW: Final = sql.SQL("""
    SELECT array_agg(sensor), array_agg(time), array_agg(received_at), array_agg(quality), array_agg(stored_at),
           {aggregates}
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
# The end is aligned to a bucket; half a width more than whole ones, because local days have 23 to 25 hours.
WINDOW: Final = sql.SQL("""
    SELECT first, time_bucket(%(width)s, bucket + %(reach)s{zone})
      FROM (SELECT min(r.time) AS first, time_bucket(%(width)s, min(r.time){zone}) AS bucket
              FROM unnest(%(sensors)s) AS wanted (sensor)
             CROSS JOIN LATERAL (
                   SELECT r.time FROM {table} AS r
                    WHERE r.sensor = wanted.sensor AND r.time >= %(start)s AND r.time < %(end)s AND ({present})
                    ORDER BY r.time LIMIT 1) AS r) AS found
""")
BUCKETED: Final = sql.SQL("""
    SELECT array_agg(sensor), array_agg(bucket), {columns}
      FROM (SELECT wanted.sensor, r.*
              FROM unnest(%(sensors)s) AS wanted (sensor)
             CROSS JOIN LATERAL (
                   SELECT time_bucket(%(width)s, r.time{zone}) AS bucket, {aggregates} FROM {table} AS r
                    WHERE r.sensor = wanted.sensor AND r.time >= %(start)s AND r.time < %(until)s
                      AND ({present})
                    GROUP BY 1 OFFSET 0) AS r
             ORDER BY r.bucket, wanted.sensor) AS found
""")
ZONE: Final = {True: sql.SQL(", %(zone)s"), False: sql.SQL("")}
COLUMN: Final = sql.SQL("array_agg({name})")
VALUE: Final = sql.SQL("coalesce(r.{metric}, 'NaN') AS {metric}")
PRESENT: Final = sql.SQL("r.{metric} IS NOT NULL")
AGGREGATES: Final[Mapping[str, sql.SQL]] = {
    "avg": sql.SQL("coalesce(avg(r.{metric}), 'NaN') AS {name}"),
    "min": sql.SQL("coalesce(min(r.{metric}), 'NaN') AS {name}"),
    "max": sql.SQL("coalesce(max(r.{metric}), 'NaN') AS {name}"),
    "sum": sql.SQL("coalesce(sum(r.{metric}), 'NaN') AS {name}"),
    "last": sql.SQL(
        "coalesce(last(r.{metric}, r.time) FILTER (WHERE r.{metric} IS NOT NULL), 'NaN') AS {name}"
    ),
    "count": sql.SQL("count(r.{metric})::float8 AS {name}"),
}
"""The last is by observed time."""
_COMMA: Final = sql.SQL(", ")
_OR: Final = sql.SQL(" OR ")


def raw(domain: Domain, names: Sequence[str]) -> sql.Composed:
    """The first %(share)s readings of each sensor in the range."""
    return _raw(domain, tuple(names))


def latest(domain: Domain, names: Sequence[str]) -> sql.Composed:
    """The newest reading of each sensor."""
    return _latest(domain, tuple(names))


def window(domain: Domain, names: Sequence[str], *, local: bool) -> sql.Composed:
    """Where the first reading of the range is, and where the page's last bucket ends; local: in %(zone)s, else UTC."""
    return _window(domain, tuple(names), local)


def bucketed(
    domain: Domain, names: Sequence[str], aggregates: Sequence[str], *, local: bool
) -> sql.Composed:
    """Summaries of the range: sensor, bucket, then for each metric its aggregates in their order."""
    return _bucketed(domain, tuple(names), tuple(str(kind) for kind in aggregates), local)


@lru_cache(maxsize=256)
def _raw(domain: Domain, names: tuple[str, ...]) -> sql.Composed:
    return RAW.format(
        table=_table(domain),
        aggregates=_columns(names),
        values=_values(names),
        present=_present(names),
    )


@lru_cache(maxsize=256)
def _latest(domain: Domain, names: tuple[str, ...]) -> sql.Composed:
    return LATEST.format(table=_table(domain), aggregates=_columns(names), values=_values(names))


@lru_cache(maxsize=256)
def _window(domain: Domain, names: tuple[str, ...], local: bool) -> sql.Composed:
    return WINDOW.format(table=_table(domain), present=_present(names), zone=ZONE[local])


@lru_cache(maxsize=256)
def _bucketed(
    domain: Domain, names: tuple[str, ...], kinds: tuple[str, ...], local: bool
) -> sql.Composed:
    pairs = [(name, kind) for name in names for kind in kinds]
    return BUCKETED.format(
        table=_table(domain),
        columns=_columns([f"{name}.{kind}" for name, kind in pairs]),
        aggregates=_COMMA.join(
            AGGREGATES[kind].format(
                metric=sql.Identifier(name), name=sql.Identifier(f"{name}.{kind}")
            )
            for name, kind in pairs
        ),
        present=_present(names),
        zone=ZONE[local],
    )


def _table(domain: Domain) -> sql.Identifier:
    return sql.Identifier(CATALOGUE[domain].table)


def _columns(names: Sequence[str]) -> sql.Composed:
    return _COMMA.join(COLUMN.format(name=sql.Identifier(name)) for name in names)


def _values(names: Sequence[str]) -> sql.Composed:
    return _COMMA.join(VALUE.format(metric=sql.Identifier(name)) for name in names)


def _present(names: Sequence[str]) -> sql.Composed:
    return _OR.join(PRESENT.format(metric=sql.Identifier(name)) for name in names)
