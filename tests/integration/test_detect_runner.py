"""The runner on the real database, with a small detector: alerts, crashes at any place, and what people do."""

from __future__ import annotations

import logging
import random
from datetime import UTC, datetime

import psycopg
import pytest

from services.detect.metrics import DetectMetrics
from services.detect.runner import CONSUMER
from services.domain.alert import EventKind
from services.domain.condition import Rule, Severity
from services.embedded.database import EmbeddedDatabase
from services.store.alerting.alerts import AlertRepository
from services.store.connection import connect, transaction
from services.store.feed import committed_position
from tests.integration.detecting import (
    SETTINGS,
    feed,
    meters,
)
from tests.integration.runners import (
    LEAK,
    LEAK_KINDS,
    Rows,
    check_log_folds_to_rows,
    drain,
    kinds,
    leak,
    log,
    runner,
    value,
)


def test_a_leak_is_raised_made_worse_cleared_and_linked_when_it_comes_back(
    database_url: str,
) -> None:
    number = meters(database_url, "m1")["m1"]
    metrics = DetectMetrics()
    with runner(database_url, metrics=metrics) as work:
        feed(database_url, *leak(number))
        drain(work)
    assert kinds(database_url) == LEAK_KINDS
    check_log_folds_to_rows(database_url)
    first, second = (entry.event for entry in log(database_url) if entry.version == 1)
    assert second.data["previous_id"] == str(first.alert_id)
    assert value(metrics, "citygauge_detect_readings_total") == len(LEAK)
    assert value(metrics, 'citygauge_detect_alert_events_total{kind="raised"}') == 2
    line = 'citygauge_detect_open_alerts{rule="burst",severity="warning"}'
    assert value(metrics, line) == 0


@pytest.mark.parametrize("saved", [True, False], ids=["checkpoint", "history"])
def test_a_crash_after_any_batch_changes_nothing(database_url: str, saved: bool) -> None:
    number = meters(database_url, "m1")["m1"]
    for rows in leak(number):
        with runner(database_url) as work:
            drain(work)
            if saved:
                work.save()
            feed(database_url, rows)
            drain(work)
    assert kinds(database_url) == LEAK_KINDS
    check_log_folds_to_rows(database_url)


def test_histories_with_crashes_at_random_places_end_in_the_same_log(
    database_url: str, database_server: EmbeddedDatabase, migrated_template: str
) -> None:
    chance = random.Random(7)
    names = ["m1", "m2", "m3", "m4"]
    numbers = list(meters(database_url, *names).values())
    batches: list[Rows] = []
    for minute in range(1, 60):
        who = chance.sample(numbers, chance.randint(1, len(numbers)))
        batches.append([(n, minute, chance.choice([5.0, 20.0, 70.0, 150.0, 1500.0])) for n in who])
    with runner(database_url) as work:
        feed(database_url, *batches)
        drain(work)
    expected = {entry.event.id for entry in log(database_url)}
    assert len(expected) > 30
    for seed in range(3):
        url = database_server.clone(migrated_template)
        meters(url, *names)
        chance = random.Random(seed)
        left = list(batches)
        while left:
            settings = SETTINGS.model_copy(update={"batch_readings": chance.choice([1, 3, 50])})
            with runner(url, settings) as work:
                for _ in range(chance.randint(0, 6)):
                    match chance.choice(["feed", "feed", "work", "save"]):
                        case "feed" if left:
                            feed(url, left.pop(0))
                        case "save":
                            work.save()
                        case _:
                            work.work()
        with runner(url) as work:
            drain(work)
        assert {entry.event.id for entry in log(url)} == expected
        check_log_folds_to_rows(url)


def test_a_leak_that_runs_when_the_service_first_starts_is_told(database_url: str) -> None:
    number = meters(database_url, "m1")["m1"]
    feed(database_url, *leak(number)[:4])
    with connect(database_url, "test", autocommit=True) as conn:
        conn.execute("DELETE FROM batch_feed")
    with runner(database_url) as work:
        drain(work)
        feed(database_url, *leak(number)[4:7])
        drain(work)
    assert kinds(database_url) == ["raised", "escalated", "cleared"]


