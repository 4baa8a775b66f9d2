"""What the runner cannot use costs itself alone: unknown sensors, failing detectors, damaged rows, missing words."""

from __future__ import annotations

import logging

import psycopg
import pytest

from services.detect.metrics import DetectMetrics
from services.domain.condition import Condition
from services.domain.sensor import Sensor
from services.store.connection import connect
from services.store.feed import append
from tests.integration.detecting import (
    POISON,
    batch_of,
    feed,
    meters,
)
from tests.integration.runners import (
    drain,
    kinds,
    runner,
    told,
    value,
)


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
