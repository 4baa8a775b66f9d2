"""Starts and stops one ingest worker: its connections, its loop, its /metrics."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from prometheus_client import start_http_server

from services.domain.duplicates import DuplicatePolicy
from services.ingest.assemble import Assembler
from services.ingest.inbox import Inbox
from services.ingest.intake import Intake
from services.ingest.metrics import IngestMetrics
from services.ingest.mqtt import Link
from services.ingest.pipeline import Pipeline
from services.ingest.settings import IngestSettings
from services.ingest.spool import Spool
from services.ingest.subscription import Subscription, client_id_of, shared
from services.ingest.validate import Limits

log = logging.getLogger("citygauge.ingest")


def assembler_of(settings: IngestSettings) -> Assembler:
    """The assembler that the settings ask for."""
    limits = Limits.of_seconds(
        settings.future_limit_s, settings.suspect_clock_s, settings.late_after_s
    )
    return Assembler(
        settings.topics,
        limits,
        max_payload_bytes=settings.max_payload_bytes,
        keep_payload_bytes=settings.keep_payload_bytes,
        duplicates=DuplicatePolicy(settings.duplicate_policy),
    )


def subscription_of(settings: IngestSettings) -> Subscription:
    """What the worker asks of the broker."""
    return Subscription(
        client_id_of(settings.worker),
        shared(settings.share_group, settings.topics),
        settings.qos,
        settings.keep_alive_s,
        settings.session_expiry_s,
        settings.receive_maximum,
        settings.reconnect_min_s,
        settings.reconnect_max_s,
        settings.fast_reader,
    )


def spool_of(settings: IngestSettings) -> Spool | None:
    """The spool that the settings ask for. Raises SettingError when its folder cannot be used."""
    if not settings.spool_folder:
        return None
    return Spool(
        Path(settings.spool_folder),
        settings.spool_bytes,
        settings.spool_fsync,
        fsync_interval_s=settings.spool_fsync_interval_s,
    )


def run(settings: IngestSettings, database_url: str, mqtt_url: str, stop: Event) -> None:
    """Works until `stop` is set. Waits for a broker or a database that is away, however long.

    Raises:
        SettingError: `mqtt_url` is not an address, or the spool's folder cannot be used.
        OSError: /metrics cannot listen on its port.
    """
    inbox = Inbox(
        settings.max_payload_bytes, settings.keep_payload_bytes, lambda: time.time_ns() // 1000
    )
    link = Link(mqtt_url, subscription_of(settings), inbox)
    intake = Intake(assembler_of(settings), settings.unknown_sensors)
    metrics, spool = IngestMetrics(), spool_of(settings)
    with _closing(spool), _served(metrics, settings), _rarely_collected():
        log.info("ingest starts worker=%s topics=%s", settings.worker, ",".join(settings.topics))
        Pipeline(
            settings,
            database_url=database_url,
            link=link,
            inbox=inbox,
            intake=intake,
            metrics=metrics,
            stop=stop,
            spool=spool,
        ).run()
        log.info("ingest stopped worker=%s", settings.worker)


@contextmanager
def _closing(spool: Spool | None) -> Iterator[None]:
    try:
        yield
    finally:
        if spool is not None:
            spool.close()


@contextmanager
def _served(metrics: IngestMetrics, settings: IngestSettings) -> Iterator[None]:
    if not settings.metrics_port:
        yield
        return
    server, thread = start_http_server(
        settings.metrics_port, settings.metrics_host, registry=metrics.registry
    )
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def _rarely_collected() -> Iterator[None]:
    """Batches make many objects and no cycles: the collector would only walk them."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
