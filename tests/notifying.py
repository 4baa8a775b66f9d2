"""Alerts as detectors and people write them, and routes that are quick: for tests of who is told."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from services.domain.alert import AlertEvent, EventKind, event_of_condition
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.notify.channels import sender
from services.notify.delivery import Courier
from services.notify.metrics import NotifyMetrics
from services.notify.routing import route_waiting
from services.notify.settings import NotifySettings, Route, WebhookRoute
from services.store.alerting.alerts import AlertRepository
from services.store.connection import connect
from services.store.telling.outbox import Delivery, deliveries
from tests.endpoint import Endpoint

EVIDENCE = Evidence("flow_litres_per_h", "L/h", 42.0, 4.0, None, 3600.0, 4, 0.0)
BASE_US = 1_767_600_000_000_000


def hook(server: Endpoint, name: str = "hook", **changes: object) -> WebhookRoute:
    """A webhook to the endpoint, at a path of its own."""
    plain = {"name": name, "url": server.url(f"/{name}"), "secret": "a secret of some length"}
    return WebhookRoute.model_validate({"timeout_s": 60.0, **plain, **changes})


def settings_of(*routes: Route, **changes: object) -> NotifySettings:
    """Settings that wait for nothing long."""
    quick = {"poll_s": 0.05, "first_retry_s": 0.02, "longest_retry_s": 0.1, "lease_s": 600.0}
    return NotifySettings.model_validate({**quick, **changes, "routes": routes})


def say(
    url: str,
    *changes: Change,
    subject: str = "m1",
    severity: Severity = Severity.WARNING,
    minute: int = 0,
    sentence: str = "",
    group: uuid.UUID | None = None,
) -> list[AlertEvent]:
    """Conditions of one episode, written as the detectors write them; of the same event as the alert `group`."""
    written: list[AlertEvent] = []
    with connect(url, "test", autocommit=True) as conn:
        repository = AlertRepository(conn)
        for index, change in enumerate(changes):
            at = BASE_US + (minute + index) * 60_000_000
            said = Condition(Rule.BURST, subject, change, BASE_US, at, severity, 0.9, EVIDENCE)
            open_alert = repository.open_alert(Rule.BURST, subject)
            event = event_of_condition(said, sentence or f"Water runs at {subject}.", open_alert)
            assert event is not None
            if group is not None:
                event = replace(event, data={**event.data, "group_id": str(group)})
            written += [entry.event for entry in repository.apply([event])]
    return written


def act(url: str, alert_id: uuid.UUID, kind: EventKind, **data: object) -> None:
    """What a person does."""
    with connect(url, "test", autocommit=True) as conn:
        AlertRepository(conn).act(alert_id, kind, "ada", datetime.now(UTC), data)


def state(url: str, event_id: uuid.UUID) -> Sequence[Delivery]:
    """The deliveries of an event."""
    with connect(url, "test", autocommit=True) as conn:
        return deliveries(conn, event_id)


def keys(server: Endpoint, path: str = "/hook") -> list[str]:
    """Message ids in the order in which they came."""
    return [r.headers["Idempotency-Key"] for r in list(server.requests) if r.path == path]


def bodies(server: Endpoint, path: str = "/hook") -> list[dict[str, object]]:
    """Messages in the order in which they came."""
    return [json.loads(r.body) for r in list(server.requests) if r.path == path]


def pass_once(url: str, settings: NotifySettings, at: datetime | None = None) -> None:
    """Route what waits and let each route's courier look once at the time `at` (None: now), without threads."""
    moment = at or datetime.now(UTC)
    metrics = NotifyMetrics(route.name for route in settings.routes)
    with connect(url, "test", autocommit=True) as conn:
        route_waiting(conn, settings.routes, moment, metrics)
        for route in settings.routes:
            Courier(conn, route, sender(route, conn), settings, metrics, lambda: moment).deliver()
