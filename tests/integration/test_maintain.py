"""Maintenance on the real database: what is old goes where it was asked to, what somebody needs stays.

What the Community edition alone can do is skipped, saying so, where its module is not there: Debian ships none.
"""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from services.domain.batch import ReadingBatch
from services.domain.catalogue import CATALOGUE, Domain
from services.domain.duplicates import DuplicatePolicy
from services.domain.instant import to_us
from services.domain.rejection import Rejection, RejectReason
from services.store import rejected
from services.store.connection import Connection, connect, transaction
from services.store.maintain import Done, Step, chunks, maintain
from services.store.maintain_settings import MaintainSettings
from services.store.rejected import MessageState
from services.store.telling import cap_messages
from services.store.telling.cap_messages import CapKind, CapMessage
from services.store.writing.readings import ReadingWriter
from tests.edition_fixtures import on_community

NOW = datetime(2026, 11, 22, 1, tzinfo=UTC)
AGES = (0, 10, 40, 100)
SENSORS = 5


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "test", autocommit=True) as connection:
        yield connection


def batch(domain: Domain, at: datetime, value: float = 1.0, metric: str = "") -> ReadingBatch:
    """A reading of each sensor at one time."""
    column = metric or CATALOGUE[domain].metrics[0].column
    return ReadingBatch(
        domain,
        np.arange(1, SENSORS + 1, dtype=np.int32),
        np.full(SENSORS, to_us(at), dtype=np.int64),
        np.full(SENSORS, to_us(NOW), dtype=np.int64),
        np.zeros(SENSORS, dtype=np.int16),
        {column: np.full(SENSORS, value)},
    )


def fill(conn: Connection) -> None:
    for domain in Domain:
        for age in AGES:
            ReadingWriter(conn).write(batch(domain, NOW - timedelta(days=age)))


def count(conn: Connection, domain: Domain) -> int:
    row = conn.execute(f"SELECT count(*)::int FROM {CATALOGUE[domain].table}").fetchone()
    assert row is not None
    return int(row[0])


def done(conn: Connection, *, dry_run: bool = False, **settings: object) -> dict[Step, Done]:
    chosen = MaintainSettings.model_validate(settings)
    return {each.step: each for each in maintain(conn, chosen, NOW, dry_run=dry_run)}


def test_by_default_no_reading_is_removed(conn: Connection) -> None:
    fill(conn)
    assert Step.DROP not in done(conn)
    assert [count(conn, domain) for domain in Domain] == [len(AGES) * SENSORS] * len(Domain)


def test_only_whole_chunks_beyond_the_retention_of_their_domain_are_dropped(
    conn: Connection,
) -> None:
    fill(conn)
    settings: dict[str, Any] = {"retention_days": {"water": 30}}
    assert done(conn, dry_run=True, **settings)[Step.DROP].count == 2
    assert count(conn, Domain.WATER) == len(AGES) * SENSORS
    dropped = done(conn, **settings)[Step.DROP]
    assert (dropped.of, dropped.count, dropped.why_not) == ("water", 2, "")
    assert dropped.freed_bytes > 0
    assert count(conn, Domain.WATER) == 2 * SENSORS
    assert count(conn, Domain.TRAFFIC) == len(AGES) * SENSORS
    assert done(conn, **settings)[Step.DROP].count == 0
    assert ReadingWriter(conn).write(batch(Domain.WATER, NOW - timedelta(days=50)))[0] == SENSORS


def test_it_waits_for_nobody(conn: Connection, database_url: str) -> None:
    fill(conn)
    with connect(database_url, "test") as reader:
        reader.execute("SELECT count(*) FROM water_reading")
        refused = done(conn, retention_days={"water": 30})[Step.DROP]
        assert "next time" in refused.why_not
        reader.rollback()
    assert done(conn, retention_days={"water": 30})[Step.DROP].count == 2


def test_two_do_not_work_at_once(conn: Connection, database_url: str) -> None:
    with connect(database_url, "test", autocommit=True) as other:
        first = maintain(other, MaintainSettings(), NOW, dry_run=False)
        assert next(first).step is Step.FEED
        assert done(conn) == {}
        list(first)
    assert done(conn)


