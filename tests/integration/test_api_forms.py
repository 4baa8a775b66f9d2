"""Readings in every form over HTTP: pages, whole ranges, compression, conditions, and what stops a question."""

import gzip
import io
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.api.history import reading_raw
from services.api.history.reading_raw import RawTable
from services.embedded.database import EmbeddedDatabase
from services.store.connection import Connection, connect
from tests.api_server import METER, Api, new_key, register, serving, store
from tests.waiting import PATIENCE_S, wait_until

START = datetime(2026, 1, 1, tzinfo=UTC)
PATH = f"/v1/sensors/{METER.id}/readings"
DAY = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z", "metrics": "flow"}
ALL = [float(i) for i in range(300)]


@pytest.fixture(scope="module")
def stored(database_server: EmbeddedDatabase, migrated_template: str) -> Iterator[Api]:
    """Three hundred minutes of one meter, answered in blocks of at most sixty-four readings."""
    url = database_server.clone(migrated_template)
    number = register(url, [METER])[METER.id]
    times = [START + timedelta(minutes=i) for i in range(300)]
    store(url, METER, number, times, flow_litres_per_h=ALL)
    with pytest.MonkeyPatch.context() as patch, serving(url) as api:
        patch.setattr(reading_raw, "BLOCK_ROWS", 64)
        yield api
    database_server.drop(url.rpartition("/")[2])


@pytest.fixture(scope="module")
def reader(stored: Api) -> Iterator[httpx.Client]:
    """A client that may read."""
    with stored.client(new_key(stored.database_url, "read", name="reader")) as client:
        yield client


