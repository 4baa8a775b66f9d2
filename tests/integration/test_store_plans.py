"""The plans of the hot questions on a million rows of half a year: chunks outside are left out, indexes are used.

PostgreSQL is asked to EXPLAIN the very statements that the store sends, with their parameters. Planning needs the
tables' shapes, not their bytes: years of readings are thin, and the statistics are those of what is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import sql

from services.domain.catalogue import Domain
from services.domain.instant import DAY_US, HOUR_US, from_us, to_us
from services.domain.statistic import Part
from services.embedded.database import EmbeddedDatabase
from services.store import feed
from services.store.alerting import alert_pages
from services.store.alerting.alert_statements import COLUMNS
from services.store.connection import Connection, connect
from services.store.migrations import migrate
from services.store.query import history_statements
from services.store.query.columns import neighbour_query, values_query
from services.store.rollups import rolled, rollup_statements
from services.store.rollups.rolled import rolled_query
from services.store.rollups.rollup_level import Level
from services.store.wire import Integers, Times, columnar

START = to_us(datetime(2026, 1, 5, tzinfo=UTC))
WEEKS, SENSORS = 26, 200
SPEED = ("speed_km_per_h",)
READINGS = """
    INSERT INTO traffic_reading (time, sensor, received_at, speed_km_per_h, count_veh)
    SELECT at, sensor, at, 60, 5
      FROM generate_series(%(start)s, %(end)s - interval '1 second', interval '1 hour' * 2) AS at,
           generate_series(1, %(sensors)s) AS sensor
"""
ROLLUPS = """
    INSERT INTO traffic_{level} (sensor, bucket, readings, quality, count_veh_count, flow_veh_per_h_count,
                                 speed_km_per_h_count, occupancy_pct_count)
    SELECT sensor, at, 1, 0, 1, 0, 1, 0
      FROM generate_series(%(start)s, %(end)s - interval '1 second', %(step)s::interval) AS at,
           generate_series(1, %(sensors)s) AS sensor
"""

MARKS = (
    "INSERT INTO rollup_dirty SELECT 'traffic', s, %(start)s FROM generate_series(1, 20000) AS s"
)
RESOLVED = """
    INSERT INTO alert (id, rule, subject, version, severity, score, sentence, evidence, started_at, raised_at,
                       updated_at, cleared_at, resolved_at, group_id, told_at)
    SELECT gen_random_uuid(), 'burst', n::text, 1, 'info', 1, '', '{}', at, at, at,
           CASE WHEN n % 100 > 0 THEN at END, CASE WHEN n % 100 > 0 THEN at END, gen_random_uuid(), at
      FROM generate_series(1, 20000) AS n,
           LATERAL (SELECT timestamptz '2026-01-01' + n * interval '1 minute' AS at) AS moment
"""
KEPT = "INSERT INTO rollup_sensor SELECT 'traffic', s, 0, '-infinity' FROM generate_series(1, 20000) AS s"


@pytest.fixture(scope="module")
def city(database_server: EmbeddedDatabase) -> Iterator[Connection]:
    """Half a year of a city: 440,000 readings and 390,000 rollups."""
    url = database_server.create("plans")
    migrate(url)
    with connect(url, "test", autocommit=True) as conn:
        span = {
            "start": from_us(START),
            "end": from_us(START + WEEKS * 7 * DAY_US),
            "sensors": SENSORS,
        }
        conn.execute(READINGS, span)
        for level, step in (("5min", "5 hours"), ("hour", "5 hours"), ("day", "1 day")):
            conn.execute(ROLLUPS.replace("{level}", level), {**span, "step": step})
        conn.execute(MARKS, span)
        conn.execute(KEPT)
        conn.execute("ANALYZE")
        yield conn
    database_server.drop("plans")


def plan(conn: Connection, query: Any, values: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes of the plan as it was carried out; those that never ran are left out."""
    text = query if isinstance(query, sql.Composable) else sql.SQL(query)
    explained = sql.SQL("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ") + text
    with columnar(conn) as cursor:
        row = cursor.execute(explained, values).fetchone()
    assert row is not None
    found = row[0] if isinstance(row[0], list) else json.loads(row[0])
    nodes: list[dict[str, Any]] = []

    def visit(node: dict[str, Any]) -> None:
        if node.get("Actual Loops"):
            nodes.append(node)
        for below in node.get("Plans", []):
            visit(below)

    visit(found[0]["Plan"])
    return nodes


