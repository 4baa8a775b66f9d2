"""The newest of many sensors, and litres of registers, over HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from services.domain.catalogue import SensorKind
from services.domain.sensor import Sensor
from services.embedded.database import EmbeddedDatabase
from tests.api_server import STATION, Api, new_key, register, serving, store

START = datetime(2026, 3, 1, tzinfo=UTC)
METERS = [
    Sensor(f"W-{i}", SensorKind.WATER_METER, zone="Zone 9", cadence_s=3600.0) for i in range(3)
]


@pytest.fixture(scope="module")
def city(database_server: EmbeddedDatabase, migrated_template: str) -> Iterator[Api]:
    """Three meters: one counts ten litres an hour and is exchanged, one rolls over, one has never spoken."""
    url = database_server.clone(migrated_template)
    numbers = register(url, [*METERS, STATION])
    times = [START + timedelta(hours=h) for h in range(49)]
    first = [500_000.0 + 10 * h if h < 30 else 5.0 + 10 * (h - 30) for h in range(49)]
    second = [(99_900.0 + 10 * h) % 100_000 for h in range(49)]
    store(url, METERS[0], numbers["W-0"], times, register_litres=first)
    store(url, METERS[1], numbers["W-1"], times, register_litres=second)
    with serving(url) as api:
        yield api
    database_server.drop(url.rpartition("/")[2])


@pytest.fixture(scope="module")
def reader(city: Api) -> Iterator[httpx.Client]:
    """A client that may read."""
    with city.client(new_key(city.database_url, "read", name="reader")) as client:
        yield client


def test_the_newest_of_all_sensors_with_their_age(reader: httpx.Client) -> None:
    answer = reader.get("/v1/latest", params={"domain": "water", "metrics": "register"}).json()
    columns = answer["columns"]
    assert columns["sensor_id"] == ["W-0", "W-1", "W-2"]
    assert columns["time"] == ["2026-03-03T00:00:00Z", "2026-03-03T00:00:00Z", None]
    assert columns["register_litres"] == [185.0, 380.0, None]
    now = datetime.fromisoformat(answer["now"])
    age = (now - START - timedelta(hours=48)).total_seconds()
    assert columns["age_s"] == [pytest.approx(age), pytest.approx(age), None]
    assert answer["metrics"] == [{"name": "register_litres", "unit": "L"}]


@pytest.mark.parametrize(
    ("params", "ids"),
    [
        ({"sensor_id": ["W-2", "W-0"]}, ["W-2", "W-0"]),
        ({"domain": "water", "zone": "Zone 9", "kind": "water_meter"}, ["W-0", "W-1", "W-2"]),
        ({"domain": "traffic", "road": STATION.road}, [STATION.id]),
        ({"domain": "water", "kind": "pump"}, []),
    ],
)
def test_the_newest_of_some(reader: httpx.Client, params: dict[str, str], ids: list[str]) -> None:
    text = reader.get("/v1/latest", params={**params, "format": "csv"}).text
    assert [line.split(",")[0] for line in text.splitlines()[1:]] == ids


@pytest.mark.parametrize(
    ("params", "status", "word"),
    [
        ({}, 422, "domain"),
        ({"domain": "air"}, 422, "domain"),
        ({"sensor_id": "W-0", "zone": "Zone 9"}, 422, "zone"),
        ({"domain": "water", "zone": "Atlantis"}, 404, "Atlantis"),
        ({"sensor_id": "ghost"}, 404, "ghost"),
        ({"sensor_id": ["W-0", STATION.id]}, 422, "sensor_id"),
        ({"domain": "water", "metrics": "speed"}, 422, "metrics"),
    ],
)
def test_a_wrong_question_is_named(
    reader: httpx.Client, params: dict[str, str], status: int, word: str
) -> None:
    answer = reader.get("/v1/latest", params=params)
    assert answer.status_code == status, answer.text
    assert word in answer.text


def test_litres_go_on_across_a_rollover_and_are_unknown_across_an_exchange(
    reader: httpx.Client,
) -> None:
    params = {"zone": "Zone 9", "start": "2026-03-01T00:00:00Z", "end": "2026-03-03T00:00:00Z"}
    answer = reader.get("/v1/consumption", params=params).json()
    columns = answer["columns"]
    rows = {
        (sensor, time[:10]): (litres, known, events)
        for sensor, time, litres, known, events in zip(
            columns["sensor_id"],
            columns["time"],
            columns["consumption_litres"],
            columns["known_share"],
            columns["events"],
            strict=True,
        )
    }
    assert answer["bucket"] == "P1D"
    assert rows["W-1", "2026-03-01"] == (pytest.approx(240.0), pytest.approx(1.0), "rollover")
    assert rows["W-0", "2026-03-01"] == (pytest.approx(240.0), pytest.approx(1.0), None)
    litres, known, events = rows["W-0", "2026-03-02"]
    assert (litres, events) == (pytest.approx(230.0), "exchange")
    assert known == pytest.approx(23 / 24)
    assert rows["W-2", "2026-03-02"][0] is None


def test_litres_of_one_meter_in_another_form(reader: httpx.Client) -> None:
    params = {
        "start": "2026-03-01T00:00:00Z",
        "end": "2026-03-01T02:00:00Z",
        "bucket": "PT1H",
        "format": "csv",
    }
    text = reader.get("/v1/sensors/W-0/consumption", params=params).text
    head, first, second = text.splitlines()
    assert head == "time,consumption_litres,known_share,share,events"
    assert first.startswith("2026-03-01T00:00:00Z,10.0,1.0,")
    assert second.startswith("2026-03-01T01:00:00Z,10.0,1.0,")


def test_traffic_has_no_litres(reader: httpx.Client) -> None:
    for path in (
        f"/v1/sensors/{STATION.id}/consumption",
        f"/v1/consumption?sensor_id={STATION.id}",
    ):
        answer = reader.get(path)
        assert answer.status_code == 422
        assert answer.json()["field"] == "sensor_id"