@contextmanager
def held(database_url: str) -> Iterator[Callable[[], int]]:
    """The table of readings locked, so that every question about it waits; yields how many do."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'citygauge-api' "
        "AND datname = current_database() AND wait_event_type = 'Lock'"
    )
    with (
        connect(database_url, "test") as holder,
        connect(database_url, "test", autocommit=True) as observer,
    ):
        holder.execute("LOCK TABLE water_reading IN ACCESS EXCLUSIVE MODE")

        def others() -> int:
            row = observer.execute(waiting).fetchone()
            assert row is not None
            return int(row[0])

        yield others
        holder.rollback()


def flows(answer: httpx.Response) -> list[float]:
    """The column of flows, whatever the form."""
    match answer.headers["content-type"].partition(";")[0]:
        case "application/json":
            body = answer.json()
            if "columns" in body:
                return body["columns"]["flow_litres_per_h"]
            return [row["flow_litres_per_h"] for row in body["rows"]]
        case "application/x-ndjson":
            return [json.loads(line)["flow_litres_per_h"] for line in answer.text.splitlines()]
        case "text/csv":
            return [float(line.split(",")[1]) for line in answer.text.splitlines()[1:]]
        case "application/vnd.apache.arrow.stream":
            table = pa.ipc.open_stream(pa.BufferReader(answer.content)).read_all()
        case _:
            table = pq.read_table(io.BytesIO(answer.content))
    return table["flow_litres_per_h"].to_pylist()


@pytest.mark.parametrize("form", ["ndjson", "csv", "arrow", "parquet"])
def test_a_streamed_form_holds_the_whole_range_and_a_limit_makes_pages_of_it(
    stored: Api, reader: httpx.Client, form: str
) -> None:
    whole = reader.get(PATH, params={**DAY, "format": form})
    assert flows(whole) == ALL
    assert f'filename="{METER.id}.' in whole.headers["content-disposition"]
    assert whole.headers["x-has-more"] == "false"
    found, params = [], {**DAY, "format": form, "limit": "130"}
    for _ in range(3):
        page = reader.get(PATH, params=params)
        found += flows(page)
        params["after"] = page.headers.get("x-next", "")
    assert found == ALL
    assert page.headers["x-has-more"] == "false"
    assert "x-next" not in page.headers


def test_accept_chooses_and_format_goes_before_it(stored: Api, reader: httpx.Client) -> None:
    rows = reader.get(PATH, params={**DAY, "format": "rows", "limit": "2"}).json()
    assert rows["rows"] == [
        {"time": "2026-01-01T00:00:00Z", "flow_litres_per_h": 0.0, "quality": 0},
        {"time": "2026-01-01T00:01:00Z", "flow_litres_per_h": 1.0, "quality": 0},
    ]
    assert rows["has_more"]
    text = reader.get(PATH, params=DAY, headers={"Accept": "text/csv"})
    assert text.text.startswith("time,flow_litres_per_h,quality\r\n2026-01-01T00:00:00Z,0.0,0\r\n")
    both = reader.get(PATH, params={**DAY, "format": "ndjson"}, headers={"Accept": "text/csv"})
    assert both.headers["content-type"] == "application/x-ndjson"
    refused = reader.get(PATH, params=DAY, headers={"Accept": "image/png"})
    assert refused.status_code == 406
    assert "application/vnd.apache.parquet" in refused.json()["detail"]
    epoch = reader.get(PATH, params={**DAY, "times": "epoch_ms", "limit": "1"}).json()
    assert epoch["columns"]["time"] == [1767225600000]


def test_buckets_come_in_every_form(stored: Api, reader: httpx.Client) -> None:
    params = {**DAY, "end": "2026-01-01T05:00:00Z", "bucket": "PT1H", "aggregate": "max"}
    for form in ("json", "rows", "ndjson", "csv", "arrow", "parquet"):
        answer = reader.get(PATH, params={**params, "format": form})
        assert flows(answer) == [59.0, 119.0, 179.0, 239.0, 299.0], form
        assert answer.headers["etag"]


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_answers_are_compressed(stored: Api, reader: httpx.Client, coding: str) -> None:
    from backports import zstd

    expand = {"gzip": gzip.decompress, "zstd": zstd.decompress}[coding]
    for form in ("json", "csv"):
        params = {**DAY, "format": form}
        plain = reader.get(PATH, params=params, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        with reader.stream(
            "GET", PATH, params=params, headers={"Accept-Encoding": coding}
        ) as small:
            assert small.headers["content-encoding"] == coding
            assert "Accept-Encoding" in small.headers["vary"]
            raw = b"".join(small.iter_raw())
        assert len(raw) < len(plain.content) / 3
        assert expand(raw) == plain.content


def test_what_has_not_changed_is_not_sent_again(stored: Api, reader: httpx.Client) -> None:
    before = {**DAY, "start": "2025-12-01T00:00:00Z", "end": DAY["start"]}
    first = reader.get(PATH, params=before)
    tag = first.headers["etag"]
    again = reader.get(PATH, params=before, headers={"If-None-Match": f'"x", {tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    number = register(stored.database_url, [METER])[METER.id]
    late = [START + timedelta(days=-1)]
    store(stored.database_url, METER, number, late, flow_litres_per_h=[7.0])
    changed = reader.get(PATH, params=before, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_a_range_that_is_too_long_for_one_answer_says_what_to_do(database_url: str) -> None:
    number = register(database_url, [METER])[METER.id]
    store(database_url, METER, number, [START], flow_litres_per_h=[1.0])
    with (
        serving(database_url, direct_readings=1000) as api,
        api.client(new_key(database_url, "read")) as client,
    ):
        refused = client.get(PATH, params={**DAY, "format": "csv"})
        assert refused.status_code == 422
        body = refused.json()
        assert body["field"] == "start"
        assert "1,440 readings" in body["allowed"]
        assert "POST /v1/exports" in body["allowed"]
        short = client.get(PATH, params={**DAY, "end": "2026-01-01T12:00:00Z", "format": "csv"})
        assert short.status_code == 200


@pytest.mark.parametrize("path", [PATH, "/v1/readings"])
def test_bad_questions_name_what_is_wrong(stored: Api, reader: httpx.Client, path: str) -> None:
    cases = [
        ({"format": "pdf"}, "format"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1000000"}, "limit"),
    ]
    if path == "/v1/readings":
        cases += [
            ({}, "sensor_id"),
            ({"sensor_id": METER.id, "zone": "Zone 3"}, "zone"),
            ({"sensor_id": METER.id, "direction": "north"}, "direction"),
            ({"sensor_id": METER.id, "kind": "pump"}, "kind"),
            ({"sensor_id": [f"M-{i}" for i in range(1001)]}, "sensor_id"),
        ]
    for params, field in cases:
        answer = reader.get(path, params=params)  # type: ignore[arg-type]
        assert answer.status_code == 422, params
        assert answer.json()["field"] == field
        assert answer.json()["allowed"]


def test_unknown_names_are_all_named(stored: Api, reader: httpx.Client) -> None:
    for params, words in (
        ({"sensor_id": ["ghost", METER.id, "phantom"]}, ("ghost", "phantom")),
        ({"zone": "Atlantis"}, ("zone", "Atlantis")),
        ({"road": "Styx", "direction": "down"}, ("road", "Styx", "down")),
    ):
        answer = reader.get("/v1/readings", params=params)
        assert answer.status_code == 404
        assert all(word in answer.json()["detail"] for word in words)


def test_a_zone_is_asked_for_at_once(stored: Api, reader: httpx.Client) -> None:
    answer = reader.get("/v1/readings", params={**DAY, "zone": "Zone 3", "limit": "2"}).json()
    assert answer["sensor_id"] == [METER.id]
    assert answer["columns"]["sensor_id"] == [METER.id] * 2


def test_a_slow_question_is_ended_and_its_connection_freed(database_url: str) -> None:
    register(database_url, [METER])
    with (
        serving(database_url, statement_timeout_s=0.5, pool_connections=1, key_cache_s=300) as api,
        api.client(new_key(database_url, "read")) as client,
    ):

        def answered() -> bool:  # as soon as the database finds the half second for it
            return client.get(PATH, params=DAY).status_code == 200

        wait_until(answered, what="an answer before")
        with held(database_url):
            slow = client.get(PATH, params=DAY)
        assert slow.status_code == 503
        assert int(slow.headers["retry-after"]) > 0
        assert "shorter range" in slow.json()["detail"]
        wait_until(answered, what="an answer over the connection that is free again")


def counted(client: httpx.Client, path: str) -> dict[str, float]:
    """Requests of a route by their status."""
    line = rf'citygauge_api_requests_total{{method="GET",route="{re.escape(path)}",status="(\d+)"}} (\S+)'
    return {status: float(n) for status, n in re.findall(line, client.get("/metrics").text)}


def test_a_client_that_goes_away_stops_its_question(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted as what it is, and nothing was unavailable; the only connection serves the next."""
    register(database_url, [METER])
    secret = new_key(database_url, "read")
    with (
        caplog.at_level("INFO"),
        serving(
            database_url, statement_timeout_s=600.0, pool_connections=1, metrics_need_key=False
        ) as api,
        api.client(secret) as client,
    ):
        with held(database_url) as others:
            with left_behind(api, secret, f"{PATH}?{urlencode(DAY)}"):
                wait_until(lambda: others() == 1, what="the question to wait for the lock")
            wait_until(lambda: others() == 0, what="the question to be stopped")
        route = "/v1/sensors/{sensor_id}/readings"
        wait_until(lambda: counted(client, route) == {"499": 1.0}, what="the request to be counted")
        assert client.get(PATH, params=DAY).status_code == 200
    assert "query stopped: its client has gone" in caplog.messages
    assert [line for line in caplog.messages if "unavailable" in line] == []


