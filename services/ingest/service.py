"""Starts and stops one ingest worker: its connections, its loop, its /metrics."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Event

from prometheus_client import start_http_server

from services.ingest.inbox import Inbox
from services.ingest.intake import Intake
from services.ingest.metrics import IngestMetrics
from services.ingest.mqtt import Link
from services.ingest.parts import assembler_of, spool_of, subscription_of
from services.ingest.pipeline import Pipeline
from services.ingest.relief import Relief
from services.ingest.settings import IngestSettings
from services.ingest.spool import Spool

log = logging.getLogger("citygauge.ingest")


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
    relief = Relief(settings, database_url, mqtt_url)
    with _closing(spool), closing(relief), _served(metrics, settings), _rarely_collected():
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
            relieve=relief.take_over,
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
