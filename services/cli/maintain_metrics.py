"""What `citygauge maintain --every` tells Prometheus."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.store.maintain import Chunk, Done


class MaintainMetrics:
    """The metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.removed = Counter(
            "citygauge_maintain_done_total",
            "Chunks or rows that maintenance has dropped, compressed or removed.",
            ["step", "of"],
            registry=self.registry,
        )
        self.refused = Counter(
            "citygauge_maintain_refused_total",
            "Steps that could not be done, mostly because somebody held a lock.",
            ["step", "of"],
            registry=self.registry,
        )
        self.size_bytes = Gauge(
            "citygauge_maintain_readings_bytes",
            "Bytes that a domain's readings take on disk, with their indexes.",
            ["domain"],
            registry=self.registry,
        )
        self.oldest = Gauge(
            "citygauge_maintain_oldest_seconds",
            "Start of the oldest chunk of a domain's readings, seconds since 1970.",
            ["domain"],
            registry=self.registry,
        )
        self.last_success = Gauge(
            "citygauge_maintain_last_success_seconds",
            "When maintenance last came to its end, seconds since 1970.",
            registry=self.registry,
        )

    def note(self, done: Done) -> None:
        """One step has ended."""
        counter = self.refused if done.why_not else self.removed
        counter.labels(done.step.value, done.of).inc(1 if done.why_not else done.count)

    def show(self, found: Mapping[str, list[Chunk]], now_s: float) -> None:
        """Maintenance has come to its end."""
        for domain, chunks in found.items():
            self.size_bytes.labels(domain).set(sum(each.size_bytes for each in chunks))
            if chunks:
                self.oldest.labels(domain).set(chunks[0].start.timestamp())
        self.last_success.set(now_s)
