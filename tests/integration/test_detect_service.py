"""The detect service on the real database: one leads, outages and stops lose nothing, its metrics are served."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Sequence
from functools import partial

import psycopg
import pytest

from services.detect.metrics import DetectMetrics
from services.detect.runner import CONSUMER
from services.detect.service import detect, run
from services.detect.settings import DetectSettings
from services.domain.batch import ReadingBatch
from services.domain.condition import Condition
from services.domain.errors import Conflict
from services.domain.sensor import Sensor
from services.embedded.database import EmbeddedDatabase
from services.embedded.processes import free_port
from services.store.connection import connect
from services.store.feed import committed_position
from services.store.migrations import migrate
from tests.integration.detecting import (
    SETTINGS,
    SmallCore,
    feed,
    meters,
    small_core,
    words,
)
from tests.integration.runners import (
    LEAK_KINDS,
    check_log_folds_to_rows,
    drain,
    kinds,
    leak,
    runner,
    value,
)
from tests.waiting import PATIENCE_S, wait_until


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
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


def heard(url: str, events: int) -> bool:
    return len(kinds(url)) == events


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
            wait_until(partial(heard, database_url, events), what="the events")
            kill_leader(database_url)
        wait_until(lambda: kinds(database_url) == LEAK_KINDS, what="all events")
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
        wait_until(lambda: kinds(url) == LEAK_KINDS, what="the rest of the leak")
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
        service.join(PATIENCE_S)
    assert metrics_page(port) == ""


def metrics_page(port: int) -> str:
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_S
        ) as answer:
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
