"""A worker that dies between commit and acknowledgement: the broker sends again, and nothing is counted twice."""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from services.domain.rejection import RejectReason
from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from services.ingest.apart import store_apart
from services.ingest.assemble import Assembler
from services.ingest.blocks import Block
from services.ingest.inbox import Inbox, Taken
from services.ingest.intake import Intake
from services.ingest.mqtt import Link
from services.ingest.parts import assembler_of, subscription_of
from services.ingest.prepared import Prepared
from services.ingest.sensor_table import SensorTable
from services.ingest.settings import IngestSettings
from services.ingest.validate import Limits
from services.ingest.writer import write
from services.store import rejected
from services.store.connection import connect
from tests.ingest_worker import (
    QUICK,
    Publisher,
    account,
    body,
    committed,
    register,
    rows,
    working,
)
from tests.waiting import wait_until

TOPIC = "citygauge/v1/water/m0/reading"
SETTINGS = IngestSettings(worker="dies", **QUICK)  # type: ignore[arg-type]


def new_inbox() -> Inbox:
    return Inbox(SETTINGS.max_payload_bytes, 65_536, lambda: time.time_ns() // 1000)


def test_what_was_committed_and_not_acknowledged_is_not_counted_again(
    own_broker: EmbeddedBroker, database_url: str
) -> None:
    register(database_url)
    inbox = new_inbox()
    link = Link(own_broker.url(), subscription_of(SETTINGS), inbox)
    wait_until(lambda: link.step(0.05) or link.connected)
    with Publisher(own_broker.url(DEVICE_USER), "device") as device:
        for second in range(20):
            device.reading("m1", second)
        device.publish(TOPIC, b"junk")
        device.publish(TOPIC, b"junk")
        device.publish(TOPIC, [body(1), body(2), 7, {**body(3), "sensor_id": "nobody"}])
        device.settle()
        wait_until(lambda: link.step(0.05) or len(inbox) == 23)
        taken = inbox.take(100, 1 << 20)
        with connect(database_url, "test", autocommit=True) as conn:
            intake = Intake(assembler_of(SETTINGS), "quarantine")
            write(conn, "dies", intake.assembler, intake.prepare(conn, taken.messages))
        link._lost("it dies here")
        before = account(database_url)
        with working(
            database_url,
            own_broker.url(),
            worker="dies",
            share_group=SETTINGS.share_group,
            session_expiry_s=3600,
        ):
            device.reading("m1", 100)
            device.settle()
            after = committed(database_url, before.received + 1)
    assert (before.received, before.stored, before.rejected) == (26, 22, 4)
    assert (after.received, after.stored, after.duplicate, after.rejected) == (27, 23, 0, 4)
    assert len(rows(database_url)) == 23
    with connect(database_url, "test") as conn:
        assert len(rejected.page(conn, limit=50).items) == 4


def test_a_commit_of_unknown_end_is_tried_again_without_counting_twice(database_url: str) -> None:
    register(database_url)
    inbox = new_inbox()
    for second in range(3):
        inbox.add(b"citygauge/v1/water/m1/reading", _bytes(body(second)), 0, again=False)
    inbox.add(b"citygauge/v1/water/m1/reading", b"junk", 0, again=False)
    taken: Taken = inbox.take(10, 1 << 20)
    with connect(database_url, "test", autocommit=True) as conn:
        intake = Intake(assembler_of(SETTINGS), "quarantine")
        prepared: Prepared = intake.prepare(conn, taken.messages)
        write(conn, "w", intake.assembler, prepared)
        outcome = write(conn, "w", intake.assembler, prepared.delivered_before())
    assert (outcome.counts.received, outcome.redelivered) == (0, 4)
    found = account(database_url)
    assert (found.received, found.stored, found.duplicate, found.rejected) == (4, 3, 0, 1)


def test_redelivered_messages_that_were_never_committed_count_as_new(database_url: str) -> None:
    register(database_url)
    inbox = new_inbox()
    for value in (1.0, 1.0, 2.0):
        inbox.add(b"citygauge/v1/water/m1/reading", _bytes(body(5, value)), 0, again=True)
    messages = inbox.take(10, 1 << 20).messages
    first = replace(messages, redelivered={0})
    with connect(database_url, "test", autocommit=True) as conn:
        intake = Intake(assembler_of(SETTINGS), "quarantine")
        outcome = write(conn, "w", intake.assembler, intake.prepare(conn, first))
    counts = outcome.counts
    assert (counts.received, counts.stored, counts.duplicate, counts.conflicting) == (3, 1, 2, 1)


def _bytes(document: object) -> bytes:
    return json.dumps(document).encode()


class _Fragile(Assembler):
    def judge(self, blocks: Sequence[Block], sensors: SensorTable, prepared: Prepared) -> None:
        if any(b"666" in payload for payload in prepared.messages.payloads):
            raise KeyError("a fault of ours")
        super().judge(blocks, sensors, prepared)


def test_a_fault_of_ours_costs_only_the_message_that_causes_it(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    register(database_url)
    inbox = new_inbox()
    for second in range(9):
        value = 666.0 if second in (2, 7) else 1.0
        inbox.add(b"citygauge/v1/water/m1/reading", _bytes(body(second, value)), 0, again=False)
    fragile = _Fragile(
        SETTINGS.topics, Limits(10**10, 10**9, 0), max_payload_bytes=1_000, keep_payload_bytes=1_000
    )
    with connect(database_url, "test", autocommit=True) as conn, caplog.at_level(logging.ERROR):
        outcome = store_apart(
            conn, "w", Intake(fragile, "quarantine"), inbox.take(100, 1 << 20).messages
        )
    assert outcome.reasons == {RejectReason.DECODER_ERROR: 2}
    assert (outcome.counts.stored, outcome.counts.messages) == (7, 9)
    assert [row[1] for row in rows(database_url)] == [0, 1, 3, 4, 5, 6, 8]
    assert caplog.text.count("message kept and rejected") == 2
