"""Judging again in slices on the real database: a crash between two forgets nothing, and no feed starves it."""

from __future__ import annotations

import pytest

from services.detect.metrics import DetectMetrics
from services.domain.instant import from_us, to_us
from services.store.alerting.alerts import AlertRepository
from services.store.connection import connect
from tests.integration.detecting import SETTINGS, START_US, feed, meters
from tests.integration.runners import (
    check_log_folds_to_rows,
    drain,
    kinds,
    runner,
    told,
    value,
)
from tests.waiting import wait_until

SLICES = SETTINGS.model_copy(update={"late_slice_ms": 0.0})
"""One piece of judging between two looks at the feed."""


def test_a_crash_between_two_slices_of_judging_forgets_nothing(database_url: str) -> None:
    one = meters(database_url, "m1")["m1"]
    with runner(database_url, SLICES) as work:
        feed(database_url, [(one, 1, 10.0)], [(one, 200, 10.0)])
        drain(work)
        feed(database_url, [(one, 5, 150.0)])
        wait_until(work.work, what="the late reading")
        assert kinds(database_url) == [], "judging has begun and is not done"
        work.save()
    with runner(database_url, SLICES) as work:
        work.work()
        assert kinds(database_url) == []
    with runner(database_url, SLICES) as work:
        drain(work)
    assert kinds(database_url) == ["raised", "cleared"]
    assert "Known late" in told(database_url)[0][1]


def test_judging_comes_to_its_end_while_the_feed_never_pauses_and_misses_nothing_of_it(
    database_url: str,
) -> None:
    one = meters(database_url, "m1")["m1"]
    metrics = DetectMetrics()
    with runner(database_url, SLICES, metrics=metrics) as work:
        feed(database_url, [(one, 1, 10.0)], [(one, 200, 10.0)])
        drain(work)
        feed(database_url, [(one, 5, 150.0)], [(one, 7, 160.0)])
        minute = 200.0
        while value(metrics, "citygauge_detect_judged_again_sensors_total") == 0:
            minute += 1
            feed(database_url, [(one, minute, 170.0)])
            work.work()
            assert minute < 300, "judging starves"
        drain(work)
        feed(database_url, [(one, minute + 1, 10.0)])
        drain(work)
    assert value(metrics, "citygauge_detect_late_slice_seconds_count") > 3
    check_log_folds_to_rows(database_url)
    with connect(database_url, "test", autocommit=True) as conn:
        found = AlertRepository(conn).page(limit=9, now=from_us(START_US), subject="m1").items
    begun = sorted((to_us(alert.started_at) - START_US) // 60_000_000 for alert in found)
    assert begun == [5, 201], "what came late, and what came in time meanwhile"
    assert all(not alert.active for alert in found)


def test_judging_that_the_feed_outruns_is_done_at_one_go(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = meters(database_url, "m1")["m1"]
    metrics = DetectMetrics()
    with runner(database_url, SLICES, metrics=metrics) as work:
        feed(database_url, [(one, 1, 10.0)], [(one, 200, 10.0)])
        drain(work)
        monkeypatch.setattr("services.detect.late.heard.MOST_READINGS", 2)
        feed(database_url, [(one, 5, 150.0)])
        wait_until(work.work, what="the late reading")
        begun = value(metrics, "citygauge_detect_late_slice_seconds_count")
        feed(database_url, [(one, 201, 10.0), (one, 202, 10.0)])
        wait_until(work.work, what="more than is held")
    assert kinds(database_url) == ["raised", "cleared"]
    assert value(metrics, "citygauge_detect_late_slice_seconds_count") == begun + 1
