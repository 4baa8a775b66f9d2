"""Readings as they are stored, and alerts and readings over one WebSocket: filtered, resumable, bounded."""

import asyncio
import json
import queue
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as dial

from services.api.metrics import ApiMetrics
from services.api.places import Places
from services.api.settings import ApiSettings
from services.api.streams.live import Frame, Listener
from services.api.streams.tail import AlertTail, AlertWants
from services.domain.batch import ReadingBatch
from services.domain.instant import to_us
from services.domain.sensor import Sensor
from services.store import feed
from services.store.connection import connect, transaction
from tests.api_server import METER, STATION, Api, new_key, register, say, serving
from tests.integration.test_api_stream import following
from tests.waiting import PATIENCE_S

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def numbers(api: Api) -> dict[str, int]:
    return dict(register(api.database_url, [METER, STATION]))


def feed_in(api: Api, sensor: Sensor, number: int, **values: float) -> None:
    """What ingest does at the end of a batch: one row of the feed."""
    observed = np.array([to_us(NOW + timedelta(minutes=1))], np.int64)
    batch = ReadingBatch(
        sensor.domain,
        np.array([number], np.int32),
        observed,
        observed,
        np.zeros(1, np.int16),
        {name: np.array([value]) for name, value in values.items()},
    )
    with connect(api.database_url, "test", autocommit=True) as connection, transaction(connection):
        feed.append(connection, batch)


def next_readings(found: "queue.Queue[dict[str, str]]") -> tuple[str, dict[str, Any]]:
    while True:
        event = found.get(timeout=PATIENCE_S)
        assert event.get("event") != "end"
        if event.get("event") == "readings":
            return event["id"], json.loads(event["data"])


PATH = "/v1/readings/stream"


def test_readings_arrive_as_they_are_stored_and_only_those_that_are_wanted(
    api: Api, reader: httpx.Client, numbers: dict[str, int]
) -> None:
    wanted = {"domain": "water", "zone": METER.zone, "metrics": "flow"}
    with following(reader, path=PATH, params=wanted) as found:
        feed_in(api, STATION, numbers[STATION.id], speed_km_per_h=90.0)
        feed_in(api, METER, numbers[METER.id], pressure_kpa=300.0)
        feed_in(api, METER, numbers[METER.id], flow_litres_per_h=12.5, pressure_kpa=300.0)
        _, told = next_readings(found)
    assert told == {
        "domain": "water",
        "columns": {
            "time": ["2026-01-01T00:01:00Z"],
            "sensor_id": [METER.id],
            "flow_litres_per_h": [12.5],
            "quality": [0],
        },
    }


def test_a_client_gets_the_readings_that_it_missed(
    api: Api, reader: httpx.Client, numbers: dict[str, int]
) -> None:
    with following(reader, path=PATH) as found:
        feed_in(api, METER, numbers[METER.id], flow_litres_per_h=1.0)
        place, _ = next_readings(found)
    for value in (2.0, 3.0):
        feed_in(api, METER, numbers[METER.id], flow_litres_per_h=value)
    with following(reader, path=PATH, last_event_id=place) as found:
        feed_in(api, METER, numbers[METER.id], flow_litres_per_h=4.0)
        seen = [next_readings(found)[1]["columns"]["flow_litres_per_h"] for _ in range(3)]
    assert seen == [[2.0], [3.0], [4.0]]


@pytest.mark.parametrize(
    ("params", "status", "word"),
    [
        ({"after": "1"}, 422, "after"),
        ({"after": "1.2.99999999999999999999"}, 422, "after"),
        ({"sensor_id": "ghost"}, 404, "ghost"),
        ({"zone": "Zone 3"}, 422, "domain"),
        ({"domain": "water", "zone": "Atlantis"}, 404, "Atlantis"),
        ({"metrics": "smell"}, 422, "smell"),
    ],
)
def test_a_wrong_wish_is_refused(
    shared_reader: httpx.Client, params: dict[str, str], status: int, word: str
) -> None:
    answer = shared_reader.get(PATH, params=params)
    assert answer.status_code == status
    assert word in answer.text


@contextmanager
def dialled(api: Api, query: str, **headers: str) -> Iterator[ClientConnection]:
    address = f"{api.url.replace('http://', 'ws://')}/v1/live{query}"
    with dial(address, additional_headers=headers, proxy=None, open_timeout=PATIENCE_S) as socket:
        yield socket


def message(socket: ClientConnection, event: str) -> dict[str, Any]:
    while True:
        found: dict[str, Any] = json.loads(socket.recv(timeout=PATIENCE_S))
        if found["event"] == event:
            return found


def test_one_socket_tells_of_alerts_and_readings(api: Api, numbers: dict[str, int]) -> None:
    key = new_key(api.database_url, "read", name="socket")
    query = "?topics=alerts&topics=readings&domain=water"
    with dialled(api, query, Authorization=f"Bearer {key}") as socket:
        topics = {message(socket, "ready")["data"]["topic"] for _ in range(2)}
        assert topics == {"alerts", "readings"}
        alert = say(api.database_url)
        told = message(socket, "alert")
        assert told["data"]["alert"]["id"] == str(alert.id)
        feed_in(api, METER, numbers[METER.id], flow_litres_per_h=5.0)
        first = message(socket, "readings")
        assert first["data"]["columns"]["flow_litres_per_h"] == [5.0]
        assert message(socket, "beat")["id"] is None
    feed_in(api, METER, numbers[METER.id], flow_litres_per_h=6.0)
    again = f"?topics=readings&readings_after={first['id']}"
    with dialled(api, again, **{"X-API-Key": key}) as socket:
        assert message(socket, "readings")["data"]["columns"]["flow_litres_per_h"] == [6.0]


