"""Alerts and their log: events go in, `services.domain.alert.fold` says what they mean, the rows follow.

Whoever changes alerts takes turns, from the first change until the transaction ends: make it the last thing that a
transaction does. That at most one alert is open for each (rule, subject) is the database's unique index; nothing
here could break it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from services.domain.alert import DETECTOR, Alert, AlertEvent, EventKind, allowed_changes, fold
from services.domain.catalogue import Domain
from services.domain.condition import Rule, Severity
from services.domain.errors import Conflict, InvalidInput, InvalidTransition, UnknownAlert
from services.domain.instant import to_us
from services.store import alert_statements as statements
from services.store.alert_ledger import Ledger, Member
from services.store.alert_statements import StoredEvent, alert_of, event_of, plain
from services.store.connection import Connection, transaction
from services.store.page import LARGEST_PAGE, Page, check_limit, decode_cursor, page_of
from services.store.text import storable

__all__ = ["CHANNEL", "AlertRepository", "State", "StoredEvent"]

CHANNEL: Final = "citygauge_alert"
"""Told with the position of the newest event."""
State: TypeAlias = Literal["active", "acknowledged", "cleared", "resolved"]
_TOLD: Final = frozenset(EventKind) - {EventKind.UPDATED}
"""Kinds that people may have to hear of: they get a line in the outbox."""


class AlertRepository:
    """Alerts over one connection."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

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
            ledger = self._read(cleaned)
            for event in cleaned:
                ledger.take(event)
            return self._write(ledger)

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
        if actor == DETECTOR or not actor.strip():
            raise InvalidInput("actor", actor, "a person's name")
        event = AlertEvent(uuid.uuid4(), alert_id, kind, at, storable(actor), plain(data))
        with transaction(self._conn):
            ledger = self._read([event])
            current = ledger.alerts.get(alert_id)
            if current is None:
                raise UnknownAlert(str(alert_id))
            if expected_version is not None and current.version != expected_version:
                raise Conflict("the alert", expected_version, _as_plain(current))
            if kind is EventKind.RAISED:
                raise InvalidTransition(kind.value, current.state, allowed_changes(current))
            ledger.take(event)
            self._write(ledger)
        return ledger.alerts[alert_id]

    def _read(self, events: Sequence[AlertEvent]) -> Ledger:
        self._conn.execute(statements.TAKE_TURNS)
        ids = sorted({event.alert_id for event in events})
        alerts = {row[0]: alert_of(row) for row in self._conn.execute(statements.LOCK, (ids,))}
        event_ids = [event.id for event in events]
        known = {row[0] for row in self._conn.execute(statements.KNOWN_EVENTS, (event_ids,))}
        ledger = Ledger(alerts, known)
        raised = [
            fold(None, e) for e in events if e.kind is EventKind.RAISED and e.alert_id not in alerts
        ]
        keys = {(alert.rule, alert.subject) for alert in raised}
        keys |= {(alert.rule, alert.subject) for alert in alerts.values()} if keys else set()
        groups = {alert.group_id for alert in (*alerts.values(), *raised)}
        for group, id_, severity, began, is_open in self._conn.execute(
            statements.MEMBERS, (list(groups),)
        ):
            member = Member(is_open, Severity(severity).rank, began)
            ledger.groups.setdefault(group, {})[id_] = member
        if keys:
            parameters = {
                "rules": [rule.value for rule, _ in keys],
                "subjects": [subject for _, subject in keys],
            }
            for rule, subject, id_, is_open in self._conn.execute(statements.LAST, parameters):
                ledger.last[Rule(rule), subject] = id_
                if is_open:
                    ledger.open.add((Rule(rule), subject))
        return ledger

    def _write(self, ledger: Ledger) -> list[StoredEvent]:
        """Old alerts first: one that clears makes room in the unique index for one that is raised."""
        if not ledger.events:
            return []
        with self._conn.cursor() as cursor:
            for statement, ids in (
                (statements.UPDATE, ledger.changed),
                (statements.INSERT, ledger.new),
            ):
                if ids:
                    values = [statements.values_of_alert(ledger.alerts[id_]) for id_ in ids]
                    cursor.executemany(statement, values)
            rows = [statements.values_of_event(event, version) for event, version in ledger.events]
            cursor.executemany(statements.INSERT_EVENT, rows, returning=True)
            places = [row for result in cursor.results() for row in result.fetchall()]
            told = [
                (event.id,)
                for event, _ in ledger.events
                if event.kind in _TOLD and event.data.get("told", True)
            ]
            if told:
                cursor.executemany(statements.INSERT_OUTBOX, told)
            cursor.execute(statements.TELL, (str(places[-1][0]),))
        return [
            StoredEvent(position, version, stored_at, event)
            for (position, stored_at), (event, version) in zip(places, ledger.events, strict=True)
        ]

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
        open: bool | None = None,  # noqa: A002
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
        """Alerts, newest raised first, at most `limit` (up to 1,000).

        Args:
            now: decides what is shelved.
            state: as `Alert.state` says it; open: whether the measurement still shows it.
            domain, zone: of the sensor that is the subject, or of any sensor behind a gateway or feed that is; a zone
                is found as a subject too.
            group: a `group_id`.
            start, end: raised in [start, end).
        """
        key = (None, None) if after is None else decode_cursor(after, int, str)
        values: dict[str, Any] = {
            "limit": check_limit(limit, 1_000) + 1,
            "now": now,
            "state": state,
            "open": open,
            "shelved": shelved,
            "rule": rule,
            "severity": severity,
            "subject": None if subject is None else storable(subject),
            "domain": domain,
            "zone": None if zone is None else storable(zone),
            "group": group,
            "start": start,
            "end": end,
            "raised_us": key[0],
            "id": None if after is None else _uuid(key[1], after),
        }
        rows = self._conn.execute(statements.PAGE, values).fetchall()
        return page_of(
            [alert_of(row) for row in rows], limit, lambda a: (to_us(a.raised_at), str(a.id))
        )

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

    def open_counts(self) -> Mapping[tuple[Rule, Severity], int]:
        """How many alerts are open, by rule and severity; combinations without any are absent."""
        rows = self._conn.execute(statements.COUNTS)
        return {(Rule(rule), Severity(severity)): n for rule, severity, n in rows}


def _as_plain(alert: Alert) -> Mapping[str, object]:
    facts = {name: plain(getattr(alert, name)) for name in Alert.__dataclass_fields__}
    return {**facts, "state": alert.state}


def _uuid(value: object, cursor: str) -> uuid.UUID:
    try:
        return uuid.UUID(str(value))
    except ValueError:
        raise InvalidInput(
            "after", cursor, "the 'next' of the page before, as it was returned"
        ) from None
