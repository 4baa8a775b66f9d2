"""The settings of ingest, each with its unit in its name. They are handed down; nobody imports an instance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.ingest.formats import DEFAULT_TOPICS, Format


class IngestSettings(BaseModel):
    """What a person may change about ingest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    worker: str = Field(
        "ingest-1",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        description="Name of this worker: its MQTT session and its account carry it. Each worker needs its own, "
        "and the same one after a restart.",
    )
    topics: Mapping[str, Format] = Field(
        DEFAULT_TOPICS,
        min_length=1,
        description="MQTT topic filters and the payload format of what comes there; the first match counts.",
    )
    share_group: str = Field(
        "",
        pattern=r"^[^/+#\s]{0,64}$",
        description="Name of the shared subscription ($share/...), so that several workers divide the messages; the "
        "same for all of them. Empty: an ordinary subscription, for one worker only. Mosquitto forgets shared "
        "subscriptions when it restarts, and acknowledges and drops what comes before a worker is back; ordinary "
        "ones it keeps.",
    )
    when_stopped: Literal["hand_over", "keep"] = Field(
        "hand_over",
        description="What a worker does when it is stopped orderly. hand_over: where another worker of the share group "
        "is alive, it takes no more, stores what the broker has queued for it, and ends its session, so that nothing "
        "waits for its return; the last one keeps its session. keep: the broker always keeps its session and share.",
    )
    hand_over_s: float = Field(
        8.0,
        ge=0,
        le=3600,
        description="Longest time for that. What is left then waits for the worker's return or for "
        "`citygauge workers forget`.",
    )
    take_over_after_s: float = Field(
        120.0,
        ge=0,
        le=604_800,
        description="So long, at least 60 s, another worker of the share group may say nothing before this one stores "
        "what the broker has queued for it, and ends its session; it may come back at any time. 0: never.",
    )
    qos: Literal[0, 1] = Field(
        1,
        description="Quality of service of the subscription. 1: acknowledged after the commit. "
        "0: faster, and what is in flight when anything dies is lost.",
    )
    fast_reader: bool = Field(
        True,
        description="Read many messages from the connection at once. Off: plain paho, message by message, slower.",
    )
    keep_alive_s: int = Field(
        60,
        ge=5,
        le=3600,
        description="MQTT keep-alive: silence after which the broker takes us for gone.",
    )
    session_expiry_s: int = Field(
        604_800,
        ge=0,
        le=4_294_967_295,
        description="How long the broker keeps this worker's session and queued messages while it is away.",
    )
    receive_maximum: int = Field(
        20_000,
        ge=1,
        le=65_535,
        description="Messages that the broker may send before we acknowledge any.",
    )
    reconnect_min_s: float = Field(
        0.2, gt=0, le=60, description="First pause before broker or database are tried again."
    )
    reconnect_max_s: float = Field(
        15.0, gt=0, le=600, description="Longest pause between two tries; pauses double up to it."
    )
    batch_messages: int = Field(
        10_000, ge=1, le=65_535, description="Messages in one transaction, at most."
    )
    batch_bytes: int = Field(
        4 * 1024 * 1024,
        ge=1024,
        le=256 * 1024 * 1024,
        description="Bytes of payload in one transaction, at most (one message may go above it).",
    )
    batch_wait_ms: float = Field(
        30.0,
        ge=0,
        le=10_000,
        description="Longest wait for a batch to fill, at full load; it shrinks with the load, and an idle stream is "
        "written at once.",
    )
    buffer_bytes: int = Field(
        64 * 1024 * 1024,
        ge=1024 * 1024,
        le=4 * 1024 * 1024 * 1024,
        description="Bytes of payload held while the database is away; above it nothing more is read, and the "
        "broker keeps the rest.",
    )
    spool_folder: str = Field(
        "",
        description="Folder of the local spool: while the database is away, messages are put by there and "
        "acknowledged. One worker each. Empty: none, and the broker keeps them.",
    )
    spool_bytes: int = Field(
        1024 * 1024 * 1024,
        ge=64 * 1024,
        le=1024**4,
        description="Size of the spool on disk, at most; when it is full, the broker keeps the rest.",
    )
    spool_fsync: Literal["always", "interval", "never"] = Field(
        "always",
        description="When the spool is made durable. always: before a message is acknowledged. interval: soon after "
        "(a power cut may cost that much; a kill costs nothing). never: when the system likes.",
    )
    spool_fsync_interval_s: float = Field(
        1.0, gt=0, le=60, description="How soon, with spool_fsync = interval."
    )
    max_payload_bytes: int = Field(
        256 * 1024,
        ge=1024,
        le=64 * 1024 * 1024,
        description="Larger messages are rejected as too_large.",
    )
    keep_payload_bytes: int = Field(
        64 * 1024,
        ge=0,
        le=16 * 1024 * 1024,
        description="How much of a rejected message is kept; a message that was cut cannot be replayed.",
    )
    unknown_sensors: Literal["quarantine", "register"] = Field(
        "quarantine",
        description="What happens to readings of sensors that are not registered. quarantine: kept with the "
        "rejected messages, the sensor is listed. register: the sensor is registered by what it measures.",
    )
    duplicate_policy: Literal["first", "last", "both"] = Field(
        "first",
        description="What a second, different value for the same sensor and time does. first: it is counted as "
        "conflicting, and the stored one stays. last: it takes the stored one's place, marked revised. both: the same, "
        "and the earlier one is kept in the table reading_revision, with when it had come.",
    )
    future_limit_s: float = Field(
        3600.0,
        ge=0,
        le=86_400 * 366,
        description="A reading further ahead of our clock is rejected.",
    )
    suspect_clock_s: float = Field(
        60.0,
        ge=0,
        le=86_400,
        description="A reading further ahead of our clock is marked suspect_clock.",
    )
    late_after_s: float = Field(
        93_600.0,
        ge=0,
        le=86_400 * 3660,
        description="A reading that arrives so long after it was observed is marked late; 0: never by its age.",
    )
    heartbeat_s: float = Field(
        5.0,
        gt=0,
        le=300,
        description="How often the worker writes that it lives and what it holds.",
    )
    metrics_host: str = Field("127.0.0.1", description="Address on which /metrics listens.")
    metrics_port: int = Field(0, ge=0, le=65_535, description="Port of /metrics; 0: none.")
