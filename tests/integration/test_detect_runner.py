"""The runner on the real database, with a small detector: restarts, outages, bad batches, two instances."""

from __future__ import annotations

import logging
import random
import threading
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
import pytest
from prometheus_client import generate_latest

from services.detect.metrics import DetectMetrics
from services.detect.runner import CONSUMER, Runner
from services.detect.service import detect, run
from services.detect.settings import Clock, DetectSettings
from services.domain.alert import EventKind, fold_all
from services.domain.batch import ReadingBatch
from services.domain.condition import Condition, Rule, Severity
from services.domain.errors import Conflict
from services.domain.instant import to_us
from services.domain.sensor import Sensor
from services.embedded.database import EmbeddedDatabase
from services.embedded.processes import free_port
from services.store.alerts import AlertRepository, StoredEvent
from services.store.connection import connect, transaction
from services.store.feed import append, committed_position
from services.store.migrations import migrate
from tests.integration.detecting import (
    POISON,
    SETTINGS,
    START_US,
    SmallCore,
    batch_of,
    feed,
    meters,
    small_core,
    words,
)
from tests.waiting import wait_until

Rows = list[tuple[int, float, float]]


@contextmanager
def runner(
    url: str,
    settings: DetectSettings = SETTINGS,
    make: Callable[..., SmallCore] = small_core,
    metrics: DetectMetrics | None = None,
    say: Callable[[Condition, Sensor], str] = words,
) -> Iterator[Runner]:
    """A runner as after a start; leaving the block is a crash: nothing is saved."""
    with connect(url, "test-detect", autocommit=True) as conn:
        yield Runner(conn, settings, make, say, metrics or DetectMetrics(), threading.Event())


def drain(work: Runner) -> None:
    while work.work():
        pass


def log(url: str) -> list[StoredEvent]:
    with connect(url, "test", autocommit=True) as conn:
        return AlertRepository(conn).events_after(0, limit=10_000)


def told(url: str) -> list[tuple[str, str]]:
    """(kind, subject's sentence) of each event, in order."""
    return [(entry.event.kind.value, str(entry.event.data.get("sentence"))) for entry in log(url)]


def kinds(url: str) -> list[str]:
    return [kind for kind, _ in told(url)]


def value(metrics: DetectMetrics, line: str) -> float:
    for row in generate_latest(metrics.registry).decode().splitlines():
        if row.rpartition(" ")[0] == line:
            return float(row.rpartition(" ")[2])
    raise AssertionError(f"there is no metric {line}")


def check_log_folds_to_rows(url: str) -> None:
    with connect(url, "test", autocommit=True) as conn:
        repository = AlertRepository(conn)
        ids = {entry.event.alert_id for entry in log(url)}
        for alert_id in ids:
            entries = repository.events(alert_id)
            assert [entry.version for entry in entries] == list(range(1, len(entries) + 1))
            assert fold_all([entry.event for entry in entries]) == repository.get(alert_id)


LEAK = [10.0, 20.0, 150.0, 160.0, 1200.0, 1300.0, 20.0, 10.0, 200.0, 30.0]
LEAK_KINDS = ["raised", "escalated", "cleared", "raised", "cleared"]


def leak(number: int) -> list[Rows]:
    return [[(number, minute, flow)] for minute, flow in enumerate(LEAK, start=1)]


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


def test_a_sensor_registered_while_running_is_watched(database_url: str) -> None:
    first = meters(database_url, "m1")["m1"]
    with runner(database_url) as work:
        feed(database_url, [(first, 1, 5.0)])
        drain(work)
        second = meters(database_url, "m2")["m2"]
        feed(database_url, [(second, 2, 500.0)])
        drain(work)
    assert told(database_url) == [("raised", "burst at m2 raise 500.0")]


def test_readings_of_a_number_that_nobody_has_are_left_out_and_counted(database_url: str) -> None:
    number = meters(database_url, "m1")["m1"]
    metrics = DetectMetrics()
    with runner(database_url, metrics=metrics) as work:
        with connect(database_url, "test", autocommit=True) as conn:
            rows = [(999_999, 1.0, 500.0), (-4, 1.0, 500.0), (number, 1.0, 500.0)]
            append(conn, batch_of(rows))
        drain(work)
    assert told(database_url) == [("raised", "burst at m1 raise 500.0")]
    assert value(metrics, "citygauge_detect_unknown_sensor_readings_total") == 2