def tables(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The nodes that read stored rows."""
    return [
        n
        for n in nodes
        if "Relation Name" in n and n["Node Type"] not in {"Custom Scan", "ModifyTable"}
    ]


def check(nodes: list[dict[str, Any]], chunks: int) -> None:
    """At most so many chunks are read, each by an index, and hardly a row in vain."""
    read = tables(nodes)
    assert read, "nothing was read"
    assert {node["Node Type"] for node in read} <= {"Index Scan", "Index Only Scan"}, read
    assert len({node["Relation Name"] for node in read}) <= chunks
    assert all(node.get("Rows Removed by Filter", 0) == 0 for node in read)


def span_of(days: float, sensors: int, *, back: float = 30.0) -> dict[str, Any]:
    """A range that begins `back` days before the end."""
    start = START + WEEKS * 7 * DAY_US - int(back * DAY_US)
    end = start + int(days * DAY_US)
    numbers = np.arange(1, sensors + 1)
    return {
        "sensors": Integers(numbers),
        "starts": Times(np.full(sensors, start)),
        "ends": Times(np.full(sensors, end)),
        "start": from_us(start),
        "end": from_us(end),
        "until": from_us(end),
        "exclude": 0,
        "after": from_us(start),
        "after_sensor": -1,
        "share": 1000,
        "width": timedelta(hours=1),
        "reach": timedelta(hours=100),
        "zone": "UTC",
        "domain": "traffic",
        "consumer": "rollup",
    }


@pytest.mark.parametrize("sensors", [1, 40, SENSORS])
def test_readings_of_a_day(city: Connection, sensors: int) -> None:
    values = span_of(1, sensors)
    check(plan(city, values_query(Domain.TRAFFIC, SPEED), values), 1)
    check(plan(city, history_statements.raw(Domain.TRAFFIC, list(SPEED)), values), 1)


def test_the_first_and_the_last_reading_around_a_range(city: Connection) -> None:
    values = span_of(28, 40)
    for latest in (True, False):
        nodes = plan(city, neighbour_query(Domain.TRAFFIC, SPEED, latest=latest), values)
        check(nodes, 1)


@pytest.mark.parametrize("sensors", [1, SENSORS])
def test_the_newest_reading_of_each(city: Connection, sensors: int) -> None:
    """One look into the newest chunk for each sensor, whatever is older."""
    values = {"sensors": Integers(np.arange(1, sensors + 1))}
    nodes = plan(city, history_statements.latest(Domain.TRAFFIC, list(SPEED)), values)
    check(nodes, 1)
    assert sum(node["Actual Loops"] * node["Actual Rows"] for node in tables(nodes)) == sensors


@pytest.mark.parametrize(
    ("level", "days", "sensors", "chunks"),
    [
        (Level.FIVE_MINUTES, 1, SENSORS, 1),
        (Level.FIVE_MINUTES, 1, 40, 1),
        (Level.HOUR, 150, 1, 1),
        (Level.DAY, 150, 40, 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("wide", [True, False])
def test_rollups_of_a_range(
    city: Connection, level: Level, days: int, sensors: int, chunks: int, wide: bool
) -> None:
    values = span_of(days, sensors, back=days + 3)
    query = rolled_query(
        Domain.TRAFFIC, level, SPEED, (Part.COUNT, Part.SUM), wide=wide, quality=False
    )
    values["width"] = timedelta(microseconds=3 * level.unit_us)
    check(plan(city, query, values), chunks)


@pytest.mark.parametrize("state", ["open", "current", "active"])
def test_open_alerts_among_many_that_are_resolved(city: Connection, state: str) -> None:
    """By the index of what is unsettled, whole and by their heads."""
    with city.transaction():
        city.execute(RESOLVED)
        city.execute("ANALYZE alert")
        for query in (
            alert_pages.statement(COLUMNS, frozenset(), state),
            alert_pages.heads_statement(frozenset(), state),
        ):
            read = [
                n for n in tables(plan(city, query, {"limit": 51})) if n["Relation Name"] == "alert"
            ]
            assert [node["Index Name"] for node in read] == ["alert_unsettled"]
            assert read[0]["Actual Rows"] <= 52
        raise psycopg.Rollback


def test_what_is_to_be_trusted(city: Connection) -> None:
    """Marks and the keeper's state by their keys; the feed by its order."""
    values = span_of(1, 40, back=WEEKS * 7)
    check(plan(city, rolled.DIRTY, values), 1)
    check(plan(city, rolled.FINEST, values), 1)
    with city.transaction():
        city.execute(
            "INSERT INTO batch_feed (domain, readings, columns) "
            "SELECT 'traffic', 1, '' FROM generate_series(1, 20000)"
        )
        city.execute(
            "INSERT INTO feed_position SELECT 'rollup', epoch, xid, max(id) - 3 FROM batch_feed GROUP BY 2, 3"
        )
        city.execute("ANALYZE batch_feed")
        position = feed.committed_position(city, "rollup")
        assert position is not None
        values |= {"epoch": position.epoch, "xid": str(position.xid), "id": position.id}
        for query in (rolled.FEED, rolled.UNFOLLOWED):
            read = tables(plan(city, query, values))
            assert [node["Index Name"] for node in read] == ["batch_feed_order"]
            assert read[0]["Actual Rows"] == 3
        raise psycopg.Rollback


@pytest.mark.parametrize("level", Level)
def test_an_hour_is_rolled_up_from_its_readings_alone(city: Connection, level: Level) -> None:
    values = span_of(1 / 24, 40)
    start = values["start"]
    hours = np.full(40, to_us(start))
    width = max(level.unit_us, HOUR_US)
    values |= {
        "starts": Times(hours // width * width),
        "ends": Times(hours // width * width + width),
    }
    values |= {
        "start": from_us(to_us(start) // width * width),
        "end": from_us(to_us(start) // width * width + width),
    }
    source = None if level is Level.FIVE_MINUTES else Level(level - 1)
    query = rollup_statements.roll(Domain.TRAFFIC, level, source)
    with city.transaction():
        plan(city, rollup_statements.remove(Domain.TRAFFIC, level), values)
        nodes = plan(city, query, values)
        check(nodes, 1)
        raise psycopg.Rollback
