"""A feed falls silent, with the real broker, ingest, database and detection, killed in between: told once, and over.

The clock is the stream's: the roads go on speaking while the water does not.
"""

import json
import os
import signal
import sys
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.domain.alert import Alert, EventKind
from services.domain.alert_fold import fold_all
from services.domain.catalogue import SensorKind
from services.domain.condition import Rule, Severity
from services.domain.sensor import Sensor
from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from services.embedded.processes import TetheredProcess
from services.store import accounting
from services.store.alerting.alerts import AlertRepository, StoredEvent
from services.store.connection import connect
from services.store.feed import FeedReader
from services.store.sensors import SensorRepository
from simulators.publish import Publisher
from tests.api_server import new_key, serving
from tests.waiting import PATIENCE_S, wait_until

START = datetime(2026, 3, 1, tzinfo=UTC)
METERS = [f"M-{i}" for i in range(8)]
STATIONS = [f"T-{i}" for i in range(6)]


class City:
    """Sensors that publish an hour at a time, and services that can be killed."""

    def __init__(self, environment: dict[str, str], publisher: Publisher, folder: Path) -> None:
        self.environment, self.folder, self._publisher = environment, folder, publisher
        self.url = environment["DATABASE_URL"]
        self.published = 0
        self._hours = dict.fromkeys([*METERS, *STATIONS], 0)
        with connect(self.url, "test") as conn:
            meters = [
                Sensor(name, SensorKind.WATER_METER, zone="North", cadence_s=3600, time_zone="Europe/Madrid")
                for name in METERS
            ]  # fmt: skip
            stations = [Sensor(n, SensorKind.TRAFFIC_STATION, cadence_s=3600) for n in STATIONS]
            SensorRepository(conn).upsert([*meters, *stations])

    @contextmanager
    def running(self, name: str) -> Iterator[TetheredProcess]:
        command = [sys.executable, "-m", "services.cli", name]
        log = self.folder / f"{name}.log"
        process = TetheredProcess.start(
            name, command, log=log, environment=self.environment, grace=PATIENCE_S
        )
        try:
            yield process
        finally:
            process.stop()

    def say(self, first: int, end: int, meters: Sequence[str]) -> None:
        """Hours [first, end), each as a message a sensor; wait until all of it was stored and looked at."""
        for hour in range(first, end):
            at = (START + timedelta(hours=hour)).isoformat().replace("+00:00", "Z")
            for name in (*meters, *STATIONS):
                domain = "water" if name in METERS else "traffic"
                metric, unit = ("flow", "L/h") if domain == "water" else ("speed", "km/h")
                value = hour % 5 * 10 if domain == "water" else 90 + hour % 5
                body = {"time": at, "values": {metric: value}, "units": {metric: unit}}
                topic = f"citygauge/v1/{domain}/{name}/reading"
                self._publisher.publish(topic, json.dumps(body).encode(), 1)
        self.published = self._publisher.flush().readings
        with connect(self.url, "test", autocommit=True) as conn:
            wait_until(lambda: accounting.totals(conn).stored == self.published)

    def looked(self) -> None:
        with connect(self.url, "test", autocommit=True) as conn:
            wait_until(lambda: FeedReader(conn, "detect").lag().batches == 0)

    def log(self) -> list[StoredEvent]:
        with connect(self.url, "test", autocommit=True) as conn:
            return AlertRepository(conn).events_after(0, limit=1000)

    def alerts(self) -> list[Alert]:
        with connect(self.url, "test", autocommit=True) as conn:
            found = AlertRepository(conn).page(limit=100, now=datetime.now(UTC)).items
            for alert in found:
                log = [entry.event for entry in AlertRepository(conn).events(alert.id)]
                assert fold_all(log) == alert
            return sorted(found, key=lambda alert: alert.raised_at)


@pytest.fixture
def city(database_url: str, own_broker: EmbeddedBroker, tmp_path: Path) -> Iterator[City]:
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "MQTT_URL": own_broker.url(),
        "CITYGAUGE_INGEST_LATE_AFTER_S": "0",
        "CITYGAUGE_DETECT_CLOCK": "stream",
    }
    with Publisher(own_broker.url(DEVICE_USER), "test-feed") as publisher:
        yield City(environment, publisher, tmp_path)


@pytest.mark.parametrize("checkpoint_s", ["0", "3600"], ids=["checkpoints", "history"])
def test_a_silent_feed_is_told_once_through_kills_and_clears(city: City, checkpoint_s: str) -> None:
    city.environment["CITYGAUGE_DETECT_CHECKPOINT_S"] = checkpoint_s
    with city.running("ingest") as ingest:
        wait_until(lambda: b"broker connected" in ingest.said())
        with city.running("detect") as detect:
            city.say(0, 48, METERS)
            city.say(48, 66, [])
            city.looked()
            assert city.log() == []  # not yet a day
            city.say(66, 74, [])
            [raised] = wait_until(city.log, what="the feed's alert")
            os.kill(detect.pid, signal.SIGKILL)
        with city.running("detect") as detect:
            city.say(74, 78, [])
            city.looked()
            os.kill(detect.pid, signal.SIGKILL)
        with city.running("detect"):
            city.say(78, 82, METERS[:7])
            wait_until(lambda: len(city.log()) > 1, what="the end of the feed's alert")
            city.say(82, 110, METERS[:7])
            wait_until(
                lambda: len(city.alerts()) > 1, what="the silence of the one that stays silent"
            )
            city.looked()

    feed, single = city.alerts()
    assert raised.event.kind is EventKind.RAISED
    kinds = [entry.event.kind for entry in city.log()]
    assert kinds == [EventKind.RAISED, EventKind.CLEARED, EventKind.RAISED]
    assert (feed.rule, feed.subject, feed.severity) == (
        Rule.FEED_SILENT,
        "feed/water",
        Severity.CRITICAL,
    )
    last = START + timedelta(hours=47)
    assert feed.started_at == last
    assert last + timedelta(hours=24) < feed.raised_at <= last + timedelta(hours=26)
    assert feed.cleared_at is not None
    assert START + timedelta(hours=78) <= feed.cleared_at <= START + timedelta(hours=82)
    sentence = str(raised.event.data["sentence"])
    assert "all 8 sensors are silent since Tue 3 Mar 00:00" in sentence  # Madrid is an hour ahead
    assert "check the network, the gateways and the message server" in sentence
    assert (single.rule, single.subject) == (Rule.SILENT, METERS[7])
    assert single.raised_at >= feed.cleared_at + timedelta(hours=23)

    with serving(city.url) as api, api.client(new_key(city.url, "read")) as reader:
        for query in ("domain=water", "zone=North", f"subject={urllib.parse.quote('feed/water')}"):
            items = reader.get(f"/v1/alerts?{query}").json()["items"]
            assert str(feed.id) in {item["id"] for item in items}, query
        assert reader.get("/v1/alerts?domain=traffic").json()["items"] == []
