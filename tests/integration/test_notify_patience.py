"""Escalation, repetition, quiet hours and digests on the real database; each look is a notifier of its own.

Every `pass_once` opens the database anew, as a notifier does that was restarted in between: whatever is planned
survives because it is a row.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from services.domain.alert import EventKind
from services.domain.catalogue import SensorKind
from services.domain.condition import Change, Severity
from services.domain.sensor import Sensor
from services.notify.channels import sender
from services.notify.delivery import Courier
from services.notify.metrics import NotifyMetrics
from services.notify.routing import route_waiting
from services.notify.service import REMOVED_GRACE, give_up_removed
from services.store.connection import connect
from services.store.sensors import SensorRepository
from services.store.telling import outbox
from services.store.telling.delivery import Reason
from tests.endpoint import Endpoint, endpoint
from tests.notifying import act, bodies, hook, keys, pass_once, say, settings_of, state

__all__ = ["endpoint"]
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_the_next_route_hears_when_nobody_takes_it_in_time(
    database_url: str, endpoint: Endpoint
) -> None:
    settings = settings_of(
        hook(endpoint, "crew", escalate_to="head", escalate_after_minutes=10),
        hook(endpoint, "head", direct=False),
    )
    [raised] = say(database_url, Change.RAISE)
    pass_once(database_url, settings, NOW)
    pass_once(database_url, settings, NOW + 9 * MINUTE)
    assert (keys(endpoint, "/crew"), keys(endpoint, "/head")) == ([str(raised.id)], [])
    for minutes in (10, 11, 200):
        pass_once(database_url, settings, NOW + minutes * MINUTE)
    [told] = bodies(endpoint, "/head")
    assert (told["event_id"], told["reason"]) == (str(raised.id), "escalated")
    [over] = say(database_url, Change.CLEAR, minute=300)
    pass_once(database_url, settings, NOW + 300 * MINUTE)
    assert keys(endpoint, "/head")[-1] == keys(endpoint, "/crew")[-1] == str(over.id)


def test_who_takes_it_spares_the_next_route_the_beginning_and_the_end(
    database_url: str, endpoint: Endpoint
) -> None:
    settings = settings_of(
        hook(endpoint, "crew", escalate_to="head", escalate_after_minutes=10),
        hook(endpoint, "head", direct=False),
    )
    [raised] = say(database_url, Change.RAISE)
    pass_once(database_url, settings, NOW)
    act(database_url, raised.alert_id, EventKind.ACKNOWLEDGED)
    pass_once(database_url, settings, NOW + 10 * MINUTE)
    [over] = say(database_url, Change.CLEAR, minute=30)
    pass_once(database_url, settings, NOW + 30 * MINUTE)
    assert keys(endpoint, "/head") == []
    assert keys(endpoint, "/crew") == [str(raised.id), str(over.id)]
    left = {each.channel: each for each in state(database_url, raised.id)}["head"]
    assert (left.needless, left.last_error) == (True, "somebody acknowledged it before it was due")
    assert left.reason is Reason.ESCALATED


def test_it_is_told_again_until_somebody_takes_it(database_url: str, endpoint: Endpoint) -> None:
    settings = settings_of(hook(endpoint, repeat_minutes=30))
    [raised] = say(database_url, Change.RAISE)
    for minutes in (0, 10, 30, 30, 59, 60):
        pass_once(database_url, settings, NOW + minutes * MINUTE)
    told = bodies(endpoint)
    assert [each["repetition"] for each in told] == [0, 1, 2]
    assert {each["event_id"] for each in told} == {str(raised.id)}
    assert len({each["message_id"] for each in told}) == 3, "a receiver would drop a repetition"
    act(database_url, raised.alert_id, EventKind.ACKNOWLEDGED)
    pass_once(database_url, settings, NOW + 90 * MINUTE)
    pass_once(database_url, settings, NOW + 900 * MINUTE)
    assert len(keys(endpoint)) == 3
    assert [each.needless for each in state(database_url, raised.id)] == [False, False, False, True]


def test_a_repetition_that_fails_keeps_its_id(database_url: str, endpoint: Endpoint) -> None:
    settings = settings_of(hook(endpoint, repeat_minutes=30))
    say(database_url, Change.RAISE)
    pass_once(database_url, settings, NOW)
    endpoint.answers = [503]
    pass_once(database_url, settings, NOW + 30 * MINUTE)
    pass_once(database_url, settings, NOW + 31 * MINUTE)
    _, first, second = keys(endpoint)
    assert first == second


def test_only_the_worst_turn_is_repeated(database_url: str, endpoint: Endpoint) -> None:
    settings = settings_of(hook(endpoint, repeat_minutes=30))
    say(database_url, Change.RAISE)
    pass_once(database_url, settings, NOW)
    [worse] = say(database_url, Change.UPDATE, severity=Severity.CRITICAL, minute=5)
    pass_once(database_url, settings, NOW + 5 * MINUTE)
    pass_once(database_url, settings, NOW + 40 * MINUTE)
    assert [each["event"] for each in bodies(endpoint)] == ["raised", "escalated", "escalated"]
    assert bodies(endpoint)[-1]["event_id"] == str(worse.id)


def test_a_shelf_interrupts_the_repetitions_and_does_not_end_them(
    database_url: str, endpoint: Endpoint
) -> None:
    settings = settings_of(hook(endpoint, repeat_minutes=30))
    now = datetime.now(UTC)
    [raised] = say(database_url, Change.RAISE)
    pass_once(database_url, settings, now)
    until = now + timedelta(hours=2)
    shelf = {"until": until.isoformat(), "reason": "works in the street"}
    act(database_url, raised.alert_id, EventKind.SHELVED, **shelf)
    pass_once(database_url, settings, now + 40 * MINUTE)
    assert len(keys(endpoint)) == 1
    pass_once(database_url, settings, until + MINUTE)
    assert len(keys(endpoint)) == 2, "what still burns when the silence ends is told again"


def test_quiet_hours_hold_back_and_then_tell(database_url: str, endpoint: Endpoint) -> None:
    with connect(database_url, "test", autocommit=True) as conn:
        meter = Sensor("m1", SensorKind.WATER_METER, time_zone="Europe/Madrid")
        SensorRepository(conn).upsert([meter])
    settings = settings_of(hook(endpoint, quiet_hours="22:00-07:00"))
    night = datetime(2026, 3, 4, 23, 10, tzinfo=UTC)
    [raised] = say(database_url, Change.RAISE)
    pass_once(database_url, settings, night)
    [critical] = say(database_url, Change.RAISE, subject="m2", severity=Severity.CRITICAL)
    pass_once(database_url, settings, night + MINUTE)
    assert keys(endpoint) == [str(critical.id)]
    pass_once(database_url, settings, datetime(2026, 3, 5, 5, 59, tzinfo=UTC))
    assert len(keys(endpoint)) == 1
    pass_once(database_url, settings, datetime(2026, 3, 5, 6, 0, tzinfo=UTC))
    assert keys(endpoint) == [str(critical.id), str(raised.id)]


def test_a_digest_tells_all_in_one_message_with_one_id_on_every_attempt(
    database_url: str, endpoint: Endpoint
) -> None:
    settings = settings_of(hook(endpoint, digest="hourly"), lease_s=30)
    events = [say(database_url, Change.RAISE, subject=f"m{i}")[0] for i in range(30)]
    [critical] = say(database_url, Change.RAISE, subject="worst", severity=Severity.CRITICAL)
    pass_once(database_url, settings, NOW + 20 * MINUTE)
    assert keys(endpoint) == [str(critical.id)]
    act(database_url, events[0].alert_id, EventKind.ACKNOWLEDGED)
    endpoint.answers = [500]
    for minutes in (60, 61, 62, 130):
        pass_once(database_url, settings, NOW + minutes * MINUTE)
    _, first, second = keys(endpoint)
    assert first == second
    told = bodies(endpoint)[-1]
    messages = told["messages"]
    assert isinstance(messages, list)
    assert {each["event_id"] for each in messages} == {str(event.id) for event in events}
    assert told["event"] == "digest"
    assert all(state(database_url, event.id)[0].sent_at for event in events)
    assert state(database_url, events[3].id)[0].attempts == 2


def test_what_waits_for_a_removed_route_is_given_up_visibly(
    database_url: str, endpoint: Endpoint
) -> None:
    endpoint.answers = [500]
    [raised] = say(database_url, Change.RAISE)
    pass_once(database_url, settings_of(hook(endpoint, "old"), hook(endpoint)), NOW)
    settings = settings_of(hook(endpoint))
    with connect(database_url, "test", autocommit=True) as conn:
        assert give_up_removed(conn, settings.routes, NOW + MINUTE) == 0, "another may be at work"
        later = NOW + REMOVED_GRACE + MINUTE
        assert give_up_removed(conn, settings.routes, later) == 1
        assert give_up_removed(conn, settings.routes, later) == 0
    left = {each.channel: each for each in state(database_url, raised.id)}
    assert left["old"].last_error == "the route old is no longer in the settings"
    assert left["old"].given_up_at == later
    assert left["hook"].sent_at == NOW


def test_a_route_words_its_messages(database_url: str, endpoint: Endpoint) -> None:
    route = hook(endpoint, text="{severity} at {place}: {sentence} {link}")
    settings = settings_of(route, console_url="https://gauge.example.org/")
    [raised] = say(database_url, Change.RAISE)
    pass_once(database_url, settings, NOW)
    [told] = bodies(endpoint)
    assert told["link"] == f"https://gauge.example.org/#/alert/{raised.alert_id}"
    assert uuid.UUID(str(told["message_id"])) == raised.id


def test_who_was_told_of_a_beginning_hears_of_its_end_after_hours(
    database_url: str, endpoint: Endpoint
) -> None:
    settings = settings_of(hook(endpoint, hours="08:00-18:00", time_zone="UTC"))
    [by_day] = say(database_url, Change.RAISE)
    pass_once(database_url, settings, NOW)
    [by_night] = say(database_url, Change.RAISE, subject="m2")
    pass_once(database_url, settings, NOW + timedelta(hours=10))
    ends = [say(database_url, Change.CLEAR, subject=name, minute=3)[0] for name in ("m1", "m2")]
    pass_once(database_url, settings, NOW + timedelta(hours=11))
    assert keys(endpoint) == [str(by_day.id), str(ends[0].id)]
    assert state(database_url, by_night.id) == []
    assert state(database_url, ends[1].id)[0].needless


def test_an_event_of_several_alerts_escalates_while_one_of_them_burns(
    database_url: str, endpoint: Endpoint
) -> None:
    settings = settings_of(
        hook(endpoint, "crew", escalate_to="head"), hook(endpoint, "head", direct=False)
    )
    [first] = say(database_url, Change.RAISE)
    [second] = say(database_url, Change.RAISE, subject="m2", group=first.alert_id)
    pass_once(database_url, settings, NOW)
    say(database_url, Change.CLEAR, minute=3)
    pass_once(database_url, settings, NOW + 15 * MINUTE)
    assert keys(endpoint, "/head") == [str(first.id)]
    assert str(second.id) not in keys(endpoint, "/crew"), "one event is told once"


def test_a_slow_channel_gives_back_what_it_had_no_time_for(
    database_url: str, endpoint: Endpoint
) -> None:
    events = [say(database_url, Change.RAISE, subject=f"m{number}")[0] for number in range(5)]
    route = hook(endpoint)
    settings = settings_of(route, lease_s=60.0)
    metrics = NotifyMetrics(["hook"])
    ticks = (NOW + timedelta(seconds=10 * number) for number in range(1000))
    with connect(database_url, "test", autocommit=True) as conn:
        route_waiting(conn, settings.routes, NOW, metrics)
        Courier(conn, route, sender(route), settings, metrics, lambda: next(ticks)).deliver()
    sent = [each for event in events for each in state(database_url, event.id) if each.sent_at]
    left = [each for event in events for each in state(database_url, event.id) if not each.sent_at]
    assert sent
    assert left
    assert {each.attempts for each in left} == {0}
    assert max(each.next_attempt_at for each in left) < NOW + timedelta(minutes=10)


def test_a_digest_is_in_one_hand_at_a_time_and_keeps_its_id(
    database_url: str, endpoint: Endpoint
) -> None:
    """What a killed notifier had gathered is gathered again as the same digest, without what came since."""
    settings = settings_of(hook(endpoint, digest="hourly"))
    lease, due = timedelta(seconds=30), NOW + 60 * MINUTE
    metrics = NotifyMetrics(["hook"])
    with (
        connect(database_url, "test", autocommit=True) as one,
        connect(database_url, "test", autocommit=True) as other,
    ):
        for number in range(3):
            say(database_url, Change.RAISE, subject=f"m{number}")
        route_waiting(one, settings.routes, NOW, metrics)
        assert outbox.gather(one, due - MINUTE, "hook", lease=lease) is None
        first = outbox.gather(one, due, "hook", lease=lease)
        assert outbox.gather(other, due, "hook", lease=lease) is None
        assert outbox.due(other, due, 20, channel="hook", gathers=True) == []
        say(database_url, Change.RAISE, subject="m9")
        route_waiting(one, settings.routes, due - MINUTE, metrics)
        again = outbox.gather(other, due + lease, "hook", lease=lease)
        late = outbox.gather(one, due + lease, "hook", lease=lease)
    assert first is not None
    assert again is not None
    assert late is not None
    assert first.id == again.id != late.id
    assert [len(each.items) for each in (first, again, late)] == [3, 3, 1]


def test_two_that_sent_the_same_plan_one_repetition(database_url: str, endpoint: Endpoint) -> None:
    [raised] = say(database_url, Change.RAISE)
    with connect(database_url, "test", autocommit=True) as conn:
        outbox.route(conn, raised.id, ["hook"], at=NOW)
        for minutes in (0, 1):
            at = NOW + minutes * MINUTE
            outbox.record_sent(conn, raised.id, "hook", at, again_at=at + 30 * MINUTE)
    first, second = state(database_url, raised.id)
    assert (first.sent_at, second.next_attempt_at) == (NOW, NOW + 30 * MINUTE)
