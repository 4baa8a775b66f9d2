"""The API as a service of its own on a loopback port, and rows for it, written through the store's repositories."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory

import httpx
import numpy as np

from services.api.neighbours import Neighbours
from services.api.service import run
from services.api.settings import ApiSettings
from services.domain.alert import Alert, alert_id, event_of_condition
from services.domain.batch import ReadingBatch
from services.domain.catalogue import SensorKind
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.domain.instant import to_us
from services.domain.sensor import Sensor
from services.domain.sentences.said import Said
from services.store.alerting.alerts import AlertRepository
from services.store.api_keys import ApiKeyRepository
from services.store.connection import connect, transaction
from services.store.sensors import SensorRepository
from services.store.writing.readings import ReadingWriter
from tests.waiting import PATIENCE_S

METER = Sensor(
    "M-17",
    SensorKind.WATER_METER,
    name="14 Mill Street",
    lon=-0.3763,
    lat=39.4699,
    zone="Zone 3",
    cadence_s=60.0,
    time_zone="Europe/Madrid",
)
STATION = Sensor(
    "T-1",
    SensorKind.TRAFFIC_STATION,
    name="Ring road km 12",
    road="M-30",
    direction="north",
    cadence_s=60.0,
    time_zone="Europe/Madrid",
)


PATIENT = {"pool_wait_s": 60.0, "statement_timeout_s": PATIENCE_S}
"""Where it is not what a test is about, a busy machine is no reason to be refused."""


@dataclass(frozen=True)
class Api:
    """A running API."""

    url: str
    database_url: str

    def client(self, secret: str | None = None) -> httpx.Client:
        """An HTTP client that carries the key."""
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE_S, trust_env=False)


@contextmanager
def serving(
    database_url: str, *, neighbours: Neighbours | None = None, **settings: object
) -> Iterator[Api]:
    """Run the API in a thread; it must end in time when it is told to."""
    with (
        TemporaryDirectory(prefix="citygauge-exports-") as folder,
        _serving(database_url, {"export_folder": folder, **settings}, neighbours) as running,
    ):
        yield running


@contextmanager
def _serving(
    database_url: str, settings: Mapping[str, object], neighbours: Neighbours | None
) -> Iterator[Api]:
    stop, listening = threading.Event(), threading.Event()
    urls: list[str] = []
    failures: list[BaseException] = []

    def told(url: str) -> None:
        urls.append(url)
        listening.set()

    def serve() -> None:
        try:
            chosen = ApiSettings.model_validate({"port": 0, **PATIENT, **settings})
            run(chosen, database_url, stop, told, neighbours=neighbours)
        except BaseException as error:
            failures.append(error)
            listening.set()

    thread = threading.Thread(target=serve, name="api-under-test")
    thread.start()
    try:
        assert listening.wait(PATIENCE_S), "the API did not begin to listen"
        assert not failures, failures
        yield Api(urls[0], database_url)
    finally:
        stop.set()
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "the API did not stop"
    assert not failures, failures


def new_key(database_url: str, *scopes: str, name: str | None = None) -> str:
    """A fresh API key's secret."""
    with connect(database_url, "test", autocommit=True) as connection:
        return ApiKeyRepository(connection).create(name or "Ana Torres", scopes or ("operate",))


def register(database_url: str, sensors: Sequence[Sensor]) -> Mapping[str, int]:
    """Register sensors; their numbers by id."""
    with connect(database_url, "test", autocommit=True) as connection:
        repository = SensorRepository(connection)
        repository.upsert(sensors)
        return {sensor.id: repository.registered(sensor.id).number for sensor in sensors}


def store(
    database_url: str,
    sensor: Sensor,
    number: int,
    times: Sequence[datetime],
    **metrics: Sequence[float],
) -> None:
    """Store readings of one sensor; NaN is missing."""
    n = len(times)
    observed = np.array([to_us(time) for time in times], np.int64)
    batch = ReadingBatch(
        sensor.domain,
        np.full(n, number, np.int32),
        observed,
        observed + 1_000_000,
        np.zeros(n, np.int16),
        {name: np.array(values, np.float64) for name, values in metrics.items()},
    )
    with connect(database_url, "test", autocommit=True) as connection, transaction(connection):
        ReadingWriter(connection).write(batch)


def say(
    database_url: str,
    *,
    change: Change = Change.RAISE,
    subject: str = METER.id,
    rule: Rule = Rule.BURST,
    severity: Severity = Severity.CRITICAL,
    onset: datetime | None = None,
    at: datetime | None = None,
    sentence: Said
    | str = "Flow at 14 Mill Street jumped to 1,840 litres per hour. Call the customer first.",
    evidence: Evidence | None = None,
    group: Alert | None = None,
) -> Alert:
    """What a detector would write: an alert's beginning (of the event of another one), its change or its end."""
    onset = onset or datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=30)
    at = at or onset + timedelta(minutes=20)
    evidence = evidence or Evidence(
        "flow_litres_per_h", "L/h", 1840.0, 600.0, 35.0, 600.0, 10, 0.0, {"litres_so_far": 613.0}
    )
    condition = Condition(rule, subject, change, to_us(onset), to_us(at), severity, 0.93, evidence)
    with connect(database_url, "test", autocommit=True) as connection:
        repository = AlertRepository(connection)
        event = event_of_condition(condition, sentence, repository.open_alert(rule, subject))
        assert event is not None
        if group is not None:
            event = replace(event, data={**event.data, "group_id": str(group.group_id)})
        repository.apply([event])
        return repository.get(alert_id(rule, subject, to_us(onset)))
