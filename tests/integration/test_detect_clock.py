"""Silence on the real database: by the wall clock in live cities, by the readings' own time in replays."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg

from services.detect.settings import Clock
from services.domain.instant import to_us
from tests.integration.detecting import (
    SETTINGS,
    START_US,
    feed,
    meters,
)
from tests.integration.runners import (
    check_log_folds_to_rows,
    drain,
    kinds,
    runner,
    told,
)
from tests.waiting import wait_until


def test_silence_by_the_wall_clock_survives_a_crash_between_its_raise_and_its_end(
    database_url: str,
) -> None:
    number = meters(database_url, "m1")["m1"]
    settings = SETTINGS.model_copy(update={"clock": Clock.WALL, "tick_s": 0.001})
    with runner(database_url, settings) as work:
        feed(database_url, [(number, 1, 5.0)])
        wait_until(work.work, what="the reading to appear in the feed")
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
        wait_until(work.work, what="the first reading")
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
