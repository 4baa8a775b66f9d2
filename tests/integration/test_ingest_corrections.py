"""A second value for the same sensor and time, under each policy, and when everything dies in between."""

import json
from dataclasses import replace

import pytest

from services.domain.catalogue import Domain
from services.domain.duplicates import DuplicatePolicy
from services.domain.instant import from_us
from services.domain.quality import Quality
from services.ingest.inbox import Inbox
from services.ingest.intake import Intake
from services.ingest.parts import assembler_of
from services.ingest.settings import IngestSettings
from services.ingest.writer import Outcome, write
from services.store.connection import Connection, connect
from services.store.feed import FeedReader
from services.store.writing.revisions import revisions
from tests.ingest_worker import (
    START_US,
    Publisher,
    account,
    body,
    committed,
    register,
    rows,
    working,
)

TOPIC = "citygauge/v1/water/m0/reading"
BATTERY = {"values": {"battery": 50}, "units": {"battery": "%"}}


def told(conn: Connection) -> list[tuple[int, dict[str, float]]]:
    """Seconds after START_US and values of every row of the feed, in order."""
    return [
        (
            (int(row.batch.observed_us[place]) - START_US) // 1_000_000,
            {name: float(values[place]) for name, values in row.batch.metrics.items()},
        )
        for row in FeedReader(conn, "told").poll(1 << 30)
        for place in range(len(row.batch))
    ]


@pytest.mark.parametrize("policy", list(DuplicatePolicy))
def test_a_correction_by_each_policy(
    policy: DuplicatePolicy, database_url: str, mqtt_url: str, device_mqtt_url: str
) -> None:
    register(database_url)
    worker = f"corrects-{policy}"
    with (
        working(database_url, mqtt_url, worker=worker, duplicate_policy=policy.value),
        Publisher(device_mqtt_url, worker) as device,
    ):
        device.publish(TOPIC, {**body(10, 5.0), "quality": "estimated"})
        device.settle()
        committed(database_url, 1)
        device.reading("m0", 10, 5.0)  # the same again
        device.reading("m0", 10, 6.0)  # the meter was read
        device.publish(TOPIC, {**body(10), **BATTERY})
        device.settle()
        committed(database_url, 4)
        device.publish(TOPIC, [body(20), body(20, 2.0), body(20, 1.0), body(20, 1.0)])
        device.settle()
        found = committed(database_url, 8)
    first = policy is DuplicatePolicy.FIRST
    assert found.received == 8
    assert (found.stored, found.merged, found.revised) == ((3, 1, 0) if first else (6, 1, 3))
    assert (found.duplicate, found.conflicting) == ((5, 2) if first else (2, 0))
    assert rows(database_url) == (
        [("m0", 10, 5.0, 50.0, Quality.ESTIMATED), ("m0", 20, 1.0, None, 0)]
        if first
        else [("m0", 10, 6.0, 50.0, Quality.REVISED), ("m0", 20, 1.0, None, Quality.REVISED)]
    )
    with connect(database_url, "test", autocommit=True) as conn:
        register_litres, battery_pct = "register_litres", "battery_pct"
        stream = [
            (10, {register_litres: 5.0}),
            (10, {battery_pct: 50.0}),
            (20, {register_litres: 1.0}),
        ]
        if not first:
            stream.insert(1, (10, {register_litres: 6.0}))
            stream += [(20, {register_litres: 2.0}), (20, {register_litres: 1.0})]
        assert told(conn) == stream
        number = conn.execute("SELECT number FROM sensor WHERE id = 'm0'").fetchone()
        assert number is not None
        ends = (from_us(START_US), from_us(START_US + 60_000_000))
        kept = revisions(conn, Domain.WATER, number[0], *ends)
    assert [(each.metric, each.value, each.quality) for each in kept] == (
        [
            (register_litres, 5.0, Quality.ESTIMATED),
            (register_litres, 1.0, 0),
            (register_litres, 2.0, 16),
        ]
        if policy is DuplicatePolicy.BOTH
        else []
    )
    assert all(each.received_at < each.replaced_at for each in kept)


def sent(url: str, policy: DuplicatePolicy, *values: float, again: bool = False) -> Outcome:
    """One batch of readings of one time, as the broker delivers them."""
    settings = IngestSettings(worker="w", duplicate_policy=policy.value)
    inbox = Inbox(settings.max_payload_bytes, 65_536, lambda: START_US + 1)
    for value in values:
        inbox.add(TOPIC.encode(), json.dumps(body(0, value)).encode(), 0, again=again)
    messages = inbox.take(100, 1 << 20).messages
    with connect(url, "test", autocommit=True) as conn:
        intake = Intake(assembler_of(settings), "quarantine")
        return write(conn, "w", intake.assembler, intake.prepare(conn, messages))


@pytest.mark.parametrize("policy", [DuplicatePolicy.LAST, DuplicatePolicy.BOTH])
def test_what_comes_again_after_a_kill_corrects_nothing(
    policy: DuplicatePolicy, database_url: str
) -> None:
    register(database_url)
    sent(database_url, policy, 1.0, 2.0, 3.0)
    before = account(database_url)
    for values in ((1.0, 2.0, 3.0), (3.0,), (2.0, 3.0)):
        outcome = sent(database_url, policy, *values, again=True)
        assert (outcome.counts.received, outcome.redelivered) == (0, len(values))
    assert replace(account(database_url), messages=3) == before
    assert (before.stored, before.revised) == (3, 2)
    # Of these the first was committed before the kill, the second was not.
    outcome = sent(database_url, policy, 3.0, 4.0, again=True)
    assert (outcome.counts.received, outcome.counts.revised, outcome.redelivered) == (1, 1, 1)
    assert [row[2] for row in rows(database_url)] == [4.0]
    with connect(database_url, "test") as conn:
        found = conn.execute("SELECT value FROM reading_revision ORDER BY value").fetchall()
    kept = [(1.0,), (2.0,), (3.0,)] if policy is DuplicatePolicy.BOTH else []
    assert found == kept
