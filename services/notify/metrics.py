"""What the notify service counts. Declared here and nowhere else; nothing is measured on a global registry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 43200)


class NotifyMetrics:
    """One set of metrics on its own registry.

    Args:
        routes: their names; each has its series from the start.
    """

    def __init__(self, routes: Iterable[str]) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.routed = Counter(
            "citygauge_notify_routed_events_total",
            "alert events that were routed, to nobody included",
            registry=r,
        )
        self.hidden = Counter(
            "citygauge_notify_hidden_events_total",
            "alert events that nobody was told of because their alert is shelved",
            registry=r,
        )
        self.sent = Counter(
            "citygauge_notify_sent_total", "messages that a route took", ["route"], registry=r
        )
        self.failed = Counter(
            "citygauge_notify_failed_attempts_total",
            "attempts that a route did not take",
            ["route"],
            registry=r,
        )
        self.given_up = Counter(
            "citygauge_notify_given_up_total",
            "messages that were given up after the last attempt",
            ["route"],
            registry=r,
        )
        self.send_seconds = Histogram(
            "citygauge_notify_send_seconds",
            "seconds of one attempt, taken or not",
            ["route"],
            buckets=_SECONDS,
            registry=r,
        )
        self.lag_seconds = Histogram(
            "citygauge_notify_lag_seconds",
            "seconds from the event's commit to the moment when the route had taken it",
            ["route"],
            buckets=_SECONDS,
            registry=r,
        )
        self.waiting = Gauge(
            "citygauge_notify_waiting_events", "alert events that are not routed yet", registry=r
        )
        self.undelivered = Gauge(
            "citygauge_notify_undelivered", "messages that wait for an attempt", registry=r
        )
        self.away = Gauge(
            "citygauge_notify_route_away",
            "1 while a route failed several times in a row and is asked only once in a while",
            ["route"],
            registry=r,
        )
        for route in routes:
            self.away.labels(route)
            for counter in (self.sent, self.failed, self.given_up):
                counter.labels(route)
            self.send_seconds.labels(route)
            self.lag_seconds.labels(route)
