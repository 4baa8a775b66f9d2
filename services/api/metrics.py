"""The API's own metrics, in its own registry. It refuses labels without bound: paths are route templates."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest


class ApiMetrics:
    """Counters and histograms of one API process."""

    CONTENT_TYPE = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "citygauge_api_requests",
            "HTTP requests answered, by method, route template and status; 499: its client left before the end.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "citygauge_api_request_seconds",
            "Seconds from a request to the end of its answer, by route template; live streams are left out.",
            ("route",),
            buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0),
            registry=self.registry,
        )
        self.streams = Gauge(
            "citygauge_api_stream_clients",
            "Live streams of alerts that are open now.",
            registry=self.registry,
        )
        self.streams_cut = Counter(
            "citygauge_api_streams_cut",
            "Live streams that were cut off because their client read too slowly.",
            registry=self.registry,
        )
        self.events = Counter(
            "citygauge_api_stream_events",
            "Alert events that were handed to live streams, once for each client.",
            registry=self.registry,
        )

    def exposition(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)
