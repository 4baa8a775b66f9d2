"""The registry of sensors against the real database."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from services.domain.catalogue import Domain, SensorKind
from services.domain.errors import InvalidInput, UnknownSensor
from services.domain.sensor import Sensor
from services.store.connection import Connection, connect, transaction
from services.store.sensors import SensorRepository, Sighting, Upserted
from tests.waiting import PATIENCE_S

METER = Sensor(
    "m-1",
    SensorKind.WATER_METER,
    name="50% of Main_Street",
    lon=-3.7,
    lat=40.4,
    zone="dma-7",
    unit="m3",
    cadence_s=3600.0,
    time_zone="Europe/Madrid",
    gateway="gw-1",
)
STATION = Sensor(
    "t-1",
    SensorKind.TRAFFIC_STATION,
    road="M-30",
    direction="north",
    position_m=1200.5,
    lanes=3,
)
NOW = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "test", autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def empty_registry(shared_database_url: str) -> Iterator[SensorRepository]:
    """For tests that register nothing."""
    with connect(shared_database_url, "test", autocommit=True) as connection:
        yield SensorRepository(connection)


@pytest.fixture
def sensors(conn: Connection) -> SensorRepository:
    return SensorRepository(conn)


def test_sensors_come_back_as_they_went_in(sensors: SensorRepository) -> None:
    assert sensors.upsert([METER, STATION]) == Upserted(2, 0, 0)
    assert sensors.get("m-1") == METER
    assert sensors.get("t-1") == STATION
    with pytest.raises(UnknownSensor):
        sensors.get("m\x002")


def test_upsert_is_idempotent_and_counts_changes(
    sensors: SensorRepository, conn: Connection
) -> None:
    sensors.upsert([METER, STATION])
    number = sensors.registered("m-1").number
    moved = Sensor("m-1", SensorKind.DMA_INLET, name="x")
    assert sensors.upsert([METER, STATION]) == Upserted(0, 0, 2)
    assert sensors.upsert([moved, STATION, Sensor("m-2", SensorKind.PUMP)]) == Upserted(1, 1, 1)
    assert sensors.get("m-1") == moved
    assert sensors.registered("m-1").number == number
    numbers = conn.execute("SELECT max(number) FROM sensor").fetchone()
    assert numbers == (3,), "repeated imports must not burn numbers"


def test_upsert_is_all_or_nothing(sensors: SensorRepository) -> None:
    sensors.upsert([METER])
    with pytest.raises(InvalidInput, match="stays there"):
        sensors.upsert([STATION, Sensor("m-1", SensorKind.TRAFFIC_LANE)])
    with pytest.raises(InvalidInput, match="each sensor once"):
        sensors.upsert([STATION, STATION])
    assert [s.id for s in sensors.all()] == ["m-1"]


def test_pages_filter_and_follow(sensors: SensorRepository) -> None:
    many = [
        Sensor(f"m-{n:03d}", SensorKind.WATER_METER, zone="a" if n % 2 else "b") for n in range(25)
    ]
    sensors.upsert([*many, METER, STATION])
    found: list[str] = []
    after = None
    while True:
        page = sensors.page(limit=4, zone="a", after=after)
        assert len(page.items) <= 4
        found += [s.id for s in page.items]
        if (after := page.next) is None:
            break
    assert found == [s.id for s in many if s.zone == "a"]
    assert list(sensors.page(limit=9, domain=Domain.TRAFFIC).items) == [STATION]
    assert list(sensors.page(limit=9, kind=SensorKind.TRAFFIC_LANE).items) == []
    assert list(sensors.page(limit=9, road="M-30").items) == [STATION]
    assert list(sensors.page(limit=9, text="0% of main_").items) == [METER]
    assert list(sensors.page(limit=9, text="5_%").items) == [], "a wildcard is read literally"
    assert len(list(sensors.all())) == 27
    assert sensors.counts() == {Domain.WATER: 26, Domain.TRAFFIC: 1}


@pytest.mark.parametrize("after", ["x", "!!", "W10", "WzFd", ""])
def test_foreign_cursors_are_refused(empty_registry: SensorRepository, after: str) -> None:
    with pytest.raises(InvalidInput, match="after"):
        empty_registry.page(limit=1, after=after)


@pytest.mark.parametrize("limit", [0, -1, 10_001])
def test_limits_are_bounded(empty_registry: SensorRepository, limit: int) -> None:
    with pytest.raises(InvalidInput, match="limit"):
        empty_registry.page(limit=limit)


def test_registry_follows_changes(sensors: SensorRepository) -> None:
    sensors.upsert([METER])
    registry = sensors.registry()
    assert set(registry.by_id) == {"m-1"}
    assert sensors.changed_since(registry.marker) == ([], registry.marker)
    sensors.upsert([METER, STATION])
    changed, marker = sensors.changed_since(registry.marker)
    assert [c.sensor for c in changed] == [STATION]
    assert marker > registry.marker


def test_changed_since_misses_nobody_whoever_commits_first(database_url: str) -> None:
    """A second import waits for the first one's commit, so no smaller revision appears later."""
    with (
        connect(database_url, "first") as first,
        connect(database_url, "second") as second,
        connect(database_url, "reader", autocommit=True) as reader,
    ):
        done = threading.Event()

        def later() -> None:
            with transaction(second):
                SensorRepository(second).upsert([STATION])
            done.set()

        thread = threading.Thread(target=later)
        with transaction(first):
            SensorRepository(first).upsert([METER])
            thread.start()
            assert not done.wait(0.2)
            assert SensorRepository(reader).changed_since(0) == ([], 0)
        thread.join(PATIENCE_S)
        changed, _ = SensorRepository(reader).changed_since(0)
        assert [c.sensor.id for c in changed] == ["m-1", "t-1"]


def test_strangers_wait_in_quarantine_until_registered(sensors: SensorRepository) -> None:
    later = NOW + timedelta(hours=1)
    sensors.quarantine(
        [Sighting("m-1", Domain.WATER, later, 3, "a/b"), ("m-9", Domain.WATER, NOW, 1, "c")]
    )
    sensors.quarantine([("m-1", Domain.WATER, NOW, 2, "a/c")])
    first, second = sensors.quarantined(limit=5).items
    assert (first.id, first.readings, first.first_seen, first.last_seen) == ("m-1", 5, NOW, later)
    assert (second.id, second.last_topic) == ("m-9", "c")
    page = sensors.quarantined(limit=1)
    assert [s.id for s in sensors.quarantined(limit=1, after=page.next).items] == ["m-9"]
    sensors.upsert([METER])
    assert [s.id for s in sensors.quarantined(limit=5).items] == ["m-9"]
