"""The metrics of ingest, in a registry of their own; it refuses the library's global one."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.domain.rejection import RejectReason
from services.ingest.spool import Spool
from services.ingest.writer import Outcome

_SECONDS: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    60.0,
)
_MESSAGES: Final = (1, 10, 100, 300, 1_000, 3_000, 10_000, 30_000)


class IngestMetrics:
    """Everything that ingest tells Prometheus. received = stored + duplicate + rejected once committed."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.messages = Counter(
            "citygauge_ingest_messages_total",
            "MQTT messages committed, stored or rejected.",
            registry=self.registry,
        )
        self.received = Counter(
            "citygauge_ingest_received_total",
            "Readings committed: stored, duplicate or rejected.",
            registry=self.registry,
        )
        self.stored = Counter(
            "citygauge_ingest_stored_total",
            "Readings that were new or completed a stored one.",
            registry=self.registry,
        )
        self.merged = Counter(
            "citygauge_ingest_merged_total",
            "Stored readings that completed an earlier one.",
            registry=self.registry,
        )
        self.duplicate = Counter(
            "citygauge_ingest_duplicate_total",
            "Readings that were stored already.",
            registry=self.registry,
        )
        self.revised = Counter(
            "citygauge_ingest_revised_total",
            "Stored readings that replaced a stored value.",
            registry=self.registry,
        )
        self.conflicting = Counter(
            "citygauge_ingest_conflicting_total",
            "Readings with another value than the stored one, which stays.",
            registry=self.registry,
        )
        self.rejected = Counter(
            "citygauge_ingest_rejected_total",
            "Readings rejected and kept.",
            ["reason"],
            registry=self.registry,
        )
        for reason in RejectReason:
            self.rejected.labels(reason.value)
        self.late = Counter(
            "citygauge_ingest_late_total",
            "Stored readings that came late or out of order.",
            registry=self.registry,
        )
        self.redelivered = Counter(
            "citygauge_ingest_redelivered_total",
            "Readings that the broker delivered again after they were committed; not received twice.",
            registry=self.registry,
        )
        self.batch_messages = Histogram(
            "citygauge_ingest_batch_messages",
            "Messages in a transaction.",
            buckets=_MESSAGES,
            registry=self.registry,
        )
        self.commit_seconds = Histogram(
            "citygauge_ingest_commit_seconds",
            "Time of a transaction.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.delay_seconds = Histogram(
            "citygauge_ingest_delay_seconds",
            "From receipt to commit, of the oldest message of each batch.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "citygauge_ingest_in_flight",
            "Messages received and not committed.",
            registry=self.registry,
        )
        self.buffer_bytes = Gauge(
            "citygauge_ingest_buffer_bytes",
            "Payload bytes received and not committed.",
            registry=self.registry,
        )
        self.broker_connected = Gauge(
            "citygauge_ingest_broker_connected",
            "1 while subscribed at the broker.",
            registry=self.registry,
        )
        self.database_connected = Gauge(
            "citygauge_ingest_database_connected",
            "1 while the database answers.",
            registry=self.registry,
        )
        self.newest_observed = Gauge(
            "citygauge_ingest_newest_observed_timestamp_seconds",
            "Newest observed time in the last batch, Unix seconds.",
            registry=self.registry,
        )
        self.database_outages = Counter(
            "citygauge_ingest_database_outages_total",
            "Times that the database went away.",
            registry=self.registry,
        )

        self.absent_workers = Gauge(
            "citygauge_ingest_absent_workers",
            "Other workers of the same share group that are away while the broker queues their share.",
            registry=self.registry,
        )
        self.spool_bytes = Gauge(
            "citygauge_ingest_spool_bytes",
            "Size of the local spool on disk.",
            registry=self.registry,
        )
        self.spool_messages = Gauge(
            "citygauge_ingest_spool_messages",
            "Messages that are acknowledged, in the local spool, and not committed.",
            registry=self.registry,
        )
        self.spool_age_seconds = Gauge(
            "citygauge_ingest_spool_age_seconds",
            "Since the oldest message in the local spool was received; 0 when it is empty.",
            registry=self.registry,
        )

    def spooled(self, spool: Spool, now_us: int) -> None:
        """Takes over what the spool holds."""
        self.spool_bytes.set(spool.size)
        self.spool_messages.set(spool.records)
        oldest_us = now_us if spool.oldest_us is None else spool.oldest_us
        self.spool_age_seconds.set(max(0.0, (now_us - oldest_us) / 1e6))

    def committed(self, messages: int, outcome: Outcome, delay_s: float) -> None:
        """Takes over what one batch came to; `delay_s` from the receipt of its oldest message to its commit."""
        counts = outcome.counts
        self.messages.inc(messages)
        self.received.inc(counts.received)
        self.stored.inc(counts.stored)
        self.merged.inc(counts.merged)
        self.duplicate.inc(counts.duplicate)
        self.revised.inc(counts.revised)
        self.conflicting.inc(counts.conflicting)
        self.late.inc(counts.late)
        self.redelivered.inc(outcome.redelivered)
        for reason, readings in outcome.reasons.items():
            self.rejected.labels(reason.value).inc(readings)
        self.batch_messages.observe(messages)
        self.commit_seconds.observe(outcome.commit_s)
        self.delay_seconds.observe(delay_s)
        if outcome.newest_us is not None:
            self.newest_observed.set(outcome.newest_us / 1e6)
