"""The demo's past: the days before its live part, which come through the broker like everything else and are learnt.

They are the same each time, so they are lived through once and kept with the prepared database in the cache folder.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from services.cli.demo_parts import (
    DATABASE,
    SIMULATORS,
    Services,
    WorkFolder,
    answers,
    environment_of,
    metrics_of,
)
from services.cli.settings import Sources
from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from services.embedded.cache import Progress
from services.embedded.contents import Contents
from services.store.migrations import migrate

if TYPE_CHECKING:
    from services.cli.demo_books import Books
    from services.domain.sensor import Sensor

_CODE: Final = Path(__file__).parents[2]


class Past:
    """Takes a city from its sensors to what detection has learnt of its past."""

    def __init__(
        self,
        database: str,
        services: Services,
        environment: Mapping[str, str],
        report: Progress,
        stop: threading.Event,
    ) -> None:
        self._database, self._services, self._environment = database, services, environment
        self._report, self._stop = report, stop
        self._learn = services.log("learn")
        self._learn.unlink(missing_ok=True)

    def begin(self, sensors: Sequence[Sensor]) -> None:
        """Register the sensors, start ingest, which the past waits for, and detection, which waits for the past."""
        from services.store.connection import connect
        from services.store.sensors import SensorRepository

        self._report(f"Registering {len(sensors)} sensors")
        with connect(self._database, "citygauge-demo") as conn:
            SensorRepository(conn).upsert(sensors)
        self._report("Starting ingest and detection")
        self._services.start("ingest", DATABASE_URL=self._database)
        options = ("--wait-for", str(self._learn))
        self._services.start("detect", *options, DATABASE_URL=self._database)
        address = metrics_of(self._environment, "INGEST")
        subscribed = partial(answers, address, "^citygauge_ingest_broker_connected 1")
        self._services.wait("ingest to subscribe", subscribed, self._stop)

    def live_through(self, books: Books, stored: Callable[[], bool]) -> None:
        """Wait until all of the past is `stored`, and let detection take it for history, not for news."""
        self._report("Waiting for the history that detection learns from")
        self._services.wait("the history", stored, self._stop)
        books.begin_detection("detect")
        self._report("Detection learns the history")

    def learn(self) -> None:
        """Let detection begin, with what it knows of the past or will read of it."""
        self._learn.touch()

    def wait_learnt(self) -> None:
        """Return when detection follows what is stored."""
        address = metrics_of(self._environment, "DETECT")
        learnt = partial(answers, address, r"^citygauge_detect_rebuilds_total\{.*\} [1-9]")
        self._services.wait("detection to begin", learnt, self._stop)


def with_past(
    sensors: int, live: str, sources: Sources, report: Progress, stop: threading.Event
) -> Contents:
    """A database in which a city of so many sensors has its past up to `live` behind it, and detection has learnt it.

    It is another one after any change of the code or of the settings.
    """
    settings = sorted(each for each in os.environ.items() if each[0].startswith("CITYGAUGE_"))
    file = sources.path.read_bytes() if sources.path is not None else b""
    version = repr((_digest_of_code(), settings, file, sensors, live))
    return Contents(DATABASE, version, partial(_live_through, sensors, live, sources, report, stop))


def _live_through(
    sensors: int, live: str, sources: Sources, report: Progress, stop: threading.Event, url: str
) -> None:
    from services.cli.demo_books import Books
    from services.cli.demo_city import City
    from services.store.connection import connect

    migrate(url)
    with (
        WorkFolder(False, sensors) as folder,
        EmbeddedBroker(progress=report) as broker,
        connect(url, "citygauge-demo", autocommit=True) as conn,
    ):
        environment = environment_of(broker.url(), sources, folder.path)
        services = Services(environment, folder.path)
        past = Past(url, services, environment, report, stop)
        progress = services.log("progress")
        city = City.of(sensors, live)
        books = Books(conn, progress, len(city.sensors), datetime.fromisoformat(live))

        def stored() -> bool:
            balanced = books.look().balanced
            if not services.running(SIMULATORS) and not books.finished:
                raise services.failure(SIMULATORS)
            return books.begun and balanced

        try:
            options = ["city", "--part", "history", "--start", live, "--sensors", str(sensors)]
            options += ["--progress", str(progress)]
            services.start(SIMULATORS, *options, MQTT_URL=broker.url(DEVICE_USER))
            past.begin(city.sensors)
            past.live_through(books, stored)
            past.learn()
            past.wait_learnt()
        finally:
            services.stop()  # detection leaves its checkpoint


def _digest_of_code() -> str:
    digest = hashlib.sha256()
    for folder in ("services", "simulators"):
        for file in sorted((_CODE / folder).rglob("*")):
            if file.suffix in {".py", ".sql", ".toml", ".json"}:
                digest.update(file.read_bytes())
    return digest.hexdigest()
