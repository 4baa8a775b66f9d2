"""Any history of conditions, people, replays and rollbacks keeps the promises of the log."""

import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.alert import (
    Alert,
    AlertEvent,
    EventKind,
    event_of_condition,
)
from services.domain.condition import Change, Condition, Rule, Severity
from services.domain.errors import (
    InvalidInput,
    InvalidTransition,
)
from services.store.alerting.alerts import AlertRepository
from services.store.connection import Connection, connect, transaction
from tests.integration.alerting import EVIDENCE, MINUTE, NOW, T0, check_log, event


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "test", autocommit=True) as connection:
        yield connection


@pytest.fixture
def alerts(conn: Connection) -> AlertRepository:
    return AlertRepository(conn)


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("condition"),
            st.sampled_from(list(Change)),
            st.integers(0, 1),
            st.sampled_from([0, 10, 20]),
            st.integers(0, 40),
            st.sampled_from(list(Severity)),
        ),
        st.tuples(
            st.just("person"), st.sampled_from([k for k in EventKind if k is not EventKind.RAISED])
        ),
        st.tuples(st.just("replay"), st.integers(0, 3)),
        st.tuples(st.just("rollback")),
    ),
    max_size=30,
)
FACTS = {
    "until": "2100-01-01T00:00:00+00:00",
    "reason": "works",
    "comment": "seen",
    "verdict": "real",
    "assignee": "Bob",
    "work": "crew_sent",
}


@settings(max_examples=60)
@given(schedule=steps)
def test_any_history_keeps_the_promises(
    conn: Connection, alerts: AlertRepository, schedule: list[tuple[object, ...]]
) -> None:
    """Conditions seen with stale knowledge, people, replays, rollbacks: one open alert, and logs fold to rows."""
    conn.execute("TRUNCATE alert, alert_event, outbox, delivery CASCADE")
    history: list[list[AlertEvent]] = []
    stale: dict[str, Alert | None] = {"m-0": None, "m-1": None}
    written_ids: list[uuid.UUID] = []
    for action, *rest in schedule:
        match action:
            case "condition":
                change, number, onset, minute, severity = rest
                subject = f"m-{number}"
                condition = Condition(
                    Rule.BURST,
                    subject,
                    change,  # type: ignore[arg-type]
                    T0 + onset * MINUTE,  # type: ignore[operator]
                    T0 + minute * MINUTE,  # type: ignore[operator]
                    severity,  # type: ignore[arg-type]
                    0.5,
                    EVIDENCE,
                )
                made = event_of_condition(condition, "words", stale[subject])
                if made is not None:
                    history.append([made])
                    written_ids += [e.event.id for e in alerts.apply([made])]
                if minute % 3 == 0:  # type: ignore[operator]
                    stale[subject] = alerts.open_alert(Rule.BURST, subject)
            case "person":
                for alert in alerts.page(limit=1, now=NOW).items:
                    try:
                        alerts.act(alert.id, rest[0], "ada", NOW + timedelta(days=1), FACTS)  # type: ignore[arg-type]
                    except (InvalidTransition, InvalidInput):
                        assert alerts.get(alert.id) == alert
            case "replay":
                for events in history[-int(rest[0]) :]:  # type: ignore[call-overload]
                    written_ids += [e.event.id for e in alerts.apply(events)]
            case "rollback":
                with pytest.raises(ZeroDivisionError), transaction(conn):  # noqa: PT012
                    alerts.apply([event(Change.RAISE, 1, subject="m-rolled-back")])
                    _ = 1 / 0
        keys = [(alert.rule, alert.subject) for alert in alerts.open_alerts()]
        assert len(keys) == len(set(keys))
    assert len(written_ids) == len(set(written_ids)), "an event was written twice"
    page = alerts.page(limit=1000, now=NOW)
    assert all(alert.subject != "m-rolled-back" for alert in page.items)
    for alert in page.items:
        check_log(alerts, alert)
