"""Alerts of one meter as the detectors write them, minutes after a fixed time: for tests of the store's log."""

from services.domain.alert import (
    Alert,
    AlertEvent,
    event_of_condition,
)
from services.domain.alert_fold import fold_all
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.domain.instant import from_us
from services.store.alerting.alerts import AlertRepository

T0 = 1_795_309_200_000_000
MINUTE = 60_000_000
NOW = from_us(T0)
EVIDENCE = Evidence(
    "flow_litres_per_h", "L/h", 9.5, 4.0, None, 3600.0, 4, 0.25, {"litres_so_far": 12.0}
)


def event(
    change: Change,
    minute: int,
    alert: Alert | None = None,
    *,
    subject: str = "m-1",
    onset: int = 0,
    rule: Rule = Rule.BURST,
    severity: Severity = Severity.WARNING,
) -> AlertEvent:
    condition = Condition(
        rule, subject, change, T0 + onset * MINUTE, T0 + minute * MINUTE, severity, 0.75, EVIDENCE
    )
    made = event_of_condition(condition, f"{rule} at {subject}", alert)
    assert made is not None
    return made


def raise_one(
    alerts: AlertRepository, subject: str = "m-1", onset: int = 0, rule: Rule = Rule.BURST
) -> Alert:
    made = event(Change.RAISE, onset + 1, subject=subject, onset=onset, rule=rule)
    assert len(alerts.apply([made])) == 1
    return alerts.get(made.alert_id)


def check_log(alerts: AlertRepository, alert: Alert) -> None:
    """The promise of the log: folded, it is the row."""
    log = alerts.events(alert.id)
    assert fold_all(stored.event for stored in log) == alert
    assert [stored.version for stored in log] == list(range(1, alert.version + 1))