def test_a_client_that_leaves_in_mid_answer_is_no_error(
    stored: Api, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer's first block is out; the client goes while the database is asked for the second."""
    secret = new_key(stored.database_url, "read", name="leaves")
    asked = threading.Event()
    page = RawTable.page

    def pause(self: RawTable, connection: Connection, limit: int, after: str | None) -> Any:
        if after is not None:
            asked.set()
            connection.execute("SELECT pg_sleep(600)")
        return page(self, connection, limit, after)

    monkeypatch.setattr(RawTable, "page", pause)
    route = "/v1/sensors/{sensor_id}/readings"
    with caplog.at_level("INFO"), stored.client(secret) as client:
        before = counted(client, route)
        with left_behind(
            stored, secret, f"{PATH}?{urlencode({**DAY, 'format': 'csv'})}"
        ) as leaving:
            assert leaving.recv(15) == b"HTTP/1.1 200 OK"
            assert asked.wait(PATIENCE_S)
        now = {**before, "499": before.get("499", 0.0) + 1}
        wait_until(lambda: counted(client, route) == now, what="the request to be counted")
    assert "query stopped: its client has gone" in caplog.messages
    assert [each.getMessage() for each in caplog.records if each.levelname != "INFO"] == []


@contextmanager
def left_behind(api: Api, secret: str, path: str) -> Iterator[socket.socket]:
    """A question whose client goes away at the end."""
    where = urlsplit(api.url)
    with socket.create_connection((where.hostname, where.port or 0), PATIENCE_S) as client:
        head = f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\n"
        client.sendall(f"{head}Authorization: Bearer {secret}\r\n\r\n".encode())
        yield client


def test_pages_meet_without_a_gap(stored: Api, reader: httpx.Client) -> None:
    params, times = {**DAY, "limit": "77"}, []
    while True:
        page = reader.get(PATH, params=params).json()
        times += page["columns"]["time"]
        if not page["has_more"]:
            break
        params["after"] = page["next"]
    assert len(times) == 300
    assert all(a < b for a, b in pairwise(times))
