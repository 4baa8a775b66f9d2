"""From the log of alerts to channels on the real database: routing, retries, isolation, crashes, two notifiers."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from services.domain.alert import EventKind
from services.domain.condition import Change, Severity
from services.embedded.database import EmbeddedDatabase
from services.embedded.processes import free_port
from services.notify.channels import sender
from services.notify.couriers import Couriers
from services.notify.delivery import Courier
from services.notify.metrics import NotifyMetrics
from services.notify.routing import route_waiting
from services.notify.service import run
from services.notify.settings import LogRoute, NotifySettings, WebhookRoute
from services.store.connection import connect
from services.store.migrations import migrate
from tests.endpoint import Endpoint, endpoint
from tests.notifying import act, hook, keys, pass_once, say, settings_of, state
from tests.tether import tethered
from tests.waiting import PATIENCE_S, wait_until

__all__ = ["endpoint"]
SERVICE = """
import sys, threading
from services.notify.service import run
from services.notify.settings import NotifySettings
run(NotifySettings.model_validate_json(sys.argv[1]), sys.argv[2], threading.Event())
"""


class Notifier:
    """The service in a thread."""

    def __init__(self, url: str, settings: NotifySettings) -> None:
        self.stop = threading.Event()
        self.thread = threading.Thread(target=run, args=(settings, url, self.stop))
        self.thread.start()

    def end(self) -> None:
        self.stop.set()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


@contextmanager
def notifier(url: str, settings: NotifySettings) -> Iterator[Notifier]:
    service = Notifier(url, settings)
    try:
        yield service
    finally:
        service.end()


def test_a_raise_and_its_end_are_told_once_with_their_ids(
    database_url: str, endpoint: Endpoint
) -> None:
    with notifier(database_url, settings_of(hook(endpoint))):
        events = say(database_url, Change.RAISE, Change.UPDATE, Change.CLEAR)
        wait_until(lambda: len(keys(endpoint)) == 2, what="both messages")
        told = [events[0], events[2]]
        assert keys(endpoint) == [str(event.id) for event in told]
        for event in told:
            [done] = wait_until(
                lambda e=event: [d for d in state(database_url, e.id) if d.sent_at], what="record"
            )
            assert (done.channel, done.attempts, done.last_error) == ("hook", 1, None)
    assert json.loads(endpoint.requests[0].body)["event"] == "raised"
    assert len(endpoint.requests) == 2


def test_routes_hear_what_they_asked_for(database_url: str, endpoint: Endpoint) -> None:
    settings = settings_of(
        hook(endpoint, "all"),
        hook(endpoint, "worst", minimal_severity="critical"),
        hook(endpoint, "acts", events=["acknowledged", "resolved"]),
    )
    [raised] = say(database_url, Change.RAISE)
    [worse] = say(database_url, Change.UPDATE, severity=Severity.CRITICAL, minute=5)
    assert worse.kind is EventKind.ESCALATED
    act(database_url, raised.alert_id, EventKind.ACKNOWLEDGED)
    [over] = say(database_url, Change.CLEAR, severity=Severity.INFO, minute=9)
    pass_once(database_url, settings)
    assert keys(endpoint, "/all") == [str(e.id) for e in (raised, worse, over)]
    assert keys(endpoint, "/worst") == [str(e.id) for e in (worse, over)]
    [acted] = [json.loads(r.body) for r in endpoint.requests if r.path == "/acts"]
    assert (acted["event"], acted["actor"]) == ("acknowledged", "ada")


def test_nobody_hears_of_a_shelved_alert(database_url: str, endpoint: Endpoint) -> None:
    settings = settings_of(hook(endpoint))
    [raised] = say(database_url, Change.RAISE)
    pass_once(database_url, settings)
    until = datetime.now(UTC) + timedelta(hours=1)
    shelf = {"until": until.isoformat(), "reason": "works in the street"}
    act(database_url, raised.alert_id, EventKind.SHELVED, **shelf)
    say(database_url, Change.UPDATE, severity=Severity.CRITICAL, minute=5)
    pass_once(database_url, settings)
    assert keys(endpoint) == [str(raised.id)]
    [over] = say(database_url, Change.CLEAR, minute=9)
    pass_once(database_url, settings, until + timedelta(seconds=1))
    assert keys(endpoint) == [str(raised.id), str(over.id)]


def test_an_alert_that_is_shelved_before_it_could_be_told_is_not_told(
    database_url: str, endpoint: Endpoint
) -> None:
    settings = settings_of(hook(endpoint))
    endpoint.answers = [503]
    [raised] = say(database_url, Change.RAISE)
    pass_once(database_url, settings)
    until = datetime.now(UTC) + timedelta(hours=1)
    shelf = {"until": until.isoformat(), "reason": "works in the street"}
    act(database_url, raised.alert_id, EventKind.SHELVED, **shelf)
    pass_once(database_url, settings, datetime.now(UTC) + timedelta(minutes=1))
    assert len(endpoint.requests) == 1
    [left] = state(database_url, raised.id)
    assert left.given_up_at is not None
    assert left.last_error == "hidden by a person before it was told"


def test_a_failure_is_visible_and_tried_again_with_the_same_id(
    database_url: str, endpoint: Endpoint
) -> None:
    settings = settings_of(hook(endpoint))
    endpoint.answers = [500, 503]
    [raised] = say(database_url, Change.RAISE)
    pass_once(database_url, settings)
    [left] = state(database_url, raised.id)
    assert (left.attempts, left.sent_at, left.given_up_at) == (1, None, None)
    assert left.last_error is not None
    assert "500" in left.last_error
    assert left.next_attempt_at > datetime.now(UTC) - timedelta(seconds=1)
    with notifier(database_url, settings):
        wait_until(lambda: state(database_url, raised.id)[0].sent_at, what="the delivery")
    [done] = state(database_url, raised.id)
    assert (done.attempts, done.last_error) == (3, None)
    assert keys(endpoint) == [str(raised.id)] * 3


def test_after_the_last_attempt_it_is_given_up_where_everybody_can_see_it(
    database_url: str, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_of(hook(endpoint), attempts=3)
    endpoint.answers = [500] * 10
    [raised] = say(database_url, Change.RAISE)
    with notifier(database_url, settings):
        wait_until(
            lambda: (
                state(database_url, raised.id)[:1] and state(database_url, raised.id)[0].given_up_at
            )
        )
    [left] = state(database_url, raised.id)
    assert (left.attempts, left.sent_at) == (3, None)
    assert "500" in str(left.last_error)
    assert len(endpoint.requests) == 3
    assert f"a message is given up: route=hook event={raised.id}" in caplog.text
    assert left.given_up_at is not None


def test_a_dead_channel_delays_nobody_else(database_url: str, endpoint: Endpoint) -> None:
    dead = Endpoint()
    dead.hold = threading.Event()
    settings = settings_of(hook(dead, "dead", timeout_s=60.0), hook(endpoint))
    try:
        with notifier(database_url, settings):
            first = say(database_url, Change.RAISE, subject="m0")
            wait_until(lambda: dead.requests, what="the dead channel to hang")
            rest = [say(database_url, Change.RAISE, subject=f"m{i}")[0] for i in range(1, 30)]
            wait_until(lambda: len(keys(endpoint)) == 30, what="the living channel")
            assert len(dead.requests) == 1
            assert set(keys(endpoint)) == {str(event.id) for event in (*first, *rest)}
            dead.hold.set()
            wait_until(lambda: len(keys(dead, "/dead")) == 30, what="the channel to catch up")
    finally:
        dead.close()


@contextmanager
def courier_of(
    url: str, settings: NotifySettings, route: WebhookRoute, at: datetime
) -> Iterator[Courier]:
    """A courier of the route whose clock goes a second further with each look, and what waits routed."""
    metrics = NotifyMetrics([route.name])
    clock = (at + timedelta(seconds=n) for n in itertools.count())
    with connect(url, "test", autocommit=True) as conn:
        route_waiting(conn, settings.routes, at, metrics)
        yield Courier(conn, route, sender(route), settings, metrics, lambda: next(clock))


def test_a_channel_that_is_away_is_asked_once_in_a_while_and_nobody_loses_attempts(
    database_url: str, endpoint: Endpoint
) -> None:
    events = [say(database_url, Change.RAISE, subject=f"m{i}")[0] for i in range(12)]
    endpoint.answers = [503] * 5
    route = hook(endpoint)
    settings = settings_of(route, lease_s=3600.0)
    with courier_of(database_url, settings, route, datetime.now(UTC)) as courier:
        courier.deliver()
        assert len(endpoint.requests) == 3, "it was asked on after three failures in a row"
        assert 0 < courier.pause_s() <= settings.longest_retry_s
        for asked in (4, 5):
            courier.deliver()
            assert len(endpoint.requests) == asked, "one message asks for all"
        tries = [state(database_url, event.id)[0].attempts for event in events]
        assert sorted(tries) == [0] * 7 + [1] * 5
        for _ in range(3):
            courier.deliver()
        assert courier.pause_s() == 0
    assert set(keys(endpoint)) == {str(event.id) for event in events}
    assert all(state(database_url, event.id)[0].sent_at for event in events)


def test_messages_that_are_never_taken_stop_no_other(database_url: str, endpoint: Endpoint) -> None:
    events = [say(database_url, Change.RAISE, subject=f"m{i}")[0] for i in range(12)]
    poison = {str(event.id) for event in events[:4]}
    endpoint.refuses = lambda request: request.headers["Idempotency-Key"] in poison
    route = hook(endpoint)
    settings = settings_of(route, lease_s=3600.0, first_retry_s=60.0, longest_retry_s=1800.0)
    with courier_of(database_url, settings, route, datetime.now(UTC)) as courier:
        for _ in range(10):
            courier.deliver()
    done = [bool(state(database_url, event.id)[0].sent_at) for event in events]
    assert done == [False] * 4 + [True] * 8


def test_killed_between_sending_and_recording_it_is_sent_again_with_the_same_id(
    database_url: str, endpoint: Endpoint
) -> None:
    settings = settings_of(hook(endpoint, timeout_s=60.0), lease_s=0.5)
    plain = settings.model_dump(mode="json")
    plain["routes"][0]["secret"] = "a secret of some length"
    command = [sys.executable, "-c", SERVICE, json.dumps(plain), database_url]
    endpoint.hold = threading.Event()
    first = subprocess.Popen(tethered(command))
    try:
        [raised] = say(database_url, Change.RAISE)
        wait_until(lambda: endpoint.requests, what="the message to arrive")
    finally:
        first.kill()
        first.wait(PATIENCE_S)
    endpoint.hold.set()
    assert state(database_url, raised.id)[0].sent_at is None
    second = subprocess.Popen(tethered(command))
    try:
        wait_until(lambda: state(database_url, raised.id)[0].sent_at, what="the record")
    finally:
        second.kill()
        second.wait(PATIENCE_S)
    assert keys(endpoint) == [str(raised.id)] * 2
    assert state(database_url, raised.id)[0].attempts == 2


def test_two_notifiers_at_once_tell_each_event_once(database_url: str, endpoint: Endpoint) -> None:
    settings = settings_of(hook(endpoint))
    with notifier(database_url, settings), notifier(database_url, settings):
        events = [say(database_url, Change.RAISE, subject=f"m{i}")[0] for i in range(40)]
        wait_until(lambda: len(keys(endpoint)) >= 40, what="all messages")
    assert Counter(keys(endpoint)) == Counter(str(event.id) for event in events)


def test_an_outage_of_the_database_is_waited_out(
    own_database: EmbeddedDatabase, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    url = own_database.create()
    migrate(url)
    with notifier(url, settings_of(hook(endpoint))):
        [one] = say(url, Change.RAISE, subject="m1")
        wait_until(lambda: len(keys(endpoint)) == 1, what="the first message")
        own_database.kill()
        wait_until(lambda: "notification waits" in caplog.text, what="the outage to be noticed")
        own_database.start()
        [two] = say(url, Change.RAISE, subject="m2")
        wait_until(lambda: str(two.id) in keys(endpoint), what="the second message")
    assert str(one.id) in keys(endpoint)


def test_what_was_written_while_no_notifier_ran_is_told_later(
    database_url: str, endpoint: Endpoint
) -> None:
    [raised] = say(database_url, Change.RAISE)
    with notifier(database_url, settings_of(hook(endpoint))):
        wait_until(lambda: keys(endpoint) == [str(raised.id)], what="the message")


def test_the_end_leaves_no_thread_and_no_connection(database_url: str, endpoint: Endpoint) -> None:
    before = set(threading.enumerate())
    with notifier(database_url, settings_of(hook(endpoint), LogRoute(name="log"))):
        say(database_url, Change.RAISE)
        wait_until(lambda: keys(endpoint), what="the message")
    left = {thread for thread in threading.enumerate() if thread.name.startswith("notify-")}
    assert left - before == set()
    wait_until(lambda: connections(database_url) == 0, what="the last connection to go")


def connections(url: str) -> int:
    with psycopg.connect(url) as conn:
        [(count,)] = conn.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'citygauge-notify%'"
            " AND datname = current_database()"
        ).fetchall()
    return int(count)


def test_metrics_are_served_with_every_route_from_the_start(database_url: str) -> None:
    port = free_port()
    with notifier(database_url, settings_of(LogRoute(name="log"), metrics_port=port)):
        say(database_url, Change.RAISE)
        lines = {
            'citygauge_notify_sent_total{route="log"} 1.0',
            'citygauge_notify_given_up_total{route="log"} 0.0',
            'citygauge_notify_lag_seconds_count{route="log"} 1.0',
        }
        wait_until(lambda: lines <= set(metrics_page(port).splitlines()), what="the counters")


def metrics_page(port: int) -> str:
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_S
        ) as answer:
            return str(answer.read(), "utf-8")
    except OSError:
        return ""


def test_couriers_without_routes_do_nothing(database_url: str) -> None:
    settings = NotifySettings(routes=())
    couriers = Couriers(settings, database_url, NotifyMetrics([]))
    couriers.start()
    couriers.stop()
