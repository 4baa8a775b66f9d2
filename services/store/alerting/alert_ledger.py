"""What one call reads of the alerts and will write: events are folded in, in order, and told of or not.

It decides which events are left out, which are told, and which rule holds an alert back from the first moment; it
refuses to speak to the database.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, TypeAlias

from services.domain.alert import Alert, AlertEvent, EventKind
from services.domain.alert_event import MACHINES, SYSTEM
from services.domain.alert_fold import fold
from services.domain.condition import NOTES, Rule
from services.domain.errors import InvalidTransition, UnknownAlert
from services.domain.holding import Hold, Holding
from services.domain.suppression import NOWHERE
from services.store.alerting.alert_statements import plain
from services.store.alerting.flood_gate import FloodGate

Key: TypeAlias = tuple[Rule, str]
"""A rule and its subject."""

_ANNOUNCED: Final = frozenset({EventKind.RAISED, EventKind.UNSUPPRESSED})
"""Kinds by which people first hear of an alert: those that a flood folds."""


@dataclass(frozen=True, slots=True)
class Member:
    """An alert of a group.

    Attributes:
        open: whether anybody still has to do with it, and no rule holds it back.
        rank: how severe it is; told: whether people heard of it.
    """

    open: bool
    rank: int
    started_at: datetime
    told: bool = True


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
    holding: Holding = field(default_factory=Holding)
    gate: FloodGate | None = None
    past: set[uuid.UUID] = field(default_factory=set)

    def take_all(self, events: Sequence[AlertEvent]) -> None:
        """Takes each, and then what they mean for the floods of alerts.

        An alert of the past, which is raised and cleared in one call, may stand beside an open one.
        """
        over = {event.alert_id for event in events if event.kind is EventKind.CLEARED}
        self.past = {event.alert_id for event in events if event.of_the_past} & over
        for event in events:
            self.take(event)
        for event in self.gate.events() if self.gate is not None else ():
            self.take(event)

    def take(self, event: AlertEvent) -> None:
        """Folds the event in, or leaves it out where the log has it or its alert has no room for it."""
        if event.id in self.known_events:
            return
        current = self.alerts.get(event.alert_id)
        held: Hold | None = None
        if event.kind is EventKind.RAISED:
            if current is not None:
                return
            raised = fold(None, event)
            key = (raised.rule, raised.subject)
            past = event.alert_id in self.past
            if key in self.open and not past:
                return
            previous = None if past else self.last.get(key)
            event = replace(event, data={**event.data, "previous_id": plain(previous)})
            held = self.holding.of(raised, raised.raised_at)
            if not past:
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
        event = self._telling(event, alert, held)
        alert = fold(current, event)
        if alert.cleared_at is not None and alert.id not in self.past:
            self.open.discard((alert.rule, alert.subject))
        self._note(alert, event)
        if held is not None:
            self.take(suppressed(alert, held, event.at, uuid.uuid5(event.id, held.by)))

    def _note(self, alert: Alert, event: AlertEvent) -> None:
        self.alerts[alert.id] = alert
        self._members(alert)[alert.id] = _member(alert)
        self.known_events.add(event.id)
        self.events.append((event, alert.version))
        if alert.id not in self.new:
            self.changed[alert.id] = None

    def _members(self, alert: Alert) -> dict[uuid.UUID, Member]:
        return self.groups.setdefault(alert.group_id or alert.id, {})

    def _telling(self, event: AlertEvent, alert: Alert, held: Hold | None) -> AlertEvent:
        """The event as it is written: with told False where people need not hear, or as the end of its group."""
        members = self._members(alert)
        others = [each for id_, each in members.items() if id_ != alert.id]
        quiet = self._is_quiet(event, alert, others, held)
        if quiet:
            return replace(event, data={**event.data, "told": False})
        if self.gate is not None and event.kind in _ANNOUNCED:
            where = self.holding.where.get(alert.subject, NOWHERE)
            flood = self.gate.folds(alert, where, event.at)
            if flood is not None:
                return replace(event, data={**event.data, "told": False, "flood": str(flood)})
        if event.kind is EventKind.CLEARED and others:
            began = min(alert.started_at, *(each.started_at for each in others))
            whole = {"alerts": len(others) + 1, "started_at": plain(began)}
            return replace(event, data={**event.data, "group_over": whole})
        return event

    def _is_quiet(
        self, event: AlertEvent, alert: Alert, others: list[Member], held: Hold | None
    ) -> bool:
        """Not told: what a rule holds back, what others of the event tell, the end of what was never told."""
        known = [each for each in others if each.open]
        group_told = any(each.told for each in others)
        as_bad = group_told and any(each.rank >= alert.severity.rank for each in known)
        match event.kind:
            case EventKind.RAISED:
                return held is not None or as_bad or alert.rule in NOTES
            case EventKind.ESCALATED:
                return alert.suppressed_by is not None or as_bad
            case EventKind.CLEARED:
                return bool(known) or not (alert.told_at is not None or group_told)
            case EventKind.UNSUPPRESSED:
                return not alert.open or alert.acknowledged_at is not None or as_bad
            case EventKind.UNSHELVED if event.actor == SYSTEM:
                return not alert.open or alert.suppressed_by is not None
        return False


def suppressed(alert: Alert, hold: Hold, at: datetime, event_id: uuid.UUID) -> AlertEvent:
    """The event that a rule holds the alert back from now on."""
    data = {
        "suppressed_by": hold.by, "reason": hold.reason, "said": hold.said.as_dict(), "told": False
    }  # fmt: skip
    return AlertEvent(event_id, alert.id, EventKind.SUPPRESSED, at, SYSTEM, data)


def _member(alert: Alert) -> Member:
    told = alert.told_at is not None
    free = alert.open and alert.suppressed_by is None
    return Member(free, alert.severity.rank, alert.started_at, told)
