"""The statements that keep the rollups: put together from the catalogue's names; every value is a parameter."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, LiteralString

from psycopg import sql

from services.domain.catalogue import CATALOGUE, Domain
from services.domain.statistic import Part
from services.store.rollups.rollup_level import SUFFIX, Level, relation

# What is not rolled up yet is not marked: it will be built from what is stored.
MARK: Final[LiteralString] = """
    INSERT INTO rollup_dirty (domain, sensor, hour)
    SELECT %(domain)s, touched.sensor, touched.hour
      FROM unnest(%(sensors)s, %(hours)s) AS touched (sensor, hour)
      JOIN rollup_sensor AS s ON s.domain = %(domain)s AND s.sensor = touched.sensor AND s.since <= touched.hour
     ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING
"""
# A sensor begins after its newest reading and after now: what comes later is marked, what was before is built.
BEGIN: Final = sql.SQL("""
    INSERT INTO rollup_sensor AS r (domain, sensor, finest, since)
    SELECT %(domain)s, wanted.sensor, wanted.finest,
           date_trunc('hour', greatest(%(now)s, newest.time)) + interval '1 hour'
      FROM unnest(%(sensors)s, %(finest)s) AS wanted (sensor, finest)
      LEFT JOIN LATERAL (SELECT time FROM {table} WHERE sensor = wanted.sensor ORDER BY time DESC LIMIT 1) AS newest
             ON true
    ON CONFLICT (domain, sensor) DO UPDATE SET finest = excluded.finest, since = excluded.since
""")
REVISION: Final[LiteralString] = "SELECT coalesce(max(revision), 0)::bigint FROM sensor"
# Those of a changed kind begin again when it wants a finer level.
TO_BEGIN: Final[LiteralString] = """
    SELECT s.domain, s.number, s.kind FROM sensor AS s
      LEFT JOIN rollup_sensor AS r ON r.domain = s.domain AND r.sensor = s.number
     WHERE r.sensor IS NULL OR r.finest > (%(finest)s::jsonb ->> s.kind)::int
     ORDER BY s.number LIMIT %(limit)s
"""
TO_BUILD: Final[LiteralString] = """
    SELECT domain, array_agg(sensor), array_agg(finest), array_agg(since), array_agg(cadence_s)
      FROM (SELECT r.domain, r.sensor, r.finest, r.since, coalesce(s.cadence_s, 60) AS cadence_s
              FROM (SELECT * FROM rollup_sensor WHERE since > '-infinity'
                     ORDER BY since DESC, domain, sensor LIMIT %(limit)s) AS r
              LEFT JOIN sensor AS s ON s.number = r.sensor
             ORDER BY r.domain, r.sensor) AS waiting
     GROUP BY domain ORDER BY domain
"""
BEFORE: Final = sql.SQL("""
    SELECT array_agg(coalesce(older.time, '0001-01-01') ORDER BY wanted.ordinal)
      FROM unnest(%(sensors)s, %(since)s) WITH ORDINALITY AS wanted (sensor, since, ordinal)
      LEFT JOIN LATERAL (
           SELECT time FROM {table} WHERE sensor = wanted.sensor AND time < wanted.since ORDER BY time DESC LIMIT 1)
           AS older ON true
""")
BUILT: Final[LiteralString] = """
    UPDATE rollup_sensor AS r SET since = built.since
      FROM unnest(%(sensors)s, %(since)s) AS built (sensor, since)
     WHERE r.domain = %(domain)s AND r.sensor = built.sensor
"""
DISTRUST: Final[LiteralString] = "DELETE FROM rollup_sensor"
COMPLETE: Final[LiteralString] = """
    UPDATE rollup_sensor SET since = '-infinity' WHERE domain = %(domain)s AND sensor = ANY(%(sensors)s)
"""
# With an old hour come the others of its day, so that the day is made once for all of them.
SETTLED: Final[LiteralString] = """
    SELECT d.domain, array_agg(d.sensor), array_agg(d.hour), array_agg(coalesce(r.finest, 2::int2))
      FROM (SELECT d.*
              FROM (SELECT DISTINCT domain, sensor, date_trunc('day', hour, 'UTC') AS day
                      FROM (SELECT * FROM rollup_dirty WHERE hour < %(before)s
                             ORDER BY hour, domain, sensor LIMIT %(limit)s) AS oldest) AS chosen
             CROSS JOIN LATERAL (
                   SELECT * FROM rollup_dirty AS d
                    WHERE d.domain = chosen.domain AND d.sensor = chosen.sensor AND d.hour < %(before)s
                      AND d.hour >= chosen.day AND d.hour < chosen.day + interval '1 day' LIMIT 24) AS d
             LIMIT %(limit)s) AS d
      LEFT JOIN rollup_sensor AS r ON r.domain = d.domain AND r.sensor = d.sensor
     GROUP BY d.domain
"""
CLEAN: Final[LiteralString] = """
    DELETE FROM rollup_dirty AS d USING unnest(%(sensors)s, %(hours)s) AS done (sensor, hour)
     WHERE d.domain = %(domain)s AND d.sensor = done.sensor AND d.hour = done.hour