def test_an_alert_that_ended_while_the_state_was_lost_is_cleared(database_url: str) -> None:
    number = meters(database_url, "m1")["m1"]
    with runner(database_url) as work:
        feed(database_url, *leak(number)[:4])
        drain(work)
    feed(database_url, *leak(number)[4:8])
    with connect(database_url, "test", autocommit=True) as conn:
        conn.execute("DELETE FROM batch_feed")
        conn.execute("DELETE FROM detector_checkpoint_position")
        conn.execute("DELETE FROM detector_checkpoint")
    with runner(database_url) as work:
        drain(work)
    assert kinds(database_url) == ["raised", "cleared"]
    check_log_folds_to_rows(database_url)


def test_a_damaged_checkpoint_is_rebuilt_from_history_and_said(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    number = meters(database_url, "m1")["m1"]
    with runner(database_url) as work:
        feed(database_url, *leak(number)[:4])
        drain(work)
        work.save()
    with connect(database_url, "test", autocommit=True) as conn:
        conn.execute("UPDATE detector_checkpoint SET state = 'rubbish'")
    metrics = DetectMetrics()
    with (
        caplog.at_level(logging.WARNING, "citygauge.detect"),
        runner(database_url, metrics=metrics) as work,
    ):
        feed(database_url, *leak(number)[4:])
        drain(work)
    assert "checkpoint cannot be used" in caplog.text
    assert value(metrics, 'citygauge_detect_rebuilds_total{source="history"}') == 1
    assert kinds(database_url) == LEAK_KINDS
    with runner(database_url, metrics=metrics):
        assert value(metrics, 'citygauge_detect_rebuilds_total{source="checkpoint"}') == 1


def test_position_alerts_and_checkpoint_are_one_transaction(database_url: str) -> None:
    number = meters(database_url, "m1")["m1"]
    with runner(database_url, SETTINGS.model_copy(update={"checkpoint_s": 0})) as work:
        feed(database_url, [(number, 1, 5.0)])
        drain(work)
        with connect(database_url, "test", autocommit=True) as conn:
            before = committed_position(conn, CONSUMER)
            saved = conn.execute("SELECT xid, id FROM detector_checkpoint_position").fetchone()
            # the alert cannot be written: nothing else of its transaction may stay
            conn.execute("ALTER TABLE outbox ADD CONSTRAINT broken CHECK (false) NOT VALID")
            feed(database_url, [(number, 2, 150.0)])
            work.work()
            assert committed_position(conn, CONSUMER) == before
            stored = conn.execute("SELECT xid, id FROM detector_checkpoint_position").fetchone()
            assert stored == saved
            conn.execute("ALTER TABLE outbox DROP CONSTRAINT broken")
        drain(work)
    assert kinds(database_url) == ["raised"]


def test_the_feed_is_pruned_behind_the_checkpoint_and_no_further(database_url: str) -> None:
    number = meters(database_url, "m1")["m1"]
    settings = SETTINGS.model_copy(update={"keep_feed_s": 0})
    with runner(database_url, settings) as work:
        feed(database_url, *leak(number)[:3])
        drain(work)
        work.save()
        feed(database_url, *leak(number)[3:5])
        drain(work)
    with psycopg.connect(database_url) as conn:
        [(rows,)] = conn.execute("SELECT count(*) FROM batch_feed").fetchall()
    assert rows == 2
    with runner(database_url, settings) as work:
        feed(database_url, *leak(number)[5:])
        drain(work)
    assert kinds(database_url) == LEAK_KINDS


def test_acts_of_people_between_batches_are_kept(database_url: str) -> None:
    number = meters(database_url, "m1")["m1"]
    with runner(database_url) as work:
        feed(database_url, *leak(number)[:4])
        drain(work)
        with connect(database_url, "test", autocommit=True) as conn, transaction(conn):
            repository = AlertRepository(conn)
            [alert] = repository.open_alerts()
            now = datetime.now(UTC)
            repository.act(alert.id, EventKind.ACKNOWLEDGED, "ada", now, {})
            repository.act(alert.id, EventKind.RESOLVED, "ada", now, {"verdict": "real"})
        feed(database_url, *leak(number)[4:8])
        drain(work)
    expected = ["raised", "acknowledged", "resolved", "escalated", "cleared"]
    assert kinds(database_url) == expected
    check_log_folds_to_rows(database_url)
    with connect(database_url, "test", autocommit=True) as conn:
        row = AlertRepository(conn).get(alert.id)
    assert (row.state, row.severity, row.rule) == ("resolved", Severity.CRITICAL, Rule.BURST)
