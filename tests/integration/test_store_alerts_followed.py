"""Alerts of many writers at once, in the order of their commits, told to listeners and given by pages."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from services.domain.alert import (
    EventKind,
    Work,
)
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Rule, Severity
from services.domain.errors import (
    InvalidInput,
)
from services.domain.sensor import Sensor
from services.store.alerting.alerts import CHANNEL, AlertRepository
from services.store.connection import Connection, connect, listen, transaction, wait
from services.store.sensors import SensorRepository
from tests.integration.alerting import NOW, event, raise_one
from tests.waiting import PATIENCE_S


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "test", autocommit=True) as connection:
        yield connection


@pytest.fixture
def alerts(conn: Connection) -> AlertRepository:
    return AlertRepository(conn)


def test_two_detectors_raise_the_same_at_once(database_url: str, conn: Connection) -> None:
    """Each applies in its own transaction; the second waits for the first, and neither fails."""
    detectors = 6
    start = threading.Barrier(detectors)
    written: list[int] = []
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            with connect(database_url, f"detector-{number}") as own:
                events = [event(Change.RAISE, n + 1, subject=f"m-{n}", onset=n) for n in range(20)]
                if number % 2:
                    events.reverse()
                start.wait(PATIENCE_S)
                with transaction(own):
                    written.append(len(AlertRepository(own).apply(events)))
        except BaseException as error:
            failures.append(error)
            start.abort()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(detectors)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert failures == []
    assert sorted(written) == [0] * (detectors - 1) + [20]
    assert len(AlertRepository(conn).open_alerts()) == 20


def test_positions_are_in_the_order_of_commits(database_url: str, conn: Connection) -> None:
    """Whoever follows positions never finds a smaller one later, even when a transaction stays open long."""
    with connect(database_url, "slow") as slow, connect(database_url, "quick") as quick:
        done = threading.Event()

        def later() -> None:
            with transaction(quick):
                AlertRepository(quick).apply([event(Change.RAISE, 1, subject="m-2")])
            done.set()

        thread = threading.Thread(target=later)
        with transaction(slow):
            (first,) = AlertRepository(slow).apply([event(Change.RAISE, 1)])
            thread.start()
            assert not done.wait(0.2)
            assert AlertRepository(conn).events_after(0, limit=9) == []
        thread.join(PATIENCE_S)
    one, two = AlertRepository(conn).events_after(0, limit=9)
    assert one.position == first.position < two.position == AlertRepository(conn).last_position()
    assert AlertRepository(conn).events_after(one.position, limit=9) == [two]


def test_changes_are_told_with_their_position(database_url: str, alerts: AlertRepository) -> None:
    with connect(database_url, "ear", autocommit=True) as ear:
        listen(ear, CHANNEL)
        raise_one(alerts)
        assert wait(ear, CHANNEL, PATIENCE_S, threading.Event()) == [str(alerts.last_position())]


def test_pages_filter_and_follow(conn: Connection, alerts: AlertRepository) -> None:
    SensorRepository(conn).upsert(
        [
            Sensor("m-1", SensorKind.WATER_METER, zone="dma-1"),
            Sensor("t-1", SensorKind.TRAFFIC_STATION, road="M-30"),
        ]
    )
    burst = raise_one(alerts, "m-1", 0)
    jam = raise_one(alerts, "t-1", 5, Rule.CONGESTION)
    zone = raise_one(alerts, "dma-1", 6, Rule.ZONE_LEAK)
    alerts.apply([event(Change.CLEAR, 9, jam, subject="t-1", onset=5, rule=Rule.CONGESTION)])
    alerts.act(burst.id, EventKind.ACKNOWLEDGED, "ada", NOW, {})
    until = NOW + timedelta(hours=1)
    alerts.act(
        zone.id, EventKind.SHELVED, "ada", NOW, {"until": until.isoformat(), "reason": "works"}
    )

    def found(now: datetime = NOW, **filters: object) -> list[str]:
        page = alerts.page(limit=50, now=now, **filters)  # type: ignore[arg-type]
        return [alert.subject for alert in page.items]

    assert found() == ["dma-1", "t-1", "m-1"]
    assert found(state="acknowledged") == ["m-1"]
    assert found(state="active") == ["dma-1"]
    assert found(state="cleared") == ["t-1"]
    assert found(state="resolved") == []
    assert found(state="open") == ["dma-1", "m-1"]
    assert found(state="latched") == ["t-1"]
    assert found(state="current") == ["dma-1", "t-1", "m-1"]
    alerts.act(zone.id, EventKind.ASSIGNED, "ada", NOW, {"assignee": "Bob"})
    assert found(assignee="Bob") == ["dma-1"]
    assert found(assignee="") == ["t-1", "m-1"]
    alerts.act(burst.id, EventKind.PROGRESSED, "ada", NOW, {"work": "crew_sent"})
    assert found(work=Work.CREW_SENT) == ["m-1"]
    assert found(suppressed=True) == []
    assert found(shelved=True) == ["dma-1"]
    assert found(shelved=False) == ["t-1", "m-1"]
    assert found(shelved=True, now=until) == []
    assert found(rule=Rule.BURST) == ["m-1"]
    assert found(severity=Severity.CRITICAL) == []
    assert found(subject="t-1") == ["t-1"]
    assert found(domain=Domain.TRAFFIC) == ["t-1"]
    assert found(zone="dma-1") == ["dma-1", "m-1"]
    assert found(start=NOW + timedelta(minutes=6), end=NOW + timedelta(minutes=7)) == ["t-1"]
    subjects, after = [], None
    while True:
        page = alerts.page(limit=1, now=NOW, after=after)
        subjects += [alert.subject for alert in page.items]
        if (after := page.next) is None:
            break
    assert subjects == found()
    with pytest.raises(InvalidInput):
        alerts.page(limit=1, now=NOW, after="WzEsICJ4Il0")
