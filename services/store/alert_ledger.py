"""What one call reads of the alerts and will write: events are folded in, in order, and told of or not.

It decides which events are left out and which are told apart; it refuses to speak to the database.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

from services.domain.alert import Alert, AlertEvent, EventKind
from services.domain.alert_event import MACHINES
from services.domain.alert_fold import fold
from services.domain.condition import Rule
from services.domain.errors import InvalidTransition, UnknownAlert
from services.store.alert_statements import plain

Key: TypeAlias = tuple[Rule, str]
"""A rule and its subject."""


@dataclass(frozen=True, slots=True)
class Member:
    """An alert of a group: whether anybody still has to do with it, how bad it is, when it began."""

    open: bool
    rank: int
    started_at: datetime


@dataclass(slots=True)
class Ledger:
    """What a call has read and what it will write."""

    alerts: dict[uuid.UUID, Alert]
    known_events: set[uuid.UUID]
    last: dict[Key, uuid.UUID] = field(default_factory=dict)
    open: set[Key] = field(default_factory=set)
    new: dict[uuid.UUID, None] = field(default_factory=dict)
    changed: dict[uuid.UUID, None] = field(default_factory=dict)
    events: list[tuple[AlertEvent, int]] = field(default_factory=list)
    groups: dict[uuid.UUID, dict[uuid.UUID, Member]] = field(default_factory=dict)

    def take(self, event: AlertEvent) -> None:
        """Folds the event in, or leaves it out where the log has it or its alert has no room for it."""
        if event.id in self.known_events:
            return
        current = self.alerts.get(event.alert_id)
        if event.kind is EventKind.RAISED:
            if current is not None:
                return
            raised = fold(None, event)
            key = (raised.rule, raised.subject)
            if key in self.open:
                return
            previous = self.last.get(key)
            event = replace(event, data={**event.data, "previous_id": plain(previous)})
            self.last[key] = event.alert_id
            self.open.add(key)
            self.new[event.alert_id] = None
        elif current is None:
            if event.actor in MACHINES:
                return
            raise UnknownAlert(str(event.alert_id))
        try:
            alert = fold(current, event)
        except InvalidTransition:
            if event.actor in MACHINES:
                return
            raise
        if alert.cleared_at is not None:
            self.open.discard((alert.rule, alert.subject))
        self.alerts[alert.id] = alert
        event = self._in_its_group(event, alert)
        self.known_events.add(event.id)
        self.events.append((event, alert.version))
        if alert.id not in self.new:
            self.changed[alert.id] = None

    def _in_its_group(self, event: AlertEvent, alert: Alert) -> AlertEvent:
        """The event with what it means for its group: not told apart while others tell it, or the end of them all."""
        members = self.groups.setdefault(alert.group_id or alert.id, {})
        is_open = alert.cleared_at is None and alert.resolved_at is None
        members[alert.id] = Member(is_open, alert.severity.rank, alert.started_at)
        others = [each for id_, each in members.items() if id_ != alert.id and each.open]
        if event.kind in {EventKind.RAISED, EventKind.ESCALATED}:
            quiet = any(each.rank >= alert.severity.rank for each in others)
        else:
            quiet = event.kind is EventKind.CLEARED and bool(others)
        if quiet:
            return replace(event, data={**event.data, "told": False})
        if event.kind is EventKind.CLEARED and len(members) > 1:
            began = min(each.started_at for each in members.values())
            whole = {"alerts": len(members), "started_at": plain(began)}
            return replace(event, data={**event.data, "group_over": whole})
        return event