"""
WAITING: Final[LiteralString] = """
    SELECT (SELECT count(*)::bigint FROM rollup_dirty WHERE hour < %(before)s),
           (SELECT count(*)::bigint FROM rollup_sensor WHERE since > '-infinity')
"""
CONTINUOUS: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM timescaledb_information.continuous_aggregates
                    WHERE view_schema = 'public' AND view_name = %s)
"""
MATERIALIZED: Final[LiteralString] = """
    SELECT materialization_hypertable_schema, materialization_hypertable_name
      FROM timescaledb_information.continuous_aggregates WHERE view_schema = 'public' AND view_name = %s
"""
REFRESH: Final[LiteralString] = (
    "CALL refresh_continuous_aggregate(%(name)s::text::regclass, %(start)s::timestamptz, %(end)s::timestamptz)"
)
REMOVE: Final = sql.SQL("""
    DELETE FROM {rollup} AS r USING unnest(%(sensors)s, %(starts)s, %(ends)s) AS span (sensor, start, until)
     WHERE r.sensor = span.sensor AND r.bucket >= span.start AND r.bucket < span.until
       AND r.bucket >= %(start)s AND r.bucket < %(end)s
""")
# In the order of time: a range of one sensor then lies on few pages, which halves the cost of reading it.
ROLL: Final = sql.SQL("""
    INSERT INTO {rollup} (sensor, bucket, readings, quality, {columns})
    SELECT span.sensor, r.*
      FROM unnest(%(sensors)s, %(starts)s, %(ends)s) AS span (sensor, start, until)
     CROSS JOIN LATERAL (
           SELECT time_bucket({width}, r.{time}) AS bucket, {readings}, bit_or(r.quality), {aggregates}
             FROM {source} AS r
            WHERE r.sensor = span.sensor AND r.{time} >= span.start AND r.{time} < span.until
              AND r.{time} >= %(start)s AND r.{time} < %(end)s
            GROUP BY 1 ORDER BY 1) AS r
""")
OF_READINGS: Final = sql.SQL(
    "count(r.{m})::integer, sum(r.{m}), min(r.{m}), max(r.{m}), first(r.{m}, r.time) FILTER (WHERE r.{m} IS NOT NULL), "
    "last(r.{m}, r.time) FILTER (WHERE r.{m} IS NOT NULL)"
)
OF_ROLLUPS: Final = sql.SQL(
    "sum(r.{count})::integer, sum(r.{sum}), min(r.{min}), max(r.{max}), "
    "first(r.{first}, r.bucket) FILTER (WHERE r.{count} > 0), last(r.{last}, r.bucket) FILTER (WHERE r.{count} > 0)"
)
_WIDTH: Final = {
    Level.FIVE_MINUTES: sql.SQL("interval '5 minutes'"),
    Level.HOUR: sql.SQL("interval '1 hour'"),
    Level.DAY: sql.SQL("interval '1 day'"),
}
_COMMA: Final = sql.SQL(", ")
assert set(_WIDTH) == set(SUFFIX)


def begin(domain: Domain) -> sql.Composed:
    """Sensors of which rollups are kept from now on."""
    return BEGIN.format(table=sql.Identifier(CATALOGUE[domain].table))


def before(domain: Domain) -> sql.Composed:
    """The newest reading of each sensor before a time of its own."""
    return BEFORE.format(table=sql.Identifier(CATALOGUE[domain].table))


def drop(schema: str, table: str) -> sql.Composed:
    """Take away what is older, of the table that holds one level of a domain."""
    return sql.SQL("DELETE FROM {} WHERE bucket < %(before)s").format(sql.Identifier(schema, table))


@lru_cache(maxsize=64)
def remove(domain: Domain, level: Level) -> sql.Composed:
    """Take the spans' rollups away."""
    return REMOVE.format(rollup=sql.Identifier(relation(domain, level)))


@lru_cache(maxsize=64)
def roll(domain: Domain, level: Level, source: Level | None) -> sql.Composed:
    """Roll the spans up, from the readings (None) or from a finer level."""
    metrics = [metric.column for metric in CATALOGUE[domain].metrics]
    rows = OF_READINGS if source is None else OF_ROLLUPS
    table = CATALOGUE[domain].table if source is None else relation(domain, source)
    return ROLL.format(
        rollup=sql.Identifier(relation(domain, level)),
        columns=_COMMA.join(sql.Identifier(f"{m}_{part}") for m in metrics for part in Part),
        width=_WIDTH[level],
        time=sql.Identifier("time" if source is None else "bucket"),
        readings=sql.SQL("count(*)::integer" if source is None else "sum(r.readings)::integer"),
        aggregates=_COMMA.join(
            rows.format(
                m=sql.Identifier(m), **{part: sql.Identifier(f"{m}_{part}") for part in Part}
            )
            for m in metrics
        ),
        source=sql.Identifier(table),
    )
