"""The detect service: one leader follows the feed, others stand by; it outlives outages of the database.

It decides nothing about water or traffic; it keeps the runner running.
"""

from __future__ import annotations

import logging
import os
import random
import socket
from threading import Event
from typing import Final

from prometheus_client import start_http_server

from services.detect.cases import Words
from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.metrics import DetectMetrics
from services.detect.restoration import Stopped
from services.detect.roster import MakeCore
from services.detect.runner import CONSUMER, Runner
from services.detect.settings import DetectSettings
from services.detect.words.sentences import say
from services.domain.errors import Conflict, Unavailable
from services.store.connection import connect
from services.store.feed import FeedReader

_LOG: Final = logging.getLogger("citygauge.detect")
_FIRST_RETRY_S: Final = 0.2


def run(
    settings: DetectSettings,
    database_url: str,
    stop: Event,
    detectors: DetectorSettings | None = None,
) -> None:
    """Detect until `stop` is set.

    Args:
        detectors: limits of the detectors; their defaults when not given.
    """
    limits = detectors or DetectorSettings()
    metrics = DetectMetrics()
    server = None
    if settings.metrics_port:
        server, thread = start_http_server(
            settings.metrics_port, addr=settings.metrics_host, registry=metrics.registry
        )
    try:
        detect(settings, database_url, stop, lambda sensors: Core(limits, sensors), say, metrics)
    finally:
        if server is not None:
            server.shutdown()
            server.server_close()
            thread.join()


def detect(
    settings: DetectSettings,
    database_url: str,
    stop: Event,
    make_core: MakeCore,
    words: Words,
    metrics: DetectMetrics,
) -> None:
    """Lead, or wait for the leader's end, until `stop` is set; begin anew after an outage."""
    name = f"{socket.gethostname()}-{os.getpid()}"
    failures = 0
    while not stop.is_set():
        try:
            with connect(database_url, "citygauge-detect", autocommit=True) as conn:
                reader = FeedReader(conn, CONSUMER)
                waiting = False
                while not reader.claim():
                    if not waiting:
                        _LOG.info("another instance detects, this one stands by: instance=%s", name)
                    waiting = True
                    if stop.wait(settings.poll_s):
                        return
                metrics.leader.set(1)
                _LOG.info("detection begins: instance=%s clock=%s", name, settings.clock)
                runner = Runner(conn, settings, make_core, words, metrics, stop)
                failures = 0
                runner.run()
        except Stopped:
            break
        except (Unavailable, Conflict) as error:
            failures += 1
            pause = min(settings.longest_retry_s, _FIRST_RETRY_S * 2 ** min(failures - 1, 20))
            pause *= random.uniform(0.5, 1.0)
            _LOG.warning("detection waits: retry_in_s=%.1f problem=%s", pause, error)
            stop.wait(pause)
        finally:
            metrics.leader.set(0)
    _LOG.info("detection ends: instance=%s", name)
