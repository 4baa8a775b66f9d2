"""A road's contour and travel time, a zone's balance and night flow, over HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.domain.catalogue import SensorKind
from services.domain.sensor import Sensor
from services.embedded.database import EmbeddedDatabase
from tests.api_server import Api, new_key, register, serving, store

START = datetime(2026, 3, 2, 23, tzinfo=UTC)
"""Midnight in Madrid."""
DAY = {"start": "2026-03-02T23:00:00Z", "end": "2026-03-03T23:00:00Z"}


def station(i: int, direction: str = "north") -> Sensor:
    return Sensor(
        f"S{i}{direction[0]}",
        SensorKind.TRAFFIC_STATION,
        road="M-30",
        direction=direction,
        position_m=1000.0 * i,
        cadence_s=300.0,
        time_zone="Europe/Madrid",
    )


def of_zone(id_: str, kind: SensorKind, **more: Any) -> Sensor:
    return Sensor(id_, kind, zone="DMA 7", cadence_s=900.0, time_zone="Europe/Madrid", **more)


STATIONS = [station(i) for i in range(3)]
ZONE = [
    of_zone("IN", SensorKind.DMA_INLET),
    of_zone("OUT", SensorKind.DMA_OUTLET),
    of_zone("TANK", SensorKind.TANK_LEVEL, area_m2=10.0),
    of_zone("M-1", SensorKind.WATER_METER),
    of_zone("M-2", SensorKind.WATER_METER),
]


@pytest.fixture(scope="module")
def city(database_server: EmbeddedDatabase, migrated_template: str) -> Iterator[Api]:
    """Three stations at 90 km/h and, from eight to nine, 30; a zone that takes 1,000 L/h, by night 400."""
    url = database_server.clone(migrated_template)
    numbers = register(url, [*STATIONS, station(0, "south"), *ZONE])
    times = [START + timedelta(minutes=5 * i) for i in range(288)]
    for each in STATIONS:
        speed = [30.0 if 96 <= i < 108 else 90.0 for i in range(288)]
        store(url, each, numbers[each.id], times, speed_km_per_h=speed)
    quarters = [START + timedelta(minutes=15 * i) for i in range(-1, 97)]
    flow = [
        400.0 if 8 < i <= 16 else 1000.0 for i in range(-1, 97)
    ]  # a value is of the time before
    total, register_litres = 500_000.0, []
    for value in flow:
        total += value / 4
        register_litres.append(total)
    store(url, ZONE[0], numbers["IN"], quarters, register_litres=register_litres)
    store(url, ZONE[1], numbers["OUT"], quarters, flow_litres_per_h=[100.0] * 98)
    level = [1.0 + 0.01 * i / 4 for i in range(98)]  # 100 litres an hour
    store(url, ZONE[2], numbers["TANK"], quarters, level_m=level)
    for name in ("M-1", "M-2"):
        store(
            url,
            ZONE[3],
            numbers[name],
            quarters,
            register_litres=[200_000.0 + 25.0 * i for i in range(98)],
        )
    with serving(url) as api:
        yield api
    database_server.drop(url.rpartition("/")[2])


@pytest.fixture(scope="module")
def reader(city: Api) -> Iterator[httpx.Client]:
    """A client that may read."""
    with city.client(new_key(city.database_url, "read", name="reader")) as client:
        yield client


NORTH = {**DAY, "road": "M-30", "direction": "north"}


def test_a_contour_is_a_matrix_of_time_and_distance(reader: httpx.Client) -> None:
    answer = reader.get("/v1/roads/contour", params={**NORTH, "bucket": "PT1H"}).json()
    assert answer["positions_m"] == [0.0, 1000.0, 2000.0]
    assert answer["sensor_id"] == [each.id for each in STATIONS]
    assert len(answer["times"]) == 24
    assert [len(row) for row in answer["speed_km_per_h"]] == [24] * 3
    assert answer["speed_km_per_h"][1][7:10] == [90.0, 30.0, 90.0]
    text = reader.get("/v1/roads/contour", params={**NORTH, "bucket": "PT1H", "format": "csv"}).text
    assert text.splitlines()[0] == "time,sensor_id,position_m,speed_km_per_h"
    assert text.splitlines()[2] == "2026-03-02T23:00:00Z,S1n,1000.0,90.0"
    assert len(text.splitlines()) == 73


def test_travel_time_and_delay(reader: httpx.Client) -> None:
    answer = reader.get("/v1/roads/travel-time", params={**NORTH, "bucket": "PT1H"}).json()
    columns = answer["columns"]
    assert answer["length_m"] == 2000.0
    assert columns["travel_time_s"][7:9] == pytest.approx([80.0, 240.0])
    assert columns["free_travel_time_s"][8] == pytest.approx(80.0)
    assert columns["delay_s"][7:9] == pytest.approx([0.0, 160.0])
    assert columns["measured_share"][8] == 1.0
    given = {**NORTH, "bucket": "PT1H", "free_speed_km_per_h": "120"}
    columns = reader.get("/v1/roads/travel-time", params=given).json()["columns"]
    assert columns["delay_s"][7] == pytest.approx(20.0)


def test_the_balance_of_a_zone(reader: httpx.Client) -> None:
    params = {**DAY, "zone": "DMA 7", "bucket": "PT1H"}
    columns = reader.get("/v1/zones/balance", params=params).json()["columns"]
    row = {name: values[12] for name, values in columns.items()}
    assert row.pop("time") == "2026-03-03T11:00:00Z"
    expected = {
        "inflow_litres": 1000.0,
        "outflow_litres": 100.0,
        "storage_litres": 100.0,
        "net_inflow_litres": 800.0,
        "metered_litres": 200.0,
        "balance_litres": 600.0,
        "inflow_share": 1.0,
        "metered_share": 1.0,
    }
    assert row == {name: pytest.approx(value) for name, value in expected.items()}
    day = reader.get("/v1/zones/balance", params={**DAY, "zone": "DMA 7"}).json()["columns"]
    assert day["time"] == ["2026-03-02T23:00:00Z"]
    assert day["inflow_litres"] == [pytest.approx(22 * 1000.0 + 2 * 400.0)]


def test_the_flow_of_the_night(reader: httpx.Client) -> None:
    params = {**DAY, "zone": "DMA 7"}
    columns = reader.get("/v1/zones/night-flow", params=params).json()["columns"]
    assert columns["time"] == ["2026-03-02T23:00:00Z"]
    assert columns["night_flow_litres_per_h"] == [pytest.approx(200.0)]
    assert columns["night_mean_litres_per_h"] == [pytest.approx(200.0)]
    assert columns["metered_litres_per_h"] == [pytest.approx(200.0)]


@pytest.mark.parametrize(
    ("path", "params", "status", "word"),
    [
        ("/v1/roads/contour", {"road": "M-30"}, 422, "north, south"),
        ("/v1/roads/contour", {"road": "M-30", "direction": "south"}, 422, "two stations"),
        ("/v1/roads/contour", {"road": "Styx"}, 404, "Styx"),
        ("/v1/roads/contour", {**NORTH, "bucket": "PT1S"}, 422, "PT"),
        ("/v1/roads/contour", {}, 422, "road"),
        ("/v1/roads/travel-time", {**NORTH, "free_speed_km_per_h": "0"}, 422, "more than 0"),
        ("/v1/zones/balance", {"zone": "Atlantis"}, 404, "Atlantis"),
        ("/v1/zones/balance", {**DAY, "zone": "DMA 7", "bucket": "PT1S"}, 422, "PT"),
        (
            "/v1/zones/night-flow",
            {**DAY, "zone": "DMA 7", "first_hour": "5", "last_hour": "4"},
            422,
            "last_hour",
        ),
    ],
)
def test_a_wrong_question_is_named(
    reader: httpx.Client, path: str, params: dict[str, str], status: int, word: str
) -> None:
    answer = reader.get(path, params=params)
    assert answer.status_code == status, answer.text
    assert word in answer.text
