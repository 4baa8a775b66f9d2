"""Sensors over HTTP: pages, filters, GeoJSON, quarantine."""

from dataclasses import asdict
from datetime import UTC, datetime

import httpx
import pytest

from services.domain.catalogue import Domain, SensorKind
from services.domain.sensor import Sensor
from services.store.connection import connect
from services.store.sensors import SensorRepository, Sighting
from tests.api_server import METER, STATION, Api, register

MANY = [
    Sensor(f"P-{i:03}", SensorKind.PRESSURE, zone="Zone 9", lon=i / 10, lat=1.0) for i in range(25)
]


def test_a_sensor_comes_back_as_it_was_registered(api: Api, reader: httpx.Client) -> None:
    register(api.database_url, [METER, STATION])
    for sensor in (METER, STATION):
        expected = asdict(sensor) | {"domain": sensor.domain.value}
        assert reader.get(f"/v1/sensors/{sensor.id}").json() == expected
    missing = reader.get("/v1/sensors/nobody")
    assert missing.status_code == 404
    assert "nobody" in missing.json()["detail"]
    assert reader.get("/v1/sensors/a%20b").json()["field"] == "sensor_id"


def test_pages_are_complete_and_filters_hold(api: Api, reader: httpx.Client) -> None:
    register(api.database_url, [METER, STATION, *MANY])
    found: list[str] = []
    after = None
    while True:
        params = {"limit": 10} | ({"after": after} if after else {})
        page = reader.get("/v1/sensors", params=params).json()
        found += [item["id"] for item in page["items"]]
        after = page["next"]
        assert page["has_more"] == (after is not None)
        if after is None:
            break
    assert found == sorted([METER.id, STATION.id, *(sensor.id for sensor in MANY)])
    for params, expected in (
        ({"domain": "traffic"}, [STATION.id]),
        ({"kind": "water_meter"}, [METER.id]),
        ({"zone": "Zone 3"}, [METER.id]),
        ({"road": "M-30"}, [STATION.id]),
        ({"q": "mill str"}, [METER.id]),
        ({"q": "%"}, []),
    ):
        items = reader.get("/v1/sensors", params=params).json()["items"]
        assert [item["id"] for item in items] == expected


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"domain": "air"}, "domain"),
        ({"kind": "toaster"}, "kind"),
        ({"limit": "10001"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"q": ""}, "q"),
        ({"q": "a\x00b"}, "q"),
        ({"after": "%%%"}, "after"),
        ({"sort": "name"}, "sort"),
    ],
)
def test_a_wrong_parameter_is_named(
    shared_reader: httpx.Client, params: dict[str, str], field: str
) -> None:
    answer = shared_reader.get("/v1/sensors", params=params)
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field


def test_geojson_is_a_feature_collection(api: Api, reader: httpx.Client) -> None:
    register(api.database_url, [METER, STATION])
    answer = reader.get("/v1/sensors.geojson")
    assert answer.headers["content-type"] == "application/geo+json"
    meter, station = answer.json()["features"]
    assert meter["geometry"] == {"type": "Point", "coordinates": [-0.3763, 39.4699]}
    assert meter["properties"]["zone"] == "Zone 3"
    assert station["geometry"] is None


def test_quarantine_lists_who_is_not_registered(api: Api, reader: httpx.Client) -> None:
    seen = datetime(2026, 1, 1, tzinfo=UTC)
    with connect(api.database_url, "test", autocommit=True) as connection:
        SensorRepository(connection).quarantine(
            [Sighting("X-1", Domain.WATER, seen, 3, "citygauge/v1/water/X-1/reading")]
        )
    assert reader.get("/v1/quarantine/sensors").json() == {
        "items": [
            {
                "id": "X-1",
                "domain": "water",
                "first_seen": "2026-01-01T00:00:00Z",
                "last_seen": "2026-01-01T00:00:00Z",
                "readings": 3,
                "last_topic": "citygauge/v1/water/X-1/reading",
            }
        ],
        "next": None,
        "has_more": False,
    }


def test_sensors_are_geojson_where_accept_asks_for_it(api: Api, reader: httpx.Client) -> None:
    register(api.database_url, [METER])
    asked = reader.get("/v1/sensors", headers={"Accept": "application/geo+json"})
    assert asked.headers["content-type"] == "application/geo+json"
    assert asked.json() == reader.get("/v1/sensors.geojson").json()
    refused = reader.get("/v1/sensors", headers={"Accept": "text/html"})
    assert refused.status_code == 406