@pytest.mark.parametrize(
    ("query", "with_key", "status", "word"),
    [
        ("", False, 401, "API key"),
        ("?topics=weather", True, 422, "alerts"),
        ("?colour=red", True, 422, "colour"),
        ("?alerts_after=x", True, 422, "alerts_after"),
        ("?topics=readings&sensor_id=ghost", True, 404, "ghost"),
    ],
)
def test_a_socket_that_may_not_be_opened_says_why(
    shared_api: Api, query: str, with_key: bool, status: int, word: str
) -> None:
    key = new_key(shared_api.database_url, "read", name=str(uuid.uuid4())) if with_key else "no"
    with (
        pytest.raises(InvalidStatus) as refused,
        dialled(shared_api, query, Authorization=f"Bearer {key}"),
    ):
        pass
    assert refused.value.response.status_code == status
    assert word in refused.value.response.body.decode()


def test_a_page_of_another_host_gets_no_socket(shared_api: Api) -> None:
    cookie = {"Cookie": "citygauge_session=x", "Origin": "http://elsewhere"}
    with pytest.raises(InvalidStatus) as refused, dialled(shared_api, "", **cookie):
        pass
    assert refused.value.response.status_code == 403


def until_closed(socket: ClientConnection) -> None:
    while True:
        socket.recv(timeout=PATIENCE_S)


def test_a_socket_ends_with_the_service(database_url: str) -> None:
    key = new_key(database_url, "read", name="socket")
    running = serving(database_url)
    api = running.__enter__()
    with dialled(api, "", Authorization=f"Bearer {key}") as socket:
        message(socket, "ready")
        running.__exit__(None, None, None)
        with pytest.raises(ConnectionClosed):
            until_closed(socket)


def test_a_slow_client_is_cut_and_the_others_are_not() -> None:
    metrics = ApiMetrics()
    settings = ApiSettings(stream_queue_events=10)
    tail = AlertTail("postgresql://nobody@127.0.0.1/none", settings, metrics, Places())

    async def run() -> tuple[Listener[AlertWants], Listener[AlertWants]]:
        slow, quick = tail.subscribe(AlertWants()), tail.subscribe(AlertWants())
        for position in range(12):
            frame = Frame((position,), str(position), "alert", b"{}")
            tail._deliver([(slow, [frame]), (quick, [frame])])
            quick.queue.get_nowait()
        return slow, quick

    # aside: the browser's tests leave a loop running in the main thread
    with ThreadPoolExecutor(1) as aside:
        slow, quick = aside.submit(asyncio.run, run()).result()
    assert (slow.cut, quick.cut) == (True, False)
    assert slow.queue.get_nowait() is None
    assert tail.listeners() == (quick,)
    assert b"streams_cut_total 1.0" in metrics.exposition()


def next_reset(found: "queue.Queue[dict[str, str]]") -> tuple[str, dict[str, Any]]:
    while True:
        event = found.get(timeout=PATIENCE_S)
        assert event.get("event") not in {"end", "readings", "alert"}, event
        if event.get("event") == "reset":
            return event["id"], json.loads(event["data"])


def test_who_resumes_behind_what_was_pruned_is_told(
    api: Api, reader: httpx.Client, numbers: dict[str, int]
) -> None:
    with following(reader, path=PATH) as found:
        for value in (1.0, 2.0, 3.0):
            feed_in(api, METER, numbers[METER.id], flow_litres_per_h=value)
        first, second, third = (next_readings(found)[0] for _ in range(3))
    with following(reader, path=PATH, last_event_id=first) as found:
        assert next_readings(found)[0] == second, "nothing is gone yet"
    with connect(api.database_url, "test", autocommit=True) as connection:
        later = datetime.now(UTC) + timedelta(days=1)
        assert feed.prune(connection, timedelta(0), later, limit=2) == 2
    with following(reader, path=PATH, last_event_id=first) as found:
        id_, told = next_reset(found)
        assert (id_, told["reason"]) == (first, "pruned")
        assert told["kept_since"].endswith("Z")
        assert next_readings(found)[0] == third
    with following(reader, path=PATH, last_event_id=second) as found:
        assert next_readings(found)[0] == third, "nothing that it wants is gone"
    query = f"?topics=readings&readings_after={first}"
    with dialled(api, query, Authorization=reader.headers["Authorization"]) as socket:
        assert message(socket, "reset")["data"]["reason"] == "pruned"
        assert message(socket, "readings")["id"] == third


def test_who_resumes_after_a_restored_backup_is_told(
    api: Api, reader: httpx.Client, numbers: dict[str, int]
) -> None:
    old = say(api.database_url, subject="old")
    with following(reader, after=10**6) as found:
        id_, told = next_reset(found)
        assert (id_, told) == ("1", {"reason": "restored", "kept_since": None})
        new = say(api.database_url, subject="new")
        while (event := found.get(timeout=PATIENCE_S)).get("event") != "alert":
            assert event.get("event") != "end"
        assert json.loads(event["data"])["alert"]["id"] == str(new.id) != str(old.id)
    with following(reader, path=PATH) as found:
        feed_in(api, METER, numbers[METER.id], flow_litres_per_h=1.0)
        epoch, xid, id_ = next_readings(found)[0].split(".")
    for place in (f"{epoch}.{int(xid) + 10**6}.{id_}", f"{int(epoch) + 1}.{xid}.{id_}"):
        with following(reader, path=PATH, last_event_id=place) as found:
            assert next_reset(found)[1]["kept_since"].endswith("Z")
