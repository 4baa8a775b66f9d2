"""What the detect service counts. Declared here and nowhere else; nothing is measured on a global registry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.domain.alert import Alert, AlertEvent, EventKind
from services.domain.condition import Rule, Severity

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class DetectMetrics:
    """One set of metrics on its own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.leader = Gauge(
            "citygauge_detect_leader",
            "1 while this instance detects, 0 while it stands by",
            registry=r,
        )
        self.feed_lag_seconds = Gauge(
            "citygauge_detect_feed_lag_seconds",
            "age of the oldest batch in the feed that is not processed yet",
            registry=r,
        )
        self.feed_lag_batches = Gauge(
            "citygauge_detect_feed_lag_batches",
            "batches in the feed that are not processed yet",
            registry=r,
        )
        self.readings = Counter(
            "citygauge_detect_readings_total",
            "readings that went through the detectors",
            registry=r,
        )
        self.unknown = Counter(
            "citygauge_detect_unknown_sensor_readings_total",
            "readings left out because their sensor is not registered any more",
            registry=r,
        )
        self.late = Counter(
            "citygauge_detect_late_readings_total",
            "readings and metrics that came after a newer one of their sensor; it is judged again",
            registry=r,
        )
        self.judged_again = Counter(
            "citygauge_detect_judged_again_sensors_total",
            "sensors whose past was judged again because late data or another description changed it",
            registry=r,
        )
        self.judging_again_seconds = Histogram(
            "citygauge_detect_judging_again_seconds",
            "seconds to judge the past of one group of sensors again, all slices together",
            buckets=_SECONDS,
            registry=r,
        )
        self.late_slice_seconds = Histogram(
            "citygauge_detect_late_slice_seconds",
            "seconds at a time for which the feed waited while sensors were judged again",
            buckets=_SECONDS,
            registry=r,
        )
        self.detection_seconds = Histogram(
            "citygauge_detect_detection_seconds",
            "seconds that the detectors spent on one step",
            buckets=_SECONDS,
            registry=r,
        )
        self.commit_seconds = Histogram(
            "citygauge_detect_commit_seconds",
            "seconds from the end of detection to the commit of its alerts and position",
            buckets=_SECONDS,
            registry=r,
        )
        self.open_alerts = Gauge(
            "citygauge_detect_open_alerts",
            "alerts whose measurement still shows it, by rule and severity",
            ["rule", "severity"],
            registry=r,
        )
        self.alert_events = Counter(
            "citygauge_detect_alert_events_total",
            "events that were written to the log of alerts, by kind",
            ["kind"],
            registry=r,
        )
        self.checkpoint_seconds = Histogram(
            "citygauge_detect_checkpoint_seconds",
            "seconds to dump the state and hand it to the database",
            buckets=_SECONDS,
            registry=r,
        )
        self.checkpoint_bytes = Gauge(
            "citygauge_detect_checkpoint_bytes", "bytes of the last checkpoint", registry=r
        )
        self.rebuilds = Counter(
            "citygauge_detect_rebuilds_total",
            "times that the state was built anew, by what it was built from",
            ["source"],
            registry=r,
        )
        self.failed_steps = Counter(
            "citygauge_detect_failed_steps_total",
            "steps in which a detector failed; each is tried again",
            registry=r,
        )
        self.skipped = Counter(
            "citygauge_detect_skipped_batches_total",
            "batches that were left out because a detector failed on them twice or their bytes are damaged",
            registry=r,
        )
        for rule in Rule:
            for severity in Severity:
                self.open_alerts.labels(rule.value, severity.value).set(0)
        for kind in (EventKind.RAISED, EventKind.UPDATED, EventKind.ESCALATED, EventKind.CLEARED):
            self.alert_events.labels(kind.value)
        for source in ("checkpoint", "history"):
            self.rebuilds.labels(source)

    def count_events(self, events: Iterable[AlertEvent]) -> None:
        """Add events that were committed."""
        for event in events:
            self.alert_events.labels(event.kind.value).inc()

    def show_open(self, alerts: Iterable[Alert]) -> None:
        """Set the gauge of open alerts to these."""
        counts = dict.fromkeys(((rule, level) for rule in Rule for level in Severity), 0)
        for alert in alerts:
            counts[alert.rule, alert.severity] += 1
        for (rule, level), count in counts.items():
            self.open_alerts.labels(rule.value, level.value).set(count)