def test_what_is_settled_goes_and_what_waits_for_somebody_stays(conn: Connection) -> None:
    rejections = [
        Rejection(RejectReason.NOT_JSON, "no", f"t/{n}", b"x", None, readings=1) for n in range(3)
    ]
    rejected.add(conn, rejections, NOW - timedelta(days=500))
    ids = [each.id for each in rejected.page(conn, limit=10).items]
    rejected.mark(conn, ids[0], MessageState.DISCARDED, by="me")
    rejected.mark(conn, ids[1], MessageState.REPLAYED, by="me")
    old = NOW - timedelta(days=100)
    conn.execute("UPDATE rejected_message SET changed_at = %s WHERE id <> %s", (old, ids[1]))
    conn.execute("UPDATE rejected_message SET changed_at = %s WHERE id = %s", (NOW, ids[1]))
    assert done(conn, dry_run=True)[Step.RESOLVED].count == 1
    assert done(conn)[Step.RESOLVED].count == 1
    left = rejected.page(conn, limit=10).items
    assert {each.state for each in left} == {MessageState.NEW, MessageState.REPLAYED}


def test_deliveries_that_are_not_made_stay(conn: Connection) -> None:
    old = NOW - timedelta(days=100)
    made: list[tuple[str, datetime | None]] = [("sent", old), ("open", None), ("fresh", NOW)]
    for name, sent_at in made:
        alert, event = _event(conn, name)
        conn.execute(
            "INSERT INTO outbox (event_id, created_at, routed_at) VALUES (%s, %s, %s)",
            (event, old, old),
        )
        conn.execute(
            "INSERT INTO delivery (event_id, channel, sent_at) VALUES (%s, 'log', %s)",
            (event, sent_at),
        )
        assert alert
    assert done(conn, dry_run=True)[Step.DELIVERED].count == 1
    assert done(conn)[Step.DELIVERED].count == 1
    left = conn.execute("SELECT count(*)::int FROM outbox, delivery").fetchone()
    assert left == (4,)
    assert conn.execute("SELECT count(*)::int FROM alert_event").fetchone() == (3,)


def test_who_was_told_of_something_that_goes_on_is_remembered(conn: Connection) -> None:
    old = NOW - timedelta(days=100)
    alert, event = _event(conn, "a leak that runs for months", over=False)
    conn.execute(
        "INSERT INTO outbox (event_id, created_at, routed_at) VALUES (%s, %s, %s)",
        (event, old, old),
    )
    conn.execute(
        "INSERT INTO delivery (event_id, channel, sent_at) VALUES (%s, 'shift', %s)", (event, old)
    )
    assert done(conn)[Step.DELIVERED].count == 0
    conn.execute("UPDATE alert SET cleared_at = now() WHERE id = %s", (alert,))
    assert done(conn)[Step.DELIVERED].count == 1


def test_published_messages_go_when_their_whole_event_has_long_expired(conn: Connection) -> None:
    def published(chain: uuid.UUID, kind: CapKind, days_ago: float) -> None:
        sent = NOW - timedelta(days=days_ago)
        name = f"citygauge-{uuid.uuid4()}"
        expires = sent + timedelta(hours=24)
        message = CapMessage(
            name, "feed", chain, kind, "us@example.org", sent, expires, "h", "<a/>"
        )
        cap_messages.publish(conn, "feed", chain, name, lambda before: message)

    over, goes_on = uuid.uuid4(), uuid.uuid4()
    for chain, ages in ((over, (200, 150)), (goes_on, (200, 30))):
        for kind, age in zip((CapKind.ALERT, CapKind.UPDATE), ages, strict=True):
            published(chain, kind, age)
    assert done(conn, dry_run=True)[Step.PUBLISHED].count == 2
    assert done(conn)[Step.PUBLISHED].count == 2
    left = conn.execute("SELECT DISTINCT chain FROM cap_message").fetchall()
    assert left == [(goes_on,)]
    assert done(conn, keep_delivered_days=10)[Step.PUBLISHED].count == 2