def test_a_batch_on_which_the_detector_fails_costs_itself_alone(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = meters(database_url, "m1", "m2").values()
    metrics = DetectMetrics()
    before, after = [(one, 1, 150.0)], [(one, 2, 20.0), (two, 2, 200.0)]
    feed(database_url, before, [(two, 1, POISON)], after)
    with (
        caplog.at_level(logging.ERROR, "citygauge.detect"),
        runner(database_url, metrics=metrics) as work,
    ):
        drain(work)
    expected = [
        ("raised", "burst at m1 raise 150.0"),
        ("cleared", "burst at m1 clear 20.0"),
        ("raised", "burst at m2 raise 200.0"),
    ]
    assert told(database_url) == expected
    assert value(metrics, "citygauge_detect_skipped_batches_total") == 1
    with psycopg.connect(database_url) as conn:
        ids = [row[0] for row in conn.execute("SELECT id FROM batch_feed ORDER BY id")]
    assert f"a batch of the feed is left out: batch={ids[1]}" in caplog.text
    with runner(database_url) as work:
        drain(work)
    assert told(database_url) == expected


def test_a_damaged_row_of_the_feed_is_left_out(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    number = meters(database_url, "m1")["m1"]
    feed(database_url, [(number, 1, 150.0)], [(number, 2, 160.0)], [(number, 3, 20.0)])
    with psycopg.connect(database_url) as conn:
        conn.execute(
            "UPDATE batch_feed SET columns = 'rubbish' WHERE id = (SELECT min(id) + 1 FROM batch_feed)"
        )
    metrics = DetectMetrics()
    with runner(database_url, metrics=metrics) as work:
        drain(work)
    # the history knows the second reading all the same; by it the first one is late, and tells the leak earlier
    assert kinds(database_url) == ["raised", "updated", "cleared"]
    assert value(metrics, "citygauge_detect_skipped_batches_total") == 1
    assert "a batch of the feed is left out" in caplog.text


def test_words_that_fail_do_not_cost_the_alert(database_url: str) -> None:
    number = meters(database_url, "m1")["m1"]

    def mute(condition: Condition, sensor: Sensor) -> str:
        raise KeyError("no word for it")

    with runner(database_url, say=mute) as work:
        feed(database_url, [(number, 1, 150.0)])
        drain(work)
    assert told(database_url) == [("raised", "burst at m1: raise.")]


def test_silence_by_the_wall_clock_survives_a_crash_between_its_raise_and_its_end(
    database_url: str,
) -> None:
    number = meters(database_url, "m1")["m1"]
    settings = SETTINGS.model_copy(update={"clock": Clock.WALL, "tick_s": 0.001})
    with runner(database_url, settings) as work:
        feed(database_url, [(number, 1, 5.0)])
        assert work.work()
        work.save()
        assert told(database_url) == []
        wait_until(lambda: work.work() or told(database_url), what="the alert of silence")
    assert kinds(database_url) == ["raised"]
    with runner(database_url, settings) as work:
        minutes = (to_us(datetime.now(UTC)) - START_US) / 60e6
        feed(database_url, [(number, minutes, 5.0)])
        drain(work)
    assert kinds(database_url) == ["raised", "cleared"]
    check_log_folds_to_rows(database_url)


def test_the_wall_clock_is_not_asked_before_what_waited_has_settled(database_url: str) -> None:
    number = meters(database_url, "m1")["m1"]
    settings = SETTINGS.model_copy(update={"clock": Clock.WALL, "settle_s": 3600, "tick_s": 0.001})
    feed(database_url, [(number, 1, 5.0)])
    with runner(database_url, settings) as work:
        for _ in range(5):
            work.work()
    assert told(database_url) == []


def test_what_an_open_transaction_holds_back_is_not_taken_for_silence(database_url: str) -> None:
    number = meters(database_url, "m1")["m1"]
    settings = SETTINGS.model_copy(update={"clock": Clock.WALL, "tick_s": 0.001})
    minutes = (to_us(datetime.now(UTC)) - START_US) / 60e6
    with runner(database_url, settings) as work:
        feed(database_url, [(number, minutes - 60, 5.0)])
        work.work()
        with psycopg.connect(database_url) as holder:
            holder.execute("SELECT pg_current_xact_id()")
            feed(database_url, [(number, minutes, 5.0)])
            for _ in range(5):
                assert not work.work()
        wait_until(work.work, what="the reading to appear in the feed")
        for _ in range(5):
            work.work()
    assert told(database_url) == []


def test_the_streams_clock_tells_silence_in_replays(database_url: str) -> None:
    one, two = meters(database_url, "m1", "m2").values()
    with runner(database_url) as work:
        feed(database_url, [(one, 1, 5.0), (two, 1, 5.0)], [(two, 11.5, 5.0)], [(one, 12, 5.0)])
        drain(work)
    # the clock is asked after each batch, however many wait: days that come in one poll hide no silence
    once = [kind for kind, _ in told(database_url)]
    assert once == ["raised", "cleared"]
    with runner(database_url) as work:
        feed(database_url, [(two, 23, 5.0)])
        drain(work)
    assert told(database_url)[-1] == ("raised", "silent at m1 raise 0.0")
    assert [kind for kind, _ in told(database_url)] == [*once, "raised"]


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


def test_a_second_runner_at_once_is_refused_and_writes_nothing_twice(database_url: str) -> None:
    number = meters(database_url, "m1")["m1"]
    feed(database_url, [(number, 1, 5.0)])
    with runner(database_url) as one, runner(database_url) as two:
        feed(database_url, [(number, 2, 150.0)], [(number, 3, 5.0)])
        drain(one)
        with pytest.raises(Conflict):
            drain(two)
    assert kinds(database_url) == ["raised", "cleared"]


class Instance:
    """The service in a thread."""

    def __init__(self, url: str, settings: DetectSettings = SETTINGS) -> None:
        self.metrics = DetectMetrics()
        self.stop = threading.Event()
        self.thread = threading.Thread(
            target=detect, args=(settings, url, self.stop, small_core, words, self.metrics)
        )
        self.thread.start()

    @property
    def leads(self) -> bool:
        return value(self.metrics, "citygauge_detect_leader") == 1

    def end(self) -> None:
        self.stop.set()
        self.thread.join(30)
        assert not self.thread.is_alive()


def kill_leader(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(l.pid) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"
            " WHERE l.locktype = 'advisory' AND l.granted AND a.application_name = 'citygauge-detect'"
            " AND a.datname = current_database()"
        )


def test_the_one_that_stands_by_takes_over_and_nothing_is_repeated(database_url: str) -> None:
    number = meters(database_url, "m1")["m1"]
    slow = SETTINGS.model_copy(update={"longest_retry_s": 60.0})
    first = Instance(database_url, slow)
    wait_until(lambda: first.leads, what="the first to lead")
    second = Instance(database_url)
    try:
        batches = leak(number)
        for part, events in ((batches[:3], 1), (batches[3:6], 2), (batches[6:], 5)):
            feed(database_url, *part)
            wait_until(lambda n=events: len(kinds(database_url)) == n, 20, what="the events")
            kill_leader(database_url)
        wait_until(lambda: kinds(database_url) == LEAK_KINDS, 20, what="all events")
        wait_until(lambda: first.leads != second.leads, what="the killed one to notice")
        leader, other = (first, second) if first.leads else (second, first)
        leader.end()
        wait_until(lambda: other.leads, what="the other to lead")
    finally:
        first.end()
        second.end()
    check_log_folds_to_rows(database_url)


def test_an_outage_of_the_database_loses_and_repeats_nothing(
    own_database: EmbeddedDatabase,
) -> None:
    url = own_database.create()
    migrate(url)
    number = meters(url, "m1")["m1"]
    instance = Instance(url, SETTINGS.model_copy(update={"longest_retry_s": 0.5}))
    try:
        feed(url, *leak(number)[:4])
        wait_until(lambda: kinds(url) == ["raised"], what="the first alert")
        own_database.kill()
        wait_until(lambda: not instance.leads, what="the outage to be noticed")
        own_database.start()
        feed(url, *leak(number)[4:])
        wait_until(lambda: kinds(url) == LEAK_KINDS, 30, what="the rest of the leak")
    finally:
        instance.end()
    check_log_folds_to_rows(url)


def test_the_service_serves_its_metrics_and_ends_with_its_port(database_url: str) -> None:
    port = free_port()
    settings = SETTINGS.model_copy(update={"metrics_port": port})
    stop = threading.Event()
    service = threading.Thread(target=run, args=(settings, database_url, stop))
    service.start()
    try:
        line = "citygauge_detect_leader 1.0"
        wait_until(lambda: line in metrics_page(port).splitlines(), what="the leader's metric")
        assert "citygauge_detect_feed_lag_seconds 0.0" in metrics_page(port)
    finally:
        stop.set()
        service.join(30)
    assert metrics_page(port) == ""


def metrics_page(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read(), "utf-8")
    except OSError:
        return ""


def test_a_stop_while_history_is_read_is_heeded(database_url: str) -> None:
    number = meters(database_url, "m1")["m1"]
    stop = threading.Event()

    class Slow(SmallCore):
        def step(self, batch: ReadingBatch, now_us: int) -> list[Condition]:
            stop.set()
            return super().step(batch, now_us)

    def slow(sensors: Sequence[tuple[int, Sensor]]) -> SmallCore:
        core = Slow()
        core.add_sensors(sensors)
        return core

    feed(database_url, *leak(number), [(number, 60 * 24 * 9, 5.0)])
    with connect(database_url, "test", autocommit=True) as conn:
        conn.execute("DELETE FROM batch_feed")
    detect(SETTINGS, database_url, stop, slow, words, DetectMetrics())
    with connect(database_url, "test", autocommit=True) as conn:
        assert committed_position(conn, CONSUMER) is None


def test_a_clean_stop_saves_the_state(database_url: str) -> None:
    number = meters(database_url, "m1")["m1"]
    instance = Instance(database_url)
    feed(database_url, *leak(number)[:4])
    wait_until(lambda: kinds(database_url) == ["raised"], what="the alert")
    instance.end()
    with connect(database_url, "test", autocommit=True) as conn:
        saved = conn.execute("SELECT xid::text::bigint, id FROM detector_checkpoint_position")
        position = committed_position(conn, CONSUMER)
        assert position is not None
        assert saved.fetchone() == (position.xid, position.id)


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
