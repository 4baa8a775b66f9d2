"""Alerts and their log: events go in, `services.domain.alert.fold` says what they mean, the rows follow.

Whoever changes alerts takes turns, from the first change until the transaction ends: make it the last thing that a
transaction does. That at most one alert is open for each (rule, subject) is the database's unique index; nothing
here could break it.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from services.domain.alert import Alert, AlertEvent, EventKind, Work
from services.domain.alert_event import MACHINES
from services.domain.alert_fold import allowed_changes
from services.domain.catalogue import Domain
from services.domain.condition import Rule, Severity
from services.domain.errors import (
    CitygaugeError,
    Conflict,
    InvalidInput,
    InvalidTransition,
    UnknownAlert,
)
from services.domain.flood import FloodLimit
from services.store.alerting import alert_pages, alert_turn
from services.store.alerting import alert_statements as statements
from services.store.alerting.alert_pages import AlertChoice, State
from services.store.alerting.alert_statements import StoredEvent, alert_of, event_of, plain
from services.store.connection import Connection, transaction
from services.store.page import LARGEST_PAGE, Page, check_limit
from services.store.text import storable

__all__ = ["CHANNEL", "AlertRepository", "State", "StoredEvent", "Target"]

CHANNEL: Final = "citygauge_alert"
"""Told with the position of the newest event."""


@dataclass(frozen=True, slots=True)
class Target:
    """An alert that a person means, and the version of it that the person saw (None: any)."""

    alert_id: uuid.UUID
    expected_version: int | None = None


class AlertRepository:
    """Alerts over one connection.

    Args:
        flood: how many alerts are told one by one; None: all.
    """

    def __init__(self, conn: Connection, flood: FloodLimit | None = None) -> None:
        self._conn, self._flood = conn, flood

    def apply(self, events: Sequence[AlertEvent]) -> list[StoredEvent]:
        """Writes what is new of the events, in order, in the caller's transaction, and returns what was written.

        Left out without a word, because a replay or a second detector brings them: events whose id is in the log;
        a RAISED whose (rule, subject) has an open alert; a detector's event for an alert that does not exist or
        has cleared. RAISED, ESCALATED, CLEARED and the acts of people get a line in the outbox; those of detectors
        only when nothing open in the alert's group has told as much (CLEARED: when nothing in it is open any more).

        Raises:
            InvalidInput: an event lacks what its kind needs; nothing is written.
            UnknownAlert, InvalidTransition: a person's event does not fit; nothing is written.
        """
        cleaned = [replace(e, actor=storable(e.actor), data=plain(e.data)) for e in events]
        if not cleaned:
            return []
        with transaction(self._conn):
            ledger = alert_turn.read(self._conn, cleaned, self._flood)
            ledger.take_all(cleaned)
            return alert_turn.write(self._conn, ledger)

    def act(
        self,
        alert_id: uuid.UUID,
        kind: EventKind,
        actor: str,
        at: datetime,
        data: Mapping[str, object],
        *,
        expected_version: int | None = None,
    ) -> Alert:
        """Does what a person asks for and returns the alert afterwards.

        Raises:
            UnknownAlert: there is none of this id.
            Conflict: `expected_version` is given and somebody else changed the alert since.
            InvalidTransition: the alert's state does not allow it.
            InvalidInput: `data` lacks what the kind needs, or the actor is no person's name.
        """
        target = Target(alert_id, expected_version)
        [outcome] = self.act_on([target], kind, actor, at, data)
        if isinstance(outcome, CitygaugeError):
            raise outcome
        return outcome

    def act_on(
        self,
        targets: Sequence[Target],
        kind: EventKind,
        actor: str,
        at: datetime,
        data: Mapping[str, object],
    ) -> list[Alert | CitygaugeError]:
        """Does the same to many alerts in one transaction; each for itself: one that refuses keeps no other back.

        Returns:
            For each target, in order: the alert afterwards, or the error that `act` would raise.

        Raises:
            InvalidInput: the actor is no person's name.
        """
        if actor in MACHINES or not actor.strip():
            raise InvalidInput("actor", actor, "a person's name")
        actor, facts = storable(actor), plain(data)
        events = [
            AlertEvent(uuid.uuid4(), each.alert_id, kind, at, actor, facts) for each in targets
        ]
        outcomes: list[Alert | CitygaugeError] = []
        with transaction(self._conn):
            ledger = alert_turn.read(self._conn, events)
            for target, event in zip(targets, events, strict=True):
                try:
                    _check(ledger.alerts.get(target.alert_id), target, kind)
                    ledger.take(event)
                except (UnknownAlert, Conflict, InvalidTransition, InvalidInput) as error:
                    outcomes.append(error)
                else:
                    outcomes.append(ledger.alerts[target.alert_id])
            alert_turn.write(self._conn, ledger)
        return outcomes

    def get(self, alert_id: uuid.UUID) -> Alert:
        """The alert of this id. Raises UnknownAlert."""
        row = self._conn.execute(statements.GET, ([alert_id],)).fetchone()
        if row is None:
            raise UnknownAlert(str(alert_id))
        return alert_of(row)

    def many(self, alert_ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Alert]:
        """Those of the alerts that exist, by id."""
        return {
            row[0]: alert_of(row) for row in self._conn.execute(statements.GET, (list(alert_ids),))
        }

    def raised_since(
        self, subjects: Collection[str], start: datetime, *, limit: int
    ) -> list[Alert]:
        """The alerts of these subjects that were raised since, oldest first; of each the newest `limit`."""
        values = {"subjects": list(map(storable, subjects)), "start": start, "limit": limit}
        return [alert_of(row) for row in self._conn.execute(statements.RAISED_SINCE, values)]

    def open_alerts(self) -> list[Alert]:
        """Every alert that has not cleared, oldest first; there is at most one for each (rule, subject)."""
        return [
            alert_of(row)
            for row in self._conn.execute(statements.OPEN, {"rule": None, "subject": None})
        ]

    def open_alert(self, rule: Rule, subject: str) -> Alert | None:
        """The open alert of this rule and subject, if there is one."""
        values = {"rule": rule.value, "subject": storable(subject)}
        row = self._conn.execute(statements.OPEN, values).fetchone()
        return None if row is None else alert_of(row)

    def page(
        self,
        *,
        limit: int,
        now: datetime,
        state: State | None = None,
        assignee: str | None = None,
        work: Work | None = None,
        suppressed: bool | None = None,
        shelved: bool | None = None,
        rule: Rule | None = None,
        severity: Severity | None = None,
        subject: str | None = None,
        domain: Domain | None = None,
        zone: str | None = None,
        group: uuid.UUID | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        after: str | None = None,
    ) -> Page[Alert]:
        """Alerts, newest raised first; `AlertChoice` explains the arguments."""
        chosen = AlertChoice(
            limit=limit,
            now=now,
            state=state,
            assignee=assignee,
            work=work,
            suppressed=suppressed,
            shelved=shelved,
            rule=rule,
            severity=severity,
            subject=subject,
            domain=domain,
            zone=zone,
            group=group,
            start=start,
            end=end,
            after=after,
        )
        return alert_pages.page(self._conn, chosen)

    def events(self, alert_id: uuid.UUID, *, limit: int = LARGEST_PAGE) -> list[StoredEvent]:
        """The alert's log from its beginning, at most `limit` events. Raises UnknownAlert."""
        rows = self._conn.execute(statements.EVENTS, (alert_id, check_limit(limit))).fetchall()
        if not rows:
            raise UnknownAlert(str(alert_id))
        return [event_of(row) for row in rows]

    def events_after(self, position: int, *, limit: int) -> list[StoredEvent]:
        """Events of all alerts after `position`, in order; follow them by the last one's position and miss none."""
        rows = self._conn.execute(statements.EVENTS_AFTER, (position, check_limit(limit)))
        return [event_of(row) for row in rows]

    def last_position(self) -> int:
        """The position of the newest event; 0 when there is none."""
        row = self._conn.execute(statements.LAST_POSITION).fetchone()
        return 0 if row is None else int(row[0])


def _check(current: Alert | None, target: Target, kind: EventKind) -> None:
    if current is None:
        raise UnknownAlert(str(target.alert_id))
    if target.expected_version is not None and current.version != target.expected_version:
        raise Conflict("the alert", target.expected_version, _as_plain(current))
    if kind is EventKind.RAISED:
        raise InvalidTransition(kind.value, current.state, allowed_changes(current))


def _as_plain(alert: Alert) -> Mapping[str, object]:
    facts = {name: plain(getattr(alert, name)) for name in Alert.__dataclass_fields__}
    return {**facts, "state": alert.state}
