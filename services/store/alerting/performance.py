"""How well alarm system and people did, by local week, worked out from the log of the alerts and nothing else.

It refuses to keep figures of its own: a verdict given today changes the precision of the week in which the alert began.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.domain.catalogue import Domain
from services.domain.condition import NOTES, Rule
from services.domain.errors import InvalidInput
from services.domain.judgement import OF_SENSORS
from services.domain.performance import (
    AlarmWeek,
    Frequent,
    Performance,
    RuleRecord,
    Week,
    WorkWeek,
)
from services.store.alerting import performance_statements as statements
from services.store.connection import Connection

MOST_WEEKS: Final = 160
_TEN_MINUTES_H: Final = 6
_NOTHING: Final = (0,) * 12


def site_zone(conn: Connection, domain: Domain | None) -> str:
    """The time zone that most sensors (of the domain) have; UTC where there are none."""
    values = {"domain": None if domain is None else domain.value}
    row = conn.execute(statements.SITE_ZONE, values).fetchone()
    return "UTC" if row is None else str(row[0])


def weeks_of(start: datetime, end: datetime, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    """The local weeks (Monday 00:00 to Monday 00:00; 167 or 169 hours where clocks change) that [start, end) touches.

    Raises:
        InvalidInput: end is not after start, or there are more than `MOST_WEEKS`.
    """
    if end <= start:
        raise InvalidInput("end", end.isoformat(), "a time after start")
    day = start.astimezone(zone).date()
    monday = day - timedelta(days=day.weekday())
    found: list[tuple[datetime, datetime]] = []
    while True:
        following = monday + timedelta(days=7)
        begins, ends = (datetime.combine(each, time(), zone) for each in (monday, following))
        if begins >= end:
            return found
        if len(found) == MOST_WEEKS:
            raise InvalidInput("start", start.isoformat(), f"at most {MOST_WEEKS} weeks before end")
        found.append((begins, ends))
        monday = following


def performance(
    conn: Connection,
    *,
    start: datetime,
    end: datetime,
    now: datetime,
    time_zone: str,
    domain: Domain | None = None,
    operators: float = 1.0,
    unnoticed_days: float = 30.0,
) -> Performance:
    """The weeks that [start, end) touches, whole, as far as they have passed by `now`.

    Args:
        operators: people on duty at any time, by whom messages are divided.
        unnoticed_days: for how many days a leak usually runs where nobody is told.

    Raises:
        InvalidInput: see `weeks_of`.
    """
    weeks = weeks_of(start, end, ZoneInfo(time_zone))
    values: dict[str, Any] = {
        "starts": [begins for begins, _ in weeks],
        "ends": [ends for _, ends in weeks],
        "now": now,
        "domain": None if domain is None else domain.value,
        "of_sensors": [rule.value for rule in OF_SENSORS],
        "aside": [Rule.ALERT_FLOOD.value, *(rule.value for rule in NOTES)],
        "unnoticed_days": unnoticed_days,
    }
    heard = _by_week(conn, statements.HEARD, values)
    standing = _by_week(conn, statements.STANDING, values)
    work = _by_week(conn, statements.WORK, values)
    rules = conn.execute(statements.RULES, values).fetchall()
    frequent = conn.execute(statements.FREQUENT, values).fetchall()
    made = []
    for number, (begins, ends) in enumerate(weeks, 1):
        hours = max(0.0, (min(ends, now) - begins).total_seconds() / 3600)
        stale, on = standing.get(number, (0, 0))
        alarms = _alarms(heard.get(number, _NOTHING), hours, operators, stale, on)
        made.append(
            Week(
                begins.date(),
                begins.astimezone(UTC),
                ends.astimezone(UTC),
                alarms,
                _work(work.get(number)),
            )
        )
    return Performance(
        time_zone,
        operators,
        unnoticed_days,
        tuple(made),
        tuple(
            RuleRecord(rule, raised, told, right, wrong, _share(right, right + wrong))
            for rule, raised, told, right, wrong in rules
        ),
        tuple(Frequent(*row) for row in frequent),
    )


def _by_week(conn: Connection, statement: Any, values: Mapping[str, Any]) -> dict[int, Any]:
    return {row[0]: row[1:] for row in conn.execute(statement, values).fetchall()}


def _alarms(
    row: Sequence[int], hours: float, operators: float, stale: int, standing: int
) -> AlarmWeek:
    told, raised, held, folded, critical, warning, info, peak, floods, chattering, often = row[:11]
    return AlarmWeek(
        hours=round(hours, 3),
        told=told,
        raised=raised,
        held=held,
        folded=folded,
        per_operator_hour=_share(told, hours * operators),
        peak_10_min=peak,
        flood_share=_share(floods, hours * _TEN_MINUTES_H),
        chattering=chattering,
        stale=stale,
        standing=standing,
        critical=critical,
        warning=warning,
        info=info,
        frequent_share=_share(often, told),
    )


def _work(row: Sequence[Any] | None) -> WorkWeek:
    if row is None:
        return WorkWeek(0, 0, 0, 0, 0, 0, None, None, None, None, 0.0, 0.0, 0.0)
    real, fault, legitimate, duplicate, unknown, open_, right, wrong = row[:8]
    aware, acknowledged, repaired, lost, saved, delay = row[8:]
    return WorkWeek(
        real=real,
        sensor_fault=fault,
        legitimate_use=legitimate,
        duplicate=duplicate,
        unknown=unknown,
        open=open_,
        precision=_share(right, right + wrong),
        awareness_h=_scaled(aware, 3600),
        acknowledgement_min=_scaled(acknowledged, 60),
        repair_h=_scaled(repaired, 3600),
        litres_lost=round(lost, 1),
        litres_saved=round(saved, 1),
        vehicle_hours=round(delay, 2),
    )


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole > 0 else None


def _scaled(seconds: float | None, unit_s: float) -> float | None:
    return None if seconds is None else round(seconds / unit_s, 3)
