"""The detect service on its rounds: what is exempt is told when that ends, floods begin and end, over crashes."""

from __future__ import annotations

import uuid
from datetime import timedelta

from services.domain.alert import EventKind
from services.domain.condition import Rule
from services.domain.instant import from_us
from services.domain.suppression import Suppression, SuppressionKind
from services.store.alerting.alerts import AlertRepository
from services.store.alerting.suppressions import SuppressionRepository
from services.store.connection import connect
from services.store.telling import outbox
from tests.integration.detecting import SETTINGS, START_US, feed, meters
from tests.integration.runners import (
    check_log_folds_to_rows,
    drain,
    kinds,
    runner,
)
from tests.waiting import wait_until

BEGIN = from_us(START_US)
ROUNDS = SETTINGS.model_copy(update={"watch_s": 0.01})


def exempt(url: str, subject: str, hours: float) -> Suppression:
    made = Suppression(
        id=uuid.uuid4(), kind=SuppressionKind.EXEMPTION, subjects=(subject,), rules=(), domain=None,
        zone=None, road=None, starts_at=BEGIN, ends_at=BEGIN + timedelta(hours=hours), hours=(),
        time_zone="UTC", reason="vacant", created_at=BEGIN, created_by="ada",
    )  # fmt: skip
    with connect(url, "test", autocommit=True) as conn:
        return SuppressionRepository(conn).create(made)


def announced(url: str) -> list[tuple[EventKind, str]]:
    with connect(url, "test", autocommit=True) as conn:
        return [(each.event.event.kind, each.alert.subject) for each in outbox.waiting(conn, 1000)]


def test_what_is_exempt_is_told_when_the_exemption_is_over_in_the_time_of_the_data(
    database_url: str,
) -> None:
    number = meters(database_url, "m1")["m1"]
    exempt(database_url, "m1", 1.0)
    with runner(database_url, ROUNDS) as work:
        feed(database_url, [(number, 1, 10.0), (number, 2, 150.0)])
        drain(work)
        assert kinds(database_url) == ["raised", "suppressed"]
        assert announced(database_url) == []
    with runner(database_url, ROUNDS) as work:  # a crash in between changes nothing
        feed(database_url, [(number, 61, 150.0)])
        told = ["raised", "suppressed", "unsuppressed"]
        wait_until(lambda: not work.work() and kinds(database_url) == told, what="the end of it")
        assert announced(database_url) == [(EventKind.UNSUPPRESSED, "m1")]
    check_log_folds_to_rows(database_url)


def test_a_flood_outlives_a_crash_and_ends_with_the_time_of_the_data(database_url: str) -> None:
    numbers = meters(database_url, "m1", "m2", "m3")
    settings = ROUNDS.model_copy(update={"flood_alerts": 1})
    with runner(database_url, settings) as work:
        feed(database_url, [(each, 2, 150.0) for each in numbers.values()])
        drain(work)
    assert announced(database_url) == [(EventKind.RAISED, "m1"), (EventKind.RAISED, "flood/water")]
    with runner(database_url, settings) as work:
        feed(database_url, [(each, 30, 160.0) for each in numbers.values()])
        wait_until(
            lambda: not work.work() and len(announced(database_url)) > 2, what="the flood's end"
        )
    assert announced(database_url)[2:] == [(EventKind.CLEARED, "flood/water")]
    with connect(database_url, "test", autocommit=True) as conn:
        open_alerts = AlertRepository(conn).open_alerts()
    assert {alert.rule for alert in open_alerts}.isdisjoint({Rule.ALERT_FLOOD})
    assert len(open_alerts) == 3
    check_log_folds_to_rows(database_url)
