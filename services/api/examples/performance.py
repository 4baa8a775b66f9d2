"""Example of the figures of one week: of the alarm system, and of the work."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

from services.domain.performance import (
    AlarmWeek,
    Frequent,
    Performance,
    RuleRecord,
    Week,
    WorkWeek,
)

PERFORMANCE: Final = Performance(
    time_zone="Europe/Madrid",
    operators=1.0,
    unnoticed_days=30.0,
    weeks=(
        Week(
            week=date(2025, 12, 29),
            starts_at=datetime(2025, 12, 28, 23, tzinfo=UTC),
            ends_at=datetime(2026, 1, 4, 23, tzinfo=UTC),
            alarms=AlarmWeek(
                hours=168.0,
                told=12,
                raised=15,
                held=2,
                folded=0,
                per_operator_hour=0.071,
                peak_10_min=2,
                flood_share=0.0,
                chattering=0,
                stale=1,
                standing=2,
                critical=1,
                warning=3,
                info=8,
                frequent_share=0.833,
            ),
            work=WorkWeek(
                real=7,
                sensor_fault=2,
                legitimate_use=1,
                duplicate=0,
                unknown=0,
                open=5,
                precision=0.875,
                awareness_h=0.2,
                acknowledgement_min=11.0,
                repair_h=7.4,
                litres_lost=13_600.0,
                litres_saved=1_310_000.0,
                vehicle_hours=0.0,
            ),
        ),
    ),
    rules=(RuleRecord(rule="burst", raised=3, told=3, right=2, wrong=1, precision=0.667),),
    frequent=(Frequent(rule="burst", subject="M-17", name="14 Mill Street", told=2),),
)
