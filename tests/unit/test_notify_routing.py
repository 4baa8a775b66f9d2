"""Who hears of an event, when and why: filters, hours in the site's zone, quiet hours, digests, escalation."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from services.domain.alert import Alert, AlertEvent, EventKind
from services.domain.catalogue import Domain
from services.domain.condition import Rule, Severity
from services.notify.hours import Digest, next_digest, next_time, span_of
from services.notify.routing import plan_of
from services.notify.settings import LogRoute, NotifySettings
from services.store.telling.delivery import Planned, Reason
from services.store.telling.sites import Site

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday
MADRID = Site(
    "m1", frozenset({Domain.WATER}), frozenset({"Zone 3"}), "Europe/Madrid", "14 Mill Street"
)
NOWHERE = Site("gone")
NIGHT = {"quiet_hours": "22:00-07:00"}


def alert(severity: Severity = Severity.WARNING, rule: Rule = Rule.BURST) -> Alert:
    return Alert(
        id=uuid.UUID(int=1),
        rule=rule,
        subject="m1",
        version=1,
        severity=severity,
        score=0.9,
        sentence="Water runs.",
        evidence={},
        started_at=NOON,
        raised_at=NOON,
        updated_at=NOON,
    )


def event(kind: EventKind = EventKind.RAISED) -> AlertEvent:
    return AlertEvent(uuid.UUID(int=2), uuid.UUID(int=1), kind, NOON, "detector", {})


def route(name: str = "r", **settings: object) -> LogRoute:
    return LogRoute.model_validate({"name": name, **settings})


def told(
    *routes: LogRoute,
    at: datetime = NOON,
    severity: Severity = Severity.WARNING,
    rule: Rule = Rule.BURST,
    site: Site = MADRID,
    kind: EventKind = EventKind.RAISED,
) -> list[Planned]:
    return plan_of(event(kind), alert(severity, rule), site, routes, at)


def names(planned: list[Planned]) -> list[str]:
    return [each.channel for each in planned]


@pytest.mark.parametrize(
    ("settings", "fits"),
    [
        ({}, True),
        ({"domains": ["water"]}, True),
        ({"domains": ["traffic"]}, False),
        ({"zones": ["Zone 1", "Zone 3"]}, True),
        ({"zones": ["Zone 1"]}, False),
        ({"rules": ["burst"]}, True),
        ({"rules": ["silent", "stuck"]}, False),
        ({"minimal_severity": "critical"}, False),
        ({"events": ["cleared"]}, False),
        ({"direct": False}, False),
    ],
)
def test_a_route_hears_what_fits_all_of_its_filters(
    settings: dict[str, object], fits: bool
) -> None:
    assert names(told(route(**settings))) == (["r"] if fits else [])


def test_what_is_nowhere_fits_every_place_so_that_somebody_hears_of_it() -> None:
    assert names(told(route(domains=["traffic"], zones=["Zone 1"]), site=NOWHERE)) == ["r"]


def test_a_known_place_without_a_zone_is_in_none() -> None:
    station = Site("t1", frozenset({Domain.TRAFFIC}))
    assert told(route(zones=["Zone 1"]), site=station) == []


@pytest.mark.parametrize(
    ("hour", "days", "fits"),
    [(7, [], True), (6, [], False), (16, [], True), (17, [], False), (7, ["wed"], True), (7, ["thu"], False)],
)  # fmt: skip
def test_hours_and_days_are_those_of_the_place(hour: int, days: list[str], fits: bool) -> None:
    """Madrid is an hour ahead of UTC in March."""
    at = NOON.replace(hour=hour)
    assert bool(told(route(hours="08:00-18:00", days=days), at=at)) is fits


def test_a_shift_past_midnight_belongs_to_the_day_on_which_it_began() -> None:
    night = route(hours="22:00-06:00", days=["tue"], time_zone="UTC")
    assert told(night, at=NOON.replace(hour=3))
    assert not told(night, at=NOON.replace(hour=23))


def test_a_zone_of_the_route_wins_over_that_of_the_place() -> None:
    assert not told(route(hours="08:00-18:00", time_zone="Pacific/Auckland"))


def test_quiet_hours_hold_back_until_their_end_in_local_time() -> None:
    at = datetime(2026, 3, 4, 22, 30, tzinfo=UTC)  # 23:30 in Madrid
    [held] = told(route(**NIGHT), at=at)
    assert held.at == held.held_until == datetime(2026, 3, 5, 6, 0, tzinfo=UTC)
    [early] = told(route(**NIGHT), at=at - timedelta(hours=2))
    assert (early.at, early.held_until) == (at - timedelta(hours=2), None)


def test_quiet_hours_let_what_is_urgent_through() -> None:
    at = datetime(2026, 3, 4, 23, tzinfo=UTC)
    [now] = told(route(**NIGHT), at=at, severity=Severity.CRITICAL)
    assert (now.at, now.held_until) == (at, None)
    [held] = told(
        route(**NIGHT, urgent_severity="warning"), at=at, severity=Severity.INFO
    )  # fmt: skip
    assert held.held_until is not None


@pytest.mark.parametrize(
    ("at", "end"),
    [
        # the clocks go forward on 29 March 2026 at 02:00 and back on 25 October at 03:00
        (datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 5, tzinfo=UTC)),
        (datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 6, tzinfo=UTC)),
    ],
)
def test_the_end_of_a_quiet_night_is_wall_time_when_the_clocks_change(
    at: datetime, end: datetime
) -> None:
    [held] = told(route(**NIGHT), at=at)
    assert held.held_until == end


def test_the_next_time_of_day_is_never_now() -> None:
    zone = ZoneInfo("Europe/Madrid")
    seven = next_time(NOON, time(7), zone)
    assert next_time(seven, time(7), zone) == seven + timedelta(days=1)
    half_past_two = next_time(datetime(2026, 3, 28, 23, tzinfo=UTC), time(2, 30), zone)
    assert half_past_two > datetime(2026, 3, 28, 23, tzinfo=UTC), "that night has no half past two"


def test_a_digest_is_due_at_the_next_full_hour_or_at_its_time() -> None:
    zone = ZoneInfo("Asia/Kathmandu")  # 5:45 ahead
    at = datetime(2026, 3, 4, 12, 20, tzinfo=UTC)
    assert next_digest(at, Digest.HOURLY, time(7), zone) == at.replace(hour=13, minute=15)
    assert next_digest(at, Digest.DAILY, time(7), zone) == datetime(2026, 3, 5, 1, 15, tzinfo=UTC)
    [held] = told(route(digest="daily", digest_at="08:30"))
    assert held.held_until == datetime(2026, 3, 5, 7, 30, tzinfo=UTC)
    [urgent] = told(route(digest="daily"), severity=Severity.CRITICAL)
    assert urgent.held_until is None


def test_who_does_not_answer_is_followed_by_the_next_and_the_one_after() -> None:
    routes = (
        route("crew", escalate_to="shift", escalate_after_minutes=10),
        route("shift", direct=False, escalate_to="head", escalate_after_minutes=20),
        route("head", direct=False),
    )
    found = {each.channel: each for each in told(*routes)}
    assert [found[name].reason for name in ("crew", "shift", "head")] == [
        Reason.ROUTED,
        Reason.ESCALATED,
        Reason.ESCALATED,
    ]
    assert found["shift"].at == NOON + timedelta(minutes=10)
    assert found["head"].at == NOON + timedelta(minutes=30)
    over = {each.channel: each for each in told(*routes, kind=EventKind.CLEARED)}
    assert over["head"].at == NOON, "the end is told at once, to those who know of the beginning"


def test_a_route_that_hears_directly_is_not_told_again_by_escalation() -> None:
    routes = (route("crew", escalate_to="shift"), route("shift"))
    assert [(each.channel, each.reason) for each in told(*routes)] == [
        ("crew", Reason.ROUTED),
        ("shift", Reason.ROUTED),
    ]


@pytest.mark.parametrize(
    ("routes", "words"),
    [
        ([{"name": "a", "escalate_to": "b"}], "escalates to 'b', which is not there; there are a"),
        (
            [{"name": "a", "escalate_to": "b"}, {"name": "b", "escalate_to": "a"}],
            "in a circle: a -> b -> a",
        ),
        ([{"name": "a", "escalate_to": "a"}], "in a circle: a -> a"),
        ([{"name": "a", "direct": False}], "nobody would hear"),
        ([{"name": "a", "hours": "8-18"}], "'8-18' is no span of a day; write it as 22:00-07:00"),
        ([{"name": "a", "quiet_hours": "07:00-07:00"}], "no span of a day"),
        ([{"name": "a", "digest": "daily", "digest_at": "25:00"}], "no time of day"),
        ([{"name": "a", "time_zone": "Mars/Base"}], "no time zone; an IANA name"),
        ([{"name": "a", "title": "{severity} {sentense}"}], "no field {sentense}; there are"),
        ([{"name": "a", "title": "{sentence.__class__}"}], "no field {sentence.__class__}"),
        ([{"name": "a", "title": "{sentence!r:>9999}"}], "neither a format nor a conversion"),
        ([{"name": "a", "text": "{sentence"}], "cannot be read"),
        ([{"name": "a", "text": "Something happened."}], "says nothing of the alert"),
        ([{"name": "a", "digest": "daily", "repeat_minutes": 30}], "has a digest"),
        ([{"name": "a", "domains": ["sewage"]}], "water"),
    ],
)
def test_what_could_never_work_is_refused_with_a_sentence(
    routes: list[dict[str, object]], words: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        NotifySettings.model_validate({"routes": [{"channel": "log", **each} for each in routes]})
    assert words in str(refused.value)


def test_a_certificate_that_is_none_is_refused_with_a_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n")
    hook = {"name": "h", "channel": "webhook", "url": "https://a.example/", "secret": "s" * 16}
    for path, words in ((broken, "no certificate in PEM"), (tmp_path / "none", "No such file")):
        with pytest.raises(ValidationError) as refused:
            NotifySettings.model_validate({"routes": [{**hook, "ca_file": str(path)}]})
        assert words in str(refused.value)


def test_a_span_holds_its_start_and_not_its_end() -> None:
    night = span_of("22:00-07:00")
    held = [hour for hour in range(24) if night.holds(NOON.replace(hour=hour))]
    assert held == [0, 1, 2, 3, 4, 5, 6, 22, 23]
