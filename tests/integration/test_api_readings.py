"""Readings over HTTP: raw pages, buckets, gaps, many sensors, the newest."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import nan

import httpx
import numpy as np
import pytest

from services.domain.catalogue import SensorKind
from services.domain.sensor import Sensor
from tests.api_server import METER, STATION, Api, register, store

START = datetime(2026, 1, 1, tzinfo=UTC)
PATH = f"/v1/sensors/{METER.id}/readings"


def minutes(n: int, first: int = 0) -> list[datetime]:
    return [START + timedelta(minutes=first + i) for i in range(n)]


def text(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


@pytest.fixture(scope="module")
def api(shared_api: Api) -> Api:
    return shared_api


@pytest.fixture(scope="module")
def reader(shared_reader: httpx.Client) -> httpx.Client:
    return shared_reader


@pytest.fixture(scope="module")
def stored(api: Api) -> Api:
    """Minutes 0 to 119 and 180 to 239 of a day: flow = minute, register only in even minutes."""
    number = register(api.database_url, [METER, STATION])[METER.id]
    for first, n in ((0, 120), (180, 60)):
        flow = [float(first + i) for i in range(n)]
        register_litres = [1000.5 + value if value % 2 == 0 else nan for value in flow]
        store(
            api.database_url,
            METER,
            number,
            minutes(n, first),
            flow_litres_per_h=flow,
            register_litres=register_litres,
        )
    return api


def test_raw_readings_come_back_exactly_with_null_for_missing(
    stored: Api, reader: httpx.Client
) -> None:
    answer = reader.get(
        PATH,
        params={
            "start": text(START),
            "end": text(START + timedelta(minutes=4)),
            "metrics": ["register_litres", "flow"],
            "include": ["received_at", "stored_at"],
        },
    ).json()
    assert answer["columns"].pop("stored_at")[0].endswith("Z")
    assert answer == {
        "sensor_id": METER.id,
        "start": "2026-01-01T00:00:00Z",
        "end": "2026-01-01T00:04:00Z",
        "bucket": None,
        "aggregate": None,
        "metrics": [
            {"name": "register_litres", "unit": "L"},
            {"name": "flow_litres_per_h", "unit": "L/h"},
        ],
        "columns": {
            "time": [f"2026-01-01T00:0{i}:00Z" for i in range(4)],
            "register_litres": [1000.5, None, 1002.5, None],
            "flow_litres_per_h": [0.0, 1.0, 2.0, 3.0],
            "quality": [0, 0, 0, 0],
            "received_at": [f"2026-01-01T00:0{i}:01Z" for i in range(4)],
        },
        "next": None,
        "has_more": False,
    }


def test_raw_pages_are_complete_and_ordered(stored: Api, reader: httpx.Client) -> None:
    params: dict[str, str] = {
        "start": text(START),
        "end": text(START + timedelta(days=1)),
        "limit": "50",
    }
    found: list[float] = []
    pages = 0
    while True:
        page = reader.get(PATH, params=params).json()
        assert page["has_more"] == (page["next"] is not None)
        found += page["columns"]["flow_litres_per_h"]
        pages += 1
        if not page["has_more"]:
            break
        params["after"] = page["next"]
    assert found == [*map(float, range(120)), *map(float, range(180, 240))]
    assert pages == 4


@pytest.mark.parametrize(
    ("aggregate", "first"),
    [("avg", 29.5), ("min", 0.0), ("max", 59.0), ("sum", 1770.0), ("last", 59.0), ("count", 60.0)],
)
def test_buckets_are_right_and_empty_ones_are_null(
    stored: Api, reader: httpx.Client, aggregate: str, first: float
) -> None:
    answer = reader.get(
        PATH,
        params={
            "start": text(START),
            "end": text(START + timedelta(hours=5)),
            "metrics": "flow_litres_per_h",
            "bucket": "PT1H",
            "aggregate": aggregate,
        },
    ).json()
    assert answer["bucket"] == "PT1H"
    assert answer["aggregate"] == aggregate
    assert answer["columns"]["time"] == [f"2026-01-01T0{hour}:00:00Z" for hour in range(5)]
    values = answer["columns"]["flow_litres_per_h"]
    assert values[0] == first
    assert values[2] is None
    assert values[3] is not None
    assert values[4] is None
    assert not answer["has_more"]


def test_a_bucket_may_be_given_in_seconds_and_the_range_begin_inside_one(
    stored: Api, reader: httpx.Client
) -> None:
    params = {
        "start": text(START + timedelta(minutes=10)),
        "end": text(START + timedelta(minutes=40)),
        "metrics": "flow",
        "bucket": "900",
        "aggregate": "count",
    }
    answer = reader.get(PATH, params=params).json()
    assert answer["bucket"] == "PT15M"
    assert answer["columns"]["time"] == [
        f"2026-01-01T00:{minute}:00Z" for minute in ("00", "15", "30")
    ]
    assert answer["columns"]["flow_litres_per_h"] == [5.0, 15.0, 10.0]


def test_days_begin_at_local_midnight_through_the_change_of_clocks(
    api: Api, reader: httpx.Client
) -> None:
    meter = replace(METER, id="M-days")
    number = register(api.database_url, [meter])[meter.id]
    first = datetime(2026, 3, 27, 23, tzinfo=UTC)  # midnight in Madrid; the 29th has 23 hours
    times = [first + timedelta(hours=i) for i in range(72)]
    store(api.database_url, meter, number, times, flow_litres_per_h=[1.0] * 72)
    answer = reader.get(
        f"/v1/sensors/{meter.id}/readings",
        params={
            "start": text(first),
            "end": text(first + timedelta(hours=71)),
            "metrics": "flow",
            "bucket": "P1D",
            "aggregate": "count",
        },
    ).json()
    assert answer["columns"]["time"] == [
        "2026-03-27T23:00:00Z",
        "2026-03-28T23:00:00Z",
        "2026-03-29T22:00:00Z",
    ]
    assert answer["columns"]["flow_litres_per_h"] == [24.0, 23.0, 24.0]


def test_too_many_buckets_name_one_that_fits(stored: Api, reader: httpx.Client) -> None:
    params = {"start": text(START), "end": text(START + timedelta(days=300)), "bucket": "PT1M"}
    refused = reader.get(PATH, params=params)
    assert refused.status_code == 422
    body = refused.json()
    assert (body["field"], body["value"]) == ("bucket", "PT1M")
    fits = body["allowed"].partition(": ")[2].partition(" ")[0]
    assert reader.get(PATH, params={**params, "bucket": fits}).status_code == 200


def test_many_sensors_at_once(stored: Api, reader: httpx.Client) -> None:
    second = Sensor("A-1", SensorKind.WATER_METER, time_zone="Europe/Madrid")
    number = register(stored.database_url, [second])["A-1"]
    store(stored.database_url, second, number, minutes(2), flow_litres_per_h=[7.0, 8.0])
    params = {
        "sensor_id": [METER.id, "A-1"],
        "metrics": "flow",
        "start": text(START),
        "end": text(START + timedelta(minutes=2)),
    }
    raw = reader.get("/v1/readings", params=params).json()
    rows = list(
        zip(
            raw["columns"]["time"],
            raw["columns"]["sensor_id"],
            raw["columns"]["flow_litres_per_h"],
            strict=True,
        )
    )
    assert sorted(rows) == [
        ("2026-01-01T00:00:00Z", "A-1", 7.0),
        ("2026-01-01T00:00:00Z", METER.id, 0.0),
        ("2026-01-01T00:01:00Z", "A-1", 8.0),
        ("2026-01-01T00:01:00Z", METER.id, 1.0),
    ]
    params |= {"bucket": "PT1M", "aggregate": "last", "end": text(START + timedelta(minutes=3))}
    table = reader.get("/v1/readings", params=params).json()["columns"]
    found = {
        (time, sensor): value
        for time, sensor, value in zip(
            table["time"], table["sensor_id"], table["flow_litres_per_h"], strict=True
        )
    }
    assert len(found) == 6
    assert found["2026-01-01T00:02:00Z", "A-1"] is None
    assert found["2026-01-01T00:02:00Z", METER.id] == 2.0
    assert found["2026-01-01T00:01:00Z", "A-1"] == 8.0

    mixed = reader.get("/v1/readings", params={"sensor_id": [METER.id, STATION.id]})
    assert mixed.status_code == 422
    assert mixed.json()["field"] == "sensor_id"
    unknown = reader.get("/v1/readings", params={"sensor_id": [METER.id, "ghost"]})
    assert unknown.status_code == 404
    assert "ghost" in unknown.json()["detail"]


def test_good_readings_only(api: Api, reader: httpx.Client) -> None:
    from services.domain.batch import ReadingBatch
    from services.domain.instant import to_us
    from services.store.connection import connect, transaction
    from services.store.writing.readings import ReadingWriter

    meter = replace(METER, id="M-good")
    number = register(api.database_url, [meter])[meter.id]
    observed = np.array([to_us(time) for time in minutes(3)], np.int64)
    batch = ReadingBatch(
        METER.domain,
        np.full(3, number, np.int32),
        observed,
        observed,
        np.array([0, 2, 1], np.int16),
        {"pressure_kpa": np.array([1.0, 2.0, 3.0])},
    )
    with connect(api.database_url, "test", autocommit=True) as connection, transaction(connection):
        ReadingWriter(connection).write(batch)
    path = f"/v1/sensors/{meter.id}/readings"
    params = {"start": text(START), "end": text(START + timedelta(hours=1)), "metrics": "pressure"}
    assert len(reader.get(path, params=params).json()["columns"]["time"]) == 3
    good = reader.get(path, params={**params, "quality": "good"}).json()["columns"]
    assert good["pressure_kpa"] == [1.0, 3.0]


def test_latest(stored: Api, reader: httpx.Client) -> None:
    newest = reader.get(f"/v1/sensors/{METER.id}/latest").json()
    assert newest["time"] == "2026-01-01T03:59:00Z"
    assert newest["values"] == {
        "flow_litres_per_h": {"time": "2026-01-01T03:59:00Z", "value": 239.0, "unit": "L/h"}
    }
    nothing = reader.get(f"/v1/sensors/{STATION.id}/latest").json()
    assert nothing == {"sensor_id": STATION.id, "time": None, "age_s": None, "values": {}}


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"}, "end"),
        ({"start": "2026-01-01T00:00:00"}, "start"),
        ({"start": "yesterday"}, "start"),
        ({"end": "1e400"}, "end"),
        ({"start": "2099-01-01T00:00:00Z"}, "start"),
        ({"bucket": "0"}, "bucket"),
        ({"bucket": "P2Y"}, "bucket"),
        ({"bucket": "-PT1H"}, "bucket"),
        ({"bucket": "P"}, "bucket"),
        ({"bucket": "P400D"}, "bucket"),
        ({"bucket": "PT1H", "after": "abc"}, "after"),
        ({"longest_gap": "PT1H"}, "longest_gap"),
        ({"aggregate": "median", "bucket": "PT1H"}, "aggregate.0"),
        ({"aggregate": "avg"}, "aggregate"),
        ({"metrics": "speed_km_per_h"}, "metrics"),
        ({"limit": "100001"}, "limit"),
        ({"after": "WzFd"}, "after"),
        ({"include": "sent_at"}, "include.0"),
        ({"format": "xlsx"}, "format"),
        ({"times": "noon"}, "times"),
    ],
)
def test_a_wrong_parameter_is_named(
    stored: Api, reader: httpx.Client, params: dict[str, str], field: str
) -> None:
    answer = reader.get(PATH, params=params)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["field"] == field
    assert body["allowed"]


def test_an_unknown_sensor_is_named(reader: httpx.Client) -> None:
    for path in ("/v1/sensors/ghost/readings", "/v1/sensors/ghost/latest"):
        answer = reader.get(path)
        assert answer.status_code == 404
        assert "ghost" in answer.json()["detail"]