def test_earlier_values_go_with_their_readings(conn: Connection) -> None:
    fill(conn)
    both = ReadingWriter(conn, DuplicatePolicy.BOTH)
    for age in (10, 100):
        for domain in Domain:
            with transaction(conn):
                both.write(batch(domain, NOW - timedelta(days=age), 2.0))
    assert done(conn, retention_days={"water": 30})[Step.DROP].count == 2
    left = conn.execute(
        "SELECT domain, count(*)::int, min(time) FROM reading_revision GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert left == [
        ("traffic", 2 * SENSORS, NOW - timedelta(days=100)),
        ("water", SENSORS, NOW - timedelta(days=10)),
    ]


def _event(conn: Connection, name: str, *, over: bool = True) -> tuple[str, str]:
    row = conn.execute(
        "INSERT INTO alert (id, rule, subject, version, severity, score, sentence, evidence, started_at, raised_at, "
        "updated_at, group_id, cleared_at) VALUES (gen_random_uuid(), 'r', %s, 1, 'info', 0, '', '{}', now(), now(), "
        "now(), gen_random_uuid(), CASE WHEN %s THEN now() END) RETURNING id",
        (name, over),
    ).fetchone()
    assert row is not None
    event = conn.execute(
        "INSERT INTO alert_event (id, alert_id, version, kind, at, actor, data) "
        "VALUES (gen_random_uuid(), %s, 1, 'raised', now(), 'd', '{}') RETURNING id",
        (row[0],),
    ).fetchone()
    assert event is not None
    return row[0], event[0]


@pytest.mark.skipif(on_community(), reason="of the Apache edition")
def test_the_apache_edition_says_that_it_does_not_compress(conn: Connection) -> None:
    fill(conn)
    found = done(conn, compress_after_days={"water": 30}, retention_days={"traffic": 30})
    assert "Apache edition" in found[Step.COMPRESS].why_not
    assert found[Step.DROP].count == 2


def test_late_readings_find_their_place_in_a_compressed_chunk(community_url: str) -> None:
    with connect(community_url, "test", autocommit=True) as conn:
        fill(conn)
        settings: dict[str, Any] = {"compress_after_days": {"water": 30}}
        assert done(conn, **settings)[Step.COMPRESS].count == 2
        assert sum(each.compressed for each in chunks(conn, Domain.WATER)) == 2
        writer, day = ReadingWriter(conn), NOW - timedelta(days=40)
        assert writer.write(batch(Domain.WATER, day + timedelta(hours=1)))[0] == SENSORS
        again = writer.write(batch(Domain.WATER, day))
        assert (again.inserted, again.merged, again.duplicate) == (0, 0, SENSORS)
        more = writer.write(batch(Domain.WATER, day, 3.0, "pressure_kpa"))
        assert (more.inserted, more.merged, more.duplicate) == (0, SENSORS, 0)
        found = done(conn, **settings)[Step.COMPRESS]
        assert (found.count, found.why_not) == (0, "")
        assert count(conn, Domain.WATER) == (len(AGES) + 1) * SENSORS
        row = conn.execute(
            "SELECT count(*)::int FROM water_reading WHERE pressure_kpa = 3 AND register_litres = 1"
        ).fetchone()
        assert row == (SENSORS,)
        assert done(conn, retention_days={"water": 30})[Step.DROP].count == 2


def test_the_command_does_it_and_says_so(conn: Connection, database_url: str) -> None:
    conn.execute("SELECT 1")
    ReadingWriter(conn).write(batch(Domain.WATER, datetime.now(UTC) - timedelta(days=60)))
    command = [sys.executable, "-m", "services.cli", "maintain", "--retention", "water=30"]
    environment = {**os.environ, "DATABASE_URL": database_url}
    dry = subprocess.run(
        [*command, "--dry-run"], env=environment, capture_output=True, text=True, check=True
    )
    assert "water: would be: 1 chunks dropped" in dry.stdout
    real = subprocess.run(
        [*command, "--json"], env=environment, capture_output=True, text=True, check=True
    )
    assert {each["step"]: each["count"] for each in json.loads(real.stdout)}["drop"] == 1
    assert count(conn, Domain.WATER) == 0
    for given, words in (("fire=3", "DOMAIN=DAYS"), ("water=0", "from 1 to 36500 days")):
        wrong = subprocess.run(
            [*command[:-1], given], env=environment, capture_output=True, text=True, check=False
        )
        assert wrong.returncode == 2
        assert words in wrong.stderr
        assert "Traceback" not in wrong.stderr
