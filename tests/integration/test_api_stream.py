"""The live stream of alerts: at once, resumable, bounded."""

import json
import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from services.domain.catalogue import SensorKind
from services.domain.condition import Rule
from services.domain.sensor import Sensor
from services.store.connection import connect
from tests.api_server import Api, new_key, register, say, serving
from tests.waiting import PATIENCE_S, wait_until

Event = dict[str, str]


@contextmanager
def following(
    client: httpx.Client,
    after: int | None = None,
    last_event_id: str | None = None,
    params: Mapping[str, Any] | None = None,
    path: str = "/v1/alerts/stream",
) -> Iterator["queue.Queue[Event]"]:
    """The stream's events and comments as they come; ends with an `event: end`."""
    found: queue.Queue[Event] = queue.Queue()
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    params = params or ({} if after is None else {"after": after})
    ready = threading.Event()
    with client.stream("GET", path, params=params, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")

        def pump() -> None:
            event: Event = {}
            try:
                for line in answer.iter_lines():
                    if line.startswith(":"):
                        found.put({"comment": line[1:].strip()})
                    elif line:
                        name, _, value = line.partition(": ")
                        event[name] = value
                    elif event:
                        if event.get("event") == "ready":
                            ready.set()
                        if "event" in event:
                            found.put(event)
                        event = {}
            except (httpx.HTTPError, RuntimeError, OSError):
                pass
            found.put({"event": "end"})
            ready.set()

        thread = threading.Thread(target=pump, daemon=True)
        thread.start()
        assert ready.wait(PATIENCE_S)
        yield found


def next_alert(found: "queue.Queue[Event]") -> tuple[int, dict[str, object]]:
    while True:
        event = found.get(timeout=PATIENCE_S)
        assert event.get("event") != "end"
        if event.get("event") == "alert":
            return int(event["id"]), json.loads(event["data"])


def test_an_alert_arrives_as_it_is_raised_and_as_it_changes(
    api: Api, operator: httpx.Client
) -> None:
    old = say(api.database_url, subject="old")
    with (
        api.client(new_key(api.database_url, "read", name="r")) as client,
        following(client) as found,
    ):
        assert found.get(timeout=PATIENCE_S)["event"] == "ready"
        alert = say(api.database_url, subject="new")
        position, told = next_alert(found)
        assert told["alert"]["id"] == str(alert.id) != str(old.id)  # type: ignore[index]
        assert told["event"]["kind"] == "raised"  # type: ignore[index]
        operator.post(f"/v1/alerts/{alert.id}/acknowledge").raise_for_status()
        later, told = next_alert(found)
        assert later > position
        assert told["alert"]["acknowledged_by"] == "Ana Torres"  # type: ignore[index]


def test_who_leaves_a_live_stream_has_had_it_all(api: Api, reader: httpx.Client) -> None:
    """It has no other end: it is no answer that broke off."""
    with following(reader):
        pass
    route = 'method="GET",route="/v1/alerts/stream",status="200"'
    wait_until(
        lambda: f"citygauge_api_requests_total{{{route}}} 1.0" in reader.get("/metrics").text,
        what="the stream to be counted",
    )
    assert 'status="499"' not in reader.get("/metrics").text


def test_a_client_resumes_where_it_was(api: Api, reader: httpx.Client) -> None:
    ids = [str(say(api.database_url, subject=f"s{i}").id) for i in range(4)]
    with following(reader, after=0) as found:
        positions = []
        for expected in ids:
            position, told = next_alert(found)
            positions.append(position)
            assert told["alert"]["id"] == expected  # type: ignore[index]
    ids.append(str(say(api.database_url, subject="s4").id))
    with following(reader, after=0, last_event_id=str(positions[2])) as found:
        assert [next_alert(found)[1]["alert"]["id"] for _ in range(2)] == ids[3:]  # type: ignore[index]


def test_a_quiet_stream_beats(reader: httpx.Client) -> None:
    with following(reader) as found:
        wait_until(lambda: found.get(timeout=PATIENCE_S).get("comment") == "still here")


def test_wrong_positions_are_refused(reader: httpx.Client) -> None:
    for headers, params, field in (
        ({"Last-Event-ID": "newest"}, {}, "Last-Event-ID"),
        ({"Last-Event-ID": "9" * 40}, {}, "Last-Event-ID"),
        ({}, {"after": "-1"}, "after"),
    ):
        answer = reader.get("/v1/alerts/stream", headers=headers, params=params)
        assert answer.status_code == 422
        assert answer.json()["field"] == field


def test_places_are_counted_and_given_back(database_url: str) -> None:
    secret = new_key(database_url, "read")
    with (
        serving(database_url, stream_clients=1, stream_heartbeat_s=0.1) as api,
        api.client(secret) as client,
    ):
        with following(client):
            full = client.get("/v1/alerts/stream")
            assert full.status_code == 503
            assert full.headers["retry-after"]
            assert "citygauge_api_stream_clients 1.0" in client.get("/metrics").text
        wait_until(
            lambda: "citygauge_api_stream_clients 0.0" in client.get("/metrics").text,
            what="the place to be given back",
        )


def test_a_stream_lives_through_the_loss_of_its_database_connection(api: Api) -> None:
    end = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE application_name LIKE 'citygauge-api%' AND datname = current_database()"
    )
    with api.client(new_key(api.database_url, "read")) as client, following(client) as found:
        with connect(api.database_url, "test", autocommit=True) as connection:
            row = connection.execute(end).fetchone()
            assert row is not None
            assert row[0] >= 1
        alert = say(api.database_url)
        assert next_alert(found)[1]["alert"]["id"] == str(alert.id)  # type: ignore[index]


def test_a_stream_tells_only_of_the_alerts_that_are_wanted(api: Api, reader: httpx.Client) -> None:
    params = {"after": 0, "subject": "wanted", "severity": "critical"}
    say(api.database_url, subject="other")
    old = say(api.database_url, subject="wanted")
    with following(reader, params=params) as found:
        assert next_alert(found)[1]["alert"]["id"] == str(old.id)  # type: ignore[index]
        say(api.database_url, subject="another")
        new = say(api.database_url, subject="wanted", rule=Rule.CONTINUOUS_FLOW)
        assert next_alert(found)[1]["alert"]["id"] == str(new.id)  # type: ignore[index]


@pytest.mark.parametrize("params", [{"domain": "water"}, {"zone": "North"}])
def test_a_stream_finds_where_an_alert_is_as_the_list_does(
    api: Api, reader: httpx.Client, params: dict[str, str]
) -> None:
    meter = Sensor("m1", SensorKind.WATER_METER, zone="North", gateway="GW 7")
    station = Sensor("t1", SensorKind.TRAFFIC_STATION, zone="South")
    register(api.database_url, [meter, station])
    for subject in ("t1", "feed/traffic", "flood/traffic", "gateway/elsewhere", "nobody"):
        say(api.database_url, subject=subject)
    wanted = {
        str(say(api.database_url, subject=subject).id)
        for subject in ("m1", "feed/water", "flood/water", "gateway/GW 7")
    }
    listed = reader.get("/v1/alerts", params=params).json()["items"]
    assert {alert["id"] for alert in listed} == wanted
    with following(reader, params={**params, "after": 0}) as found:
        told = [next_alert(found)[1]["alert"]["id"] for _ in wanted]  # type: ignore[index]
    assert set(told) == wanted
