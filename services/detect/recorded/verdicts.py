"""What a city's people have said of their alerts, as the truth of a history: the basis of a comparison.

Real cases are events; what was legitimate use, and a process alarm about a faulty sensor, is harmless; of everything
else nobody knows. It refuses to guess what nobody has judged.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from services.detect.recorded.told import RECORDED_NAMES
from services.detect.scoring.families import family_of
from services.detect.scoring.truth import Event, Truth, Window
from services.domain.alert import Alert
from services.domain.condition import Rule
from services.domain.instant import DAY_US, to_us
from services.domain.judgement import was_right
from services.store.alerting.alerts import AlertRepository
from services.store.connection import Connection
from services.store.page import Page

_PAGE: Final = 1_000


def judged_alerts(conn: Connection, start: datetime | None, end: datetime | None) -> list[Alert]:
    """The alerts raised in [start, end), oldest first, judged or not."""
    found: list[Alert] = []
    after: str | None = None
    while True:
        page: Page[Alert] = AlertRepository(conn).page(
            limit=_PAGE, now=end or datetime.now(UTC), start=start, end=end, after=after
        )
        found += page.items
        if (after := page.next) is None:
            return found[::-1]


def truth_of(alerts: Iterable[Alert], start_us: int, end_us: int) -> Truth:
    """The truth that the verdicts mean, between start and end."""
    events, harmless, unknown = [], [], []
    for alert in alerts:
        if alert.rule is Rule.ALERT_FLOOD:  # of alerts, not of the city
            continue
        kind = RECORDED_NAMES[alert.rule]
        since_us = to_us(alert.started_at)
        until_us = to_us(alert.cleared_at) if alert.cleared_at else end_us
        right = was_right(alert.rule, alert.verdict)
        if right:
            events.append(
                Event(
                    str(alert.id), (alert.subject,), kind, family_of(kind),
                    since_us, until_us, until_us, scored=True, size={},
                )
            )  # fmt: skip
        elif right is False:
            harmless.append(
                Window((alert.subject,), ("*",), since_us, until_us, str(alert.verdict))
            )
        else:
            unknown.append(
                Window((alert.subject,), (family_of(kind),), since_us, until_us, "not judged")
            )
    return Truth(
        case="database",
        domain="",
        start_us=start_us,
        end_us=end_us,
        events=tuple(events),
        ignored=tuple(unknown),
        benign=tuple(harmless),
        grace_us=0,
        merge_us=DAY_US,
        scored_sensors=(),
        one_to_one=False,
        duplicate_us=7 * DAY_US,
        recorded_share=1.0,
        spacing_m=None,
    )
