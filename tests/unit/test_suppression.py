"""Exemptions and maintenance windows: when they hold, for what, and what explains what."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.domain.alert import Alert, Verdict
from services.domain.catalogue import Domain
from services.domain.condition import Rule, Severity
from services.domain.errors import InvalidInput
from services.domain.holding import Holding
from services.domain.suppression import Suppression, SuppressionKind, WeeklyHours, Whereabouts

MADRID = ZoneInfo("Europe/Madrid")
TUESDAY = datetime(2026, 3, 3, 9, 30, tzinfo=MADRID)
HERE = Whereabouts(Domain.WATER, "Zone 3", None, "GW-7")


def alert(
    rule: Rule = Rule.BURST, subject: str = "M-17", raised: datetime = TUESDAY, **facts: object
) -> Alert:
    made = Alert(
        uuid.uuid4(), rule, subject, 1, Severity.WARNING, 0.9, "It happens.", {},
        raised - timedelta(hours=1), raised, raised,
    )  # fmt: skip
    return replace(made, **facts)  # type: ignore[arg-type]


def exemption(**facts: object) -> Suppression:
    made = Suppression(
        id=uuid.uuid4(),
        kind=SuppressionKind.EXEMPTION,
        subjects=("M-17",),
        rules=(),
        domain=None,
        zone=None,
        road=None,
        starts_at=datetime(2026, 1, 1, tzinfo=UTC),
        ends_at=datetime(2026, 12, 31, tzinfo=UTC),
        hours=(),
        time_zone="Europe/Madrid",
        reason="flushed",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        created_by="ada",
    )
    return replace(made, **facts)  # type: ignore[arg-type]


def test_weekly_hours_are_the_sites_own_and_the_end_is_not_in_them() -> None:
    flushed = exemption(hours=(WeeklyHours((2,), time(9), time(11)),))
    assert flushed.holds(alert(), HERE, TUESDAY)
    assert not flushed.live(TUESDAY.replace(hour=8, minute=59))
    assert not flushed.live(TUESDAY.replace(hour=11, minute=0))
    assert not flushed.live(TUESDAY + timedelta(days=1))
    summer = datetime(2026, 7, 7, 7, 30, tzinfo=UTC)  # 09:30 in Madrid's summer, a Tuesday
    assert flushed.live(summer)
    assert not flushed.live(summer + timedelta(hours=2))


def test_hours_past_midnight_belong_to_the_day_on_which_they_begin() -> None:
    nights = exemption(hours=(WeeklyHours((7,), time(22), time(4)),))  # from Sunday to Monday
    monday = datetime(2026, 3, 2, 3, 59, tzinfo=MADRID)
    assert nights.live(monday)
    assert not nights.live(monday + timedelta(minutes=1))
    assert nights.live(monday - timedelta(hours=5))
    assert not nights.live(monday + timedelta(days=1))


@pytest.mark.parametrize(
    ("scope", "held"),
    [
        ({"subjects": (), "zone": "Zone 3"}, True),
        ({"subjects": (), "zone": "Zone 4"}, False),
        ({"subjects": (), "domain": Domain.WATER, "rules": (Rule.BURST,)}, True),
        ({"rules": (Rule.BACKFLOW,)}, False),
        ({"subjects": ("M-1", "M-2")}, False),
        ({"subjects": (), "road": "M-30"}, False),
        ({"ended_at": TUESDAY - timedelta(days=1)}, False),
        ({"starts_at": TUESDAY + timedelta(days=1)}, False),
    ],
)
def test_it_holds_what_it_was_made_for(scope: dict[str, object], held: bool) -> None:
    assert exemption(**scope).holds(alert(), HERE, TUESDAY) is held


def test_works_explain_what_begins_in_them_and_nothing_before() -> None:
    works = exemption(
        kind=SuppressionKind.MAINTENANCE,
        starts_at=TUESDAY - timedelta(hours=1),
        ends_at=TUESDAY + timedelta(hours=1),
    )
    before = alert(raised=TUESDAY - timedelta(hours=2))
    assert works.holds(alert(), HERE, TUESDAY)
    assert not works.holds(before, HERE, TUESDAY)
    assert exemption().holds(before, HERE, TUESDAY)  # known and harmless, whenever it began
    assert not works.holds(alert(), HERE, TUESDAY + timedelta(hours=1))


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"subjects": ()}, "subjects"),
        ({"ends_at": datetime(2026, 1, 1, tzinfo=UTC)}, "ends_at"),
        ({"ends_at": datetime(2030, 1, 1, tzinfo=UTC)}, "ends_at"),
        ({"reason": " "}, "reason"),
        ({"time_zone": "Mars/North"}, "time_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"hours": (WeeklyHours((), time(1), time(2)),)}, "days"),
        (
            {"kind": SuppressionKind.MAINTENANCE, "subjects": (), "rules": (Rule.BURST,)},
            "zone",
        ),
    ],
)
def test_what_would_hold_everything_or_for_ever_is_refused(
    facts: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        exemption(**facts)
    assert refusal.value.field == field


def explained(cause: Alert, what: Alert, where: Whereabouts = HERE) -> bool:
    hold = Holding((), [cause], {what.subject: where}).of(what, TUESDAY)
    return hold is not None and hold.by == f"alert/{cause.id}"


@pytest.mark.parametrize("fault", [Rule.SENSOR_FAULT, Rule.STUCK, Rule.SILENT])
def test_a_fault_explains_what_its_own_sensor_showed_since(fault: Rule) -> None:
    cause = alert(fault)
    assert explained(cause, alert())
    assert not explained(cause, alert(subject="M-18"))
    assert not explained(cause, alert(raised=cause.started_at - timedelta(minutes=1)))
    assert not explained(cause, alert(Rule.SENSOR_FAULT))
    assert not explained(replace(cause, cleared_at=TUESDAY), alert())
    assert not explained(replace(cause, verdict=Verdict.LEGITIMATE_USE), alert())


def test_a_silent_feed_stands_before_gateways_and_both_before_sensors() -> None:
    feed = alert(Rule.FEED_SILENT, "feed/water")
    gateway = alert(Rule.FEED_SILENT, "gateway/GW-7")
    assert explained(feed, alert(Rule.SILENT))
    assert explained(gateway, alert(Rule.SILENT))
    assert explained(feed, gateway, Whereabouts(Domain.WATER))
    assert not explained(gateway, feed, Whereabouts(Domain.WATER))
    assert not explained(gateway, alert(Rule.SILENT), replace(HERE, gateway="GW-8"))
    assert not explained(feed, alert(Rule.SILENT), Whereabouts(Domain.TRAFFIC))
    assert not explained(feed, alert(Rule.BURST))  # who still speaks is believed


def test_what_held_an_alert_keeps_its_name_while_it_does() -> None:
    first, second = exemption(), exemption()
    holding = Holding((first, second), [], {"M-17": HERE})
    assert holding.of(alert(), TUESDAY).by == first.name  # type: ignore[union-attr]
    assert holding.of(alert(suppressed_by=second.name), TUESDAY).by == second.name  # type: ignore[union-attr]
